"""The index of a user's sessions: one record for each user.

A login enters the index first, then adds its session, then looks whether the index still has it: so whoever ends all
sessions of a user ends also those that are just beginning.
"""

from __future__ import annotations

from json import dumps, loads

from middleware.errors import StoreError, TooManySessions
from middleware.sessions.endings import end_session
from middleware.sessions.records import PREFIX, Stamped
from middleware.sessions.turns import Turn, wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from middleware.sessions.terms import Terms
    from middleware.sessions.timeouts import Times
    from middleware.stores.base import Store

    Entries = dict[str, tuple[float, float, str]]  # by id in hashed form: when it was entered, its end, its label

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

    def enter(self, user: str, id: str, times: Times, label: str, *, instead_of: str = "") -> list[str]:
        """Note a session that is about to be added, in the place of the one whose id it changes.

        The sessions that it takes the room of, which are ended. Raises TooManySessions where there is no room for it
        and `when_too_many` is "refuse".
        """
        terms = self.terms
        now = terms.clock()
        most = terms.max_sessions or MOST
        oldest: list[str] = []

        def entered(entries: Entries) -> Entries:
            kept = {other: entry for other, entry in entries.items() if other != id and entry[1] > now}
            others = [other for other in kept if other != instead_of]
            if terms.max_sessions and len(others) >= most:
                alive = self.alive(kept)
                dead = [other for other in self.without_arriving(kept) if other not in alive]
                kept = {other: entry for other, entry in kept.items() if other not in dead}
                others = [other for other in others if other in kept]
            if len(others) >= most and terms.max_sessions and terms.when_too_many == "refuse":
                raise TooManySessions(f"this user has {len(others)} sessions, and max_sessions={most}: end one first")
            oldest[:] = sorted(others, key=lambda other: kept[other][0])[: max(len(others) - most + 1, 0)]
            kept[id] = (float(times.authenticated or now), float(terms.timeouts.end(times)), label[:LONGEST_LABEL])
            return kept

        self.update(user, entered)
        for other in oldest:
            self.end(other)
        if oldest:
            self.remove(user, oldest)
        return oldest

    def holds(self, user: str, id: str) -> bool:
        """Whether the session is still in the index: nobody has ended the sessions of this user."""
        return id in self.entries(user)

    def remove(self, user: str, ids: Collection[str]) -> None:
        """Take ended sessions out of the index."""
        self.update(user, lambda entries: {id: entry for id, entry in entries.items() if id not in ids})

    def end(self, id: str) -> bool:
        """End the session of this id, and leave it in the index. False where there is none."""
        return bool(end_session(self.store, PREFIX + id, None, self.terms.timeouts.idle))

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
        return {id: entry for id, entry in entries.items() if abs(now - entry[0]) > ARRIVING}

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
                ttl = max([end - now for _, end, _ in after.values()] + [self.terms.timeouts.idle])
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
        id: (float(entry[0]), float(entry[1]), entry[2])
        for id, entry in found.items()
        if isinstance(entry, list) and [type(part) for part in entry] == [float, float, str]
    }
