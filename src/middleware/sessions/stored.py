"""Sessions in a store, under random ids that only the browser has.

The store's key is a digest of the id. A record is a header of fixed width, with the times by which the session is
judged, and its content in JSON. Records are added, swapped and deleted, never just set: what was ended stays ended.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time

from middleware.cookies.codec import values_of
from middleware.errors import SessionTooLarge, StoreError, ValueTooLarge
from middleware.sessions.codec import content, content_of, decoded, encoded, encoded_value, largest
from middleware.sessions.records import ENDED, Pointer, Stamped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from middleware.cookies.options import CookieLine
    from middleware.sessions.changes import Changes
    from middleware.sessions.codec import Messages
    from middleware.sessions.limits import Limits
    from middleware.stores.base import Store

PREFIX = "middleware.session:"
ID_BYTES = 32
MOST_TRIED = 8  # cookies of the session's name in one request
ATTEMPTS = 10  # at one write, while other requests of the visitor keep writing
MOVED_FOR = 30  # seconds in which requests that were sent with the old id may arrive after a rotation
_HEXADECIMAL = "0123456789abcdef"
_EMPTY = encoded({})
_LOCKS = tuple(threading.Lock() for _ in range(16))


class StoredSessions:
    """Opens records. Shared by all requests and threads."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self.store = store
        self.limits = limits

    def open(self, field: str, line: CookieLine) -> StoredRecord:
        """The session that a Cookie field names, or a new one. Raises StoreError where the store cannot answer."""
        now = self.limits.clock()
        values = values_of(field, line.name)
        moved = None
        for value in values[:MOST_TRIED]:
            identifier = value[1:-1] if value[:1] == value[-1:] == '"' else value
            if not _is_id(identifier):
                continue
            key = _key_of(identifier)
            raw = self.store.get(key)
            if raw is None:
                continue
            found = Stamped.read(raw)
            if found is not None and not self.limits.is_over(found.created, found.last_seen, now):
                try:
                    data, messages = content_of(decoded(found.content))
                except ValueError:
                    continue
                return StoredRecord(self, now, True, identifier, key, found, data, messages)
            pointer = Pointer.read(raw)
            if pointer is not None and abs(now - pointer.moved) < MOVED_FOR:
                moved = (key, raw)
        return StoredRecord(self, now, bool(values), moved=moved)


def _is_id(text: str) -> bool:
    return len(text) == 2 * ID_BYTES and not text.strip(_HEXADECIMAL)


def _key_of(identifier: str) -> str:
    return PREFIX + hashlib.sha256(identifier.encode()).hexdigest()


