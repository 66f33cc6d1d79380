import os
import signal
import threading
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.errors import ConfigurationError, StoreError, ValueTooLarge
from middleware.stores.memory import OVERHEAD, MemoryStore
from middleware.testing.clock import FakeClock

KIB = 1024


def fill(store, number, ttl=None):
    for each in range(number):
        key = f"key{each}"
        store.set(key, bytes(KIB - OVERHEAD - len(key)), ttl)


def test_the_least_recently_used_entry_leaves_first():
    store = MemoryStore(max_bytes=4 * KIB)
    fill(store, 4)
    store.get("key0")
    store.swap("key1", bytes(KIB - OVERHEAD - 4), bytes(KIB - OVERHEAD - 4))
    store.set("more", bytes(KIB - OVERHEAD - 4))
    assert store.get("key2") is None
    assert [store.get(key) is not None for key in ("key0", "key1", "key3", "more")] == [True] * 4


def test_expired_entries_leave_before_live_ones():
    clock = FakeClock()
    store = MemoryStore(max_bytes=4 * KIB, clock=clock)
    fill(store, 3)
    store.set("late", bytes(KIB - OVERHEAD - 4), 10)
    clock.advance(15)
    store.set("more", bytes(KIB - OVERHEAD - 4))
    assert [store.get(key) is not None for key in ("key0", "key1", "key2", "more")] == [True] * 4


def test_an_entry_that_grows_makes_others_leave_and_stays_itself():
    store = MemoryStore(max_bytes=4 * KIB)
    fill(store, 4)
    store.set("key0", bytes(3 * KIB))
    assert store.get("key0") == bytes(3 * KIB)
    assert store.bytes_used <= 4 * KIB


def test_a_store_that_refuses_keeps_what_it_has_and_says_what_to_do():
    store = MemoryStore(max_bytes=4 * KIB, when_full="refuse")
    fill(store, 4)
    for write in (
        lambda: store.set("more", b""),
        lambda: store.add("more", b""),
        lambda: store.set("key0", bytes(KIB)),
        lambda: store.swap("key0", bytes(KIB - OVERHEAD - 4), bytes(KIB)),
    ):
        with pytest.raises(StoreError, match=r"full.*max_bytes"):
            write()
    assert [store.get(f"key{each}") for each in range(4)] == [bytes(KIB - OVERHEAD - 4)] * 4
    assert store.get("more") is None
    store.set("key0", b"smaller")
    store.delete("key1")
    store.set("more", b"")
    store.add("again", b"")


def test_a_store_that_refuses_collects_expired_entries_first():
    clock = FakeClock()
    store = MemoryStore(max_bytes=64 * KIB, when_full="refuse", clock=clock)
    fill(store, 64, ttl=0.5)
    with pytest.raises(StoreError):
        store.set("more", b"")
    clock.advance(0.5)
    store.set("more", bytes(60 * KIB))
    assert store.get("more") == bytes(60 * KIB)


@pytest.mark.parametrize("when_full", ["evict", "refuse"])
def test_an_entry_larger_than_the_store_is_too_large_and_changes_nothing(when_full):
    store = MemoryStore(max_bytes=4 * KIB, when_full=when_full)
    store.set("key", b"old")
    for write in (
        lambda: store.set("key", bytes(4 * KIB)),
        lambda: store.add("other", bytes(4 * KIB)),
        lambda: store.swap("key", b"old", bytes(4 * KIB)),
        lambda: store.set("k" * 4 * KIB, b""),
        lambda: store.set("\U0001f511" * KIB, b""),
    ):
        with pytest.raises(ValueTooLarge, match="max_bytes=4096"):
            write()
    assert store.get("key") == b"old"


def test_expired_entries_that_nobody_asks_for_leave_as_others_are_written():
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    for number in range(1000):
        store.set(f"old {number}", b"value", 10)
    clock.advance(10)
    for _ in range(1000):
        store.set("one key", b"value")
    assert store.bytes_used == len("one key") + len(b"value") + OVERHEAD


def test_no_write_collects_more_than_a_few_entries():
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    for number in range(1000):
        store.set(f"{number:04}", b"", 10)
    clock.advance(10)
    before = store.bytes_used
    store.set("0000", b"")
    assert before - store.bytes_used <= 5 * (4 + OVERHEAD)


