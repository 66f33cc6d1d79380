"""Which counts of a nonce were used: a window of 64 below the highest one.

A nonce without a window is new, or its window was dropped: then it counts as used up, never as new.
"""

from __future__ import annotations

import heapq
import threading

from middleware.auth.schemes.base import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, Protocol

    from middleware.stores.base import Store

    # The highest count, a bit for each count below it that was seen (the lowest is its own), and who used it first.
    Window = tuple[int, int, str]
    Used = Literal["replay", "stale"]

    class Windows(Protocol):
        """The windows of all nonces that were used."""

        def find(self, nonce: str, /) -> Window | None:
            """The window of a nonce, None where it has none. Raises StoreError."""
            ...

        def is_lost(self, count: int, issued: int, /) -> bool:
            """Whether a nonce without a window may have had one that is gone, used first by this count."""
            ...

        def use(self, nonce: str, issued: int, count: int, user: str, window: Window | None, /) -> Used | None:
            """Use a count: None where nobody has, else what is wrong. Atomic: of equal counts one is used.

            `window` is what `find` gave. Raises StoreError, and Unavailable where too many want the same nonce.
            """
            ...


WIDTH = 64
_MASK = (1 << WIDTH) - 1
_NOTHING_LEFT: Window = (1 << 33, _MASK, "")  # of a record that cannot be read
_MOST_TRIES = 100
_SLACK = 120.0  # seconds that a record outlives its nonce, for clocks that disagree


def used(window: Window | None, count: int, user: str) -> Window | None:
    """The window after this count; None where the count was seen, or is below the window."""
    if window is None:
        return count, 1, user
    highest, seen, first = window
    ahead = count - highest
    if ahead > 0:
        return count, (seen << ahead | 1) & _MASK if ahead < WIDTH else 1, first
    if ahead <= -WIDTH or seen >> -ahead & 1:
        return None
    return highest, seen | 1 << -ahead, first


class OwnWindows:
    """The windows of this process, `most` of them. The oldest nonces lose theirs first, and are used up then."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._windows: dict[str, Window] = {}
        self._by_age: list[tuple[int, str]] = []
        self._lost = -1  # nonces of this time and before have lost their windows

    def __len__(self) -> int:
        return len(self._windows)

    def find(self, nonce: str, /) -> Window | None:
        """See `Windows.find`."""
        return self._windows.get(nonce)

    def is_lost(self, count: int, issued: int, /) -> bool:  # noqa: ARG002 - any count may come first
        """See `Windows.is_lost`."""
        return issued <= self._lost

    def use(self, nonce: str, issued: int, count: int, user: str, window: Window | None, /) -> Used | None:  # noqa: ARG002 - it is looked up again under the lock
        """See `Windows.use`."""
        with self._lock:
            known = self._windows.get(nonce)
            if known is None and issued <= self._lost:
                return "stale"
            after = used(known, count, user)
            if after is None:
                return "replay"
            self._windows[nonce] = after
            if known is None:
                heapq.heappush(self._by_age, (issued, nonce))
                if len(self._windows) > self._most:
                    self._lost, oldest = heapq.heappop(self._by_age)
                    del self._windows[oldest]
            return None


class SharedWindows:
    """The windows of all processes that share a store, in which a nonce lasts for `lifetime` seconds.

    A store tells of nothing that it dropped, so there a nonce that is new begins with the count 1.
    """

    def __init__(self, store: Store, lifetime: float) -> None:
        self._store = store
        self._ttl = lifetime + _SLACK

    def find(self, nonce: str, /) -> Window | None:
        """See `Windows.find`."""
        record = self._store.get(_key(nonce))
        return None if record is None else _window_of(record)

    def is_lost(self, count: int, issued: int, /) -> bool:  # noqa: ARG002 - only the count tells
        """See `Windows.is_lost`."""
        return count != 1

    def use(self, nonce: str, issued: int, count: int, user: str, window: Window | None, /) -> Used | None:
        """See `Windows.use`."""
        key = _key(nonce)
        for _ in range(_MOST_TRIES):  # another request of this nonce got on whenever one fails
            if window is None and self.is_lost(count, issued):
                return "stale"
            after = used(window, count, user)
            if after is None:
                return "replay"
            record = _record(after)
            if window is None:
                if self._store.add(key, record, self._ttl):
                    return None
            elif self._store.swap(key, _record(window), record, self._ttl):
                return None
            window = self.find(nonce)
        raise Unavailable


def _key(nonce: str) -> str:
    return f"digest:{nonce}"


def _record(window: Window) -> bytes:
    highest, seen, user = window
    return f"{highest:x} {seen:x} {user}".encode()


def _window_of(record: bytes) -> Window:
    try:
        highest, seen, user = record.decode().split(" ", 2)
        return int(highest, 16), int(seen, 16), user
    except ValueError:
        return _NOTHING_LEFT
