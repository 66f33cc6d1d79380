"""Where users come from: a mapping, a file of Apache's htpasswd, a callable.

A source is asked anew for every request, so a changed password or a deleted account counts at once.
"""

from __future__ import annotations

import os
import threading
import time

from middleware.auth.passwords import cost_of, need_extra
from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Protocol

    class AccountLike(Protocol):
        """Anything with a `hash` and `roles`; `disabled` and `name` are looked at where they exist."""

        @property
        def hash(self) -> str: ...

        @property
        def roles(self) -> Iterable[str]: ...

    Signature = tuple[int, int, int, int]
    Found = str | AccountLike | None
    Find = Callable[[str], Found]

    class UserSource(Protocol):
        """What has a `get(user)`: the stored hash or an account, None for an unknown user."""

        def get(self, user: str, /) -> Found: ...

    Users = Mapping[str, str] | Mapping[str, "Account"] | UserSource | Find


_MOST_READS = 100  # of a file that changes while it is read


class Account:
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
        put(self, "disabled", disabled)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an account does not change: make another one ({name})")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Account):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def _values(self) -> tuple[object, ...]:
        return (self.hash, self.roles, self.name, self.disabled)

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
        self._users = _File(path, _passwords, clock)
        self._groups = None if groups is None else _File(groups, _roles, clock)
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
        stored = self._users.read().get(user)
        if not isinstance(stored, str):
            return None
        return Account(stored, roles=self._groups.read().get(user, ()) if self._groups is not None else ())

    def values(self) -> list[str]:
        """The stored hashes."""
        return [stored for stored in self._users.read().values() if isinstance(stored, str)]


class _File:
    """A file, parsed, and read again when it has changed."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        parse: Callable[[list[str]], Mapping[str, str | list[str]]],
        clock: Callable[[], float],
    ) -> None:
        self.path = os.fspath(path)
        self._parse = parse
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[Signature | None, Mapping[str, str | list[str]]] = (None, {})

    def read(self) -> Mapping[str, str | list[str]]:
        """What it holds now."""
        signature, parsed = self._known
        if signature is not None and signature == _signature(os.stat(self.path)):  # noqa: PTH116 - pathlib costs 14 ms of import
            return parsed
        with self._lock:
            return self._read_again()

    def _read_again(self) -> Mapping[str, str | list[str]]:
        for _ in range(_MOST_READS):
            with open(self.path, "rb") as file:  # noqa: PTH123
                before = os.fstat(file.fileno())
                content = file.read()
                after = os.fstat(file.fileno())
            if _signature(before) == _signature(after):
                break
        else:
            raise OSError(f"{self.path} was written to all the time while it was read")
        parsed = self._parse(_lines(content))
        # A second change within the tick of the file system's clock would look like none: read such a file once more.
        settled = abs(self._clock() - max(after.st_mtime, after.st_ctime)) >= 2
        self._known = (_signature(after) if settled else None, parsed)
        return parsed


def _signature(stat: os.stat_result) -> Signature:
    """What tells one content of a file from another; the ctime, because tools that copy set the mtime back."""
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino


def _lines(content: bytes) -> list[str]:
    lines = []
    for line in content.split(b"\n"):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            text = line.decode("latin-1")
        lines.append(text.strip("\r"))
    return lines


def _passwords(lines: list[str]) -> dict[str, str | list[str]]:
    """Of a user who is named twice the first line counts, as for Apache."""
    users: dict[str, str | list[str]] = {}
    for line in lines:
        user, colon, rest = line.partition(":")
        if colon and user and not user.startswith("#"):
            users.setdefault(user, rest.partition(":")[0].strip())
    return users


def _roles(lines: list[str]) -> dict[str, str | list[str]]:
    roles: dict[str, list[str]] = {}
    for line in lines:
        group, colon, members = line.partition(":")
        if colon and not group.lstrip().startswith("#"):
            for user in members.split():
                roles.setdefault(user, []).append(group.strip())
    return dict(roles)
