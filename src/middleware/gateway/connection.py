"""Scheme, host, port and path prefix as proxies tell them: which texts are one. Values in, values out.

The rule: what is not exactly one of these is ignored, as if it had not been sent.
"""

from __future__ import annotations

from functools import lru_cache

from middleware.networks import packed_address

DEFAULT_PORTS = {"http": "80", "https": "443"}

_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")
_PATH = _NAME | frozenset("/~!$&'()*+;=:@")
_LONGEST_HOST = 255
_LONGEST_PREFIX = 1024


def last(value: str) -> str:
    """The last of a list, which is the word of the proxy that speaks to us."""
    return value.rpartition(",")[2].strip(" \t") if "," in value else value.strip(" \t")


def scheme_of(text: str) -> str:
    """`http` or `https`, or "" for anything else."""
    scheme = text.lower()
    return scheme if scheme in DEFAULT_PORTS else ""


def host_of(text: str) -> tuple[str, str] | None:
    """The name and the port of a host, "" for none: `("shop.example", "8443")`, `("[2001:db8::1]", "")`."""
    return None if len(text) > _LONGEST_HOST else _read_host(text)


@lru_cache(maxsize=256)
def _read_host(text: str) -> tuple[str, str] | None:
    if text.startswith("["):
        name, bracket, rest = text.partition("]")
        inside = name[1:]
        if not bracket or ":" not in inside or "%" in inside or packed_address(inside) is None:
            return None
        name += bracket
        if rest and rest[0] != ":":
            return None
        port = rest[1:] if rest else None
    else:
        name, colon, after = text.partition(":")
        if not name or not _NAME.issuperset(name):
            return None
        port = after if colon else None
    if port is None:
        return name, ""
    return (name, port) if port_of(port) else None


def port_of(text: str) -> str:
    """A port that somebody can listen at, or ""."""
    fits = 0 < len(text) < 6 and text.isascii() and text.isdigit() and text[0] != "0"
    return text if fits and int(text) < 65536 else ""


def prefix_of(text: str) -> str:
    """A path that can stand before others, without the slash at its end, or "".

    It begins with one slash and has no empty segments, no dots for segments, and nothing that is percent-encoded.
    """
    path = text.rstrip("/") if not text.endswith("//") else ""
    if not path.startswith("/") or len(path) > _LONGEST_PREFIX or not _PATH.issuperset(path):
        return ""
    return "" if {"", ".", ".."} & set(path[1:].split("/")) else path
