"""argon2id (RFC 9106), of the extra: `$argon2id$v=19$m=65536,t=3,p=4$SALT$HASH`."""

from __future__ import annotations

import os

from middleware.auth.passwords.base64_text import from_text, to_text
from middleware.auth.passwords.numbers import numbers_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.auth.passwords import Cost

NEW: Cost = ("argon2id", 3, 65536, 4)  # passes, KiB, lanes: RFC 9106, section 4, the second choice; about 250 ms

_MOST_MEMORY = 262144  # KiB
_MOST_WORK = 13 * 3 * 65536  # passes * KiB, 13 times that of a new one
_MOST_LANES = 16  # each is a thread


def make(secret: bytes) -> str:
    """A new one, with a salt of its own."""
    _, passes, memory, lanes = NEW
    salt = os.urandom(16)
    made = derive(secret, salt, passes, memory, lanes, 32)
    return f"$argon2id$v=19$m={memory},t={passes},p={lanes}${to_text(salt)}${to_text(made)}"


def cost_of(stored: str, /) -> Cost | None:
    """The form, the passes, the KiB and the lanes; None for one that is damaged or too dear."""
    parts = stored.split("$")
    numbers = numbers_in(parts[3], ("m=", "t=", "p=")) if len(parts) == 6 and parts[2] == "v=19" else None
    if numbers is None:
        return None
    try:
        salt, expected = from_text(parts[4]), from_text(parts[5])
    except ValueError:
        return None
    memory, passes, lanes = numbers
    if not 8 <= len(salt) <= 64 or not 16 <= len(expected) <= 64:
        return None
    if not (passes and 1 <= lanes <= _MOST_LANES and 8 * lanes <= memory <= _MOST_MEMORY):
        return None
    return ("argon2id", passes, memory, lanes) if passes * memory <= _MOST_WORK else None


def check(secret: bytes, stored: str, /) -> bool:
    """Whether this is the password behind `stored`, of which `cost_of` knows the cost. False without the extra."""
    from hmac import compare_digest

    cost = cost_of(stored)
    assert cost is not None
    if is_missing():
        return False
    _, _, _, _, salt, expected = stored.split("$")
    return compare_digest(derive(secret, from_text(salt), *cost[1:], len(from_text(expected))), from_text(expected))


def spend(cost: Cost, secret: bytes, /) -> None:
    """The work of a check, for nobody."""
    if not is_missing():
        derive(secret, b"nobody's salt...", *cost[1:], 32)


def is_missing() -> bool:
    """Whether the extra is not installed."""
    try:
        import argon2.low_level  # noqa: F401 - asked for, not used
    except ImportError:
        return True
    return False


def derive(secret: bytes, salt: bytes, passes: int, memory: int, lanes: int, length: int) -> bytes:
    """The hash. Raises MemoryError where there is none left for it."""
    from argon2.exceptions import HashingError
    from argon2.low_level import Type, hash_secret_raw

    try:
        return hash_secret_raw(secret, salt, passes, memory, lanes, length, Type.ID)
    except HashingError as error:
        raise MemoryError(f"argon2 cannot hash: {error}") from None
