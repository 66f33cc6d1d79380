"""Addresses that tell less: a network, or a keyed hash which changes with the day. No WSGI and no I/O."""

from __future__ import annotations

from functools import lru_cache

from middleware.errors import ConfigurationError
from middleware.logging.privacy import MASK
from middleware.networks import packed_address

SHORTEST_KEY = 16
MOST_ENTRIES = 32  # of a forwarding field

_DAY = 86400
_OF_NETWORKS = "0123456789abcdefABCDEF.:/, "  # what has a comma and no other character was not meant as a key
_6TO4 = b"\x20\x02"  # 2002::/16: the next 32 bits are an IPv4 address


class Anonymiser:
    """Shows addresses as `Privacy(addresses=...)` says."""

    __slots__ = ("_bits", "_key", "_shown")

    def __init__(self, how: str | bytes) -> None:
        if not isinstance(how, str | bytes):
            raise ConfigurationError(f'addresses= is "/24,/48", a key or None, not {type(how).__name__}')
        self._bits = _bits(how)
        self._key = b""
        if self._bits is None:
            if isinstance(how, str) and "," in how and not how.strip(_OF_NETWORKS):
                raise ConfigurationError(f'addresses={how!r} are no lengths of networks: "/24,/48", or a key')
            key = how.encode("utf-8", "surrogateescape") if isinstance(how, str) else how
            if len(key) < SHORTEST_KEY:
                raise ConfigurationError(
                    f'addresses= is "/24,/48", bits of an IPv4 and an IPv6 network, or a key of {SHORTEST_KEY} bytes '
                    f"or more; this has {len(key)}"
                )
            from hashlib import blake2b

            self._key = blake2b(key, person=b"log addresses").digest()
        self._shown = lru_cache(maxsize=1024)(self._show)  # few clients make many requests

    def __repr__(self) -> str:
        return "by key and day" if self._bits is None else "/{},/{}".format(*self._bits)

    def address(self, text: str, now: float) -> str:
        """An address as it may be shown; `***` for what is none. `now`: seconds since 1970."""
        return self._shown(text, int(now // _DAY) if self._bits is None else 0) if len(text) <= 100 else MASK

    def field(self, value: str, now: float) -> str:
        """X-Forwarded-For, Forwarded or the like: its addresses as they may be shown, and nothing that may hide one."""
        entries = value.split(",", MOST_ENTRIES)
        shown = [self._entry(entry.strip(" \t"), now) for entry in entries[:MOST_ENTRIES]]
        return ", ".join([*shown, MASK] if len(entries) > MOST_ENTRIES else shown)

    def _entry(self, entry: str, now: float) -> str:
        if "=" not in entry:
            return self._node(entry, now)
        return ";".join([self._parameter(part, now) for part in entry.split(";", MOST_ENTRIES)])

    def _parameter(self, text: str, now: float) -> str:
        """A parameter of Forwarded (RFC 7239)."""
        name, _, value = text.strip(" \t").partition("=")
        name = name.lower()
        if name == "proto" and value in ("http", "https"):
            return f"{name}={value}"
        if name not in ("for", "by"):
            return MASK
        shown = self._node(value.removeprefix('"').removesuffix('"'), now)
        return f'{name}="[{shown}]"' if ":" in shown else f"{name}={shown}"

    def _node(self, text: str, now: float) -> str:
        """An address, perhaps with brackets and a port, which says who it was as well."""
        if text in ("", "unknown"):
            return text
        if text.startswith("["):
            text = text[1:].partition("]")[0]
        elif text.count(":") == 1:
            text = text.partition(":")[0]
        return self.address(text, now)

    def _show(self, text: str, day: int) -> str:
        packed = packed_address(text.partition("%")[0])
        if packed is None:
            return MASK
        from ipaddress import ip_address

        if self._bits is not None:
            bits = self._bits[len(packed) == 16]
            if len(packed) == 16 and packed.startswith(_6TO4):
                bits = min(bits, 16 + self._bits[0])
            return str(ip_address(_network(packed, bits)))
        from hashlib import blake2b

        digest = blake2b(packed + day.to_bytes(8, signed=True), key=self._key, digest_size=15).digest()
        return str(ip_address(b"\xfd" + digest))


def _network(packed: bytes, bits: int) -> bytes:
    host = len(packed) * 8 - bits
    return (int.from_bytes(packed) >> host << host).to_bytes(len(packed))


def _bits(how: str | bytes) -> tuple[int, int] | None:
    """The bits of an IPv4 and an IPv6 network that `"/24,/48"` names; None for what names none."""
    if not isinstance(how, str):
        return None
    lengths = [part.strip() for part in how.split(",")]
    if len(lengths) != 2 or not all(part[:1] == "/" and part[1:].isascii() and part[1:].isdigit() for part in lengths):
        return None
    four, six = (int(part[1:4]) for part in lengths)
    if four > 32 or six > 128 or max(map(len, lengths)) > 4:
        raise ConfigurationError(f"addresses={how!r}: an IPv4 network has up to 32 bits, an IPv6 network up to 128")
    return four, six
