"""Where a login may lead, beside a WHATWG URL parser: Node reads what browsers read, `new URL(value, base)`.

The values are made anew from a seed, of every class that has led login pages of the world elsewhere (NXT-4): what is
tried first is made of a prefix and a host, what comes after it of pieces in any order.
"""

from __future__ import annotations

import json
import os
import random
import subprocess

import pytest
from conftest import program
from over_http import exchange, served

from middleware.auth import AuthMiddleware, SessionLogin, safe_next
from middleware.sessions import SessionMiddleware
from middleware.stores.memory import MemoryStore

OURS = "https://our.example"
ORIGINS = [OURS, "https://our.example:8443", "http://our.example", "http://[::1]:8000", "http://127.0.0.1:5000"]
CONTROLS = [chr(code) for code in [*range(0x20), 0x7F]]
HOSTS = ["evil.example", "our.example.evil.example", "evilour.example", "evil.example:443", "[2001:db8::1]"]

# Each class: how one value of it is made. `d` are the dice, `h` is a host of somebody else.
CLASSES = {
    "slashes without a scheme": lambda d, h: "/" * d.randint(2, 4) + h + tail(d),
    "slashes and backslashes mixed": lambda d, h: "".join(d.choices("/\\", k=d.randint(2, 4))) + "\\" + h + tail(d),
    "controls before the slashes": lambda d, h: noise(d) + d.choice(["//", "/\\", "https://"]) + h + tail(d),
    "controls between the slashes": lambda d, h: d.choice(["/", "https:/", "\\"]) + noise(d) + "/" + h + tail(d),
    "controls inside the scheme": lambda d, h: inside(d, d.choice(["https", "http", "javascript"])) + "://" + h,
    "percent-encoded slashes": lambda d, h: d.choice(["/", "//", ""]) + d.choice(["%2f", "%2F", "%5c", "%5C"]) + h,
    "dot segments, then slashes": lambda d, h: "/" + dots(d) + "//" + h + tail(d),
    "a scheme with no slash or one": lambda d, h: d.choice(["https:", "http:"]) + d.choice(["", "/", "\\"]) + h,
    "schemes in capitals": lambda d, h: in_any_case(d, d.choice(["https", "http"])) + "://" + h + tail(d),
    "schemes that run or hold": lambda d, h: in_any_case(d, d.choice(["javascript", "data", "blob"])) + ":" + h,
    "user information": lambda d, h: d.choice(["https:", "http:", ""]) + "//our.example" + user(d) + "@" + h + tail(d),
    "our host within another": lambda d, h: (
        OURS + d.choice([".evil.example", "evil", "-x.example", "%2eevil"]) + tail(d)
    ),
    "a trailing dot": lambda d, h: OURS + d.choice([".", ".."]) + d.choice(["", ":443"]) + tail(d),
    "ports": lambda d, h: OURS + ":" + d.choice(["", "444", "65536", "4433333", "443:443", "-1", "0x1bb"]) + tail(d),
    "brackets that are broken": lambda d, h: "https://" + d.choice(["[::1", "::1]", "[our.example]", "[[::1]]", "[]"]),
    "numbers for hosts": lambda d, h: "https://" + d.choice(["0x7f000001", "2130706433", "017700000001", "127.1"]),
    "letters of full width": lambda d, h: d.choice(["https://", "//", "/"]) + wide(d, "our.example") + tail(d),
    "another full stop": lambda d, h: OURS.replace(".", d.choice("\u3002\uff0e\uff61")) + tail(d),
    "other slashes": lambda d, h: d.choice(["/", "https:"]) + d.choice("\u2044\u2215\uff0f\u29f8") + "/" + h,
    "other spaces": lambda d, h: d.choice(" \xa0\u1680\u2003\u2028\u3000\ufeff") + d.choice(["//", "/\\", "/"]) + h,
    "pieces in any order": lambda d, h: "".join(d.choices(PIECES, k=d.randint(1, 7))),
    "pieces behind our origin": lambda d, h: OURS + "".join(d.choices(PIECES, k=d.randint(1, 5))),
    "pieces behind a slash": lambda d, h: "/" + "".join(d.choices(PIECES, k=d.randint(1, 5))),
}
WITHIN = {
    "a URL in the query": lambda d, h: f"/{word(d)}?{word(d)}=" + d.choice(["https:", ""]) + f"//{h}/",
    "a URL in the fragment": lambda d, h: f"/{word(d)}#" + d.choice(["//", "https://", "@", "/../"]) + h,
    "a path": lambda d, h: "".join(f"/{word(d)}" for _ in range(d.randint(1, 4))) + d.choice(["", "/", "?a=b", "#c"]),
    "our origin": lambda d, h: OURS + d.choice(["", ":443"]) + "".join(f"/{word(d)}" for _ in range(d.randint(0, 3))),
}
PIECES = [
    *"/\\.:@?#%;&=+~!$'()*,[]_-|^`{}<>\"aA0 ",
    *"\t\n\r\0",
    "%2e",
    "%2F",
    "%5c",
    "%09",
    "https",
    "HTTP",
    "//",
    "..",
]
PIECES += ["our.example", "evil.example", ":443", ":80", ":8443", ":8000", "[::1]", "127.0.0.1", "\u3002", "\uff0f"]
EACH = 200  # values of each class, for each origin


