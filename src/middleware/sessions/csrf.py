"""CSRF tokens: texts that only the pages of one session know. Pure but for the operating system's random numbers.

A session has one secret. Each token is the secret under a mask of its own, so that no two pages hold the same text,
from which compression could give it away letter by letter.
"""

from __future__ import annotations

import os
from hmac import compare_digest

_BYTES = 16


def new_secret() -> str:
    """128 bits that nobody can guess."""
    return os.urandom(_BYTES).hex()


def masked(secret: str) -> str:
    """A token: another text at each call."""
    mask = os.urandom(_BYTES)
    return (mask + _xor(mask, bytes.fromhex(secret))).hex()


def matches(secret: str, token: object) -> bool:
    """Whether the token is one of this secret, in constant time. Anything else is False."""
    if not isinstance(token, str) or len(token) != 4 * _BYTES or not token.isascii():
        return False
    try:
        parts = bytes.fromhex(token)
        return compare_digest(_xor(parts[:_BYTES], parts[_BYTES:]), bytes.fromhex(secret))
    except ValueError:
        return False


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(_BYTES, "big")
