"""26 requests that mean a log ill, as they stand on the wire: text that holds bytes as latin-1, as environ does.

What a line must show of each is what was sent, byte for byte, but for what HTTP takes off (blanks round a value), what
the log cuts, and what is secret. No server lets through all of them; `environ()` is the request as if one did.
"""

from __future__ import annotations

from base64 import b64encode
from typing import NamedTuple

from asking import make_environ

BIDI = "\u202eevil\u2028\u2066".encode().decode("latin-1")
SECRET = "s3cr3t"
FORGED = '203.0.113.9 - - [x] "GET /forged HTTP/1.1" 200 1'

# What no place in a line may let out of it.
VALUES = [
    'a" 200 1 "-" "evil',
    'a\\" b\\',
    "\n",
    "\r",
    "\x1b[2J\x07",
    "\x9b",
    "\xe9\xff",
    "\xe2\x80\xa8\xe2\x80\xae",
    "\0",
    "\t",
    "\x7f",
    "\x85",
    "%s %(x)s {0} %n",
]

# And where they may stand in environ.
ENTRIES = [
    "HTTP_USER_AGENT",
    "HTTP_REFERER",
    "PATH_INFO",
    "QUERY_STRING",
    "REMOTE_USER",
    "HTTP_X_FORWARDED_FOR",
    "REQUEST_METHOD",
    "SERVER_PROTOCOL",
    "REMOTE_ADDR",
]


class Hostile(NamedTuple):
    """One request. `shown` is the user agent of its line, where that is cut."""

    name: str
    target: str = "/"
    method: str = "GET"
    agent: str = "Browser/1.0"
    referrer: str = "http://from.example/"
    user: str | None = None
    forwarded: str | None = None
    shown: str | None = None

    def on_the_wire(self):
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: site.example", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers().items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def environ(self):
        path, _, query = self.target.partition("?")
        return make_environ(
            headers=self.headers(),
            method=self.method,
            REQUEST_URI=self.target,
            PATH_INFO=path,
            QUERY_STRING=query,
            SERVER_PROTOCOL="HTTP/1.1",
        )

    def headers(self):
        fields = {"User-Agent": self.agent, "Referer": self.referrer}
        if self.user is not None:
            fields["Authorization"] = f"Basic {b64encode(f'{self.user}:password'.encode('latin-1')).decode()}"
        if self.forwarded is not None:
            fields["X-Forwarded-For"] = self.forwarded
        return fields

    def facts(self):
        """What a log says of it: the user, the line of the request, the referrer, the user agent."""
        said = self.user, f"{self.method} {self.target} HTTP/1.1", self.referrer, self.shown or self.agent
        return tuple(text and text.replace(SECRET, "***") for text in said)


REQUESTS = [
    Hostile("quotes", agent='a" 200 1 "-" "evil'),
    Hostile("quotes in the referrer", referrer='http://a.example/" "-" 200'),
    Hostile("quotes in the target", target='/a"b+HTTP/1.0"+200+1+"'),
    Hostile("blanks in the target", target='/a b" 200 1 "'),
    Hostile("backslashes", agent='a\\" b\\', referrer="http://a.example/\\"),
    Hostile("line feeds in the path", target="/a%0d%0a203.0.113.9%20-%20-%20[x]"),
    Hostile("a folded line", agent=f"a\r\n {FORGED}"),
    Hostile("a bare line feed", agent=f"a\n{FORGED}"),
    Hostile("a bare carriage return", agent=f"a\r{FORGED}"),
    Hostile("a screen that is wiped", agent="a\x1b[2J\x07\x1b]0;evil\x07"),
    Hostile("controls of C1", agent="a\x9b31m\x85\x90b"),
    Hostile("text that runs backwards", agent=f"a{BIDI}b"),
    Hostile("no UTF-8", agent="a\xe9\xff\xc0\xafb"),
    Hostile("no UTF-8 in the path", target="/%ff%fe?q=%c0%af"),
    Hostile("raw bytes in the path", target="/\xff\xfe\x9b"),
    Hostile("a user who begins a line", user=f"bob\n{FORGED}"),
    Hostile("a user who leaves the field", user='bob "the builder"[x] \\'),
    Hostile("a user with a slash", user="a/b"),
    Hostile("a forged address", forwarded='203.0.113.9" 200 1 "-'),
    Hostile("a long agent", agent="x" * 4096, shown="x" * 1021 + "..."),
    Hostile("a secret", target=f"/reset?id=1&token={SECRET}", referrer=f"http://from.example/?token={SECRET}"),
    Hostile("a secret behind a blank", target=f"/reset?id=1 2&token={SECRET}"),
    Hostile("an odd method", method="BREW"),
    Hostile("a method with quotes", method='GE"T'),
    Hostile("a byte of zero", agent="a\0b\tc\x7fd"),
    Hostile("directives", agent="%s %(x)s {0} %n", target="/%25s%25n?{0}"),
]
