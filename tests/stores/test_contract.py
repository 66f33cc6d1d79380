"""Every store, run through the contract that we ship."""

from functools import partial
from time import monotonic

import pytest

from middleware.stores import Clearable, MemoryStore, Purgeable, SQLiteStore, Store
from middleware.testing.stores import ReadsManyContract, ServerClockContract, SharedStoreContract, StoreContract


class TestMemoryStore(StoreContract):
    def make_store(self, clock):
        return MemoryStore(clock=clock)


class TestMemoryStoreThatRefuses(StoreContract):
    def make_store(self, clock):
        return MemoryStore(clock=clock, when_full="refuse")


class TestMemoryStoreAsAServerHasIt(ServerClockContract, StoreContract):
    def make_store(self, clock):
        self.passed = 0.0
        return MemoryStore(clock=self.now)

    def now(self):
        return monotonic() + self.passed

    def time_left(self, store, key):
        expires = store._entries[key].expires
        return None if expires is None else expires - self.now()

    def age(self, seconds):
        self.passed += seconds


class TestSQLiteStore(ReadsManyContract, StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.path = tmp_path / "store.db"

    def make_store(self, clock):
        return SQLiteStore(self.path, clock=clock)


class TestSQLiteStoreWithAPrefix(TestSQLiteStore):
    def make_store(self, clock):
        return SQLiteStore(self.path, clock=clock, prefix="sessions:")


@pytest.mark.slow
class TestSQLiteStoreAmongProcesses(SharedStoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.path = tmp_path / "store.db"

    def make_opener(self):
        return partial(SQLiteStore, self.path)


def test_each_store_has_the_powers_it_says(tmp_path):
    with MemoryStore() as memory, SQLiteStore(tmp_path / "store.db") as sqlite:
        for store in (memory, sqlite):
            assert isinstance(store, Store)
            assert isinstance(store, Clearable)
            assert isinstance(store, Purgeable)


def test_a_store_that_does_not_keep_the_contract_fails_it():
    class Forgetful(MemoryStore):
        def swap(self, key, old, new, ttl=None):
            self.set(key, new, ttl)
            return True

    class Suite(StoreContract):
        def make_store(self, clock):
            return Forgetful(clock=clock)

    with pytest.raises(AssertionError):
        Suite().test_swap_replaces_only_the_value_it_names()
    Suite().test_what_was_set_is_there()


def test_a_suite_without_a_store_says_what_it_needs():
    with pytest.raises(TypeError, match=r"make_store\(clock\)"):
        StoreContract().test_what_was_set_is_there()
    with pytest.raises(TypeError, match=r"make_store\(clock\)"):
        ServerClockContract().test_a_refused_verb_leaves_what_the_server_says()

    class Suite(ServerClockContract, StoreContract):
        def make_store(self, clock):
            return MemoryStore()

    with pytest.raises(TypeError, match=r"time_left\(store, key\)"):
        Suite().test_a_refused_verb_leaves_what_the_server_says()
    with pytest.raises(TypeError, match=r"age\(seconds\)"):
        Suite().test_an_entry_without_a_time_to_live_stays()


def test_a_server_that_keeps_entries_for_too_long_fails_the_contract():
    class Generous(MemoryStore):
        def add(self, key, value, ttl=None):
            return super().add(key, value, ttl and ttl + 5)

    class Suite(TestMemoryStoreAsAServerHasIt):
        def make_store(self, clock):
            super().make_store(clock)
            return Generous(clock=self.now)

    with pytest.raises(AssertionError, match="add with"):
        Suite().test_the_server_says_the_time_to_live_that_each_verb_named()
