"""Every store, run through the contract that we ship."""

from functools import partial

import pytest

from middleware.stores import Clearable, MemoryStore, Purgeable, SQLiteStore, Store
from middleware.testing.stores import SharedStoreContract, StoreContract


class TestMemoryStore(StoreContract):
    def make_store(self, clock):
        return MemoryStore(clock=clock)


class TestMemoryStoreThatRefuses(StoreContract):
    def make_store(self, clock):
        return MemoryStore(clock=clock, when_full="refuse")


class TestSQLiteStore(StoreContract):
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
