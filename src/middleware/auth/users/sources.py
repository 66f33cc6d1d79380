"""Where users come from: a mapping, a file of Apache's htpasswd, a callable.

A source is asked anew for every request, so a changed password or a deleted account counts at once.
"""

from __future__ import annotations

from middleware.auth.names import normal_name
from middleware.auth.passwords import cost_of, need_extra, need_form, new_cost
from middleware.auth.users.account import account_of
from middleware.auth.users.htpasswd import Htpasswd
from middleware.auth.users.warning import tell_weak
from middleware.errors import ConfigurationError
from middleware.options import a_switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Protocol

    from middleware.auth.passwords import Cost
    from middleware.auth.users.account import Account, Found

    Find = Callable[[str], Found]
    SetHash = Callable[[str, str, str], bool]

    class UserSource(Protocol):
        """What has a `get(user)`: the stored hash or an account, None for an unknown user."""

        def get(self, user: str, /) -> Found: ...

    class KeepingSource(UserSource, Protocol):
        """A source that can store a password: `set_hash` puts `new` in the place of `old`, and says whether it was."""

        def set_hash(self, user: str, new: str, old: str, /) -> bool: ...

    Users = Mapping[str, str] | Mapping[str, Account] | UserSource | Find


class UsersFrom:
    """Users from a callable, with what it cannot say by itself.

    `find` takes a name, in its one spelling (RFC 8265), and gives a stored password, an account or None. `forms`: those
    of the passwords that it may give, `"argon2id"`, `"scrypt"` or `"bcrypt"` as `hash_password` makes them, or a stored
    password as an example for any other: a failed login then takes as long for an unknown user from the first one on.
    `set_hash(user, new, old)`: stores `new` where `old` is stored still, and says whether it did; a password that was
    right and is stored in a weaker form than `hash_password` makes is given to it. `case_map`: capitals of names are
    made small.

    Raises ConfigurationError, and MissingExtra for a form whose package is not installed.
    """

    def __init__(
        self,
        find: Find,
        *,
        forms: Iterable[str] = (),
        set_hash: SetHash | None = None,
        case_map: bool = False,
    ) -> None:
        if not callable(find):
            raise ConfigurationError(f"UsersFrom takes a callable that finds a user, not {type(find).__name__}")
        if set_hash is not None and not callable(set_hash):
            raise ConfigurationError(f"set_hash= is a callable, not {type(set_hash).__name__}")
        if isinstance(forms, str) or not hasattr(forms, "__iter__"):
            raise ConfigurationError(f"forms= are a list: {[forms]!r}")
        self.get = find
        self.set_hash = set_hash
        self.case_map = a_switch("case_map", case_map)
        self._costs = list(dict.fromkeys(map(_named_cost, forms)))

    def costs(self) -> list[Cost]:
        """What its passwords cost, as far as it was told."""
        return self._costs


def finder(users: Users) -> Find:
    """The one function that asks a source. Raises ConfigurationError for what is none."""
    source: Any = users
    find: Find = getattr(source, "get", source)
    if not callable(find) or isinstance(users, type):
        raise ConfigurationError(
            f"users= takes a mapping of names to hashes, Htpasswd(path), or a callable, not {type(users).__name__}"
        )
    return find


def upgrader(users: Users) -> tuple[SetHash, str | None] | None:
    """What stores a password anew, and in which form (None: that of `hash_password`); None where nothing does."""
    set_hash: SetHash | None = getattr(users, "set_hash", None)
    if set_hash is None:
        return None
    if isinstance(users, Htpasswd):
        return None if users.upgrade is None else (set_hash, users.upgrade)
    return set_hash, None


def naming(users: Users) -> Callable[[str], str | None]:
    """How this source spells names: `normal_name`, with small letters where it has `case_map`."""
    if getattr(users, "case_map", False):
        return lambda user: normal_name(user, case_map=True)
    return normal_name


def check_users(users: Users) -> None:
    """Judge a source as far as it can be told before the first request.

    Raises ConfigurationError for what is no source, and for a mapping with a name or a stored password that nobody can
    have; MissingExtra for stored passwords that need a package which is not installed. Weak ones are told of once.
    """
    finder(users)
    for stored in known_hashes(users):
        need_extra(stored)
        if isinstance(users, dict):
            tell_weak("a source of users", cost_of(stored))
    for user, found in users.items() if isinstance(users, dict) else ():
        normal = normal_name(user) if isinstance(user, str) else None
        if normal != user:
            what = "is no name of a user (RFC 8265)" if normal is None else f"is spelled {normal!r} in its one form"
            raise ConfigurationError(f"the name {user!a} in users= {what}")
        account = account_of(found)
        if account is not None and account.hash and cost_of(account.hash) is None:
            raise ConfigurationError(
                f"what is stored for {user!r} is no password that anybody can have: make one with: "
                "python -m middleware auth hash"
            )


def costs_of(users: Users) -> list[Cost] | None:
    """What the passwords of a source cost, as it says itself; None where it says nothing."""
    try:
        return users.costs() if isinstance(users, (Htpasswd, UsersFrom)) else None
    except OSError:
        return None


def known_hashes(users: Users) -> list[str]:
    """The stored hashes of a source that can list them, for what is checked at construction."""
    values = getattr(users, "values", None)
    if values is None or not isinstance(users, (dict, Htpasswd)):
        return []
    try:
        accounts = [account_of(found) for found in values()]
    except AttributeError as error:
        raise ConfigurationError(
            f"users= maps names to hashes (str) or accounts with hash and roles: {error}"
        ) from None
    return [account.hash for account in accounts if account is not None]


def _named_cost(form: str) -> Cost:
    if form in ("argon2id", "scrypt", "bcrypt"):
        need_form(form)
        return new_cost(form)
    cost = cost_of(form) if isinstance(form, str) else None
    if cost is None:
        raise ConfigurationError(  # which does not tell what it was: it may be a password
            'forms= names "argon2id", "scrypt" or "bcrypt", or holds a stored password as an example'
        )
    need_extra(form)
    return cost
