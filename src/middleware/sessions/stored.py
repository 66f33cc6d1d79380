"""Sessions in a store, under random ids that only the browser has.

The store's key is a digest of the id. A record is a header of fixed width, with the times by which the session is
judged, and its content in JSON. Records are added, swapped and deleted, never just set: what was ended stays ended.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time

from middleware.cookies.codec import MOST_TRIED, values_of
from middleware.errors import SessionTooLarge, StoreError, ValueTooLarge
from middleware.sessions.codec import content_of, decoded, encoded, encoded_value, largest
from middleware.sessions.records import ENDED, Pointer, Stamped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from middleware.sessions.changes import Changes
    from middleware.sessions.codec import Messages
    from middleware.sessions.limits import Limits
    from middleware.stores.base import Store

PREFIX = "middleware.session:"
ID_BYTES = 32
ATTEMPTS = 10  # at one write, while other requests of the visitor keep writing
MOVED_FOR = 30  # seconds in which requests that were sent with the old id may arrive after a rotation
_HEXADECIMAL = b"0123456789abcdef"
_EMPTY = encoded({})
_LOCKS = tuple(threading.Lock() for _ in range(16))


class StoredSessions:
    """Opens records. Shared by all requests and threads."""

    def __init__(self, store: Store, limits: Limits, name: str) -> None:
        self.store = store
        self.limits = limits
        self._name = name  # of the cookie

    def open(self, field: str) -> StoredRecord:
        """The session that a Cookie field names, or a new one. Raises StoreError where the store cannot answer."""
        limits = self.limits
        now = limits.clock()
        values = values_of(field, self._name, MOST_TRIED)
        moved = None
        for value in values:
            identifier = value[1:-1] if value[:1] == '"' == value[-1:] else value
            key = _key_of(identifier)
            if key is None or (raw := self.store.get(key)) is None:
                continue
            found = Stamped.read(raw)
            if found is not None and not limits.is_over(found.created, found.last_seen, now):
                try:
                    data, messages, _ = content_of(decoded(found.content))
                except ValueError:
                    continue
                return StoredRecord(self.store, limits, now, data, messages, identifier, key, found)
            pointer = Pointer.read(raw)
            if pointer is not None and abs(now - pointer.moved) < MOVED_FOR:
                moved = (key, raw)
        record = StoredRecord(self.store, limits, now, {}, [])
        record.had_cookie = bool(values)
        record.moved = moved
        record.dropped = moved is not None
        return record


def _key_of(identifier: str) -> str | None:
    """Where the session of this id is kept; None for what is no id."""
    if len(identifier) != 2 * ID_BYTES or not identifier.isascii():
        return None
    text = identifier.encode()
    return None if text.translate(None, _HEXADECIMAL) else PREFIX + hashlib.sha256(text).hexdigest()


class StoredRecord:
    """The session of one request, in the store."""

    encoded_value = staticmethod(encoded_value)
    had_cookie = True
    moved: tuple[str, bytes] | None = None  # the cookie names a session that got a new id a moment ago
    dropped = False  # what this request writes is not kept, and sets no cookie

    def __init__(
        self,
        store: Store,
        limits: Limits,
        now: float,
        data: dict[str, Any],
        messages: Messages,
        identifier: str = "",
        key: str = "",
        found: Stamped | None = None,
    ) -> None:
        self._store = store
        self._limits = limits
        self._now = now
        self.cookie: str | None = None
        self.data = data
        self.messages = messages
        self._identifier = identifier
        self._key = key
        self._loaded = self._held = found  # what this request began with, and what the store was last seen to hold

    @property
    def is_new(self) -> bool:
        return self._loaded is None

    @property
    def created(self) -> float:
        return self._now if self._loaded is None else self._loaded.created

    @property
    def last_seen(self) -> float:
        return self._now if self._loaded is None else self._loaded.last_seen

    @property
    def size(self) -> int:
        return len(_EMPTY if self._loaded is None else self._loaded.content)

    @property
    def room(self) -> int:
        return self._limits.max_bytes

    @property
    def id(self) -> str | None:
        return self._key.removeprefix(PREFIX) or None

    def check_size(self, data: dict[str, Any], messages: Messages) -> int:
        return len(self._content(data, messages))

    def _content(self, data: dict[str, Any], messages: Messages) -> bytes:
        text = encoded(data, messages) if messages else encoded(data)
        if len(text) > self._limits.max_bytes:
            raise SessionTooLarge(
                f"the session would have {len(text)} bytes, max_bytes is {self.room}. Its largest keys: "
                f"{largest(data, messages)}"
            )
        return text

    def save(self, data: dict[str, Any], changes: Changes) -> None:
        """Apply the changes to what the store holds by now, or drop them where the session was ended meanwhile."""
        if self.dropped:
            return
        text = self._content(data, changes.messages(self.messages))
        try:
            held, loaded = self._held, self._loaded
            if held is None:
                if text != _EMPTY:
                    self._create(text)
            elif loaded is None or held.content != loaded.content or not self._swap(held, text):
                self._merge(data, changes)
        except ValueTooLarge as error:
            raise SessionTooLarge(f"{error}. The session's largest keys: {largest(data, self.messages)}") from error

    def _create(self, text: bytes) -> None:
        """The first content of a new session. An id that is taken already is never shared."""
        fresh = Stamped.of(self.created, self._now, text)
        identifier, key = self._add(fresh, self._limits.seconds_left(self.created, self._now))
        self._hold(identifier, key, fresh)
        self.cookie = identifier

    def _merge(self, data: dict[str, Any], changes: Changes) -> None:
        """Another request has written meanwhile. Requests of this process wait for each other from here on."""
        lock = _LOCKS[hash(self._key) % len(_LOCKS)]
        locked = lock.acquire(timeout=1)
        try:
            for attempt in range(1, ATTEMPTS):
                held = self._read_again()
                if held is None:
                    self._drop()
                    return
                theirs, waiting, _ = content_of(decoded(held.content))
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
        now = self._now
        limits = self._limits
        # A request that began later may have been here, but a time that was to come already was a wrong clock's.
        last_seen = held.last_seen if self.last_seen <= now < held.last_seen else now
        fresh = Stamped.of(held.created, last_seen, text)
        if not self._store.swap(self._key, held.raw, fresh.raw, limits.seconds_left(held.created, now)):
            return False
        if limits.renews_cookie and limits.is_due(self.last_seen, now):
            self.cookie = self._identifier
        self._held = fresh
        return True

    def touch(self) -> None:
        """Note that the session was used, now and then. Whoever was faster, or no store, is as good."""
        held = self._held
        if held is None or self.dropped or not self._limits.is_due(held.last_seen, self._now):
            return
        try:
            self._swap(held, held.content)
        except StoreError:
            return

    def rotate(self) -> None:
        if self._held is None:
            self.dropped = False  # a log-in at this very moment may have a session of its own
            return
        if self.dropped:
            return
        old_key, held = self._key, self._held
        ttl = self._limits.seconds_left(held.created, self._now)
        fresh = Stamped.of(held.created, self._now, held.content)
        identifier, key = self._add(fresh, ttl)
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
                self._drop()
                return
            again = Stamped.of(current.created, self._now, current.content)
            self._store.swap(key, fresh.raw, again.raw, ttl)
            held, fresh = current, again
            _wait(attempt)
        self._store.delete(key)
        raise StoreError(
            f"the session could not be given a new id in {ATTEMPTS} attempts: the store refuses every swap"
        )

    def _add(self, fresh: Stamped, ttl: float) -> tuple[str, str]:
        """Put the record under a new id: the id, and its key."""
        for _ in range(ATTEMPTS):
            identifier = os.urandom(ID_BYTES).hex()
            key = _key_of(identifier)
            if key is not None and self._store.add(key, fresh.raw, ttl):
                return identifier, key
        raise StoreError("no new session id is free: the operating system's random numbers repeat, or add() is broken")

    def end(self) -> None:
        """End the session under every id that it has got since this request read it."""
        following: tuple[str, bytes] | None = self.moved
        if self._held is not None:
            following = (self._key, self._held.raw)
        ended: list[str] = []
        while following is not None and following[0] not in ended:
            ended.append(following[0])
            following = self._end_one(*following)
        # Last, for a log-out that fails half-way finds the rest of the way by the pointers when it is tried again.
        for key in ended:
            self._store.delete(key)
        self.moved = None
        self._hold("", "", None)
        self._loaded = None
        self.dropped = False
        self.data = {}
        self.messages = []
        self.cookie = "" if self.had_cookie else None

    def _end_one(self, key: str, raw: bytes) -> tuple[str, bytes] | None:
        """End the record. Where a rotation has left a pointer in its place: what it points at, which is next."""
        for attempt in range(ATTEMPTS):
            pointer = Pointer.read(raw)
            if pointer is not None:
                there = self._store.get(pointer.target)
                return None if there is None else (pointer.target, there)
            # Not just a delete: that could take away the pointer of a rotation and leave its session alive.
            if self._store.swap(key, raw, ENDED, self._limits.idle):
                return None
            now_there = self._store.get(key)
            if now_there is None:
                return None
            raw = now_there
            _wait(attempt)
        return None

    def _drop(self) -> None:
        """The session was ended meanwhile: nothing brings it back, and the browser may have another by now."""
        self.dropped = True
        self.cookie = None

    def _hold(self, identifier: str, key: str, held: Stamped | None) -> None:
        self._identifier = identifier
        self._key = key
        self._held = held


def _wait(attempt: int) -> None:
    """A random while, longer with each attempt, so that those who collide do not collide again."""
    if attempt:
        time.sleep((1 << attempt) / 1000 * os.urandom(1)[0] / 255)
