"""Cookie and Set-Cookie fields, to and from values. No I/O, no WSGI, no regular expression.

The reader takes every text and never decodes: split at `;`, strip spaces and tabs, cut at the first `=`. The writer
refuses what a browser would read as something else; it repairs nothing (RFC 6265bis, sections 4.1.1, 4.2 and 5).
"""

from __future__ import annotations

from middleware.errors import CookieTooLarge

LARGEST = 4096  # bytes of name and value together, RFC 6265bis section 5
LONGEST_ATTRIBUTE = 1024  # bytes, longer ones are ignored by browsers
LONGEST_LIFE = 400 * 86400  # seconds, RFC 6265bis section 5.5
MOST_TRIED = 8  # cookies of one name in one request, where a value has to be verified or looked up
SAME_SITE = ("Strict", "Lax", "None")

_ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_TOKEN = _ALPHANUMERIC + "!#$%&'*+-.^_`|~"
_DOMAIN = _ALPHANUMERIC + "-."
_VALUE = "".join(character for character in map(chr, range(0x21, 0x7F)) if character not in '",;\\')
_PATH = "".join(character for character in map(chr, range(0x20, 0x7F)) if character != ";")
_CONTROL = bytes([*range(0x09), *range(0x0A, 0x20), 0x7F])
_LONG_AGO = "Thu, 01 Jan 1970 00:00:00 GMT"


def parse_cookies(field: str) -> list[tuple[str, str]]:
    """The cookies of a Cookie field in order, duplicates too, each value verbatim, with its quotes if it has any.

    What has no name or no `=` is left out. Takes every text and never raises.
    """
    pairs = []
    for part in field.split(";"):
        name, equals, value = part.strip(" \t").partition("=")
        if equals and name:
            pairs.append((name, value))
    return pairs


def values_of(field: str, name: str, most: int | None = None) -> list[str]:
    """The values of the (first `most`) cookies of this name: what `parse_cookies` finds, at a fifth of its price."""
    start = name + "="
    before, found, value = field.rpartition(start)
    if not found:
        return []
    if (not before or before[-2:] == "; ") and start not in before:  # as browsers send it: 0.9 us less
        if ";" in value:
            value = value[: value.index(";")]
        return [value.rstrip(" \t")]
    length = len(start)
    parts = [part.strip(" \t") for part in field.split(";")]
    return [part[length:] for part in parts if part.startswith(start)][:most]


def has_control(text: str) -> bool:
    """Whether a browser would drop the whole line for a control character in it (tabs are let through)."""
    if text.isascii():  # isprintable() looks at each character: 0.3 us more for a session's cookie, 1.4 for 1000 bytes
        return len(text.encode().translate(None, _CONTROL)) < len(text)
    return not text.isprintable() and any((c < " " and c != "\t") or c == "\x7f" for c in text)


def attributes(
    name: str,
    *,
    path: str | None,
    domain: str | None,
    secure: bool,
    httponly: bool,
    samesite: str,
    partitioned: bool,
) -> str:
    """What follows value and lifetime on a Set-Cookie line, `"; Path=/; Secure; HttpOnly; SameSite=Lax"`.

    Raises ValueError for what a browser would refuse or read as something else: a name that is no token, characters
    that end an attribute, a name prefix without what it asks for, `SameSite=None` or Partitioned without Secure.
    """
    check_name(name)
    _check_prefix(name, path=path, domain=domain, secure=secure, httponly=httponly)
    if samesite not in SAME_SITE:
        raise ValueError(f'samesite is "Strict", "Lax" or "None", not {samesite!r}')
    if samesite == "None" and not secure:
        raise ValueError(f"cookie {name}: browsers refuse SameSite=None without Secure, which needs https")
    if partitioned and not secure:
        raise ValueError(f"cookie {name}: browsers refuse Partitioned without Secure, which needs https")
    parts = [""]
    if domain is not None:
        if not domain.strip(".") or not _only(domain, _DOMAIN) or len(domain) > LONGEST_ATTRIBUTE:
            raise ValueError(f"domain is a host name such as example.com, not {domain!r}")
        parts.append(f"Domain={domain}")
    if path is not None:
        if not path.startswith("/") or not _only(path, _PATH) or len(path) > LONGEST_ATTRIBUTE:
            raise ValueError(f"path begins with / and holds no ; or control character, not {path!r}")
        parts.append(f"Path={path}")
    if secure:
        parts.append("Secure")
    if httponly:
        parts.append("HttpOnly")
    parts.append(f"SameSite={samesite}")
    if partitioned:
        parts.append("Partitioned")
    return "; ".join(parts)


def lifetime(max_age: int | None) -> str:
    """The first attribute on a Set-Cookie line, `"; Max-Age=60"`; nothing for None, and what deletes for 0 and less.

    More than 400 days are cut to that, as browsers do. Raises TypeError for what is no int.
    """
    if max_age is None:
        return ""
    if isinstance(max_age, bool) or not isinstance(max_age, int):
        raise TypeError(f"max_age is a number of whole seconds, not {type(max_age).__name__}")
    if max_age <= 0:
        return f"; Expires={_LONG_AGO}; Max-Age=0"  # Expires for clients that do not know Max-Age
    return f"; Max-Age={min(max_age, LONGEST_LIFE)}"


def check_name(name: str) -> None:
    """A ValueError for a cookie name that is no token (RFC 6265bis, section 4.1.1), a TypeError for no text."""
    if not isinstance(name, str):
        raise TypeError(f"a cookie name is text, not {type(name).__name__}")
    if not name or not _only(name, _TOKEN):
        raise ValueError(f"a cookie name has letters, digits and !#$%&'*+-.^_`|~ only, not {name!r}")


def check_value(name: str, value: str) -> None:
    """A ValueError for a value with other characters than cookie-octets, CookieTooLarge for a cookie above 4096 bytes.

    TypeError for no text. The message does not show the value.
    """
    if not isinstance(value, str):
        raise TypeError(f"the value of cookie {name} is text, not {type(value).__name__}")
    if not _only(value, _VALUE):
        raise ValueError(
            f'the value of cookie {name} holds a character that cookies cannot carry (a space, one of " , ; \\ , '
            "a control character or one beyond ASCII): set it with quoted=True, or signed"
        )
    if len(name) + len(value) > LARGEST:
        raise CookieTooLarge(
            f"cookie {name} would have {len(name) + len(value)} bytes of name and value, browsers keep {LARGEST}"
        )


def _only(text: str, allowed: str) -> bool:
    # strip() takes allowed characters from both ends as far as it can: nothing is left only of such text.
    return not text.strip(allowed)


def _check_prefix(name: str, *, path: str | None, domain: str | None, secure: bool, httponly: bool) -> None:
    """RFC 6265bis, section 4.1.3: `__Secure-` and `__Host-`; `__Http-` and `__Host-Http-` of layered cookies."""
    prefix = prefix_of(name)
    if prefix is None:
        return
    if not secure:
        raise ValueError(f"cookie {name}: the prefix asks for Secure, which needs https")
    if "http-" in prefix and not httponly:
        raise ValueError(f"cookie {name}: the prefix asks for HttpOnly")
    if "host-" in prefix and (path != "/" or domain is not None):
        raise ValueError(f"cookie {name}: the prefix asks for path / and no domain")


def prefix_of(name: str) -> str | None:
    """The name's prefix in lower case, where it is one that browsers know; None else. Case does not matter to them."""
    lower = name[:12].lower()
    for prefix in ("__host-http-", "__host-", "__secure-", "__http-"):
        if lower.startswith(prefix):
            return prefix
    return None
