"""Users from files of Apache's htdigest, and their roles from its group files."""

from __future__ import annotations

import os
import time

from middleware.auth.digest.credentials import ALGORITHMS, HEX_DIGITS, is_hex
from middleware.auth.digest.sources import refuse_unusable
from middleware.auth.names import normal_name
from middleware.auth.users.account import Account
from middleware.auth.users.groups import roles_in
from middleware.auth.users.watched import WatchedFile
from middleware.errors import ConfigurationError
from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from middleware.auth.digest.credentials import Algorithm

    Users = Mapping[str, Mapping[Algorithm, str]]

_MOST_TOLD = 10  # bad lines of a file, one by one
_NOBODY: Users = {}


class Htdigest:
    """Users from a file of Apache's `htdigest`, for `Digest`, and their roles from a group file.

    `path`: lines of `name:realm:HA1`. `htdigest` writes HA1s of MD5, which have 32 hex digits; a line with one of
    SHA-256, which has 64 and which `ha1(user, realm, password)` makes, may stand beside it. `groups`: a file of lines
    `group: name name`; each group is a role. Both are UTF-8 (latin-1 where they are not), and are read again when they
    change: an entry that was changed counts for the next request. Names are taken in their one spelling (RFC 8265).
    `clock` gives seconds since 1970.

    A line that cannot be used keeps its user out, and is told once. Raises ConfigurationError where a file cannot be
    read at first, or spells one name in two ways. One that cannot be read later makes requests with credentials 503
    until it can.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        groups: str | os.PathLike[str] | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = os.fspath(path)
        self._users = WatchedFile(path, self._parse, clock)
        self._groups = None if groups is None else WatchedFile(groups, roles_in, clock)
        entries: _Entries = self._users.read_first("Htdigest")
        if self._groups is not None:
            self._groups.read_first("Htdigest")
        for told in entries.same:
            raise ConfigurationError(f"{self.path}, {told}. Remove one")

    def __repr__(self) -> str:
        return f"<Htdigest {self.path!r}>"

    def ha1(self, user: str, realm: str, algorithm: Algorithm, /) -> Account | None:
        """The account of `user` in this realm, as the files have it now. Raises OSError where they cannot be read."""
        stored: str | None = self.names(realm).get(user, {}).get(algorithm)
        if stored is None:
            return None
        return Account(stored, roles=self._groups.read().get(user, ()) if self._groups is not None else ())

    def names(self, realm: str, /) -> Users:
        """The users of a realm, and their HA1s. The same object until the file changes."""
        entries: _Entries = self._users.read()
        return entries.realms.get(realm, _NOBODY)

    def check(self, realm: str, algorithms: Collection[Algorithm], /) -> None:
        """Raises ConfigurationError where the file has users, and none who could sign in to this realm."""
        entries: _Entries = self._users.read()
        realms = entries.realms
        if realms and realm not in realms:
            raise ConfigurationError(
                f"{self.path!r} has nobody for realm={realm!r}, only for {', '.join(map(repr, sorted(realms)))}"
            )
        held = {algorithm for stored in self.names(realm).values() for algorithm in stored}
        refuse_unusable(held, algorithms, repr(self.path))

    def _parse(self, lines: list[str]) -> _Entries:
        entries = _Entries(lines)
        for number in entries.invalid[:_MOST_TOLD]:
            self._say(f"line {number}: this is no user:realm:HA1, nobody can sign in by it")
        if len(entries.invalid) > _MOST_TOLD:
            self._say(f"{len(entries.invalid)} lines cannot be used")
        for told in entries.same:
            self._say(f"{told}, their user stays out")
        return entries

    def _say(self, what: str) -> None:
        say_once(f"{self.path}, {what}", logger="middleware.auth")


class _Entries:
    """What a file holds. Of two lines for the same the first counts, as for Apache."""

    __slots__ = ("invalid", "realms", "same")

    def __init__(self, lines: list[str]) -> None:
        self.realms: dict[str, dict[str, dict[Algorithm, str]]] = {}
        self.invalid: list[int] = []  # the numbers of lines that nobody can sign in by
        self.same: list[str] = []  # what there is to say of names that are spelled in two ways
        spelled: dict[tuple[str, str], tuple[str, int]] = {}
        unclear: set[tuple[str, str]] = set()
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            given, _, rest = line.partition(":")
            realm, _, stored = rest.partition(":")
            stored = stored.strip()
            user = normal_name(given)
            algorithm: Algorithm | None = next((each for each in ALGORITHMS if is_hex(stored, HEX_DIGITS[each])), None)
            if user is None or not realm or algorithm is None:
                self.invalid.append(number)
                continue
            before, there = spelled.setdefault((realm, user), (given, number))
            if before != given:
                unclear.add((realm, user))
                self.same.append(f"lines {there} and {number}: {before!a} and {given!a} are spellings of one name")
            if (realm, user) in unclear:
                self.realms[realm].pop(user, None)
                continue
            self.realms.setdefault(realm, {}).setdefault(user, {}).setdefault(algorithm, stored.lower())
