"""Stored passwords: scrypt of the standard library, and bcrypt with its extra.

A stored form that is unknown, damaged or too dear is no password of anybody: `cost_of` gives None, `verify` False.
Nothing here raises on what a client sends or a file holds.
"""

from __future__ import annotations

import os
from binascii import a2b_base64, b2a_base64

from middleware.errors import MissingExtra

TYPE_CHECKING = False
if TYPE_CHECKING:
    Cost = tuple[str, int, int, int]  # form, log2 of the rounds, and for scrypt r and p

LONGEST = 4096  # bytes of a password; a longer one is refused without being hashed

_NEW = ("scrypt", 14, 8, 5)  # 16 MiB, about 250 ms
_SCRYPT_MEMORY = 256 << 20
_SCRYPT_WORK = 1 << 23  # N * r * p, 13 times that of a new one
_BCRYPT_LETTERS = frozenset("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")


def hash_password(password: str) -> str:
    """A password to store: scrypt with a salt of its own, `$scrypt$ln=14,r=8,p=5$...`. Takes about 250 ms.

    Raises ValueError for an empty one and for one above 4,096 bytes of UTF-8, which could never be used.
    """
    secret = password.encode()
    if not 0 < len(secret) <= LONGEST:
        raise ValueError("a password has between 1 and 4096 bytes")
    _, rounds, r, p = _NEW
    salt = os.urandom(16)
    return f"$scrypt$ln={rounds},r={r},p={p}${_base64(salt)}${_base64(_scrypt(secret, salt, rounds, r, p, 32))}"


def verify(password: str, stored: str) -> bool:
    """Whether this is the password behind a stored form. Never raises.

    Of a bcrypt password the first 72 bytes count, as for whoever made it; NUL is in none.
    """
    cost = cost_of(stored)
    secret = password.encode("utf-8", "surrogatepass")
    if cost is None or not 0 < len(secret) <= LONGEST:
        return False
    from hmac import compare_digest

    if cost[0] == "scrypt":
        salt, expected = _scrypt_parts(stored)
        return compare_digest(_scrypt(secret, salt, cost[1], cost[2], cost[3], len(expected)), expected)
    made = _bcrypt(secret, stored.encode())
    return b"\0" not in secret and made is not None and compare_digest(made[7:], stored.encode()[7:])


def cost_of(stored: str) -> Cost | None:
    """The form and the cost of a stored password; None for one that nobody can have."""
    if stored.startswith("$scrypt$"):
        return _scrypt_cost(stored)
    if stored.startswith(("$2b$", "$2y$", "$2a$")):
        return _bcrypt_cost(stored)
    return None


def spend(cost: Cost) -> None:
    """Do the work of checking a password of this cost, for nobody."""
    form, rounds, r, p = cost
    if form == "scrypt":
        _scrypt(b"nobody", b"nobody's salt...", rounds, r, p, 32)
    else:
        _bcrypt(b"nobody", f"$2b${rounds:02}$nobodysnobodysnobodysu".encode())


def need_extra(stored: str) -> None:
    """Raises MissingExtra where this form needs a package that is not installed."""
    cost = cost_of(stored)
    if cost is not None and is_missing(cost):
        raise MissingExtra("a stored password is bcrypt, which needs an extra: pip install 'wsgi-middleware[bcrypt]'")


def is_missing(cost: Cost) -> bool:
    """Whether the package that checks passwords of this form is not installed."""
    if cost[0] != "bcrypt":
        return False
    try:
        import bcrypt  # noqa: F401 - asked for, not used
    except ImportError:
        return True
    return False


def _scrypt_cost(stored: str) -> Cost | None:
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
        salt, expected = _scrypt_parts(stored)
    except ValueError:
        return None
    if len(numbers) != 3 or parts[2].count(",") != 2 or len(salt) < 8 or len(expected) not in (32, 64):
        return None
    rounds, r, p = numbers
    if not (1 <= rounds <= 24 and r and p) or rounds >= 16 * r:  # the last: RFC 7914, section 2
        return None
    if 128 * r * (1 << rounds) > _SCRYPT_MEMORY or (r * p << rounds) > _SCRYPT_WORK:
        return None
    return ("scrypt", rounds, r, p)


def _scrypt_parts(stored: str) -> tuple[bytes, bytes]:
    _, _, _, salt, expected = stored.split("$")
    return _from_base64(salt), _from_base64(expected)


def _scrypt(secret: bytes, salt: bytes, rounds: int, r: int, p: int, length: int) -> bytes:
    from hashlib import scrypt

    memory = 128 * r * ((1 << rounds) + p + 2) + (1 << 20)
    return scrypt(secret, salt=salt, n=1 << rounds, r=r, p=p, maxmem=memory, dklen=length)


def _bcrypt_cost(stored: str) -> Cost | None:
    cost, rest = stored[4:6], stored[7:]
    if len(stored) != 60 or stored[6] != "$" or not _BCRYPT_LETTERS.issuperset(rest):
        return None
    if stored[28] not in ".Oeu":  # the last letter of the salt holds two bits: no bcrypt writes another one
        return None
    if not cost.isascii() or not cost.isdigit() or not 4 <= int(cost) <= 16:
        return None
    return ("bcrypt", int(cost), 0, 0)


def _bcrypt(secret: bytes, stored: bytes) -> bytes | None:
    """What bcrypt makes of this with the salt of `stored`; None where the extra is missing, or refuses the salt."""
    try:
        import bcrypt
    except ImportError:
        return None
    try:
        return bcrypt.hashpw(secret.replace(b"\0", b"0")[:72], stored)
    except ValueError:
        return None


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode().rstrip("=")


def _from_base64(text: str) -> bytes:
    """The bytes of base64 without padding; a ValueError for anything else, and for more than anybody means."""
    data = a2b_base64(text[:1024] + "=" * (-len(text[:1024]) % 4), strict_mode=True)
    if _base64(data) != text:
        raise ValueError("not the one spelling of these bytes")
    return data
