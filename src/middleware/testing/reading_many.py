"""The contract of stores that read several values at once, as tests. `middleware.testing.stores` has it too."""

from __future__ import annotations

from contextlib import contextmanager

from middleware.testing.clock import FakeClock
from middleware.testing.crowds import close

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from middleware.stores.base import ReadsMany, Store

_ODD_KEYS = ("", " ", "a\0b", "a\r\nb", "a:b*?[c]", "\u9375\U0001f511", "\udc80", "x" * 10_240)


class ReadsManyContract:
    """What `get_many` gives. It stands before `StoreContract`, whose `make_store(clock)` it takes."""

    def make_store(self, clock: FakeClock) -> Store:  # noqa: ARG002 - for subclasses
        """A new, empty store whose time is `clock()`."""
        raise TypeError(f"{type(self).__name__} needs make_store(clock)")

    def make_clock(self) -> FakeClock:
        """The clock that the tests advance."""
        return FakeClock()

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, FakeClock]]:
        clock = self.make_clock()
        store: ReadsMany | Store = self.make_store(clock)
        try:
            yield store, clock
        finally:
            close(store)

    def test_many_values_come_in_the_order_of_their_keys(self) -> None:
        with self._opened() as (store, _):
            store.set("one", b"1")
            store.set("two", b"2")
            store.set("empty", b"")
            assert store.get_many(["two", "none", "one", "empty"]) == [b"2", None, b"1", b""]
            assert store.get_many(("one", "two", "one")) == [b"1", b"2", b"1"]
            assert store.get_many(["one"]) == [b"1"]
            assert store.get_many(["none"]) == [None]
            assert store.get_many([]) == []

    def test_many_values_are_as_single_ones_are(self) -> None:
        with self._opened() as (store, _):
            for number, key in enumerate(_ODD_KEYS):
                store.set(key, b"%d\0\r\nEND\r\n" % number)
            found = store.get_many(_ODD_KEYS)
            assert found == [store.get(key) for key in _ODD_KEYS]
            assert {type(value) for value in found} == {bytes}

    def test_expired_and_deleted_ones_are_absent_among_many(self) -> None:
        with self._opened() as (store, clock):
            store.set("short", b"1", 10)
            store.set("long", b"2", 60)
            store.set("deleted", b"3")
            store.delete("deleted")
            clock.advance(15)
            assert store.get_many(["short", "long", "deleted"]) == [None, b"2", None]

    def test_many_may_be_very_many(self) -> None:
        with self._opened() as (store, _):
            for number in range(0, 1300, 100):
                store.set(f"key {number}", b"%d" % number)
            found = store.get_many([f"key {number}" for number in range(1300)])
            assert found == [b"%d" % number if number % 100 == 0 else None for number in range(1300)]

    def test_each_of_many_keys_is_text(self) -> None:
        with self._opened() as (store, _):
            for wrong in (b"key", None, 1):
                try:
                    store.get_many(["key", wrong])
                except TypeError:
                    continue
                raise AssertionError(f"no TypeError was raised for {wrong!r}")
