"""A store in this process's memory, bounded in bytes. Its rule: one lock, no copies, and no call that looks at
everything.

Expired entries leave by a heap of due times. An entry that is written again keeps its place in the heap until that
comes up, and moves on to its new time then, so that refreshing a session costs the heap nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from heapq import heapify, heappop, heappush
from itertools import count
from threading import RLock
from time import monotonic

from middleware.errors import ConfigurationError, StoreError, ValueTooLarge
from middleware.stores.forks import watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Literal, Self

OVERHEAD = 512
"""What an entry counts beyond its key and value, in bytes: its objects and its places in the tables that hold it.

Measured on 64-bit CPython: 400, and 690 where the heap is as full of deleted entries as it may get.
"""

_SMALLEST = 4096
_A_FEW = 4  # due entries that one write looks at: more than it adds, so that they cannot pile up
_SLACK = 64  # places of deleted entries that the heap may keep beyond one for each entry


class MemoryStore:
    """Keeps entries in this process, for all its threads. Other processes do not see them, and a restart loses them.

    max_bytes: bound of all entries together, at least 4096. An entry counts the bytes of its value, one byte for each
        character of its key (four where the key is not ASCII), and `OVERHEAD`.
    when_full: "evict" drops the entries that were not used for the longest time; "refuse" keeps what is there and
        raises StoreError at the write. Expired entries go first under both.
    clock: seconds; the default is not moved by changes of the wall clock.

    `set`, `add` and `swap` raise ValueTooLarge for an entry above `max_bytes`, and leave what is there.
    """

    def __init__(
        self,
        *,
        max_bytes: int = 64 << 20,
        when_full: Literal["evict", "refuse"] = "evict",
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if not isinstance(max_bytes, int) or max_bytes < _SMALLEST:
            raise ConfigurationError(f"max_bytes must be a number of bytes, at least {_SMALLEST}, not {max_bytes!r}")
        if when_full not in ("evict", "refuse"):
            raise ConfigurationError(f'when_full must be "evict" or "refuse", not {when_full!r}')
        self._max_bytes = max_bytes
        self._evicts = when_full == "evict"
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # least recently used first
        self._bytes = 0
        self._due: list[tuple[float, int, _Entry]] = []
        self._numbers = count()  # so that the heap never compares entries
        self._lock = RLock()  # re-entrant: a signal handler or finaliser may come in between
        self._closed = False
        self.emptied = 0
        """How often it was emptied: whoever has read something before knows that it is gone."""
        watch(self)

    def get(self, key: str) -> bytes | None:
        """The value, or None where there is none or it has expired."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                self._check(key)
                return None
            if entry.expires is not None and entry.expires <= self._clock():
                self._remove(entry)
                return None
            if self._evicts:
                self._entries.move_to_end(key)
            return entry.value

    def set(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Keep `value`, whatever was there."""
        cost = self._cost(key, value, ttl)
        with self._lock:
            now = self._clock()
            self._put(self._live(key, now), key, value, cost, ttl, now)

    def add(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """Keep `value` where nothing is: True. Where something is, nothing changes: False."""
        cost = self._cost(key, value, ttl)
        with self._lock:
            now = self._clock()
            if self._live(key, now) is not None:
                return False
            self._put(None, key, value, cost, ttl, now)
            return True

    def swap(self, key: str, old: bytes, new: bytes, ttl: float | None = None) -> bool:
        """Put `new` in the place of `old`: True. Where something else or nothing is, nothing changes: False."""
        cost = self._cost(key, new, ttl)
        if not isinstance(old, bytes):
            raise TypeError(f"a value is bytes, not {type(old).__name__}")
        with self._lock:
            now = self._clock()
            entry = self._live(key, now)
            if entry is None or entry.value != old:
                return False
            self._put(entry, key, new, cost, ttl, now)
            return True

    def delete(self, key: str) -> bool:
        """True where something was deleted, False where there was nothing, or only what had expired."""
        self._check(key)
        with self._lock:
            entry = self._live(key, self._clock())
            if entry is None:
                return False
            self._remove(entry)
            return True

    def clear(self) -> None:
        """Delete every entry."""
        with self._lock:
            self._entries.clear()
            self._due.clear()
            self._bytes = 0
            self.emptied += 1

    def purge(self) -> int:
        """Delete the expired entries; how many there were. Writes do so too, a few at a time."""
        purged = 0
        while True:
            with self._lock:
                now = self._clock()
                if not self._due or self._due[0][0] > now:
                    return purged
                purged += self._collect(now, 1000)

    @property
    def max_bytes(self) -> int:
        """The bound of all entries together, in bytes."""
        return self._max_bytes

    @property
    def bytes_used(self) -> int:
        """What all entries count now, in bytes; expired ones that were not collected yet are among them."""
        return self._bytes

    def close(self) -> None:
        """Forget everything. Using the store after that is a StoreError."""
        with self._lock:
            self._closed = True
            self.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<MemoryStore: {len(self._entries)} entries, {self._bytes} of {self._max_bytes} bytes>"

    def before_fork(self) -> None:
        """No thread is inside while the process forks."""
        self._lock.acquire()

    def after_fork(self, *, in_child: bool) -> None:
        """The child goes on with a copy of its own."""
        if in_child:
            self._lock = RLock()
        else:
            self._lock.release()

    def _check(self, key: str) -> None:
        if not isinstance(key, str):
            raise TypeError(f"a key is str, not {type(key).__name__}")
        if self._closed:
            raise StoreError("this MemoryStore is closed")

    def _cost(self, key: str, value: bytes, ttl: float | None) -> int:
        self._check(key)
        if not isinstance(value, bytes):
            raise TypeError(f"a value is bytes, not {type(value).__name__}")
        if ttl is not None and not ttl > 0:
            raise ValueError(f"a time to live is above 0 seconds, not {ttl!r}; None means no expiry")
        cost = len(value) + (len(key) if key.isascii() else 4 * len(key)) + OVERHEAD
        if cost > self._max_bytes:
            raise ValueTooLarge(
                f"an entry of {cost} bytes does not fit into a MemoryStore of max_bytes={self._max_bytes}"
            )
        return cost

    def _live(self, key: str, now: float) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is not None and entry.expires is not None and entry.expires <= now:
            self._remove(entry)
            return None
        return entry

    def _put(self, entry: _Entry | None, key: str, value: bytes, cost: int, ttl: float | None, now: float) -> None:
        """Write `entry` anew, or make it where it is None. It has not expired."""
        if self._due and self._due[0][0] <= now:
            self._collect(now, _A_FEW)
        growth = cost if entry is None else cost - entry.cost
        if entry is not None and self._evicts:
            self._entries.move_to_end(key)  # before room is made, so that it is not this one that leaves
        if self._bytes + growth > self._max_bytes:
            self._make_room(growth, now)
        if entry is None:
            entry = self._entries[key] = _Entry(key)
        entry.value = value
        entry.cost = cost
        self._bytes += growth
        if ttl is None:
            entry.expires = None
            return
        entry.expires = expires = now + ttl
        if entry.due is None or expires < entry.due:
            entry.due = expires
            heappush(self._due, (expires, next(self._numbers), entry))
            if len(self._due) > 2 * len(self._entries) + _SLACK:
                self._due = [place for place in self._due if place[2].due == place[0]]
                heapify(self._due)

    def _make_room(self, growth: int, now: float) -> None:
        while self._bytes + growth > self._max_bytes and self._due and self._due[0][0] <= now:
            self._collect(now, 1)
        if self._bytes + growth <= self._max_bytes:
            return
        if not self._evicts:
            raise StoreError(
                f"the MemoryStore is full: {len(self._entries)} live entries in {self._bytes} bytes. "
                f"Give it more than max_bytes={self._max_bytes}, keep entries for a shorter time, "
                'or let it drop the oldest with when_full="evict"'
            )
        while self._bytes + growth > self._max_bytes:
            self._remove(next(iter(self._entries.values())))

    def _collect(self, now: float, places: int) -> int:
        """Look at as many places of the heap whose time has come; how many entries were removed."""
        removed = 0
        while places and self._due and self._due[0][0] <= now:
            places -= 1
            due, _, entry = heappop(self._due)
            if entry.due != due:
                continue  # deleted, or due at another place
            if entry.expires is None:
                entry.due = None
            elif entry.expires > now:
                entry.due = entry.expires
                heappush(self._due, (entry.expires, next(self._numbers), entry))
            else:
                self._remove(entry)
                removed += 1
        return removed

    def _remove(self, entry: _Entry) -> None:
        del self._entries[entry.key]
        self._bytes -= entry.cost
        # The heap may hold the entry for a while yet: it must not hold the bytes.
        entry.key = ""
        entry.value = b""
        entry.due = None


class _Entry:
    __slots__ = ("cost", "due", "expires", "key", "value")

    def __init__(self, key: str) -> None:
        self.key = key
        self.value = b""
        self.cost = 0
        self.expires: float | None = None
        self.due: float | None = None  # its place in the heap, at or before `expires`
