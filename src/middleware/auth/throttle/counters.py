"""The tallies of who tries, in a store. The rule: only `add` and `swap` change one, so that no count is lost.

What is over is swapped for an empty value that expires, and never deleted: a delete could take a count away that
another request has just written.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from hashlib import blake2b
from math import inf
from threading import Semaphore
from time import monotonic

from middleware.auth.throttle.delays import TRYING_FOR, Tally
from middleware.errors import StoreError
from middleware.sessions.in_store.turns import wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from middleware.auth.throttle.delays import Delays
    from middleware.stores.base import Store

PREFIX = "middleware.auth.throttle:"
PATIENCE = 5.0  # seconds that a try waits for those that are under way
MOST_WAITING = 50  # threads of a process: they are missing elsewhere
_ATTEMPTS = 50  # to settle one tally that others write too

_LINE = Semaphore(MOST_WAITING)


def key_of(kind: str, *facts: str) -> str:
    """The key of a tally, of one length whatever a client calls itself."""
    digest = blake2b(digest_size=16)
    for fact in (kind, *facts):
        encoded = fact.encode("utf-8", "surrogatepass")
        digest.update(b"%d:%b" % (len(encoded), encoded))
    return PREFIX + digest.hexdigest()


class Delayed(Exception):
    """A delay is running, or too much is under way: come back after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Counter:
    """Where one tally is kept, and by which delays it goes.

    `forgives`: whether a success takes out of it the failures that the first counter forgets.
    """

    __slots__ = ("delays", "forgives", "key")

    def __init__(self, key: str, delays: Delays, *, forgives: bool = False) -> None:
        self.key = key
        self.delays = delays
        self.forgives = forgives


class Try:
    """A try that counts until it is settled. Each way of settling it raises StoreError."""

    __slots__ = ("_clock", "_counted", "_store", "is_first")

    def __init__(
        self, store: Store, counted: Sequence[tuple[Counter, bytes]], clock: Callable[[], float], *, is_first: bool
    ) -> None:
        self._store = store
        self._counted = counted  # with what was written
        self._clock = clock
        self.is_first = is_first
        """Whether nothing had failed before."""

    def fail(self) -> None:
        """It stays counted, and from now on delays others."""
        for counter, raw in self._counted:
            self._settle(counter, raw, counter.delays.failed)

    def take_back(self) -> None:
        """As if it had not been."""
        for counter, raw in self._counted:
            self._settle(counter, raw, counter.delays.taken_back)

    def forgive(self) -> None:
        """As `take_back`, and the first counter forgets the failures before it. Others that forgive lose as many."""
        (first, raw), *others = self._counted
        forgotten = 0.0

        def forget(tally: Tally, now: float) -> Tally:
            nonlocal forgotten
            forgotten = first.delays.remembered(tally, now)
            return first.delays.taken_back(tally, now, forgiven=inf)

        def forget_those(counter: Counter, tally: Tally, now: float) -> Tally:
            return counter.delays.taken_back(tally, now, forgiven=forgotten if counter.forgives else 0.0)

        self._settle(first, raw, forget)
        for counter, raw in others:
            self._settle(counter, raw, partial(forget_those, counter))

    def _settle(self, counter: Counter, raw: bytes | None, change: Callable[[Tally, float], Tally]) -> None:
        for attempt in range(_ATTEMPTS):  # mostly the first hits: it is still there as this try has written it
            if _write(self._store, counter, raw, change(Tally.read(raw), self._clock())):
                return
            wait(attempt)
            raw = self._store.get(counter.key)
        # Left as it is, it counts as a failure in a minute.


def begin(store: Store, counters: Sequence[Counter], clock: Callable[[], float]) -> Try:
    """Count one more try on each of these counters.

    Where those that are under way might fail, it waits for them. Raises Delayed, also where that takes too long, and
    StoreError.
    """
    begun = _begin_now(store, counters, clock)
    if begun is not None:
        return begun
    if not _LINE.acquire(blocking=False):
        raise Delayed(1)
    try:
        until = monotonic() + PATIENCE
        attempt = 0
        while monotonic() < until:
            attempt += 1
            wait(attempt)
            begun = _begin_now(store, counters, clock)
            if begun is not None:
                return begun
        raise Delayed(1)
    finally:
        _LINE.release()


def _begin_now(store: Store, counters: Sequence[Counter], clock: Callable[[], float]) -> Try | None:
    """None where it has to wait for others."""
    found = [(counter, store.get(counter.key)) for counter in counters]
    now = clock()
    tallies = [Tally.read(raw) for _, raw in found]
    pairs = list(zip(counters, tallies, strict=True))
    longest = max(counter.delays.wait(tally, now) for counter, tally in pairs)
    if longest:
        raise Delayed(longest)
    if not all(counter.delays.has_room(tally, now) for counter, tally in pairs):
        return None
    is_first = not any(tally.failures for tally in tallies)
    counted: list[tuple[Counter, bytes]] = []
    whole = False
    try:
        # The widest first: most meet there, and where another was faster there is nothing to undo.
        for (counter, raw), tally in reversed(list(zip(found, tallies, strict=True))):
            begun = counter.delays.begun(tally, now)
            if not _write(store, counter, raw, begun):
                return None
            counted.insert(0, (counter, begun.raw))
        whole = True
        return Try(store, counted, clock, is_first=is_first)
    finally:
        if not whole and counted:
            _undo(Try(store, counted, clock, is_first=is_first))


def _undo(begun: Try) -> None:
    with suppress(StoreError):  # the error that led here is on its way
        begun.take_back()


def _write(store: Store, counter: Counter, raw: bytes | None, tally: Tally) -> bool:
    """Put the tally in the place of what was read: False where something else is there by now."""
    new = tally.raw
    if raw is None and not new:
        return True
    ttl = counter.delays.kept_for(tally) if new else TRYING_FOR
    return store.add(counter.key, new, ttl) if raw is None else store.swap(counter.key, raw, new, ttl)
