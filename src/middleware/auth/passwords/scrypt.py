"""scrypt (RFC 7914), of the standard library: `$scrypt$ln=14,r=8,p=5$SALT$HASH`."""

from __future__ import annotations

import os

from middleware.auth.passwords.base64_text import from_text, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.auth.passwords import Cost

NEW: Cost = ("scrypt", 14, 8, 5)  # 16 MiB, about 250 ms

_MOST_MEMORY = 256 << 20
_MOST_WORK = 1 << 23  # N * r * p, 13 times that of a new one


def make(secret: bytes) -> str:
    """A new one, with a salt of its own."""
    _, rounds, r, p = NEW
    salt = os.urandom(16)
    return f"$scrypt$ln={rounds},r={r},p={p}${to_text(salt)}${to_text(derive(secret, salt, rounds, r, p, 32))}"


def check(secret: bytes, stored: str) -> bool:
    """Whether this is the password behind `stored`, of which `cost_of` knows the cost."""
    from hmac import compare_digest

    _, rounds, r, p = cost_of(stored) or NEW
    salt, expected = _parts(stored)
    return compare_digest(derive(secret, salt, rounds, r, p, len(expected)), expected)


def spend(cost: Cost) -> None:
    """The work of a check, for nobody."""
    _, rounds, r, p = cost
    derive(b"nobody", b"nobody's salt...", rounds, r, p, 32)


def is_missing() -> bool:
    """Never: every Python has it."""
    return False


def cost_of(stored: str) -> Cost | None:
    parts = stored.split("$")
    if len(parts) != 5:
        return None
    numbers = []
    for given, name in zip(parts[2].split(","), ("ln=", "r=", "p="), strict=False):
        digits = given.removeprefix(name)
        if digits == given or not digits.isascii() or not digits.isdigit() or len(digits) > 4:
            return None
        numbers.append(int(digits))
    try:
        salt, expected = _parts(stored)
    except ValueError:
        return None
    if len(numbers) != 3 or parts[2].count(",") != 2 or len(salt) < 8 or len(expected) not in (32, 64):
        return None
    rounds, r, p = numbers
    if not (1 <= rounds <= 24 and r and p) or rounds >= 16 * r:  # the last: RFC 7914, section 2
        return None
    if 128 * r * (1 << rounds) > _MOST_MEMORY or (r * p << rounds) > _MOST_WORK:
        return None
    return ("scrypt", rounds, r, p)


def _parts(stored: str) -> tuple[bytes, bytes]:
    _, _, _, salt, expected = stored.split("$")
    return from_text(salt), from_text(expected)


def derive(secret: bytes, salt: bytes, rounds: int, r: int, p: int, length: int) -> bytes:
    from hashlib import scrypt

    memory = 128 * r * ((1 << rounds) + p + 2) + (1 << 20)
    return scrypt(secret, salt=salt, n=1 << rounds, r=r, p=p, maxmem=memory, dklen=length)