def tail(d):
    return d.choice(["", "/", "/a", "?a=b", "#a", "//", "/..//evil.example"])


def noise(d):
    return "".join(d.choices(CONTROLS, k=d.randint(1, 2)))


def inside(d, word):
    place = d.randrange(len(word) + 1)
    return word[:place] + noise(d) + word[place:]


def dots(d):
    return "/".join(d.choice([".", "..", "%2e", "%2E%2e", ".%2e", "a/.."]) for _ in range(d.randint(1, 3))) + "/"


def in_any_case(d, word):
    return "".join(d.choice([letter, letter.upper()]) for letter in word)


def user(d):
    return d.choice(["", ":", ":pw", "%40", "\\", "/", "?", "#", ":443"])


def wide(d, host):
    place = d.randrange(len(host))
    return host[:place] + chr(ord(host[place]) + 0xFEE0) + host[place + 1 :]


def word(d):
    return "".join(d.choices("abcXYZ019-_~!$&'()*+,;=:@", k=d.randint(1, 6)))


def made(classes, seed):
    """Pairs of an origin and a value that was made for it, by class."""
    dice = random.Random(seed)
    return {
        name: [
            (origin, make(dice, dice.choice(HOSTS)).replace(OURS, origin)) for origin in ORIGINS for _ in range(EACH)
        ]
        for name, make in classes.items()
    }


def as_browsers_read(pairs):
    """Of each value the origin and the path that a browser would go to from a page of ours; None for an error."""
    code = """
    const pairs = JSON.parse(require('fs').readFileSync(0));
    const read = ([origin, value]) => {
        try { const url = new URL(value, origin + '/login'); return [url.origin, url.pathname] } catch { return null }
    };
    console.log(JSON.stringify(pairs.map(read)));
    """
    node = [program("node", "nodejs"), "-e", code]
    ran = subprocess.run(node, input=json.dumps(pairs), capture_output=True, text=True, check=True, timeout=60)
    return json.loads(ran.stdout)


@pytest.mark.slow
def test_nothing_that_is_accepted_leaves_the_site_for_a_browsers_url_parser():
    seed = int.from_bytes(os.urandom(4))
    pairs_of = made(CLASSES, seed)
    pairs = [pair for some in pairs_of.values() for pair in some]
    assert len(pairs) >= 2500
    read = dict(zip(pairs, as_browsers_read(pairs), strict=True))
    # A path that begins with two slashes is a host to whoever redirects to it once more.
    leave = {pair for pair, to in read.items() if to is None or to[0] != pair[0] or "//" in to[1]}
    for name, some in pairs_of.items():
        assert leave & set(some), f"{name} proves nothing, of seed {seed}"
    accepted = {(origin, value) for origin, value in pairs if safe_next(value, origin) is not None}
    assert len(accepted) > 100, f"the test proves nothing, of seed {seed}"
    assert accepted & leave == set(), f"of seed {seed}"


@pytest.mark.slow
def test_what_leads_to_another_site_only_in_its_query_or_fragment_is_accepted():
    seed = int.from_bytes(os.urandom(4))
    pairs = [pair for some in made(WITHIN, seed).values() for pair in some if ":443" not in pair[1]]
    assert [pair for pair in pairs if safe_next(pair[1], pair[0]) is None] == [], f"of seed {seed}"
    assert [pair for pair, read in zip(pairs, as_browsers_read(pairs), strict=True) if read[0] != pair[0]] == []


@pytest.mark.slow
def test_the_location_that_goes_over_the_wire_is_the_value_that_was_checked():
    values = [value for some in made({**WITHIN, **CLASSES}, 7).values() for _, value in some[:: EACH // 2]]
    layer = AuthMiddleware(lambda environ, start_response: [], SessionLogin(lambda user: None))
    with served(SessionMiddleware(layer, store=MemoryStore())) as port:
        origin = f"http://127.0.0.1:{port}"
        told = {}
        for value in values:
            form = "next=" + "".join(f"%{byte:02x}" for byte in value.encode())
            fields = ["Sec-Fetch-Site: same-origin", "Content-Type: application/x-www-form-urlencoded"]
            fields.append(f"Content-Length: {len(form)}")
            reply = exchange(
                port, "/logout", *fields, method="POST", body=form.encode(), host=origin.removeprefix("http://")
            )
            told[value] = (reply.status, reply.field("Location"))
    for value, (status, location) in told.items():
        assert status == 303
        expected = safe_next(value, origin)
        assert location == ("/" if expected in (None, "/login", "/logout") else value)
    assert len({location for _, location in told.values()}) > 20
