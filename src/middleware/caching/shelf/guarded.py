"""A store, as the cache uses it. Its rule: no failure of it reaches a request, and it is not waited for in vain.

After several failures in a row it is left alone for a while, when a read finds nothing and a write does nothing. After
that it is tried again.
"""

from __future__ import annotations

from time import time

from middleware.errors import ValueTooLarge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from middleware.events import Listener
    from middleware.stores.base import Store

_PATIENCE = 3  # failures in a row, after which the store is left alone
_REST = 5.0  # seconds
_TELL_EVERY = 60.0  # seconds


class GuardedStore:
    """The verbs, which never raise. `failures`: how many it had since it last answered a read.

    on_event: hears `store_failed`, once a minute, and `store_recovered`, after it did.
    clock: seconds since 1970.
    """

    __slots__ = ("_clock", "_failed_at", "_is_down", "_listener", "_many", "_store", "_told_at", "failures")

    def __init__(self, store: Store, *, on_event: Listener | None = None, clock: Callable[[], float] = time) -> None:
        self._store = store
        self._many = getattr(store, "get_many", None)
        self._listener = on_event
        self._clock = clock
        self._failed_at = float("-inf")
        self._told_at = float("-inf")
        self._is_down = False  # as far as was told
        self.failures = 0

    @property
    def reads_many(self) -> bool:
        """Whether several values cost no more than one."""
        return self._many is not None

    def get(self, address: str) -> bytes | None:
        """The value; None where there is none, or no answer."""
        if self.failures and self._is_resting():
            return None
        try:
            value = self._store.get(address)
        except Exception as error:  # noqa: BLE001 - a cache never takes the site down
            self._count(error)
            return None
        if self.failures or self._is_down:
            self._recover()
        return value

    def get_many(self, addresses: Sequence[str]) -> list[bytes | None]:
        """The values in the same order; None where there is none, or no answer."""
        if self._many is None or len(addresses) == 1:
            return [self.get(address) for address in addresses]
        if self.failures and self._is_resting():
            return [None] * len(addresses)
        try:
            values: list[bytes | None] = self._many(addresses)
        except Exception as error:  # noqa: BLE001 - a cache never takes the site down
            self._count(error)
            return [None] * len(addresses)
        if self.failures or self._is_down:
            self._recover()
        return values

    def add(self, address: str, value: bytes, ttl: float | None) -> bool:
        """Whether it was added."""
        if self.failures and self._is_resting():
            return False
        try:
            return self._store.add(address, value, ttl)
        except Exception as error:  # noqa: BLE001 - a cache never takes the site down
            self._count(error)
            return False

    def set(self, address: str, value: bytes, ttl: float | None) -> bool:
        """Whether it was written."""
        if self.failures and self._is_resting():
            return False
        try:
            self._store.set(address, value, ttl)
        except Exception as error:  # noqa: BLE001 - a cache never takes the site down
            self._count(error)
            return False
        return True

    def swap(self, address: str, old: bytes, new: bytes, ttl: float | None) -> bool:
        """Whether it was swapped."""
        if self.failures and self._is_resting():
            return False
        try:
            return self._store.swap(address, old, new, ttl)
        except Exception as error:  # noqa: BLE001 - a cache never takes the site down
            self._count(error)
            return False

    def delete(self, address: str, *, at_any_time: bool = False) -> None:
        """Delete it, or try to: `at_any_time` also while the store is left alone."""
        if self.failures and not at_any_time and self._is_resting():
            return
        try:
            self._store.delete(address)
        except Exception as error:  # noqa: BLE001 - a cache never takes the site down
            self._count(error)

    def _is_resting(self) -> bool:
        # A clock that was set back must not make it rest for longer.
        return self.failures >= _PATIENCE and 0 <= self._clock() - self._failed_at < _REST

    def _count(self, error: Exception) -> None:
        """Count a failure of the store, leave it alone after several, and say so once a minute."""
        if isinstance(error, ValueTooLarge):
            return  # it works: only this answer is not for it
        now = self._clock()
        self.failures += 1
        self._failed_at = now
        if 0 <= now - self._told_at < _TELL_EVERY:
            return
        self._told_at = now
        self._is_down = True
        import logging

        logging.getLogger("middleware.caching").warning("the cache's store failed: %s", error, exc_info=error)
        self._tell("store_failed", now, {"error": f"{type(error).__name__}: {error}"})

    def _recover(self) -> None:
        """It has answered. It has recovered where it did not fail, at any verb, for as long as it is left alone."""
        self.failures = 0
        if self._is_down:
            now = self._clock()
            if not 0 <= now - self._failed_at < _REST:
                self._is_down = False
                self._tell("store_recovered", now, {})

    def _tell(self, name: str, now: float, details: dict[str, object]) -> None:
        if self._listener is not None:
            from middleware.events import Event, emit

            emit(self._listener, Event("cache", name, now, details=details))
