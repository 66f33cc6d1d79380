"""The stores' contract as tests, through which any store can be run.

```python
class TestMyStore(StoreContract):
    def make_store(self, clock):
        return MyStore(clock=clock)
```

pytest finds the inherited tests; `pytest.register_assert_rewrite("middleware.testing.stores")` in a conftest.py lets it
show the values of an assertion that fails. A store that several processes share also subclasses `SharedStoreContract`,
one with `get_many` also `ReadsManyContract`, and one whose server keeps the time also `ServerClockContract`. This
module does not import pytest.
"""

from __future__ import annotations

from contextlib import contextmanager
from threading import Barrier

from middleware.testing.clock import FakeClock
from middleware.testing.crowds import THREADS, close, in_threads
from middleware.testing.reading_many import ReadsManyContract
from middleware.testing.server_clocks import ServerClockContract
from middleware.testing.shared_stores import SharedStoreContract, count_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from middleware.stores.base import Store

__all__ = ["ReadsManyContract", "ServerClockContract", "SharedStoreContract", "StoreContract"]

_ODD_KEYS = (
    "",
    " ",
    "a",
    "A",
    "a b",
    "a\0b",
    "a\0",
    "a\r\nb",
    "a:b*?[c]",
    "../../etc/passwd",
    "%s%d",
    "schl\u00fcssel",
    "schlu\u0308ssel",
    "\u9375\U0001f511",
    "\udc80",
    "x" * 10_240,
    "x" * 10_241,
)
_ODD_VALUES = (b"", b"\0", b"a\0b", b"\r\nEND\r\n", bytes(range(256)), b"x" * 100_000)


