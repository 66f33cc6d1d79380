"""scrypt (RFC 7914), of the standard library: `$scrypt$ln=14,r=8,p=5$SALT$HASH`."""

from __future__ import annotations

import os

from middleware.auth.passwords.base64_text import from_text, to_text
from middleware.auth.passwords.numbers import numbers_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.auth.passwords import Cost

NEW: Cost = ("scrypt", 14, 8, 5)  # log2 of N, r, p: 16 MiB, about 250 ms

_MOST_MEMORY = 256 << 20
_MOST_WORK = 1 << 23  # N * r * p, 13 times that of a new one


def make(secret: bytes) -> str:
    """A new one, with a salt of its own."""
    _, rounds, r, p = NEW
    salt = os.urandom(16)
    return f"$scrypt$ln={rounds},r={r},p={p}${to_text(salt)}${to_text(derive(secret, salt, rounds, r, p, 32))}"


def cost_of(stored: str, /) -> Cost | None:
    """The form, log2 of N, r and p; None for one that is damaged or too dear."""
    parts = stored.split("$")
    numbers = numbers_in(parts[2], ("ln=", "r=", "p=")) if len(parts) == 5 else None
    if numbers is None:
        return None
    try:
        salt, expected = from_text(parts[3]), from_text(parts[4])
    except ValueError:
        return None
    rounds, r, p = numbers
    if len(salt) < 8 or len(expected) not in (32, 64):
        return None
    if not (1 <= rounds <= 24 and r and p) or rounds >= 16 * r:  # the last: RFC 7914, section 2
        return None
    if 128 * r * (1 << rounds) > _MOST_MEMORY or (r * p << rounds) > _MOST_WORK:
        return None
    return ("scrypt", rounds, r, p)


def check(secret: bytes, stored: str, /) -> bool:
    """Whether this is the password behind `stored`, of which `cost_of` knows the cost."""
    from hmac import compare_digest

    cost = cost_of(stored)
    assert cost is not None
    _, _, _, salt, expected = stored.split("$")
    return compare_digest(derive(secret, from_text(salt), *cost[1:], len(from_text(expected))), from_text(expected))


def spend(cost: Cost, secret: bytes, /) -> None:
    """The work of a check, for nobody."""
    derive(secret, b"nobody's salt...", *cost[1:], 32)


def derive(secret: bytes, salt: bytes, rounds: int, r: int, p: int, length: int) -> bytes:
    """The hash."""
    from hashlib import scrypt

    memory = 128 * r * ((1 << rounds) + p + 2) + (1 << 20)
    return scrypt(secret, salt=salt, n=1 << rounds, r=r, p=p, maxmem=memory, dklen=length)
