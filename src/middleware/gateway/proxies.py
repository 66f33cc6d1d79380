"""X-Forwarded-For and Forwarded (RFC 7239), read as they were written: from the right. Values in, values out.

The rule: every proxy adds on the right what it has seen, so an entry is worth as much as whoever wrote it, which is the
one whom the entry on its right names. What cannot be read ends the reading, and so nobody can take away what a proxy
has added; only the last 32 entries are looked at.
"""

from __future__ import annotations

from middleware.headers import TOKEN
from middleware.networks import packed_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST = 32  # entries
_LONGEST = 512  # characters of an element of Forwarded
_OBFUSCATED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_SOCKET = "unix:"  # what nginx says of a client on a Unix socket


class Hop:
    """What one proxy says of whoever spoke to it.

    `address`: "" for a Unix socket, None for whom it does not name. `port`, `proto` and `host`: "" where it says none;
    the last two are not checked yet.
    """

    __slots__ = ("address", "host", "port", "proto")

    def __init__(self, address: str | None, port: str = "", proto: str = "", host: str = "") -> None:
        self.address = address
        self.port = port
        self.proto = proto
        self.host = host


def listed(value: str) -> Iterator[Hop | None]:
    """The hops of an X-Forwarded-For, the last one first; None for an entry that is no address.

    An entry may have a port, brackets and quotes.
    """
    for entry in reversed(value.rsplit(",", MOST)[-MOST:]):
        node = entry.strip(" \t")
        if node == _SOCKET:
            yield Hop("")
            continue
        if len(node) > 1 and node[0] == node[-1] == '"':
            node = node[1:-1]
        found = _address_and_port(node, bare=True)
        yield None if found is None else Hop(*found)


def elements(value: str) -> Iterator[Hop | None]:
    """The hops of a Forwarded (RFC 7239, section 4), the last one first; None for a syntax error, which ends them."""
    for element in _from_the_right(value) if '"' in value else reversed(value.rsplit(",", MOST)[-MOST:]):
        hop = None if element is None or len(element) > _LONGEST else _read_element(element)
        yield hop
        if hop is None:
            return


def client_by_trust(hops: Iterator[Hop | None], is_trusted: Callable[[str], bool]) -> Hop:
    """The first who is not trusted, or else the last of those who are, given that the peer is trusted.

    `address` is None where nobody is named; `proto` and `host` are those of the hop at which the walk ends.
    """
    found, nearer = Hop(None), None
    for hop in hops:
        # Asked only where somebody is further away: most clients come by one proxy.
        if hop is None or not (nearer is None or is_trusted(nearer)):
            break
        found = hop if hop.address else Hop(found.address, found.port, hop.proto, hop.host)
        nearer = hop.address
        if nearer is None:
            break
    return found


def client_by_count(hops: Iterator[Hop | None], count: int) -> Hop | None:
    """The hop number `count` from the right; None where there are not as many that can be read."""
    for number, hop in enumerate(hops, 1):
        if hop is None:
            return None
        if number == count:
            return hop
    return None


def _address_and_port(node: str, *, bare: bool) -> tuple[str, str] | None:
    """An address in its plain form and a port, "" for none; `bare`: IPv6 may come without brackets."""
    port = None
    if node.startswith("["):
        address, bracket, rest = node[1:].partition("]")
        if not bracket or ":" not in address or (rest and rest[0] != ":"):
            return None
        port = rest[1:] if rest else None
    elif node.count(":") == 1:
        address, _, port = node.partition(":")
    else:
        address = node
        if ":" in address and not bare:
            return None
    packed = None if "%" in address else packed_address(address)
    if packed is None or (port is not None and not _is_port(port)):
        return None
    plain = "{}.{}.{}.{}".format(*packed) if len(packed) == 4 else address.lower()
    return plain, port if port and port.isdigit() else ""


def _is_port(text: str) -> bool:
    if text.startswith("_"):  # one that the proxy keeps to itself
        return len(text) > 1 and _OBFUSCATED.issuperset(text)
    return 0 < len(text) < 6 and text.isascii() and text.isdigit() and int(text) < 65536


def _read_element(element: str) -> Hop | None:
    pairs = _pairs(element.strip(" \t"))
    if pairs is None:
        return None
    proto, host = pairs.get("proto", ""), pairs.get("host", "")
    node = pairs.get("for", "unknown")
    name, _, port = node.partition(":")
    if name.lower() == "unknown" or name.startswith("_"):
        return Hop(None, "", proto, host) if _OBFUSCATED.issuperset(name) and (not port or _is_port(port)) else None
    found = _address_and_port(node, bare=False)
    return None if found is None else Hop(*found, proto, host)


def _from_the_right(value: str) -> Iterator[str | None]:
    """What stands between the commas outside of quoted strings, the last first; None for a quote that nothing opens.

    From the right, since a quoted string that a client has left open would reach into what proxies have added.
    """
    end = len(value)
    for _ in range(MOST):
        at, floor = end, max(0, end - _LONGEST)
        comma = value.rfind(",", floor, at)
        while (closing := value.rfind('"', max(comma + 1, floor), at)) >= 0:
            at = _opening(value, floor, closing)
            if at < 0:
                yield None
                return
            if at < comma:
                comma = value.rfind(",", floor, at)
        if comma < 0 < floor:
            yield None
            return
        yield value[comma + 1 : end]
        if comma < 0:
            return
        end = comma


def _opening(value: str, floor: int, closing: int) -> int:
    """Where the quoted string begins that ends at `closing`; -1 where it does not."""
    at = value.rfind('"', floor, closing)
    while at >= 0:
        first = at
        while first > floor and value[first - 1] == "\\":
            first -= 1
        if (at - first) % 2 == 0:
            return at
        at = value.rfind('"', floor, at)
    return -1


def _pairs(element: str) -> dict[str, str] | None:
    """The parameters of an element by lower-case name; None for a syntax error, and for a name that comes twice."""
    found: dict[str, str] = {}
    rest = element
    while rest:
        if rest[0] != ";":
            name, _, rest = rest.partition("=")
            name = name.lower()
            if not name or not TOKEN.issuperset(name) or name in found:
                return None
            value, rest = _quoted(rest) if rest.startswith('"') else _token(rest)
            if value is None or (rest and rest[0] != ";"):
                return None
            found[name] = value
        rest = rest[1:].lstrip(" \t")
    return found or None


def _token(text: str) -> tuple[str | None, str]:
    value, semicolon, rest = text.partition(";")
    value = value.rstrip(" \t")
    return (value, semicolon + rest) if value and TOKEN.issuperset(value) else (None, "")


def _quoted(text: str) -> tuple[str | None, str]:
    characters: list[str] = []
    at = 1
    while at < len(text) and text[at] != '"':
        at += text[at] == "\\"
        characters.append(text[at : at + 1])
        at += 1
    return ("".join(characters), text[at + 1 :].lstrip(" \t")) if at < len(text) else (None, "")