class StoreContract:
    """Every verb, time to live, odd keys and values, and what 16 threads do at once.

    A subclass has `make_store(clock)`: a new and empty store, which takes the time from `clock`. For one whose clock
    cannot be given there is `ServerClockContract`.
    """

    def make_store(self, clock: FakeClock) -> Store:  # noqa: ARG002 - for subclasses
        """A new, empty store whose time is `clock()`."""
        raise TypeError(f"{type(self).__name__} needs make_store(clock)")

    def make_clock(self) -> FakeClock:
        """The clock that the tests advance."""
        return FakeClock()

    @contextmanager
    def _fresh(self) -> Iterator[tuple[Store, FakeClock]]:
        clock = self.make_clock()
        store = self.make_store(clock)
        try:
            yield store, clock
        finally:
            close(store)

    # The verbs

    def test_what_was_set_is_there(self) -> None:
        with self._fresh() as (store, _):
            assert store.get("key") is None
            assert store.set("key", b"value") is None  # type: ignore[func-returns-value]
            assert store.get("key") == b"value"

    def test_set_replaces(self) -> None:
        with self._fresh() as (store, _):
            store.set("key", b"a longer value")
            store.set("key", b"short")
            assert store.get("key") == b"short"

    def test_add_keeps_what_is_there(self) -> None:
        with self._fresh() as (store, _):
            assert store.add("key", b"first") is True
            assert store.add("key", b"second") is False
            assert store.get("key") == b"first"

    def test_add_works_again_after_delete(self) -> None:
        with self._fresh() as (store, _):
            store.add("key", b"first")
            store.delete("key")
            assert store.add("key", b"second") is True
            assert store.get("key") == b"second"

    def test_swap_replaces_only_the_value_it_names(self) -> None:
        with self._fresh() as (store, _):
            store.set("key", b"a")
            assert store.swap("key", b"b", b"c") is False
            assert store.get("key") == b"a"
            assert store.swap("key", b"a", b"c") is True
            assert store.get("key") == b"c"

    def test_swap_makes_nothing_where_nothing_is(self) -> None:
        with self._fresh() as (store, _):
            assert store.swap("key", b"", b"value") is False
            assert store.get("key") is None

    def test_swap_to_the_same_value_succeeds(self) -> None:
        with self._fresh() as (store, _):
            store.set("key", b"same")
            assert store.swap("key", b"same", b"same") is True
            assert store.get("key") == b"same"

    def test_delete_says_whether_something_was_there(self) -> None:
        with self._fresh() as (store, _):
            assert store.delete("key") is False
            store.set("key", b"value")
            assert store.delete("key") is True
            assert store.get("key") is None
            assert store.delete("key") is False

    # Time to live

    def test_an_entry_without_a_time_to_live_stays(self) -> None:
        with self._fresh() as (store, clock):
            store.set("set", b"1")
            store.add("add", b"1")
            store.set("swap", b"0")
            store.swap("swap", b"0", b"1")
            clock.advance(10)
            assert [store.get(key) for key in ("set", "add", "swap")] == [b"1"] * 3

    def test_an_entry_lives_as_long_as_each_verb_says(self) -> None:
        with self._fresh() as (store, clock):
            store.set("swap", b"0")
            store.set("set", b"1", 10)
            store.add("add", b"1", 10)
            store.swap("swap", b"0", b"1", 10)
            clock.advance(5)
            assert [store.get(key) for key in ("set", "add", "swap")] == [b"1"] * 3
            clock.advance(6)
            assert [store.get(key) for key in ("set", "add", "swap")] == [None] * 3

    def test_no_verb_keeps_an_old_time_to_live(self) -> None:
        with self._fresh() as (store, clock):
            for key in ("set", "swap", "longer", "deleted"):
                store.set(key, b"0", 10)
            store.set("set", b"1")
            store.swap("swap", b"0", b"1")
            store.set("longer", b"1", 30)
            store.delete("deleted")
            store.add("deleted", b"1")
            clock.advance(15)
            assert [store.get(key) for key in ("set", "swap", "longer", "deleted")] == [b"1"] * 4

    def test_a_shorter_time_to_live_counts_too(self) -> None:
        with self._fresh() as (store, clock):
            store.set("set", b"0")
            store.set("swap", b"0", 60)
            store.set("set", b"1", 10)
            store.swap("swap", b"0", b"1", 10)
            clock.advance(15)
            assert store.get("set") is None
            assert store.get("swap") is None

    def test_a_refused_verb_changes_no_time_to_live(self) -> None:
        with self._fresh() as (store, clock):
            store.set("add", b"0", 10)
            store.set("swap", b"0", 10)
            assert store.add("add", b"1") is False
            assert store.swap("swap", b"other", b"1") is False
            clock.advance(15)
            assert store.get("add") is None
            assert store.get("swap") is None

    def test_an_expired_entry_is_absent_for_every_verb(self) -> None:
        with self._fresh() as (store, clock):
            for key in ("get", "add", "swap", "delete", "set"):
                store.set(key, b"old", 10)
            clock.advance(15)
            assert store.get("get") is None
            assert store.swap("swap", b"old", b"new") is False
            assert store.get("swap") is None
            assert store.delete("delete") is False
            assert store.add("add", b"new") is True
            assert store.get("add") == b"new"
            store.set("set", b"new")
            assert store.get("set") == b"new"

    def test_an_entry_added_over_an_expired_one_has_its_own_time_to_live(self) -> None:
        with self._fresh() as (store, clock):
            store.set("key", b"old", 10)
            clock.advance(15)
            assert store.add("key", b"new", 20) is True
            clock.advance(10)
            assert store.add("key", b"newer", 20) is False
            clock.advance(15)
            assert store.get("key") is None

    def test_a_time_to_live_may_be_a_fraction_or_years(self) -> None:
        with self._fresh() as (store, clock):
            store.set("fraction", b"1", 4.5)
            store.set("years", b"1", 5 * 365 * 86400)
            assert store.get("fraction") == b"1"
            clock.advance(10)
            assert store.get("fraction") is None
            assert store.get("years") == b"1"

    def test_a_time_to_live_that_is_not_above_zero_is_a_value_error(self) -> None:
        with self._fresh() as (store, _):
            store.set("key", b"value")
            for ttl in (0, -1, -0.5, float("nan")):
                with _raises(ValueError):
                    store.set("key", b"new", ttl)
                with _raises(ValueError):
                    store.add("other", b"new", ttl)
                with _raises(ValueError):
                    store.swap("key", b"value", b"new", ttl)
            assert store.get("key") == b"value"
            assert store.get("other") is None

    # Keys and values

    def test_odd_keys_are_keys_like_others(self) -> None:
        with self._fresh() as (store, _):
            for number, key in enumerate(_ODD_KEYS):
                assert store.add(key, b"%d" % number) is True, key
            for number, key in enumerate(_ODD_KEYS):
                assert store.get(key) == b"%d" % number, key
                assert store.swap(key, b"%d" % number, b"swapped %d" % number) is True, key
            for number, key in enumerate(_ODD_KEYS):
                assert store.get(key) == b"swapped %d" % number, key
                assert store.delete(key) is True, key
            assert [store.get(key) for key in _ODD_KEYS] == [None] * len(_ODD_KEYS)

    def test_odd_values_come_back_as_they_were(self) -> None:
        with self._fresh() as (store, _):
            for value in _ODD_VALUES:
                store.set("key", value)
                found = store.get("key")
                assert found == value
                assert type(found) is bytes
                assert store.swap("key", value, b"swapped") is True
                assert store.get("key") == b"swapped"

    def test_an_empty_value_is_there(self) -> None:
        with self._fresh() as (store, _):
            assert store.add("key", b"") is True
            assert store.get("key") == b""
            assert store.add("key", b"second") is False
            assert store.swap("key", b"", b"") is True
            assert store.delete("key") is True

    def test_values_are_bytes_and_keys_are_text(self) -> None:
        with self._fresh() as (store, _):
            store.set("key", b"value")
            wrong: list[Any] = ["text", None, 1, bytearray(b"value"), memoryview(b"value")]
            for value in wrong:
                with _raises(TypeError):
                    store.set("key", value)
                with _raises(TypeError):
                    store.add("other", value)
                with _raises(TypeError):
                    store.swap("key", b"value", value)
                with _raises(TypeError):
                    store.swap("key", value, b"value")
            keys: list[Any] = [b"key", None, 1]
            for key in keys:
                with _raises(TypeError):
                    store.get(key)
                with _raises(TypeError):
                    store.set(key, b"value")
                with _raises(TypeError):
                    store.add(key, b"value")
                with _raises(TypeError):
                    store.swap(key, b"value", b"value")
                with _raises(TypeError):
                    store.delete(key)
            assert store.get("key") == b"value"
            assert store.get("other") is None

    def test_keys_do_not_touch_each_other(self) -> None:
        with self._fresh() as (store, clock):
            store.set("one", b"1")
            store.set("two", b"2", 10)
            store.set("three", b"3", 60)
            store.delete("three")
            store.swap("two", b"2", b"22", 10)
            assert (store.get("one"), store.get("two"), store.get("three")) == (b"1", b"22", None)
            clock.advance(15)
            assert (store.get("one"), store.get("two")) == (b"1", None)

    # Threads

    def test_of_16_threads_that_add_one_wins(self) -> None:
        with self._fresh() as (store, _):
            rounds = 10
            won: list[list[int]] = [[] for _ in range(rounds)]
            barrier = Barrier(THREADS)

            def work(number: int) -> None:
                for turn in range(rounds):
                    barrier.wait()
                    if store.add(f"key {turn}", b"%d" % number, 1000):
                        won[turn].append(number)

            in_threads(work, barrier)
            assert [len(winners) for winners in won] == [1] * rounds
            assert [store.get(f"key {turn}") for turn in range(rounds)] == [b"%d" % winners[0] for winners in won]

    def test_of_16_threads_that_add_where_an_entry_has_expired_one_wins(self) -> None:
        with self._fresh() as (store, clock):
            store.set("key", b"old", 10)
            clock.advance(15)
            won: list[int] = []
            barrier = Barrier(THREADS)

            def work(number: int) -> None:
                barrier.wait()
                if store.add("key", b"%d" % number, 1000):
                    won.append(number)

            in_threads(work, barrier)
            assert len(won) == 1
            assert store.get("key") == b"%d" % won[0]

    def test_of_16_threads_that_delete_one_deletes(self) -> None:
        with self._fresh() as (store, _):
            rounds = 10
            for turn in range(rounds):
                store.set(f"key {turn}", b"value")
            deleted: list[int] = []
            barrier = Barrier(THREADS)

            def work(_: int) -> None:
                for turn in range(rounds):
                    barrier.wait()
                    if store.delete(f"key {turn}"):
                        deleted.append(turn)

            in_threads(work, barrier)
            assert sorted(deleted) == list(range(rounds))

    def test_a_counter_that_16_threads_swap_loses_nothing(self) -> None:
        with self._fresh() as (store, _):
            store.set("counter", b"0", 1000)
            barrier = Barrier(THREADS)

            def work(_: int) -> None:
                barrier.wait()
                count_up(store, 10)

            in_threads(work, barrier)
            assert store.get("counter") == b"%d" % (10 * THREADS)


@contextmanager
def _raises(kind: type[Exception]) -> Iterator[None]:
    try:
        yield
    except kind:
        return
    raise AssertionError(f"no {kind.__name__} was raised")
