"""Stored passwords, one form a file: scrypt of the standard library, and bcrypt with its extra.

A stored form that is unknown, damaged or too dear is no password of anybody: `cost_of` gives None, `verify` False.
Nothing here raises on what a client sends or a file holds.
"""

from __future__ import annotations

from middleware.errors import MissingExtra

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    Cost = tuple[str, int, int, int]  # form, log2 of the rounds, and for scrypt r and p

    class Form(Protocol):
        """What the file of a form has."""

        def cost_of(self, stored: str, /) -> Cost | None: ...
        def check(self, secret: bytes, stored: str, /) -> bool: ...
        def spend(self, cost: Cost, /) -> None: ...
        def is_missing(self) -> bool: ...


LONGEST = 4096  # bytes of a password; a longer one is refused without being hashed


def hash_password(password: str) -> str:
    """A password to store: scrypt with a salt of its own, `$scrypt$ln=14,r=8,p=5$...`. Takes about 250 ms.

    Raises ValueError for an empty one and for one above 4,096 bytes of UTF-8, which could never be used.
    """
    secret = password.encode()
    if not 0 < len(secret) <= LONGEST:
        raise ValueError("a password has between 1 and 4096 bytes")
    from middleware.auth.passwords.scrypt import make

    return make(secret)


def verify(password: str, stored: str) -> bool:
    """Whether this is the password behind a stored form. Never raises.

    Of a bcrypt password the first 72 bytes count, as for whoever made it; NUL is in none.
    """
    cost = cost_of(stored)
    secret = password.encode("utf-8", "surrogatepass")
    if cost is None or not 0 < len(secret) <= LONGEST:
        return False
    return _form(cost).check(secret, stored)


def cost_of(stored: str) -> Cost | None:
    """The form and the cost of a stored password; None for one that nobody can have."""
    if stored.startswith("$scrypt$"):
        from middleware.auth.passwords import scrypt

        return scrypt.cost_of(stored)
    if stored.startswith(("$2b$", "$2y$", "$2a$")):
        from middleware.auth.passwords import bcrypt

        return bcrypt.cost_of(stored)
    return None


def spend(cost: Cost) -> None:
    """Do the work of checking a password of this cost, for nobody."""
    _form(cost).spend(cost)


def need_extra(stored: str) -> None:
    """Raises MissingExtra where this form needs a package that is not installed."""
    cost = cost_of(stored)
    if cost is not None and is_missing(cost):
        raise MissingExtra("a stored password is bcrypt, which needs an extra: pip install 'wsgi-middleware[bcrypt]'")


def is_missing(cost: Cost) -> bool:
    """Whether the package that checks passwords of this form is not installed."""
    return _form(cost).is_missing()


def _form(cost: Cost) -> Form:
    if cost[0] == "bcrypt":
        from middleware.auth.passwords import bcrypt

        return bcrypt
    from middleware.auth.passwords import scrypt

    return scrypt
