"""Hosts: which texts are one, and how each is written in its plainest form. Pure."""

from __future__ import annotations

DEFAULT_PORTS = {"http": "80", "https": "443"}

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._~")
_ADDRESS_CHARACTERS = frozenset("0123456789abcdef:.")


def canonical_host(host: str, scheme: str) -> str | None:
    """Host in lower case without the scheme's own port; None where it is no host: empty, a list, with a user."""
    lower = host.lower()
    if lower.startswith("["):
        name, bracket, rest = lower.partition("]")
        valid = bool(bracket) and len(name) > 1 and _ADDRESS_CHARACTERS.issuperset(name[1:])
        name += bracket
        colon, port = rest[:1], rest[1:]
        if colon not in ("", ":"):
            return None
    else:
        name, _, port = lower.partition(":")
        valid = name != "" and _NAME_CHARACTERS.issuperset(name)
    if not valid or len(host) > 300 or (port and not (port.isascii() and port.isdigit() and len(port) < 6)):
        return None
    return f"{name}:{port}" if port and port != DEFAULT_PORTS.get(scheme) else name