def test_an_entry_that_is_refreshed_lives_on_and_goes_in_the_end():
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    for _ in range(100):
        store.set("session", b"value", 10)
        clock.advance(9)
        store.set("other", b"value", 5)
        assert store.get("session") == b"value"
    clock.advance(10)
    assert store.purge() == 2
    assert store.bytes_used == 0


def test_entries_that_come_and_go_leave_nothing_behind():
    store = MemoryStore(clock=FakeClock())
    for number in range(10_000):
        store.add(f"flight {number}", b"value", 86_400)
        store.delete(f"flight {number}")
    assert store.bytes_used == 0
    assert len(store._due) < 1000  # what a year of such entries would grow, unseen from outside


def test_purge_counts_what_it_deletes_and_clear_deletes_all():
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    for number in range(2500):
        store.set(f"short {number}", b"value", 10)
    store.set("long", b"value", 100)
    store.set("for ever", b"value")
    clock.advance(50)
    assert store.purge() == 2500
    assert store.purge() == 0
    assert store.get("long") == store.get("for ever") == b"value"
    store.clear()
    assert store.get("for ever") is None
    assert store.bytes_used == 0


def test_a_closed_store_says_so():
    with MemoryStore() as store:
        store.set("key", b"value")
    for call in (
        lambda: store.get("key"),
        lambda: store.set("key", b"value"),
        lambda: store.add("key", b"value"),
        lambda: store.swap("key", b"value", b"value"),
        lambda: store.delete("key"),
    ):
        with pytest.raises(StoreError, match="closed"):
            call()
    store.close()


@pytest.mark.parametrize("max_bytes", [0, -1, 100, 1e6, "64MiB", None])
def test_a_size_that_is_none_is_refused_at_construction(max_bytes):
    with pytest.raises(ConfigurationError, match="max_bytes"):
        MemoryStore(max_bytes=max_bytes)


def test_another_word_for_when_full_is_refused_at_construction():
    with pytest.raises(ConfigurationError, match='"evict" or "refuse"'):
        MemoryStore(when_full="drop")


def test_its_repr_shows_no_key_and_no_value():
    store = MemoryStore()
    store.set("secret id", b"secret value")
    assert "secret" not in repr(store)
    assert "1 entries" in repr(store)


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 3000), st.none() | st.integers(1, 20), st.integers(0, 5)),
        max_size=200,
    )
)
def test_whatever_is_written_the_bound_holds_and_the_count_is_right(writes):
    clock = FakeClock()
    store = MemoryStore(max_bytes=16 * KIB, clock=clock)
    model = {}
    for key, size, ttl, pause in writes:
        store.set(str(key), bytes(size), ttl)
        model[str(key)] = (size, None if ttl is None else clock() + ttl)
        assert store.get(str(key)) == bytes(size)
        assert store.bytes_used <= 16 * KIB
        clock.advance(pause)
    store.purge()
    live = 0
    for key, (size, expires) in model.items():
        found = store.get(key)
        if found is not None:
            assert found == bytes(size)
            assert expires is None or expires > clock()
            live += len(key) + size + OVERHEAD
    assert store.bytes_used == live


def test_threads_that_write_more_than_fits_keep_the_bound():
    store = MemoryStore(max_bytes=16 * KIB)
    barrier = threading.Barrier(8)
    too_much = []

    def work(number):
        barrier.wait()
        for each in range(300):
            store.set(f"{number}-{each % 7}", bytes(each * 7 % 2000), 1000)
            store.get(f"{(number + 1) % 8}-{each % 7}")
            store.delete(f"{(number + 2) % 8}-{each % 5}")
            if store.bytes_used > 16 * KIB:
                too_much.append(store.bytes_used)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not too_much
    for number in range(8):
        for each in range(7):
            store.delete(f"{number}-{each}")
    assert store.bytes_used == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_child_forked_while_another_thread_is_inside_can_use_its_store():
    inside = threading.Event()
    leave = threading.Event()

    def slow_clock():
        if threading.current_thread() is not threading.main_thread():
            inside.set()
            leave.wait()
        return 0.0

    store = MemoryStore(clock=slow_clock)
    store.set("key", b"value", 10)
    thread = threading.Thread(target=store.get, args=("key",))
    thread.start()
    inside.wait()
    # The fork waits for the thread to leave, and so this must not be the one that lets it go.
    threading.Thread(target=leave.set).start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: that is what is tested
        child = os.fork()
    if child == 0:
        signal.alarm(60)  # a lock held for ever must not hang the tests
        store.set("other", b"value")
        os._exit(0 if store.get("key") == b"value" else 1)
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.get("other") is None
