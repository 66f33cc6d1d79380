"""Sessions in a store, under random ids that only the browser has.

The store's key is a digest of the id. A record is a header of fixed width, with the times by which the session is
judged, and its content in JSON. Records are added, swapped and deleted, never just set: what was ended stays ended.
"""

from __future__ import annotations

from middleware.cookies.codec import MOST_TRIED
from middleware.sessions.records import Pointer, Stamped, id_of, key_of, successor_of
from middleware.sessions.stored_record import StoredRecord
from middleware.sessions.user_index import UserIndex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.sessions.cookie import SessionCookie
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
        self.index = UserIndex(store, terms)

    def open(self, field: str, tell: Tell) -> StoredRecord:
        """The session that a Cookie field names, or a new one. Raises StoreError where the store cannot answer."""
        now = self.terms.clock()
        values = self.cookie.values(field, MOST_TRIED)
        if len(values) > 1:
            tell("duplicate_cookie", count=len(values))
        record = StoredRecord(self, now, tell)
        record.had_cookie = bool(values)
        for value in values:
            if self._opens(record, value, now, tell):
                return record
        return record

    def _opens(self, record: StoredRecord, sent: str, now: float, tell: Tell) -> bool:
        """Whether there is a session of the id that was sent, which is then in the record."""
        timeouts = self.terms.timeouts
        identifier = sent
        for _ in range(MOST_RENEWALS):
            key = key_of(identifier)
            raw = None if key is None else self.store.get(key)
            if key is None or raw is None:
                tell("unknown_id", None if key is None else id_of(key))
                return False
            found = Stamped.read(raw)
            if found is not None:
                if timeouts.is_over(found.times, now):
                    tell("expired", id_of(key))
                    return False
                try:
                    record.load(identifier, key, found)
                except ValueError:
                    return False
                record.sent = sent
                record.is_new = False
                return True
            pointer = Pointer.read(raw)
            if pointer is None:
                tell("unknown_id", id_of(key))
                return False
            if not pointer.nonce or not timeouts.in_grace(pointer.moved, now):
                tell("stale_id", id_of(key))
                if abs(now - pointer.moved) < MOVED_FOR + (timeouts.grace if pointer.nonce else 0):
                    record.was_moved(key)
                return False
            identifier = successor_of(identifier, pointer.nonce)
        return False
