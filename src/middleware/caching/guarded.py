"""A store, as the cache uses it. Its rule: no failure of it reaches a request, and it is not waited for in vain.

After several failures in a row it is left alone for a while: a read finds nothing then, a write does nothing.
"""

from __future__ import annotations

from time import monotonic

from middleware.errors import ValueTooLarge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.stores.base import Store

_PATIENCE = 3  # failures in a row, after which the store is left alone
_REST = 5.0  # seconds


class GuardedStore:
    """The five verbs, which never raise. `failures`: how many it had since it last answered a read."""

    __slots__ = ("_rests_until", "_store", "_told", "failures")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rests_until = 0.0
        self._told = float("-inf")
        self.failures = 0

    def get(self, address: str) -> bytes | None:
        """The value; None where there is none, or no answer."""
        if self.failures and self._resting():
            return None
        try:
            value = self._store.get(address)
        except Exception as error:  # noqa: BLE001 - a cache never takes the site down
            self._count(error)
            return None
        self.failures = 0
        return value

    def add(self, address: str, value: bytes, ttl: float) -> bool:
        """Whether it was added."""
        if self.failures and self._resting():
            return False
        try:
            return self._store.add(address, value, ttl)
        except Exception as error:  # noqa: BLE001 - a cache never takes the site down
            self._count(error)
            return False

    def set(self, address: str, value: bytes, ttl: float) -> bool:
        """Whether it was written."""
        if self.failures and self._resting():
            return False
        try:
            self._store.set(address, value, ttl)
        except Exception as error:  # noqa: BLE001 - a cache never takes the site down
            self._count(error)
            return False
        return True

    def swap(self, address: str, old: bytes, new: bytes, ttl: float) -> bool:
        """Whether it was swapped."""
        if self.failures and self._resting():
            return False
        try:
            return self._store.swap(address, old, new, ttl)
        except Exception as error:  # noqa: BLE001 - a cache never takes the site down
            self._count(error)
            return False

    def delete(self, address: str, *, at_any_time: bool = False) -> None:
        """Delete it, or try to: `at_any_time` also while the store is left alone."""
        if self.failures and not at_any_time and self._resting():
            return
        try:
            self._store.delete(address)
        except Exception as error:  # noqa: BLE001 - a cache never takes the site down
            self._count(error)

    def _resting(self) -> bool:
        return self.failures >= _PATIENCE and monotonic() < self._rests_until

    def _count(self, error: Exception) -> None:
        """Count a failure of the store, leave it alone after several, and say so once a minute."""
        if isinstance(error, ValueTooLarge):
            return  # it works: only this answer is not for it
        now = monotonic()
        self.failures += 1
        self._rests_until = now + _REST
        if now - self._told >= 60:
            self._told = now
            import logging

            logging.getLogger("middleware.caching").warning("the cache's store failed: %s", error, exc_info=error)
