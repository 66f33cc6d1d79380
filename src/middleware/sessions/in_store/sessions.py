"""Sessions in a store, under random ids that only the browser has.

The store's key is a digest of the id. A record is a header of fixed width, with the times by which the session is
judged, and its content in JSON. Records are added, swapped and deleted, never just set: what was ended stays ended.
"""

from __future__ import annotations

from middleware.cookies.codec import MOST_TRIED
from middleware.made_once import made_once
from middleware.sessions.in_store.cell import Cell
from middleware.sessions.in_store.record import StoredRecord
from middleware.sessions.records import Pointer, Stamped, id_of, key_of, successor_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.sessions.cookie import SessionCookie
    from middleware.sessions.in_store.index import UserIndex
    from middleware.sessions.place import Tell
    from middleware.sessions.terms import Terms
    from middleware.stores.base import Store

MOVED_FOR = 30  # seconds in which requests that were sent with the old id may arrive, which opens nothing any more
MOST_RENEWALS = 4  # that one id is followed through


class StoredSessions:
    """Opens records. Shared by all requests and threads."""

    def __init__(self, store: Store, terms: Terms, cookie: SessionCookie) -> None:
        self.store = store
        self.terms = terms
        self.cookie = cookie

    @made_once
    def index(self) -> UserIndex:
        """Which sessions a user has."""
        from middleware.sessions.in_store.index import UserIndex

        return UserIndex(self.store, self.terms)

    def open(self, field: str, tell: Tell) -> StoredRecord:
        """The session that a Cookie field names, or a new one. Raises StoreError where the store cannot answer."""
        now = self.terms.clock()
        values = self.cookie.values(field, MOST_TRIED)
        if len(values) > 1:
            tell("duplicate_cookie", count=len(values))
        moved = ""
        for value in values:
            cell = self._found(value, now, tell)
            if cell is None:
                continue
            if cell.held is None:
                moved = moved or cell.key
                continue
            try:
                return StoredRecord.found(self, tell, cell, value)
            except ValueError:
                continue
        record = StoredRecord.new(self, now, tell)
        record.had_cookie = bool(values)
        if moved:
            record.was_moved(moved)
        return record

    def _found(self, identifier: str, now: float, tell: Tell) -> Cell | None:
        """Where the session of this id is. With nothing to hold, where it was until it got a new id a moment ago."""
        timeouts = self.terms.timeouts
        for _ in range(MOST_RENEWALS):
            key = key_of(identifier)
            raw = None if key is None else self.store.get(key)
            if key is None or raw is None:
                tell("unknown_id", None if key is None else id_of(key))
                return None
            found = Stamped.read(raw)
            if found is not None:
                if timeouts.is_over(found.times, now):
                    tell("expired", id_of(key))
                    return None
                return Cell(self, now, identifier, key, found)
            pointer = Pointer.read(raw)
            if pointer is None:
                tell("unknown_id", id_of(key))
                return None
            if not pointer.nonce or not timeouts.in_grace(pointer.moved, now):
                tell("stale_id", id_of(key))
                recent = MOVED_FOR + (timeouts.grace if pointer.nonce else 0)
                return Cell(self, now, key=key) if abs(now - pointer.moved) < recent else None
            identifier = successor_of(identifier, pointer.nonce)
        return None
