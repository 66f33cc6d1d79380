"""Where a login may lead: paths of this site, and nothing that a browser could take for another one. Pure.

The rule: a target is accepted only where every URL parser reads it the same way. It is refused, never repaired.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import WSGIEnvironment

LONGEST = 2048
_DIGITS = frozenset("0123456789")
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_")
_ADDRESS = frozenset("0123456789abcdef.:")  # version 6, between brackets
_PORTS = {"http": "80", "https": "443"}


def safe_next(value: object, origin: str, allowed: Iterable[str] = ()) -> str | None:
    """`value` where it leads to `origin` or to one of the `allowed` origins, else None. Never raises.

    Accepted are a path that begins with exactly one slash, and an absolute http or https URL; on an https origin no
    http URL. Refused is whatever parsers disagree on: control characters, spaces, backslashes, characters beyond ASCII,
    user information, empty and dot segments (percent-encoded ones too), and more than 2,048 characters.
    """
    if not isinstance(value, str) or not value or len(value) > LONGEST or not value.isascii():
        return None
    if any(character <= " " or character in "\\\x7f" for character in value):
        return None
    if value[0] == "/":
        return value if _is_path(value) else None
    found = split_origin(value)
    if found is None:
        return None
    (scheme, _), rest = found
    ours = split_origin(origin)
    if ours is not None and ours[0][0] == "https" and scheme != "https":
        return None
    wanted = [ours, *(split_origin(one) for one in allowed)]
    if not any(one is not None and one[0] == found[0] for one in wanted):
        return None
    return value if rest[:1] != "/" or _is_path(rest) else None


def split_origin(url: str) -> tuple[tuple[str, str], str] | None:
    """The normal form of an absolute http(s) URL's origin, and what follows it; None where it is not a plain one."""
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _PORTS:
        return None
    end = min((place for place in map(rest.find, "/?#") if place >= 0), default=len(rest))
    host = _plain_host(rest[:end].lower(), _PORTS[scheme])
    return None if host is None else ((scheme, host), rest[end:])


def _plain_host(host: str, usual_port: str) -> str | None:
    """Without a port where that is the usual one; None where some parser could read another host."""
    name, colon, port = host.rpartition(":")
    if not colon or host[-1] == "]":
        name, port = host, usual_port
    if not port or len(port) > 5 or not _DIGITS.issuperset(port) or int(port) > 65535:
        return None
    is_address = name[:1] == "[" and name[-1:] == "]"
    inside, plain = (name[1:-1], _ADDRESS) if is_address else (name, _NAME)
    if not inside or not plain.issuperset(inside):
        return None
    return name if port == usual_port else host


def _is_path(value: str) -> bool:
    """Whether this begins with one slash and has no empty and no dot segment, also after percent-decoding."""
    path = value.partition("?")[0].partition("#")[0]
    if "%" in path:
        from urllib.parse import unquote_to_bytes

        path = unquote_to_bytes(path).decode("latin-1")
        if any(character < " " or character in "\\\x7f" for character in path):
            return False
    segments = path.split("/")
    return all(segments[1:-1]) and "." not in segments and ".." not in segments


def origin_of(environ: WSGIEnvironment) -> str:
    """The origin that this request was sent to, `https://example.com:8443`."""
    scheme: str = environ.get("wsgi.url_scheme", "http")
    host: str = environ.get("HTTP_HOST") or f"{environ.get('SERVER_NAME', '')}:{environ.get('SERVER_PORT', '')}"
    return f"{scheme}://{host}"


def same_origin(one: str, other: str) -> bool:
    """Whether two origins are the same one; False for what is no origin, like `null`."""
    found, wanted = split_origin(one), split_origin(other)
    return found is not None and wanted is not None and found[0] == wanted[0] and not found[1]


def next_of(environ: WSGIEnvironment) -> str | None:
    """Where this request wanted to go, as a target that `safe_next` accepts; None where it accepts none."""
    from urllib.parse import quote

    raw = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    target = quote(raw.encode("latin-1", "replace"), safe="/~!$&'()*+,;=:@") or "/"
    query = environ.get("QUERY_STRING", "")
    if query:
        target += "?" + query
    return safe_next(target, "")
