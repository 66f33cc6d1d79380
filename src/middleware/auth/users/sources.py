"""Where users come from: a mapping, a file of Apache's htpasswd, a callable.

A source is asked anew for every request, so a changed password or a deleted account counts at once.
"""

from __future__ import annotations

from middleware.auth.passwords import cost_of, need_extra
from middleware.auth.users.account import account_of
from middleware.auth.users.htpasswd import Htpasswd
from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    from middleware.auth.users.account import Account, Found

    Find = Callable[[str], Found]

    class UserSource(Protocol):
        """What has a `get(user)`: the stored hash or an account, None for an unknown user."""

        def get(self, user: str, /) -> Found: ...

    Users = Mapping[str, str] | Mapping[str, Account] | UserSource | Find


def finder(users: Users) -> Find:
    """The one function that asks a source. Raises ConfigurationError for what is none."""
    source: Any = users
    find: Find = getattr(source, "get", source)
    if not callable(find) or isinstance(users, type):
        raise ConfigurationError(
            f"users= takes a mapping of names to hashes, Htpasswd(path), or a callable, not {type(users).__name__}"
        )
    return find


def check_users(users: Users) -> None:
    """Judge a source as far as it can be told before the first request.

    Raises ConfigurationError for what is no source and for a mapping with a stored password that nobody can have,
    MissingExtra for stored passwords that need a package which is not installed.
    """
    finder(users)
    for stored in known_hashes(users):
        need_extra(stored)
    for user, found in users.items() if isinstance(users, dict) else ():
        account = account_of(found)
        if account is not None and account.hash and cost_of(account.hash) is None:
            raise ConfigurationError(
                f"what is stored for {user!r} is no scrypt or bcrypt hash: make one by python -m middleware auth hash"
            )


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
