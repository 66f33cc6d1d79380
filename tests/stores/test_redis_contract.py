"""RedisStore, run through the contract on a real server and a real cluster."""

from functools import partial

import pytest
from servers.redis_servers import make_older

from middleware.stores import Clearable, ReadsMany, RedisStore, Store, open_store
from middleware.stores.arguments import hashed
from middleware.testing.stores import ReadsManyContract, ServerClockContract, SharedStoreContract, StoreContract

pytestmark = pytest.mark.slow


class OnOneServer:
    """A server without entries."""

    @pytest.fixture(autouse=True)
    def _server(self, redis_server):
        redis_server.ask("FLUSHALL")
        self.server = redis_server

    def make_opener(self):
        return partial(open_store, self.server.url())


class OnACluster:
    """A cluster without entries."""

    @pytest.fixture(autouse=True)
    def _cluster(self, redis_cluster):
        for node in redis_cluster.nodes:
            node.ask("FLUSHALL")
        self.cluster = redis_cluster

    def make_opener(self):
        return partial(open_store, self.cluster.url())


class TestRedisStore(OnOneServer, ServerClockContract, ReadsManyContract, StoreContract):
    earliest = latest = 0.01

    def make_store(self, clock):
        return RedisStore(self.server.client(), prefix="app:")

    def time_left(self, store, key):
        left = self.server.ask("PTTL", "app:" + hashed(key))
        return None if left == -1 else left / 1000

    def age(self, seconds):
        make_older(self.server, seconds)


class TestRedisStoreOnACluster(OnACluster, ServerClockContract, ReadsManyContract, StoreContract):
    earliest = latest = 0.01

    def make_store(self, clock):
        self.client = self.cluster.client()
        return RedisStore(self.client)

    def time_left(self, store, key):
        left = self.client.pttl("middleware:" + hashed(key))
        return None if left == -1 else left / 1000

    def age(self, seconds):
        for node in self.cluster.nodes:
            make_older(node, seconds)


class TestRedisStoreAmongProcesses(OnOneServer, SharedStoreContract):
    pass


class TestRedisStoreOnAClusterAmongProcesses(OnACluster, SharedStoreContract):
    pass


def test_the_store_has_the_powers_it_says(redis_server):
    with RedisStore(redis_server.client()) as store:
        assert isinstance(store, Store)
        assert isinstance(store, Clearable)
        assert isinstance(store, ReadsMany)
