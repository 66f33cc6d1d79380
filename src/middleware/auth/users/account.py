"""What is known of a user, and what a source of users may give in its place."""

from __future__ import annotations

from middleware.auth.frozen import Value
from middleware.errors import ConfigurationError
from middleware.options import a_switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    class AccountLike(Protocol):
        """Anything with a `hash` and `roles`; `disabled` and `name` are looked at where they exist."""

        @property
        def hash(self) -> str: ...

        @property
        def roles(self) -> Iterable[str]: ...

    Found = str | AccountLike | None


class Account(Value):
    """What a source knows of a user. Never changed.

    `hash`: the stored password, in one of the forms of `hash_password` and bcrypt. `roles`: what rules ask for.
    `name`: what to call the user on a page. `disabled`: the password is right and the user still stays out.
    """

    __slots__ = ("disabled", "hash", "name", "roles")

    hash: str
    roles: frozenset[str]
    name: str | None
    disabled: bool

    def __init__(
        self,
        hash: str,  # noqa: A002 - what everybody calls it
        *,
        roles: Iterable[str] = (),
        name: str | None = None,
        disabled: bool = False,
    ) -> None:
        if not isinstance(hash, str):
            raise ConfigurationError(f"a stored password is text, not {type(hash).__name__}; of a user without one, ''")
        if isinstance(roles, str):
            raise ConfigurationError(f"roles are a list: [{roles!r}]")
        put = object.__setattr__
        put(self, "hash", hash)
        put(self, "roles", frozenset(roles))
        put(self, "name", name)
        put(self, "disabled", a_switch("disabled", disabled))

    def __repr__(self) -> str:
        return f"<Account roles={sorted(self.roles)}{' disabled' if self.disabled else ''}>"  # never the hash


def account_of(found: Found) -> Account | None:
    """What a source gave, as an account."""
    if found is None or isinstance(found, Account):
        return found
    if isinstance(found, str):
        return Account(found)
    return Account(
        found.hash or "",  # of a user who has no password
        roles=found.roles,
        name=getattr(found, "name", None),
        disabled=bool(getattr(found, "disabled", False)),
    )
