"""The cookie store of a small browser: RFC 6265bis, section 5, with the prefixes of layered cookies, and CHIPS.

Texts are as WSGI has them, one character for each byte. Left out: the list of public suffixes, requests from other
sites, limits of number, and scripts. It shares no line with the package, so that both can be held against each other.
"""

from __future__ import annotations

import re
from calendar import timegm
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlsplit

LIMIT = 400 * 86400
NEVER = float("inf")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
DELIMITERS = re.compile(r"[\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
DAY = re.compile(r"([0-9]{1,2})(?![0-9])")
YEAR = re.compile(r"([0-9]{2,4})(?![0-9])")
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
NEEDS_HTTP_ONLY = ("__http-", "__host-http-")
PREFIXES = ("__secure-", "__host-", *NEEDS_HTTP_ONLY)


@dataclass(frozen=True)
class Stored:
    """A cookie as the browser keeps it. `expires`: in seconds, NEVER for one that goes with the browser."""

    name: str
    value: str
    domain: str
    host_only: bool
    path: str
    secure: bool
    http_only: bool
    same_site: str
    partition: str | None
    expires: float
    created: int = 0

    @property
    def key(self):
        return self.name, self.domain, self.host_only, self.path, self.partition


class ReferenceBrowser:
    """Receives Set-Cookie lines in answer to requests, and tells what it would send with others."""

    def __init__(self, now=0.0):
        self.now = now
        self._cookies = {}
        self._created = 0

    @property
    def cookies(self):
        """What is stored and has not expired, the oldest first."""
        return sorted((c for c in self._cookies.values() if c.expires > self.now), key=lambda cookie: cookie.created)

    def receive(self, line, url="https://example.org/", top="example.org"):
        """Whether the line was understood and taken, be it to delete a cookie. `top`: the site in the address bar."""
        pair, attributes = parsed(line, self.now)
        if pair is None:
            return False
        cookie = self._judged(*pair, attributes, urlsplit(url), top)
        if cookie is None:
            return False
        old = self._cookies.pop(cookie.key, None)
        self._created += 1
        if cookie.expires > self.now:
            self._cookies[cookie.key] = replace(cookie, created=old.created if old else self._created)
        return True

    def sent(self, url, top="example.org"):
        """The cookies of a request, in the order in which it has them."""
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        matching = [
            cookie
            for cookie in self.cookies
            if (host == cookie.domain if cookie.host_only else domain_matches(host, cookie.domain))
            and path_matches(parts.path or "/", cookie.path)
            and (parts.scheme == "https" or not cookie.secure)
            and cookie.partition in (None, top)
        ]
        return sorted(matching, key=lambda cookie: (-len(cookie.path), cookie.created))

    def _judged(self, name, value, attributes, url, top):
        """Section 5.7: the cookie to store, or None."""
        host = (url.hostname or "").lower()
        domain = attributes.get("domain", "")
        if not domain.isascii() or (domain and not domain_matches(host, domain)):
            return None
        cookie = Stored(
            name,
            value,
            domain or host,
            host_only=not domain,
            path=attributes.get("path") or default_path(url.path),
            secure="secure" in attributes,
            http_only="httponly" in attributes,
            same_site=attributes.get("samesite", "default"),
            partition=top if "partitioned" in attributes else None,
            expires=attributes.get("max-age", attributes.get("expires", NEVER)),
        )
        if not cookie.secure and (cookie.same_site == "none" or cookie.partition):
            return None
        if url.scheme != "https" and (cookie.secure or self._lies_over_a_secure_one(cookie)):
            return None
        if not name and value.lower().startswith(PREFIXES):
            return None
        return cookie if prefix_is_kept(cookie, attributes) else None

    def _lies_over_a_secure_one(self, cookie):
        return any(
            other.secure
            and other.name == cookie.name
            and (domain_matches(cookie.domain, other.domain) or domain_matches(other.domain, cookie.domain))
            and path_matches(cookie.path, other.path)
            for other in self.cookies
        )


def parsed(line, now):
    """Section 5.6: name and value, or None where the line is for nobody, and the attributes that count."""
    pair, *parts = line.split(";")
    before, equals, after = pair.partition("=")
    name, value = (before.strip(" \t"), after.strip(" \t")) if equals else ("", pair.strip(" \t"))
    if CONTROL.search(line) or not name + value or len(name) + len(value) > 4096:
        return None, {}
    attributes = {}
    for part in parts:
        key, _, text = part.partition("=")
        key, text = key.strip(" \t").lower(), text.strip(" \t")
        if len(text) > 1024:
            continue
        if key == "max-age":
            if re.fullmatch("-?[0-9]+", text):
                attributes[key] = now + min(int(text), LIMIT) if int(text) > 0 else -NEVER
        elif key == "expires":
            seconds = cookie_date(text)
            if seconds is not None:
                attributes[key] = min(seconds, now + LIMIT)
        elif key == "domain":
            attributes[key] = text.removeprefix(".").lower()
        elif key == "path":
            attributes[key] = text if text.startswith("/") else ""
        elif key == "samesite":
            attributes[key] = text.lower() if text.lower() in ("strict", "lax", "none") else "default"
        elif key in ("secure", "httponly", "partitioned"):
            attributes[key] = True
    return (name, value), attributes


def prefix_is_kept(cookie, attributes):
    """Section 4.1.3, and 3.1.3 of layered cookies."""
    name = cookie.name.lower()
    if name.startswith(PREFIXES) and not cookie.secure:
        return False
    if name.startswith("__host-") and not (cookie.host_only and cookie.path == "/" and "path" in attributes):
        return False
    return cookie.http_only or not name.startswith(NEEDS_HTTP_ONLY)


def domain_matches(host, domain):
    return host == domain or (host.endswith("." + domain) and not re.fullmatch(r"[0-9.]+|\[.*\]", host))


def path_matches(path, cookie_path):
    return path == cookie_path or (
        path.startswith(cookie_path) and (cookie_path.endswith("/") or path[len(cookie_path)] == "/")
    )


def default_path(path):
    return path[: path.rindex("/")] or "/" if path.startswith("/") else "/"


def cookie_date(text):
    """Section 5.1.1: seconds since 1970, or None."""
    clock = day = month = year = None
    for token in DELIMITERS.split(text):
        if clock is None and (match := CLOCK.match(token)):
            clock = tuple(map(int, match.groups()))
        elif day is None and (match := DAY.match(token)):
            day = int(match[1])
        elif month is None and token[:3].lower() in MONTHS:
            month = MONTHS.index(token[:3].lower()) + 1
        elif year is None and (match := YEAR.match(token)):
            year = int(match[1])
    if None in (clock, day, month, year):
        return None
    year += 1900 if 70 <= year <= 99 else 2000 if year <= 69 else 0
    if year < 1601 or any(part > most for part, most in zip(clock, (23, 59, 59), strict=True)):
        return None
    try:
        date(year, month, day)
    except ValueError:
        return None
    return timegm((year, month, day, *clock))
