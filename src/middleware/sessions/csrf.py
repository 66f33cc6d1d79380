"""CSRF tokens: texts that only the pages of one session know. Pure but for the operating system's random numbers.

A session has one secret. Each token is a mask made for it and the secret under that mask, a one-time pad: no two pages
hold the same text, so the size of compressed pages gives nothing away (BREACH, CVE-2013-3587).
"""

from __future__ import annotations

import os
from hmac import compare_digest

_BYTES = 16


def new_secret() -> str:
    """128 bits that nobody can guess."""
    return os.urandom(_BYTES).hex()


def masked(secret: str) -> str:
    """A token: hexadecimal digits, others at each call. A ValueError for what is no secret."""
    mask = os.urandom(_BYTES)
    return (mask + _xor(mask, bytes.fromhex(secret))).hex()


def matches(secret: str, token: object) -> bool:
    """Whether the token is one of this secret, in constant time. Anything else is False."""
    if not isinstance(token, str) or len(token) != 4 * _BYTES:
        return False
    try:
        parts, expected = bytes.fromhex(token), bytes.fromhex(secret)
    except ValueError:
        return False
    if len(parts) != 2 * _BYTES:  # spaces between digits are let through
        return False
    return compare_digest(_xor(parts[:_BYTES], parts[_BYTES:]), expected)


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(_BYTES, "big")
