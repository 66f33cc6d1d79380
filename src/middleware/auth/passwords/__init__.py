"""Stored passwords, one form a file: argon2id and bcrypt with their extras, scrypt, and what Apache's htpasswd writes.

A stored form that is unknown, damaged or too dear is no password of anybody: `cost_of` gives None, `verify` False.
Nothing here raises on what a client sends or a file holds.
"""

from __future__ import annotations

from middleware.errors import ConfigurationError, MissingExtra

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    Cost = tuple[str, int, int, int]  # the form, and up to three numbers that say how much work it is

    class Form(Protocol):
        """What the file of a form has."""

        def cost_of(self, stored: str, /) -> Cost | None: ...
        def check(self, secret: bytes, stored: str, /) -> bool: ...
        def spend(self, cost: Cost, secret: bytes, /) -> None: ...


LONGEST = 4096  # bytes of a password; a longer one is refused without being hashed

_BEGINNINGS = {
    "scrypt": "$scrypt$",
    "argon2id": "$argon2id$",
    "bcrypt": "$2b$",
    "sha512crypt": "$6$",
    "sha256crypt": "$5$",
    "apr1": "$apr1$",
    "sha1": "{SHA}",
    "plain": "{PLAIN}",
}
_EXTRAS = {"argon2id": "argon2", "bcrypt": "bcrypt"}
_STRENGTHS = {"plain": 0, "sha1": 1, "apr1": 2, "sha256crypt": 3, "sha512crypt": 3, "bcrypt": 4}  # others: 5
_WEAK_BCRYPT = 10  # below this cost: htpasswd -B has 5 by itself, which takes 3 ms


def hash_password(password: str, *, form: str | None = None) -> str:
    """A password to store, with a salt of its own. Takes about 250 ms.

    `form`: `"argon2id"` (RFC 9106, with the extra `argon2`), `"scrypt"` (RFC 7914), or `"bcrypt"` (with the extra of
    that name, for files that Apache reads too). By itself argon2id where it is installed, else scrypt.

    Raises ValueError for an empty password, one above 4,096 bytes of UTF-8, and for bcrypt one above 72 bytes or with a
    NUL: none of them could be used as it is. ConfigurationError for another form, MissingExtra for a missing one.
    """
    form = form or new_form()
    if form not in ("argon2id", "scrypt", "bcrypt"):
        raise ConfigurationError(f'form= of a new password is "argon2id", "scrypt" or "bcrypt", not {form!r}')
    if not isinstance(password, str):
        raise TypeError(f"a password is text, not {type(password).__name__}")
    secret = password.encode()
    if not 0 < len(secret) <= LONGEST:
        raise ValueError("a password has between 1 and 4096 bytes")
    if form == "scrypt":
        from middleware.auth.passwords import scrypt

        return scrypt.make(secret)
    need_form(form)
    if form == "bcrypt":
        from middleware.auth.passwords import bcrypt

        return bcrypt.make(secret)
    from middleware.auth.passwords import argon2

    return argon2.make(secret)


def verify(password: str, stored: str) -> bool:
    """Whether this is the password behind a stored form. Never raises.

    Of a bcrypt password the first 72 bytes count, as for whoever made it; NUL is in none.
    """
    cost = cost_of(stored)
    if cost is None or not is_possible(password):
        return False
    return _file_of(cost).check(password.encode("utf-8", "surrogatepass"), stored)


def cost_of(stored: str) -> Cost | None:
    """The form and the cost of a stored password; None for one that nobody can have."""
    form = _file(stored)
    return None if form is None else form.cost_of(stored)


def spend(cost: Cost, password: str = "nobody") -> None:  # noqa: S107 - nobody's
    """Do the work of checking this password against a stored one of this cost, for nobody."""
    given = password if is_possible(password) else "nobody"
    _file_of(cost).spend(cost, given.encode("utf-8", "surrogatepass"))


def is_possible(password: str) -> bool:
    """Whether anybody can have this password."""
    return 0 < len(password) <= LONGEST and len(password.encode("utf-8", "surrogatepass")) <= LONGEST


