"""Random sequences of verbs against a dict."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import create_engine

from middleware.stores import MemoryStore, SQLiteStore, SQLStore
from middleware.testing.clock import FakeClock

keys = st.sampled_from(["", "a", "b", "a\0", "\udc80"])
values = st.sampled_from([b"", b"1", b"2", b"\0" * 100])
ttls = st.none() | st.sampled_from([0.5, 1, 10, 100])


class Model(RuleBasedStateMachine):
    """What the contract says, in a dict of values and times."""

    def __init__(self):
        super().__init__()
        self.clock = FakeClock()
        self.entries = {}
        self.store = self.make_store()

    def teardown(self):
        self.store.close()

    def live(self, key):
        value, expires = self.entries.get(key, (None, None))
        return None if expires is not None and expires <= self.clock() else value

    def put(self, key, value, ttl):
        self.entries[key] = (value, None if ttl is None else self.clock() + ttl)

    @rule(key=keys)
    def get(self, key):
        assert self.store.get(key) == self.live(key)

    @rule(key=keys, value=values, ttl=ttls)
    def set(self, key, value, ttl):
        self.store.set(key, value, ttl)
        self.put(key, value, ttl)

    @rule(key=keys, value=values, ttl=ttls)
    def add(self, key, value, ttl):
        absent = self.live(key) is None
        assert self.store.add(key, value, ttl) is absent
        if absent:
            self.put(key, value, ttl)

    @rule(key=keys, old=values, new=values, ttl=ttls)
    def swap(self, key, old, new, ttl):
        same = self.live(key) == old
        assert self.store.swap(key, old, new, ttl) is same
        if same:
            self.put(key, new, ttl)

    @rule(key=keys)
    def delete(self, key):
        assert self.store.delete(key) is (self.live(key) is not None)
        self.entries.pop(key, None)

    @rule(seconds=st.sampled_from([0.25, 0.5, 1, 9, 60, 100]))
    def wait(self, seconds):
        self.clock.advance(seconds)

    @rule()
    def purge(self):
        self.store.purge()

    @rule()
    def clear(self):
        self.store.clear()
        self.entries.clear()


class MemoryModel(Model):
    def make_store(self):
        return MemoryStore(clock=self.clock)

    @invariant()
    def bytes_are_counted(self):
        assert (self.store.bytes_used == 0) is (not self.store._entries)


class RefusingModel(Model):
    def make_store(self):
        return MemoryStore(clock=self.clock, when_full="refuse", max_bytes=4096)


class SQLiteModel(Model):
    def make_store(self):
        self.folder = tempfile.TemporaryDirectory()
        return SQLiteStore(Path(self.folder.name) / "store.db", clock=self.clock)

    @rule()
    def restart(self):
        self.store.close()
        self.store = SQLiteStore(Path(self.folder.name) / "store.db", clock=self.clock)

    def teardown(self):
        super().teardown()
        self.folder.cleanup()


class SQLModel(Model):
    def make_store(self):
        self.folder = tempfile.TemporaryDirectory()
        self.engine = create_engine(f"sqlite:///{self.folder.name}/sql.db")
        store = SQLStore(self.engine, clock=self.clock)
        store.create_table()
        return store

    def teardown(self):
        super().teardown()
        self.engine.dispose()
        self.folder.cleanup()


@pytest.mark.parametrize(
    ("machine", "examples"), [(SQLModel, 25), (MemoryModel, 100), (RefusingModel, 100), (SQLiteModel, 25)]
)
def test_a_store_does_what_a_dict_would(machine, examples):
    examples = examples * settings().max_examples // 100  # fewer in `make quick`
    run_state_machine_as_test(machine, settings=settings(max_examples=examples))
