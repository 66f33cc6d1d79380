"""The index of a user's sessions: one record for each user.

A login enters the index first, then adds its session, then looks whether the index still has it: so whoever ends all
sessions of a user ends also those that are just beginning.
"""

from __future__ import annotations

from collections import namedtuple
from json import dumps, loads

from middleware.errors import StoreError, TooManySessions
from middleware.sessions.in_store.endings import end_session
from middleware.sessions.in_store.turns import Turn, wait
from middleware.sessions.records import PREFIX, Stamped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import NamedTuple

    from middleware.sessions.terms import Terms
    from middleware.sessions.timeouts import Times
    from middleware.stores.base import Store

    class Entry(NamedTuple):
        """A session in the index."""

        since: float
        """When its user logged in."""
        end: float
        """When it is over in any case."""
        label: str
        entered: float
        """When the index got it."""
        instead_of: str
        """The id in hashed form that it had before, and has until it has come to this one."""
        is_ending: bool
        """Whether somebody is about to end it."""

    Entries = dict[str, Entry]  # by id in hashed form
else:
    Entry = namedtuple("Entry", ("since", "end", "label", "entered", "instead_of", "is_ending"))  # noqa: PYI024

INDEX = "middleware.session.user:"
MOST = 1000  # sessions of one user: of more, those that logged in first are ended
LONGEST_LABEL = 200  # characters
ATTEMPTS = 20
ARRIVING = 60.0  # seconds after its entry in which the record of a session may still be on its way


class UserIndex:
    """Which sessions a user has. Shared by all requests and threads; each method may raise StoreError."""

    def __init__(self, store: Store, terms: Terms) -> None:
        self.store = store
        self.terms = terms

    def enter(self, user: str, id: str, times: Times, label: str, *, instead_of: str = "", is_login: bool) -> list[str]:
        """Note a session that is about to be added, in the place of the one whose id it changes.

        The sessions that a login takes the room of, which are ended. Raises TooManySessions where there is no room for
        it and `when_too_many` is "refuse".
        """
        now = float(self.terms.clock())  # a clock may count in whole seconds
        since, end = float(times.authenticated or now), float(self.terms.timeouts.end(times))
        entry = Entry(since, end, label[:LONGEST_LABEL], now, instead_of, False)
        oldest: list[str] = []

        def entered(entries: Entries) -> Entries:
            kept = {other: theirs for other, theirs in entries.items() if other != id and theirs.end > now}
            if is_login:
                kept, oldest[:] = self._making_room(kept)
            return {**kept, id: entry}

        self.update(user, entered)
        return self.end_all(user, oldest) if oldest else []

    def _making_room(self, entries: Entries) -> tuple[Entries, list[str]]:
        """The entries without those that are over, if room is short, and those to be ended for one more."""
        limit = self.terms.max_sessions
        most = limit or MOST
        if len(_counted(entries)) >= most:
            alive = self.alive(entries)
            arriving = self.without_arriving(entries)
            entries = {id: entry for id, entry in entries.items() if id in alive or id not in arriving}
        counted = _counted(entries)
        if limit and len(counted) >= limit and self.terms.when_too_many == "refuse":
            raise TooManySessions(f"this user has {len(counted)} sessions, and max_sessions={limit}: end one first")
        ending = [id for id, entry in entries.items() if entry.is_ending]  # whoever was about to end it may have failed
        return entries, ending + sorted(counted, key=lambda id: entries[id].since)[: max(len(counted) - most + 1, 0)]

    def holds(self, user: str, id: str) -> bool:
        """Whether the session is still in the index, and nobody is about to end it."""
        entry = self.entries(user).get(id)
        return entry is not None and not entry.is_ending

    def remove(self, user: str, ids: Collection[str]) -> None:
        """Take ended sessions out of the index."""
        self.update(user, lambda entries: {id: entry for id, entry in entries.items() if id not in ids})

    def end_all(self, user: str, ids: Collection[str]) -> list[str]:
        """End these sessions, and take them out of the index. Those of them that there were.

        They are marked first: one that is just arriving has been added by then, and is ended here, or finds the mark.
        And they are taken out last: what fails on the way can be tried again.
        """
        self.update(user, lambda entries: {id: _marked(entry, id in ids) for id, entry in entries.items()})
        ended = [id for id in ids if end_session(self.store, PREFIX + id, None, self.terms.timeouts.idle)]
        self.remove(user, ids)
        return ended

    def alive(self, entries: Entries) -> dict[str, Times]:
        """The sessions of these that can still be used, with their times."""
        timeouts, now = self.terms.timeouts, self.terms.clock()
        alive = {}
        for id in entries:
            raw = self.store.get(PREFIX + id)
            found = None if raw is None else Stamped.read(raw)
            if found is not None and not timeouts.is_over(found.times, now):
                alive[id] = found.times
        return alive

    def without_arriving(self, entries: Entries) -> Entries:
        """Those of these whose records must be there by now."""
        now = self.terms.clock()
        return {id: entry for id, entry in entries.items() if abs(now - entry.entered) > ARRIVING}

    def entries(self, user: str) -> Entries:
        """The sessions of the user, also those that are over and those that are just beginning."""
        return _read(self.store.get(INDEX + user))

    def update(self, user: str, alter: Callable[[Entries], Entries]) -> None:
        """Alter the entries of the user, whoever else does so."""
        key = INDEX + user
        with Turn(key):
            for attempt in range(ATTEMPTS):
                raw = self.store.get(key)
                before = _read(raw)
                after = alter(before)
                if after == before:
                    return
                text = dumps(after, separators=(",", ":")).encode()
                now = self.terms.clock()
                ttl = max([entry.end - now for entry in after.values()] + [self.terms.timeouts.idle])
                # An empty index is swapped in and expires: a delete could take a login away that was just entered.
                if self.store.add(key, text, ttl) if raw is None else self.store.swap(key, raw, text, ttl):
                    return
                wait(attempt)
        raise StoreError(f"the index of a user's sessions could not be written in {ATTEMPTS} attempts")


def _read(raw: bytes | None) -> Entries:
    """What `update` wrote; nothing for anything else."""
    try:
        found = {} if raw is None else loads(raw)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        id: Entry(*entry)
        for id, entry in found.items()
        if isinstance(entry, list) and [type(part) for part in entry] == [float, float, str, float, str, bool]
    }


def _counted(entries: Entries) -> list[str]:
    """Each session once: one that is on its way to another id is in the index under both."""
    return [id for id, entry in entries.items() if entry.instead_of not in entries and not entry.is_ending]


def _marked(entry: Entry, is_ending: bool) -> Entry:
    return entry._replace(is_ending=True) if is_ending else entry
