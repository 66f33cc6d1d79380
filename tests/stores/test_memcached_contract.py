"""MemcachedStore, run through the contract on real servers."""

from functools import partial

import pytest
from pymemcache import HashClient
from servers.memcached_servers import Memcached
from servers.programs import PATIENCE

from middleware.stores import MemcachedStore, ReadsMany, Store, open_store
from middleware.stores.arguments import hashed
from middleware.testing.stores import ReadsManyContract, ServerClockContract, SharedStoreContract, StoreContract

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    with Memcached(tmp_path_factory.mktemp("second")) as server:
        yield server


class OnOneServer:
    """A server without entries."""

    @pytest.fixture(autouse=True)
    def _server(self, memcached):
        memcached.ask("flush_all")
        self.servers = [memcached]

    def make_opener(self):
        return partial(open_store, self.servers[0].url())


class OnTwoServers:
    """Two servers without entries."""

    @pytest.fixture(autouse=True)
    def _servers(self, memcached, second):
        self.servers = [memcached, second]
        for server in self.servers:
            server.ask("flush_all")

    def make_opener(self):
        return partial(open_store, f"memcached://{','.join(f'127.0.0.1:{each.port}' for each in self.servers)}")


class InWholeSeconds(ServerClockContract):
    """memcached rounds up, and the store adds a second for the tick that may be near."""

    latest = 3.0

    def time_left(self, store, key):
        found = [server.time_left("middleware:" + hashed(key)) for server in self.servers]
        (left,) = [each for each in found if each is not None]
        return None if left == -1 else left

    def age(self, seconds):
        for server in self.servers:
            server.make_older(seconds)


class TestMemcachedStore(OnOneServer, InWholeSeconds, ReadsManyContract, StoreContract):
    def make_store(self, clock):
        return MemcachedStore(self.servers[0].client)  # which makes a client, so the store closes it


class TestMemcachedStoreOnTwoServers(OnTwoServers, InWholeSeconds, ReadsManyContract, StoreContract):
    def make_store(self, clock):
        addresses = [server.address for server in self.servers]
        return MemcachedStore(
            lambda: HashClient(addresses, use_pooling=True, timeout=PATIENCE, connect_timeout=PATIENCE)
        )


class TestMemcachedStoreAmongProcesses(OnOneServer, SharedStoreContract):
    pass


class TestMemcachedStoreOnTwoServersAmongProcesses(OnTwoServers, SharedStoreContract):
    pass


def test_the_store_has_the_powers_it_says(memcached):
    with MemcachedStore(memcached.client) as store:
        assert isinstance(store, Store)
        assert isinstance(store, ReadsMany)
