"""Base64 without padding, as stored passwords have it."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64


def to_text(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode().rstrip("=")


def from_text(text: str) -> bytes:
    """The bytes of base64 without padding; a ValueError for anything else, and for more than anybody means."""
    data = a2b_base64(text[:1024] + "=" * (-len(text[:1024]) % 4), strict_mode=True)
    if to_text(data) != text:
        raise ValueError("not the one spelling of these bytes")
    return data
