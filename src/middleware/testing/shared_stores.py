"""The contract of stores that processes share, as tests. `middleware.testing.stores` has it too, beside the rest."""

from __future__ import annotations

from middleware.testing.crowds import PROCESSES, close, in_processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier as ProcessBarrier

    from middleware.stores.base import Store

_ROUNDS = 50


class SharedStoreContract:
    """What four processes do at once. For stores that processes share.

    A subclass has `make_opener()`: a callable without arguments that opens the store, the same and at first empty one
    in every process. It must bear being pickled, as `functools.partial(SQLiteStore, path)` does.
    """

    def make_opener(self) -> Callable[[], Store]:
        """A callable, good for every process, that opens one new and empty store."""
        raise TypeError(f"{type(self).__name__} needs make_opener()")

    def test_processes_see_what_others_wrote(self) -> None:
        opener = self.make_opener()
        in_processes(_write_own, opener)
        store = opener()
        try:
            assert [store.get(f"key {number}") for number in range(PROCESSES)] == [b"0", b"1", b"2", b"3"]
        finally:
            close(store)

    def test_of_4_processes_that_add_one_wins(self) -> None:
        won = in_processes(_add_rounds, self.make_opener())
        assert sorted(turn for turns in won for turn in turns) == list(range(_ROUNDS))

    def test_a_counter_that_4_processes_swap_loses_nothing(self) -> None:
        opener = self.make_opener()
        store = opener()
        try:
            store.set("counter", b"0", 1000)
            in_processes(_swap_rounds, opener)
            assert store.get("counter") == b"%d" % (PROCESSES * _ROUNDS)
        finally:
            close(store)


def _write_own(store: Store, number: int, barrier: ProcessBarrier) -> list[int]:
    barrier.wait(60)
    store.set(f"key {number}", b"%d" % number)
    return []


def _add_rounds(store: Store, number: int, barrier: ProcessBarrier) -> list[int]:
    won = []
    for turn in range(_ROUNDS):
        barrier.wait(60)
        if store.add(f"key {turn}", b"%d" % number, 1000):
            won.append(turn)
    return won


def _swap_rounds(store: Store, _: int, barrier: ProcessBarrier) -> list[int]:
    barrier.wait(60)
    count_up(store, _ROUNDS)
    return []


def count_up(store: Store, times: int) -> None:
    """Add `times` to a number, one by one, whoever else does so."""
    for _ in range(times):
        while True:
            old = store.get("counter")
            assert old is not None, "the counter is gone"
            if store.swap("counter", old, b"%d" % (int(old) + 1), 1000):
                break
