"""What becomes of a Set-Cookie line on its way out. Pure; time is an argument.

Attributes are added, none is taken away, weakened or moved, and no byte of name or value is touched. A lifetime that
browsers cut to 400 days is written as that. Refused is what no browser keeps; what is not understood goes on as it is.
"""

from __future__ import annotations

from middleware.cookies.codec import LARGEST, LONGEST_ATTRIBUTE, LONGEST_LIFE, has_control, prefix_of
from middleware.headers import http_date

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.cookies.options import SameSite

    Key = tuple[str, str, str, bool]

CONTROL = "a control character"
NAMELESS = "no name"
TOO_LARGE = "more than 4096 bytes of name and value"
BAD_PREFIX = "a name whose prefix asks for other attributes"

_DIGITS = "0123456789"


class Verdict:
    """What becomes of each line of one name with these attributes, whatever its value.

    `key`: by which a browser tells cookies apart; None for a line that goes on as it is, whatever stands beside it.
    `refused`: why no browser keeps it; None where one may. `added`: what to append. `capped`: the attributes with each
    Max-Age cut, where one was too long. `expires`: the latest Expires, in seconds since 1970, of which
    `with_expires_cut` makes an earlier one. `for_https`: browsers keep it over https only, and this is http.
    `is_plain`: nothing but `added` is to be done.
    """

    __slots__ = ("added", "capped", "expires", "for_https", "is_plain", "key", "refused")

    def __init__(self, key: Key | None) -> None:
        self.key = key
        self.refused: str | None = None
        self.added = ""
        self.capped: str | None = None
        self.expires: int | None = None
        self.for_https = False
        self.is_plain = False


def taken_apart(line: str) -> tuple[str, str]:
    """The name of the cookie that a Set-Cookie line sets, empty where it has none, and the attributes behind `;`."""
    pair, _, attributes = line.partition(";")
    name, equals, _ = pair.partition("=")
    return name.strip(" \t") if equals else "", attributes


def fault_of(line: str) -> str | None:
    """Why a browser drops this line whatever its name and attributes; None where it does not."""
    if has_control(line):
        return CONTROL
    if len(line) > LARGEST:
        name, equals, value = line.partition(";")[0].partition("=")
        if len(name.strip(" \t")) + len(value.strip(" \t")) > LARGEST:
            return TOO_LARGE if equals else NAMELESS
    return None


def key_of(name: str, domain: str | None, path: str, partitioned: bool) -> Key:
    """By which a browser tells cookies apart: equal keys are one cookie, the empty path is that of the request."""
    return name, (domain or "").removeprefix(".").lower(), path if path.startswith("/") else "", partitioned


def judged(name: str, attributes: str, *, https: bool, secure: bool, httponly: bool, samesite: SameSite) -> Verdict:
    """The verdict on a line of this name with these attributes.

    `https`: the client came by https. `secure`, `httponly`: add Secure and HttpOnly where they are missing. `samesite`:
    the value for a line that gives none. Over https a name with a prefix gets the Secure, HttpOnly and Path=/ that the
    prefix asks for, and Partitioned and `SameSite=None` get Secure.
    """
    given = _given(attributes)
    path = given.get("path", "")
    verdict = Verdict(key_of(name, given.get("domain"), path, "partitioned" in given))
    if not name:
        verdict.refused = NAMELESS
        return verdict
    prefix = prefix_of(name)
    if https and prefix and "host-" in prefix and (given.get("domain") or (path.startswith("/") and path != "/")):
        verdict.refused = BAD_PREFIX
        return verdict
    needs_secure = prefix is not None or "partitioned" in given or given.get("samesite", "").lower() == "none"
    secure = "secure" in given or secure or (https and needs_secure)
    if https and prefix and "host-" in prefix and path != "/":
        verdict.added += "; Path=/"
    if secure and "secure" not in given:
        verdict.added += "; Secure"
    if "httponly" not in given and (httponly or (prefix and "http-" in prefix)):
        verdict.added += "; HttpOnly"
    if "samesite" not in given and (samesite != "None" or secure):
        verdict.added += f"; SameSite={samesite}"
    verdict.for_https = not https and (needs_secure or "secure" in given)
    verdict.capped, verdict.expires = _lifetimes(attributes)
    verdict.is_plain = not verdict.for_https and verdict.capped is None and verdict.expires is None
    return verdict


def with_expires_cut(attributes: str, now: float) -> str:
    """The attributes with each Expires that is further away than browsers keep a cookie written as just so far."""
    latest = int(now) + LONGEST_LIFE
    parts = attributes.split(";")
    for place, part in enumerate(parts):
        name, _, value = part.partition("=")
        if name.strip(" \t").lower() == "expires" and (_expires(value.strip(" \t")) or 0) > latest:
            parts[place] = f"{name}={http_date(latest)}"
    return ";".join(parts)


def _given(attributes: str) -> dict[str, str]:
    """The attributes by lower-case name, as browsers take them: of several the last, none that is too long."""
    given = {}
    for part in attributes.split(";"):
        name, _, value = part.partition("=")
        value = value.strip(" \t")
        if len(value) <= LONGEST_ATTRIBUTE:
            given[name.strip(" \t").lower()] = value
    return given


def _lifetimes(attributes: str) -> tuple[str | None, int | None]:
    """The attributes with each Max-Age of more than 400 days cut, where there is one, and the latest Expires."""
    latest = None
    is_capped = False
    parts = attributes.split(";")
    for place, part in enumerate(parts):
        name, _, value = part.partition("=")
        value = value.strip(" \t")
        match name.strip(" \t").lower():
            case "max-age" if _max_age(value) > LONGEST_LIFE:
                parts[place] = f"{name}={LONGEST_LIFE}"
                is_capped = True
            case "expires" if (seconds := _expires(value)) is not None:
                latest = seconds if latest is None else max(latest, seconds)
    return ";".join(parts) if is_capped else None, latest


def _max_age(value: str) -> int:
    return int(value) if 0 < len(value) <= LONGEST_ATTRIBUTE and not value.strip(_DIGITS) else 0


def _expires(value: str) -> int | None:
    from middleware.cookies.dates import parse_cookie_date

    return parse_cookie_date(value) if len(value) <= LONGEST_ATTRIBUTE else None
