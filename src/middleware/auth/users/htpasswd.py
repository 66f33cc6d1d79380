"""Users from files of Apache's htpasswd, and their roles from its group files."""

from __future__ import annotations

import os
import time

from middleware.auth.names import normal_name
from middleware.auth.users.account import Account
from middleware.auth.users.entries import entries_of, findings_of, same_names
from middleware.auth.users.warning import tell_invalid, tell_same, tell_weak
from middleware.auth.users.watched import WatchedFile, lines_of
from middleware.errors import ConfigurationError
from middleware.options import a_switch, check_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.auth.passwords import Cost
    from middleware.auth.users.entries import Entry, Finding


class Htpasswd:
    """Users from a file of Apache's `htpasswd`, and their roles from a group file.

    `path`: lines of `name:password`, in any of the forms that htpasswd writes but DES, and those of `hash_password`.
    `groups`: a file of lines `group: name name`; each group is a role. Both are UTF-8 (latin-1 where they are not), and
    are read again when they change: an entry that was changed counts for the next request. Names are taken in their one
    spelling (RFC 8265), `case_map` makes capitals small.

    `plain`: passwords may stand in the file as they are, as `htpasswd -p` writes them, or behind `{PLAIN}`; without it
    they are no passwords. `upgrade="bcrypt"`: a password that was right and is stored in a weaker form is stored anew;
    Apache reads that form too. The file is then replaced, with its mode and owner. `clock` gives seconds since 1970.

    A line that cannot be used keeps its user out, and is told once. Raises ConfigurationError where a file cannot be
    read at first, or spells one name in two ways; MissingExtra for `upgrade` without bcrypt. A file that cannot be read
    later makes requests with credentials 503 until it can.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        groups: str | os.PathLike[str] | None = None,
        *,
        plain: bool = False,
        upgrade: str | None = None,
        case_map: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if upgrade not in (None, "bcrypt"):
            raise ConfigurationError(f'upgrade= is "bcrypt" or None, since Apache reads the file, not {upgrade!r}')
        if upgrade is not None:
            from middleware.auth.passwords import need_form

            need_form(upgrade)
        self.path = os.fspath(path)
        self.upgrade = upgrade
        check_clock(clock)
        self.case_map = a_switch("case_map", case_map)
        self._plain = a_switch("plain", plain)
        self._users = WatchedFile(path, self._parse_users, clock)
        self._groups = None if groups is None else WatchedFile(groups, self._parse_groups, clock)
        users: _Users = self._users.read_first("Htpasswd")
        if self._groups is not None:
            self._groups.read_first("Htpasswd")
        for first, second in users.same:
            raise ConfigurationError(
                f"{self.path}: lines {first.line} and {second.line} name one user: {first.user!r} and {second.user!r} "
                "are two spellings of the same name. Remove one"
            )

    def __repr__(self) -> str:
        return f"<Htpasswd {self.path!r}>"

    def get(self, user: str, /) -> Account | None:
        """The account of `user`, as the files have it now. Raises OSError where they cannot be read."""
        users: _Users = self._users.read()
        name = normal_name(user, case_map=self.case_map)
        stored = None if name is None else users.stored.get(name)
        if stored is None or name is None:
            return None
        return Account(stored, roles=self._groups.read().get(name, ()) if self._groups is not None else ())

    def values(self) -> list[str]:
        """The stored passwords. Raises OSError where they cannot be read."""
        users: _Users = self._users.read()
        return list(users.stored.values())

    def costs(self) -> list[Cost]:
        """What the stored passwords cost, each cost once. Raises OSError where they cannot be read."""
        users: _Users = self._users.read()
        return users.costs

    def set_hash(self, user: str, new: str, old: str, /) -> bool:
        """Store `new` for `user`, if `old` is what is stored; whether it was. Raises OSError, also where the file would
        change its owner."""
        from middleware.auth.users.rewriting import replace_password

        return replace_password(self.path, user, new, old, plain=self._plain, case_map=self.case_map)

    def _parse_users(self, lines: list[str]) -> _Users:
        users = _Users(entries_of(lines, plain=self._plain, case_map=self.case_map))
        tell_invalid(self.path, users.invalid)
        tell_same(self.path, users.same)
        for cost in users.costs:
            tell_weak(self.path, cost)
        return users

    def _parse_groups(self, lines: list[str]) -> dict[str, list[str]]:
        from middleware.auth.users.groups import roles_in

        return roles_in(lines, case_map=self.case_map)


class _Users:
    """What a file holds: of a user who is named twice the first line counts, as for Apache."""

    __slots__ = ("costs", "invalid", "same", "stored")

    def __init__(self, entries: list[Entry]) -> None:
        self.invalid = [entry for entry in entries if not entry.is_valid]
        self.same = same_names(entries)
        self.stored: dict[str, str] = {}
        costs: dict[Cost, None] = {}
        unclear = {second.name for _, second in self.same}
        seen: set[str | None] = set()
        for entry in entries:
            if entry.name in seen or entry.name in unclear:
                continue
            seen.add(entry.name)
            if entry.name is not None and entry.cost is not None:
                self.stored[entry.name] = entry.stored
                costs[entry.cost] = None
        self.costs = list(costs)


def check_file(path: str | os.PathLike[str], *, plain: bool = False, case_map: bool = False) -> list[Finding]:
    """What there is to say of each line of a file of htpasswd. No finding holds a password.

    `plain` and `case_map` as for `Htpasswd`. Raises OSError where the file cannot be read.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 14 ms of import
        return findings_of(lines_of(file.read()), plain=plain, case_map=case_map)
