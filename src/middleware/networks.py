"""Addresses and the networks they belong to. Pure, and by hand: `ipaddress` would be loaded with every process."""

from __future__ import annotations

from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_MAPPED = bytes(10) + b"\xff\xff"  # ::ffff:0:0/96, IPv4 addresses as IPv6 sockets give them


def packed_address(address: str) -> bytes | None:
    """The 4 or 16 bytes of an address (RFC 4291, section 2.2); None for what is none. In linear time.

    An IPv4 address that is mapped into IPv6 has 4. A zone, `fe80::1%eth0`, is left out.
    """
    if len(address) > 100:
        return None
    if ":" not in address:
        return _packed_4(address)
    packed = _packed_6(address.partition("%")[0])  # a zone says by which of our own interfaces it came
    return packed[12:] if packed is not None and packed.startswith(_MAPPED) else packed


def network_of(address: str) -> str:
    """The network that stands for a client: the /24 of an IPv4 address, the /64 of an IPv6 one.

    An IPv4 address that is mapped into IPv6 counts as IPv4. "" for what is no address, such as the name of a socket.
    """
    packed = packed_address(address)
    if packed is None:
        return ""
    if len(packed) == 4:
        return f"{packed[0]}.{packed[1]}.{packed[2]}.0/24"
    return ":".join(f"{packed[at] << 8 | packed[at + 1]:x}" for at in range(0, 8, 2)) + "::/64"


def wider_network(network: str) -> str:
    """What a customer has of whom `network_of` shows a part: the /48 round a /64; any other is the same again."""
    return network.rsplit(":", 3)[0] + "::/48" if network.endswith("::/64") else network


def without_port(address: str) -> str:
    """The address of a client where some servers and proxies write its port behind it: `192.0.2.1:80`, `[::1]:80`.

    For counting, not for trust. Anything else comes back as it is.
    """
    if address[:1] == "[":
        inside, bracket, rest = address[1:].partition("]")
        return inside if bracket and ":" in inside and (not rest or _is_port(rest)) else address
    host, colon, port = address.partition(":")
    return host if "." in host and _is_port(colon + port) else address


class Networks:
    """A set of networks, asked whether an address is in it: `"10.1.2.3" in Networks(["10.0.0.0/8", "::1"])`.

    An address alone is a network of one. An IPv4 address that is mapped into IPv6 is in the IPv4 networks; what is no
    address is in none. Never changed. Raises ConfigurationError for a text that is no network, and for one that has
    bits set beyond its length, which is a slip.
    """

    __slots__ = ("_texts", "_which")

    def __init__(self, networks: Iterable[str]) -> None:
        if isinstance(networks, str | bytes) or not hasattr(networks, "__iter__"):
            raise ConfigurationError(f'networks are a list of texts such as ["10.0.0.0/8"], not {networks!r}')
        self._texts = tuple(networks)
        # By bytes of an address and bits beyond the network, which is one look for each length that occurs.
        self._which: dict[tuple[int, int], set[int]] = {}
        for text in self._texts:
            size, host_bits, number = _network(text)
            self._which.setdefault((size, host_bits), set()).add(number)

    def __contains__(self, address: object) -> bool:
        packed = packed_address(address) if isinstance(address, str) else None
        if packed is None:
            return False
        number = int.from_bytes(packed, "big")
        return any(len(packed) == size and number >> bits in numbers for (size, bits), numbers in self._which.items())

    def __len__(self) -> int:
        return len(self._texts)

    def __repr__(self) -> str:
        return f"Networks({list(self._texts)!r})"


def _network(text: str) -> tuple[int, int, int]:
    """Of a network the bytes of its addresses, the bits beyond it, and the number that the others make."""
    address, slash, length = text.partition("/") if isinstance(text, str) else ("", "", "")
    packed = packed_address(address) if "%" not in address else None
    if packed is None:
        raise ConfigurationError(
            f"a network is an address such as 192.0.2.1 or 10.0.0.0/8 or 2001:db8::/32, not {text!r}"
        )
    bits = 8 * len(packed)
    host_bits = 0
    if slash:
        whole = 128 if ":" in address else 32
        if not _is_number(length, 3) or int(length) > whole or int(length) < whole - bits:
            raise ConfigurationError(
                f"the length of a network is a number up to {whole}, which that of {text!r} is not"
            )
        host_bits = whole - int(length)
    number = int.from_bytes(packed, "big")
    if number & ((1 << host_bits) - 1):
        raise ConfigurationError(f"{text!r} has bits set beyond its length: name the network by its first address")
    return len(packed), host_bits, number >> host_bits


def _packed_4(address: str) -> bytes | None:
    parts = address.split(".")
    if len(parts) != 4:
        return None
    try:
        packed = bytes(map(int, parts))
    except ValueError:
        return None
    # Written anew, since int() reads more than digits, and a zero before a number is octal for some.
    return packed if "{}.{}.{}.{}".format(*packed) == address else None


def _packed_6(address: str) -> bytes | None:
    left, gap, right = address.partition("::")
    before, after = _groups(left, last=not gap), _groups(right, last=True)
    if before is None or after is None:
        return None
    missing = 16 - len(before) - len(after)
    if missing < 2 if gap else missing:
        return None
    return before + bytes(missing) + after


def _groups(text: str, *, last: bool) -> bytes | None:
    """The bytes of groups of hexadecimal digits; the `last` ones may end in an IPv4 address."""
    if not text:
        return b""
    made = b""
    groups = text.split(":")
    for at, group in enumerate(groups):
        if last and "." in group and at == len(groups) - 1:
            packed = _packed_4(group)
        else:
            packed = int(group, 16).to_bytes(2, "big") if _is_hexadecimal(group) else None
        if packed is None:
            return None
        made += packed
    return made


def _is_port(text: str) -> bool:
    return text[:1] == ":" and 1 < len(text) <= 6 and not text[1:].strip("0123456789")


def _is_hexadecimal(text: str) -> bool:
    return 0 < len(text) <= 4 and not text.strip("0123456789abcdefABCDEF")


def _is_number(text: str, most: int) -> bool:
    """Whether these are up to `most` decimal digits, without a zero before them, which some read as octal."""
    return 0 < len(text) <= most and not text.strip("0123456789") and (text[0] != "0" or text == "0")
