"""Users from files of Apache's htpasswd, and their roles from its group files."""

from __future__ import annotations

import time

from middleware.auth.users.account import Account
from middleware.auth.users.watched import WatchedFile
from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable


class Htpasswd:
    """Users from a file of Apache's `htpasswd`, and their roles from a group file.

    `path`: lines of `name:hash`. `groups`: a file of lines `group: name name`; each group is a role. Both are UTF-8
    (latin-1 where they are not), and are read again when they change: an entry that was changed counts for the next
    request. `clock` gives seconds since 1970.

    Raises ConfigurationError where a file cannot be read at first. One that cannot be read later makes requests with
    credentials 503 until it can.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        groups: str | os.PathLike[str] | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._users = WatchedFile(path, _passwords, clock)
        self._groups = None if groups is None else WatchedFile(groups, _roles, clock)
        try:
            self._users.read()
            if self._groups is not None:
                self._groups.read()
        except OSError as error:
            raise ConfigurationError(f"Htpasswd cannot read {error.filename!r}: {error.strerror}") from None

    def __repr__(self) -> str:
        return f"<Htpasswd {self._users.path!r}>"

    def get(self, user: str, /) -> Account | None:
        """The account of `user`, as the files have it now. Raises OSError where they cannot be read."""
        stored: str | None = self._users.read().get(user)
        if stored is None:
            return None
        return Account(stored, roles=self._groups.read().get(user, ()) if self._groups is not None else ())

    def values(self) -> list[str]:
        """The stored hashes."""
        return list(self._users.read().values())


def _passwords(lines: list[str]) -> dict[str, str]:
    """Of a user who is named twice the first line counts, as for Apache."""
    users: dict[str, str] = {}
    for line in lines:
        user, colon, rest = line.partition(":")
        if colon and user and not user.startswith("#"):
            users.setdefault(user, rest.partition(":")[0].strip())
    return users


def _roles(lines: list[str]) -> dict[str, list[str]]:
    roles: dict[str, list[str]] = {}
    for line in lines:
        group, colon, members = line.partition(":")
        if colon and not group.lstrip().startswith("#"):
            for user in members.split():
                roles.setdefault(user, []).append(group.strip())
    return roles
