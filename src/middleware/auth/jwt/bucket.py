"""How often something may be done: a bucket of tokens that fills again. For all processes, where there is a store."""

from __future__ import annotations

import threading

from middleware.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.stores.base import Store

_ATTEMPTS = 5  # at a value that others change meanwhile
_CLOCKS_DIFFER = 60.0  # seconds, those of two machines


class Bucket:
    """`size` tokens, one more every `seconds`. A bucket that cannot tell gives nothing."""

    def __init__(self, key: str, clock: Callable[[], float], *, size: int = 5, seconds: float = 12.0) -> None:
        self._key = key
        self._clock = clock
        self._size = size
        self._seconds = seconds
        self._state = (float(size), 0.0)
        self._lock = threading.Lock()

    def take(self, store: Store | None) -> bool:
        """A token, of this process and, where there is a store that answers, of all that share it."""
        now = self._clock()
        with self._lock:
            left = self._after_one(self._state, now)
            if left is None:
                return False
            self._state = (left, now)
        if store is None:
            return True
        try:
            return self._take_shared(store, now)
        except StoreError:
            return True  # each process for itself, then

    def _take_shared(self, store: Store, now: float) -> bool:
        ttl = self._size * self._seconds
        for _ in range(_ATTEMPTS):
            value = store.get(self._key)
            tokens, at = _parsed(value) or (float(self._size), now)
            if at > now + _CLOCKS_DIFFER:
                at = now  # a clock was set back
            left = self._after_one((tokens, at), now)
            if left is None:
                return False
            new = f"{left} {max(now, at)}".encode()  # a clock that is behind gives nothing twice
            if store.add(self._key, new, ttl) if value is None else store.swap(self._key, value, new, ttl):
                return True
        return False

    def _after_one(self, state: tuple[float, float], now: float) -> float | None:
        tokens, at = state
        filled = min(self._size, tokens + max(0.0, now - at) / self._seconds)
        return filled - 1 if filled >= 1 else None


def _parsed(value: bytes | None) -> tuple[float, float] | None:
    if value is None:
        return None
    try:
        tokens, at = map(float, value.split())
    except ValueError:
        return None
    return tokens, at