class StoredRecord:
    """The session of one request, in the store."""

    encoded_value = staticmethod(encoded_value)

    def __init__(
        self,
        sessions: StoredSessions,
        now: float,
        had_cookie: bool,
        identifier: str = "",
        key: str = "",
        found: Stamped | None = None,
        data: dict[str, Any] | None = None,
        messages: Messages | None = None,
        moved: tuple[str, bytes] | None = None,
    ) -> None:
        self._store = sessions.store
        self._limits = sessions.limits
        self._now = now
        self._had_cookie = had_cookie
        self._identifier = identifier
        self._key = key
        self._held = found
        self._loaded_content = _EMPTY if found is None else found.content
        self._moved = moved  # the cookie names a session that got a new id a moment ago
        self._dropped = moved is not None  # what this request writes is not kept, and sets no cookie
        self.data = {} if data is None else data
        self.messages = [] if messages is None else messages
        self.size = len(self._loaded_content)
        self.room = sessions.limits.max_bytes
        self.created = now if found is None else found.created
        self.last_seen = now if found is None else found.last_seen
        self.is_new = found is None
        self.cookie: str | None = None

    @property
    def id(self) -> str | None:
        return self._key.removeprefix(PREFIX) or None

    def check_size(self, data: dict[str, Any], messages: Messages) -> int:
        return len(self._content(data, messages))

    def _content(self, data: dict[str, Any], messages: Messages) -> bytes:
        text = encoded(*content(data, messages))
        if len(text) > self.room:
            raise SessionTooLarge(
                f"the session would have {len(text)} bytes, max_bytes is {self.room}. Its largest keys: "
                f"{largest(data, messages)}"
            )
        return text

    def save(self, data: dict[str, Any], changes: Changes) -> None:
        """Apply the changes to what the store holds by now, or drop them where the session was ended meanwhile."""
        if self._dropped:
            return
        text = self._content(data, changes.messages(self.messages))
        try:
            if self._held is not None:
                self._merge(text, data, changes)
            elif text != _EMPTY:
                self._create(text)
        except ValueTooLarge as error:
            raise SessionTooLarge(f"{error}. The session's largest keys: {largest(data, self.messages)}") from error

    def _create(self, text: bytes) -> None:
        """The first content of a new session. An id that is taken already is never shared."""
        fresh = Stamped(self.created, self._now, text)
        for _ in range(ATTEMPTS):
            identifier = os.urandom(ID_BYTES).hex()
            key = _key_of(identifier)
            if self._store.add(key, fresh.raw, self._limits.seconds_left(self.created, self._now)):
                self._hold(identifier, key, fresh)
                self.cookie = identifier
                return
        raise StoreError("no new session id is free: the operating system's random numbers repeat, or add() is broken")

    def _merge(self, text: bytes, data: dict[str, Any], changes: Changes) -> None:
        held = self._held
        assert held is not None
        if held.content == self._loaded_content and self._swap(held, text):
            return
        # Another request has written meanwhile. Requests of this process wait for each other from here on.
        lock = _LOCKS[hash(self._key) % len(_LOCKS)]
        locked = lock.acquire(timeout=1)
        try:
            for attempt in range(1, ATTEMPTS):
                held = self._read_again()
                if held is None:
                    self._dropped = True  # it was ended: nothing brings it back
                    return
                theirs, waiting = content_of(decoded(held.content))
                merged = self._content(changes.merged(data, theirs), changes.messages(waiting))
                if self._swap(held, merged):
                    return
                _wait(attempt)
        finally:
            if locked:
                lock.release()
        raise StoreError(f"the session could not be written in {ATTEMPTS} attempts: the store refuses every swap")

    def _read_again(self) -> Stamped | None:
        raw = self._store.get(self._key)
        return None if raw is None else Stamped.read(raw)

    def _swap(self, held: Stamped, text: bytes) -> bool:
        fresh = Stamped(held.created, max(held.last_seen, self._now), text)
        ttl = self._limits.seconds_left(held.created, self._now)
        if not self._store.swap(self._key, held.raw, fresh.raw, ttl):
            return False
        if self._limits.renews_cookie and self._is_due():
            self.cookie = self._identifier
        self._held = fresh
        return True

    def _is_due(self) -> bool:
        return self._now - self.last_seen >= self._limits.refresh

    def touch(self) -> None:
        """Note that the session was used, now and then. Whoever was faster, or no store, is as good."""
        held = self._held
        if held is None or self._dropped or not self._is_due():
            return
        try:
            self._swap(held, held.content)
        except StoreError:
            return

    def rotate(self) -> None:
        if self._held is None:
            self._dropped = False  # a log-in at this very moment may have a session of its own
            return
        if self._dropped:
            return
        old_key, held = self._key, self._held
        ttl = self._limits.seconds_left(held.created, self._now)
        identifier, key, fresh = self._add_copy(held, ttl)
        # From the moment of this swap the old id opens nothing. That it succeeds proves that nobody has ended or
        # changed the session since it was copied.
        for attempt in range(ATTEMPTS):
            if self._store.swap(old_key, held.raw, Pointer(key, self._now).raw, self._limits.idle):
                self._hold(identifier, key, fresh)
                self.cookie = identifier
                return
            raw = self._store.get(old_key)
            current = None if raw is None else Stamped.read(raw)
            if current is None:
                self._store.delete(key)
                self._dropped = True
                return
            again = Stamped(current.created, self._now, current.content)
            self._store.swap(key, fresh.raw, again.raw, ttl)
            held, fresh = current, again
            _wait(attempt)
        self._store.delete(key)
        raise StoreError(
            f"the session could not be given a new id in {ATTEMPTS} attempts: the store refuses every swap"
        )

    def _add_copy(self, held: Stamped, ttl: float) -> tuple[str, str, Stamped]:
        fresh = Stamped(held.created, self._now, held.content)
        for _ in range(ATTEMPTS):
            identifier = os.urandom(ID_BYTES).hex()
            key = _key_of(identifier)
            if self._store.add(key, fresh.raw, ttl):
                return identifier, key, fresh
        raise StoreError("no new session id is free: the operating system's random numbers repeat, or add() is broken")

    def end(self) -> None:
        """End the session under every id that it has got since this request read it."""
        ending: tuple[str, bytes] | None = self._moved
        if self._held is not None:
            ending = (self._key, self._held.raw)
        while ending is not None:
            ending = self._end_one(*ending)
        self._moved = None
        self._hold("", "", None)
        self._loaded_content = _EMPTY
        self._dropped = False
        self.data = {}
        self.messages = []
        self.size = len(_EMPTY)
        self.created = self.last_seen = self._now
        self.is_new = True
        self.cookie = "" if self._had_cookie else None

    def _end_one(self, key: str, raw: bytes) -> tuple[str, bytes] | None:
        """End the record. Where a rotation has left a pointer in its place: what it points at, which is next."""
        for attempt in range(ATTEMPTS):
            pointer = Pointer.read(raw)
            if pointer is not None:
                there = self._store.get(pointer.target)
                self._store.delete(key)
                return None if there is None else (pointer.target, there)
            # The swap first: a bare delete could take away the pointer of a rotation and leave its session alive.
            if self._store.swap(key, raw, ENDED, self._limits.idle):
                break
            now_there = self._store.get(key)
            if now_there is None:
                return None
            raw = now_there
            _wait(attempt)
        self._store.delete(key)
        return None

    def _hold(self, identifier: str, key: str, held: Stamped | None) -> None:
        self._identifier = identifier
        self._key = key
        self._held = held


def _wait(attempt: int) -> None:
    """A random while, longer with each attempt, so that those who collide do not collide again."""
    if attempt:
        time.sleep((1 << attempt) / 1000 * os.urandom(1)[0] / 255)
