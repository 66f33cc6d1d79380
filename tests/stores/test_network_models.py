"""Random sequences of verbs on real servers against a dict: the model of test_model.py with a server's time."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from servers.redis_servers import make_older
from stores.test_model import Model

from middleware.stores import open_store
from middleware.testing.server_clocks import ServerClock

pytestmark = pytest.mark.slow
SCALE = 100  # what the model calls a second; so that a test that is slow does not let an entry expire


class Stretched:
    """A store with longer times to live. They end a little before the model's: no time of its ends with one of them."""

    def __init__(self, store):
        self.store = store
        self.get = store.get
        self.delete = store.delete
        self.close = store.close

    def set(self, key, value, ttl):
        self.store.set(key, value, self.stretched(ttl))

    def add(self, key, value, ttl):
        return self.store.add(key, value, self.stretched(ttl))

    def swap(self, key, old, new, ttl):
        return self.store.swap(key, old, new, self.stretched(ttl))

    def clear(self):
        self.store.clear()

    def stretched(self, ttl):
        return None if ttl is None else (ttl - 0.1) * SCALE


class RedisModel(Model):
    purge = None  # Redis expires what it keeps by itself

    def make_store(self):
        self.server.ask("FLUSHALL")
        self.clock = ServerClock(lambda seconds: make_older(self.server, seconds * SCALE))
        return Stretched(open_store(self.server.url()))


class MemcachedModel(Model):
    purge = None
    clear = None  # nobody can say what belongs to a prefix

    def make_store(self):
        self.server.ask("flush_all")
        self.clock = ServerClock(lambda seconds: self.server.make_older(seconds * SCALE))
        return Stretched(open_store(self.server.url()))


def check(machine, server):
    kind = type(machine.__name__, (machine,), {"server": server})
    run_state_machine_as_test(kind, settings=settings(max_examples=25))


def test_redis_does_what_a_dict_would(redis_server):
    check(RedisModel, redis_server)


def test_memcached_does_what_a_dict_would(memcached):
    check(MemcachedModel, memcached)
