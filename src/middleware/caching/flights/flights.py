"""Single flight: of many requests that miss one answer, one calls the application, and the others wait for it.

Its rule: nobody waits longer than the time limit, and nothing else is done while the lock of the table is held. A
flight whose leader never lands it is replaced after the time limit; a forked child begins without those of its parent.
"""

from __future__ import annotations

from threading import Lock, RLock, get_ident
from time import monotonic

from middleware.caching.flights.passed_over import PASSED_FOR, PassedOver
from middleware.caching.flights.store_flights import FAILED, PASSED, STORED, TIMED_OUT, StoreFlights, passed_for
from middleware.stores.forks import watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from middleware.caching.flights.store_flights import Landing, Outcome, StoreLock
    from middleware.caching.shelf.guarded import GuardedStore

__all__ = ["FAILED", "PASSED", "STORED", "TIMED_OUT", "Flight", "Flights", "Waiter"]

_FEW = 64  # flights among which abandoned ones are not looked for
_DEEPEST = 16  # flights inside flights among which a circle is looked for


class Flights:
    """The flights of one cache.

    store: where the processes that share it agree on who leads; None where there is only this process.
    timeout: seconds that a request waits at most, and after which a leader is replaced.
    max_waiters: requests that wait for one flight; further ones call the application themselves. 0: none waits.
    prefix: of the keys in the store.
    clock: seconds.
    """

    def __init__(
        self,
        store: GuardedStore | None = None,
        *,
        timeout: float = 5.0,
        max_waiters: int = 100,
        prefix: str = "cache flight ",
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._timeout = timeout
        self._max_waiters = max_waiters
        self._clock = clock
        self._elsewhere = None if store is None else StoreFlights(store, ttl=timeout, prefix=prefix)
        self._passed_over = PassedOver()
        self._begin()
        watch(self)

    def _begin(self) -> None:
        self._lock = RLock()  # re-entrant: a signal handler or finaliser may come in between and land a flight
        self._under_way: dict[str, Flight] = {}
        self._waiting: dict[int, Flight] = {}  # by the thread that waits
        self._look_through_at = _FEW

    def board(self, name: str, until: float | None = None) -> Flight | Waiter:
        """Lead the flight of this name, or wait for the one that is under way, until this time of the clock at most.

        A `Flight` that nobody waits for is given where this request is not to wait: the answer could not be stored
        lately, too many wait already, this thread is inside that flight, or the store does not answer.
        """
        now = self._clock()
        flight = Flight(self, name, now + self._timeout)
        if self._passed_over.until and self._passed_over.remembers(name, now):
            flight.alone = True
            return flight
        if until is None:
            until = flight.until
        current = self._under_way.setdefault(name, flight)  # atomic; with a lock round it this takes a third longer
        if current is not flight and not self._is_alive(current, now):
            current = self._replace(current, flight)
        if current is not flight:
            return (self._wait_for(current, until) if now < until else None) or flight
        if len(self._under_way) > self._look_through_at:
            self._look_through(now)
        if self._elsewhere is None:
            return flight
        return self._board_elsewhere(self._elsewhere, flight, until)

    def _board_elsewhere(self, elsewhere: StoreFlights, flight: Flight, until: float) -> Flight | Waiter:
        """Lead in all processes, or look in the store how the flight of another ends."""
        try:
            flight.lock, seen = elsewhere.take(flight.name)
        except BaseException:
            flight.land(FAILED)
            raise
        if flight.lock is not None:
            return flight
        seconds = 0.0 if seen is None else passed_for(seen)
        if seen is not None and not seconds and self._max_waiters:
            return Waiter(self, flight, until, seen=seen)
        flight.land(PASSED, seconds)
        return Flight(self, flight.name, flight.until)

    def wait_for(self, name: str) -> Outcome | None:
        """Wait for the flight of this name, where one is under way in this process; None where none is. Leads none."""
        now = self._clock()
        current = self._under_way.get(name)
        if current is None or not self._is_alive(current, now):
            return None
        waiter = self._wait_for(current, now + self._timeout)
        return None if waiter is None else waiter.wait()

    def try_lead(self, name: str) -> Flight | None:
        """Lead the flight of this name, or None where another does, here or in another process. Waits for nobody."""
        now = self._clock()
        flight = Flight(self, name, now + self._timeout)
        current = self._under_way.setdefault(name, flight)
        if current is not flight and not self._is_alive(current, now):
            current = self._replace(current, flight)
        if current is not flight:
            return None
        if self._elsewhere is None:
            return flight
        try:
            flight.lock, _ = self._elsewhere.take(name, passed_too=True)
        finally:
            if flight.lock is None:
                flight.land(FAILED)
        return None if flight.lock is None else flight

    def _is_alive(self, flight: Flight, now: float) -> bool:
        # Whoever read the clock just before the leader did is no sign that it was set back.
        return flight.until - 2 * self._timeout <= now < flight.until

    def _replace(self, old: Flight, new: Flight) -> Flight:
        """The flight that is under way now: the new one, unless a third was faster."""
        with self._lock:
            if self._under_way.get(old.name) is old:
                self._under_way[old.name] = new
            return self._under_way.setdefault(old.name, new)

    def _look_through(self, now: float) -> None:
        """Forget abandoned flights. So seldom that a flight's share of it is small."""
        with self._lock:
            for name, flight in list(self._under_way.items()):
                if not self._is_alive(flight, now):
                    self._under_way.pop(name, None)
            self._look_through_at = max(_FEW, 2 * len(self._under_way))

    def _wait_for(self, flight: Flight, until: float) -> Waiter | None:
        """A place among those who wait, unless that would be one too many, or in vain."""
        turn = Lock()
        with self._lock:
            if flight.result is None:
                if len(flight.turns) >= self._max_waiters or self._is_inside(flight):
                    return None
                turn.acquire()
                flight.turns.append(turn)
                self._waiting[get_ident()] = flight
        return Waiter(self, flight, until, turn=turn)

    def _is_inside(self, flight: Flight) -> bool:
        """Whether this thread is inside that flight: it leads it, or one for which its leader waits, and so on."""
        thread = get_ident()
        ahead: Flight | None = flight
        for _ in range(_DEEPEST):
            if ahead is None or ahead.result is not None:
                return False
            if ahead.thread == thread:
                return True
            ahead = self._waiting.get(ahead.thread)
        return True

    def _wait(self, flight: Flight, turn: Lock, until: float) -> Outcome:
        """Until it has landed, or the time is up."""
        try:
            if flight.result is None:
                left = min(until, flight.until) - self._clock()
                turn.acquire(timeout=min(max(left, 0.0), self._timeout))
        finally:
            self._waiting.pop(get_ident(), None)
        if flight.result is not None:
            return flight.result
        if until <= flight.until:
            return TIMED_OUT
        with self._lock:
            if self._under_way.get(flight.name) is flight:
                del self._under_way[flight.name]
        return FAILED  # there is time left for another leader

    def _look(self, flight: Flight, seen: bytes, until: float) -> Outcome:
        """Wait for a flight of another process, for all who wait here."""
        assert self._elsewhere is not None
        outcome: Outcome = FAILED
        seconds = 0.0
        try:
            left = min(until - self._clock(), self._timeout)
            outcome, seconds = self._elsewhere.look(flight.name, seen, left)
        finally:
            flight.land(FAILED if outcome == TIMED_OUT else outcome, seconds)
        return outcome

    def _come_home(self, name: str) -> None:
        """Let those go on who wait for another flight of this name: one that it overtook is home with the answer."""
        other = self._under_way.pop(name, None)
        if other is not None and other.result is None:
            other.result = STORED
            for turn in other.turns:
                turn.release()

    def before_fork(self) -> None:
        """No thread is inside while the process forks."""
        self._lock.acquire()

    def after_fork(self, *, in_child: bool) -> None:
        """The child begins without the flights of its parent: their threads are not there to land them."""
        if in_child:
            self._begin()
        else:
            self._lock.release()


class Flight:
    """A call of the application, for which others may wait. Whoever leads it looks in the store again before the call:
    another flight may have landed since it looked. Not where it is `alone`, whose answer could not be stored lately.
    """

    __slots__ = ("_flights", "alone", "lock", "name", "result", "thread", "turns", "until")

    leads: Final = True

    def __init__(self, flights: Flights, name: str, until: float) -> None:
        self._flights = flights
        self.name = name
        self.until = until
        self.thread = get_ident()
        self.alone = False
        self.turns: list[Lock] = []  # one of each who waits
        self.result: Landing | None = None  # for those who wait
        self.lock: StoreLock | None = None

    def land(self, landing: Landing, seconds: float = PASSED_FOR) -> None:
        """To be called in every ending; the first time counts.

        STORED: the answer is in the store. PASSED: it may not be stored, which is remembered for so many seconds.
        FAILED: there is none, and one of those who wait becomes the leader.
        """
        flights = self._flights
        with flights._lock:
            if self.result is None:
                self.result = landing
                if flights._under_way.get(self.name) is self:
                    del flights._under_way[self.name]
                elif landing == STORED:
                    flights._come_home(self.name)
                for turn in self.turns:
                    turn.release()
                if landing == PASSED and seconds:
                    flights._passed_over.remember(self.name, flights._clock(), seconds)
                elif landing == STORED and flights._passed_over.until:
                    flights._passed_over.forget(self.name)
        lock = self.lock
        if lock is not None:
            self.lock = None
            lock.leave(landing, seconds)
        elif landing == STORED and self.alone and flights._elsewhere is not None:
            flights._elsewhere.forget(self.name)


class Waiter:
    """A request that waits for a flight, of this process or of another."""

    __slots__ = ("_flight", "_flights", "_seen", "_turn", "_until")

    leads: Final = False

    def __init__(
        self, flights: Flights, flight: Flight, until: float, *, turn: Lock | None = None, seen: bytes | None = None
    ) -> None:
        self._flights = flights
        self._flight = flight
        self._until = until
        self._turn = turn
        self._seen = seen

    def wait(self) -> Outcome:
        """How it ended. Whatever that is, look in the store again; and where nothing is found there:

        STORED, PASSED, TIMED_OUT: call the application. FAILED: `board_again`.
        """
        if self._turn is not None:
            return self._flights._wait(self._flight, self._turn, self._until)
        assert self._seen is not None
        return self._flights._look(self._flight, self._seen, self._until)

    def board_again(self, name: str | None = None) -> Flight | Waiter:
        """Lead, or wait for another leader, in what is left of the time. `name`: of another flight than this one."""
        return self._flights.board(self._flight.name if name is None else name, self._until)