def is_truncated(password: str, stored: str) -> bool:
    """Whether only the beginning of this password counts for this stored one."""
    cost = cost_of(stored)
    return cost is not None and cost[0] == "bcrypt" and len(password.encode("utf-8", "surrogatepass")) > 72


def need_form(form: str) -> None:
    """Raises MissingExtra where `hash_password` cannot make this form, because its package is not installed."""
    if is_missing((form, 0, 0, 0)):
        raise MissingExtra(f"{form} needs an extra: pip install 'wsgi-middleware[{_EXTRAS[form]}]'")


def need_extra(stored: str) -> None:
    """Raises MissingExtra where this form needs a package that is not installed."""
    cost = cost_of(stored)
    if cost is not None and is_missing(cost):
        extra = _EXTRAS[cost[0]]
        raise MissingExtra(
            f"a stored password is {cost[0]}, which needs an extra: pip install 'wsgi-middleware[{extra}]'"
        )


def is_missing(cost: Cost) -> bool:
    """Whether the package that checks passwords of this form is not installed."""
    if cost[0] == "bcrypt":
        from middleware.auth.passwords import bcrypt

        return bcrypt.is_missing()
    if cost[0] == "argon2id":
        from middleware.auth.passwords import argon2

        return argon2.is_missing()
    return False


def new_form() -> str:
    """The form that `hash_password` gives by itself."""
    return "scrypt" if is_missing(("argon2id", 0, 0, 0)) else "argon2id"


def new_cost(form: str | None = None) -> Cost:
    """What a password costs that `hash_password` makes now."""
    form = form or new_form()
    if form == "argon2id":
        from middleware.auth.passwords import argon2

        return argon2.NEW
    if form == "bcrypt":
        from middleware.auth.passwords import bcrypt

        return bcrypt.NEW
    from middleware.auth.passwords import scrypt

    return scrypt.NEW


def is_weaker(stored: str, form: str | None = None) -> bool:
    """Whether a new password of this form (by itself as for `hash_password`) is harder to guess than this stored one.

    scrypt and argon2id are held for equal: two processes, of which one has the extra, change nothing to and fro.
    """
    cost = cost_of(stored)
    if cost is None:
        return False
    new = new_cost(form)
    old_strength, new_strength = (_STRENGTHS.get(each[0], 5) for each in (cost, new))
    if old_strength != new_strength:
        return old_strength < new_strength
    return _work(cost) < _work(new_cost(cost[0]))


def is_weak(cost: Cost) -> bool:
    """Whether passwords of this cost are guessed fast by somebody who gets hold of them."""
    return cost[0] in ("plain", "sha1", "apr1") or (cost[0] == "bcrypt" and cost[1] < _WEAK_BCRYPT)


def _work(cost: Cost) -> int:
    form, first, second, third = cost
    if form == "argon2id":
        return first * second
    return second * third << first if form == "scrypt" else first


def _file_of(cost: Cost) -> Form:
    form = _file(_BEGINNINGS[cost[0]])
    assert form is not None
    return form


def _file(stored: str) -> Form | None:
    """The file of a stored password's form. Each is loaded when there is one."""
    if stored.startswith("$scrypt$"):
        from middleware.auth.passwords import scrypt

        return scrypt
    if stored.startswith(("$2b$", "$2y$", "$2a$")):
        from middleware.auth.passwords import bcrypt

        return bcrypt
    if stored.startswith("$argon2id$"):
        from middleware.auth.passwords import argon2

        return argon2
    if stored.startswith(("$5$", "$6$")):
        from middleware.auth.passwords import sha_crypt

        return sha_crypt
    if stored.startswith("$apr1$"):
        from middleware.auth.passwords import apr1

        return apr1
    if stored.startswith("{SHA}"):
        from middleware.auth.passwords import sha1

        return sha1
    if stored.startswith("{PLAIN}"):
        from middleware.auth.passwords import plain

        return plain
    return None
