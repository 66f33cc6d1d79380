"""The contract of stores whose server keeps the time, as tests. `middleware.testing.stores` has it too.

No test waits for a server's clock: entries are made older instead, by what the server itself says that they have left.
"""

from __future__ import annotations

from contextlib import contextmanager
from time import monotonic, sleep

from middleware.testing.clock import FakeClock
from middleware.testing.crowds import close

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from middleware.stores.base import Store

_DAY = 86400
_TIMES = (4.5, 10, 3600, 29.5 * _DAY, 31 * _DAY, 5 * 365 * _DAY)
_PATIENCE = 20  # seconds for an entry of a short life to be gone


class ServerClock(FakeClock):
    """A clock whose `advance` makes what a server keeps older."""

    def __init__(self, age: Callable[[float], None]) -> None:
        super().__init__()
        self._age = age

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on the server."""
        self._age(seconds)
        super().advance(seconds)


class ServerClockContract:
    """What a server says of times to live. It stands before `StoreContract`, whose tests it gives a clock:

    ```python
    class TestMyServerStore(ServerClockContract, StoreContract):
        def make_store(self, clock): ...  # on a server without entries; the clock is left alone
        def time_left(self, store, key): ...
        def age(self, seconds): ...
    ```

    earliest, latest: how many seconds before or after the time that was asked for the server may let an entry expire.
    """

    earliest: float = 0.1
    latest: float = 1.0

    def make_store(self, clock: FakeClock) -> Store:  # noqa: ARG002 - for subclasses
        """A store on a server without entries."""
        raise TypeError(f"{type(self).__name__} needs make_store(clock)")

    def time_left(self, store: Store, key: str) -> float | None:  # noqa: ARG002
        """The seconds that the server says this entry has left; None where it does not expire."""
        raise TypeError(f"{type(self).__name__} needs time_left(store, key)")

    def age(self, seconds: float) -> None:  # noqa: ARG002
        """Take `seconds` from what each entry has left. One with nothing left expires in the server's own way."""
        raise TypeError(f"{type(self).__name__} needs age(seconds)")

    def make_clock(self) -> FakeClock:
        """A clock for `StoreContract`."""
        return ServerClock(self.age)

    @contextmanager
    def _served(self) -> Iterator[Store]:
        store = self.make_store(FakeClock())
        try:
            yield store
        finally:
            close(store)

    def test_the_server_says_the_time_to_live_that_each_verb_named(self) -> None:
        with self._served() as store:
            for ttl in _TIMES:
                began = monotonic()
                store.set("set", b"1", ttl)
                store.delete("add")
                store.add("add", b"1", ttl)
                store.set("swap", b"0", 1000)
                store.swap("swap", b"0", b"1", ttl)
                for key in ("set", "add", "swap"):
                    left = self.time_left(store, key)
                    assert left is not None, f"{key} with {ttl} seconds does not expire"
                    soonest = ttl - (monotonic() - began) - self.earliest
                    assert soonest <= left <= ttl + self.latest, f"{key} with {ttl} seconds has {left}"

    def test_the_server_says_that_an_entry_without_a_time_to_live_stays(self) -> None:
        with self._served() as store:
            for key in ("set", "add", "swap"):
                store.set(key, b"0", 1000)
            store.set("set", b"1")
            store.delete("add")
            store.add("add", b"1")
            store.swap("swap", b"0", b"1")
            assert [self.time_left(store, key) for key in ("set", "add", "swap")] == [None] * 3

    def test_a_refused_verb_leaves_what_the_server_says(self) -> None:
        with self._served() as store:
            store.set("add", b"0", 1000)
            store.set("swap", b"0")
            assert store.add("add", b"1", 10) is False
            assert store.swap("swap", b"other", b"1", 10) is False
            left = self.time_left(store, "add")
            assert left is not None
            assert left > 100
            assert self.time_left(store, "swap") is None

    def test_an_entry_expires_by_the_server_s_own_clock(self) -> None:
        with self._served() as store:
            store.set("get", b"1", 0.05)
            store.set("add", b"1", 0.05)
            give_up = monotonic() + _PATIENCE
            while store.get("get") is not None:
                assert monotonic() < give_up, "the entry does not expire"
                sleep(0.02)
            assert store.swap("get", b"1", b"2") is False
            while not store.add("add", b"2"):
                assert monotonic() < give_up, "the entry is in the way of another"
                sleep(0.02)
            assert store.get("add") == b"2"
