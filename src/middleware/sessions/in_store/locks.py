"""A lock in a store, for the requests of one session in all processes. It ends by itself when its holder does not."""

from __future__ import annotations

import os
import time
from contextlib import suppress

from middleware.errors import LockTimeout, StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.sessions.session import Session
    from middleware.stores.base import Store

PREFIX = "middleware.session.lock:"
_FREE = b""
TTL = 30  # seconds after which a holder is overtaken
_FREE_FOR = 60.0  # seconds for which a lock that was left is kept
_SHORTEST, _LONGEST = 0.001, 0.02  # seconds between two attempts


class StoreLock:
    """Held by one at a time. The value in the store is the holder's token, or empty.

    It is swapped to free, never deleted: a delete could take away the lock of whoever overtook this one.
    """

    __slots__ = ("_key", "_store", "_token", "_ttl")

    def __init__(self, store: Store, id: str, ttl: float) -> None:
        self._store = store
        self._key = PREFIX + id
        self._ttl = ttl
        self._token = os.urandom(16)

    def acquire(self, until: float) -> None:
        """Wait for the lock, until this time of `time.monotonic()`: LockTimeout then."""
        pause = _SHORTEST
        while not self.try_acquire():
            if time.monotonic() >= until:
                raise LockTimeout("another request holds the lock of this session: try again later")
            time.sleep(pause * (1 + os.urandom(1)[0] / 255))
            pause = min(2 * pause, _LONGEST)

    def try_acquire(self) -> bool:
        """Take the lock, if nobody has it."""
        return self._store.add(self._key, self._token, self._ttl) or self._store.swap(
            self._key, _FREE, self._token, self._ttl
        )

    def release(self) -> None:
        """Leave the lock, if nobody has overtaken this holder."""
        with suppress(StoreError):  # it ends by itself, and what was done inside is kept
            self._store.swap(self._key, self._token, _FREE, _FREE_FOR)


class SessionLock:
    """The context that `session.lock()` gives."""

    __slots__ = ("_lock", "_session", "_timeout", "_ttl")

    def __init__(self, session: Session, timeout: float, ttl: float) -> None:
        for name, seconds in (("timeout", timeout), ("ttl", ttl)):
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
                raise ValueError(f"{name} is a number of seconds above 0, not {seconds!r}")
        self._session = session
        self._timeout = timeout
        self._ttl = ttl
        self._lock: StoreLock | None = None

    def __enter__(self) -> None:
        self._session.save()
        self._lock = self._session._reload(lambda record: record.lock(self._timeout, self._ttl))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._session.save()
            else:
                self._session._take_back()
        finally:
            if self._lock is not None:
                self._lock.release()
