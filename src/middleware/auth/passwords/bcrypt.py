"""bcrypt, of the extra: `$2b$COST$SALTHASH`. Of a password 72 bytes count; NUL is in none."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.auth.passwords import Cost

NEW: Cost = ("bcrypt", 12, 0, 0)  # about 290 ms
LONGEST = 72  # bytes of a password

_LETTERS = frozenset("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")


def make(secret: bytes) -> str:
    """A new one, with a salt of its own, under the name that Apache knows. Raises ValueError for what it would cut."""
    if len(secret) > LONGEST or b"\0" in secret:
        raise ValueError("of a password bcrypt reads 72 bytes, and none after a NUL: choose another one")
    import bcrypt

    return bcrypt.hashpw(secret, bcrypt.gensalt(NEW[1], b"2b")).decode().replace("$2b$", "$2y$", 1)


def cost_of(stored: str, /) -> Cost | None:
    """The form, and log2 of the rounds; None for one that is damaged or too dear."""
    cost, rest = stored[4:6], stored[7:]
    if len(stored) != 60 or stored[6] != "$" or not _LETTERS.issuperset(rest):
        return None
    if stored[28] not in ".Oeu":  # the last letter of the salt holds two bits: no bcrypt writes another one
        return None
    if not cost.isascii() or not cost.isdigit() or not 4 <= int(cost) <= 16:
        return None
    return ("bcrypt", int(cost), 0, 0)


def check(secret: bytes, stored: str, /) -> bool:
    """Whether this is the password behind `stored`, of which `cost_of` knows the cost. False without the extra."""
    from hmac import compare_digest

    made = _derive(secret, stored.encode())
    return b"\0" not in secret and made is not None and compare_digest(made[7:], stored.encode()[7:])


def spend(cost: Cost, secret: bytes, /) -> None:
    """The work of a check, for nobody."""
    _derive(secret, f"$2b${cost[1]:02}$nobodysnobodysnobodysu".encode())


def is_missing() -> bool:
    """Whether the extra is not installed."""
    try:
        import bcrypt  # noqa: F401 - asked for, not used
    except ImportError:
        return True
    return False


def _derive(secret: bytes, stored: bytes) -> bytes | None:
    """What bcrypt makes of this with the salt of `stored`; None where the extra is missing, or refuses the salt."""
    try:
        import bcrypt
    except ImportError:
        return None
    try:
        return bcrypt.hashpw(secret.replace(b"\0", b"0")[:LONGEST], stored)
    except ValueError:
        return None
