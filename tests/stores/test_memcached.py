"""MemcachedStore where it differs from other stores: what it takes, what it writes, outages, forks."""

import sys

import pymemcache
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymemcache import Client, HashClient, PooledClient
from pymemcache.client.retrying import RetryingClient
from pymemcache.serde import CompressedSerde, PickleSerde
from servers.memcached_servers import Memcached

from middleware import operators
from middleware.errors import ConfigurationError, MissingExtra, StoreError, ValueTooLarge
from middleware.stores import MemcachedStore
from middleware.stores.arguments import hashed
from middleware.stores.memcached import MAX_VALUE, _expire

slow = pytest.mark.slow
NOWHERE = ("127.0.0.1", 1)  # where nobody listens
LIMITS = {"timeout": 5, "connect_timeout": 5}
DAY = 86400


@pytest.fixture
def server(memcached):
    memcached.ask("flush_all")
    return memcached


@pytest.fixture
def store(server):
    with MemcachedStore(server.client) as store:
        yield store


# What it takes


def test_a_store_is_made_while_memcached_is_down():
    with MemcachedStore(PooledClient(NOWHERE, **LIMITS)) as store:
        for call in (lambda: store.get("key"), lambda: store.set("key", b"value"), lambda: store.delete("key")):
            with pytest.raises(StoreError, match=r"memcached at 127\.0\.0\.1:1: Connection refused\. Look whether"):
                call()


@pytest.mark.parametrize(
    ("client", "says"),
    [
        (None, r"PooledClient\(server, timeout=2, connect_timeout=2\) or HashClient.*, not builtins\.NoneType"),
        ("localhost", r"not builtins\.str"),
        (Client(NOWHERE), r"not pymemcache\.client\.base\.Client, which serves one thread at a time"),
        (HashClient([NOWHERE]), r"not pymemcache\.client\.hash\.HashClient, which serves one thread"),
        (RetryingClient(PooledClient(NOWHERE)), r"not pymemcache\.client\.retrying\.RetryingClient"),
        (lambda: None, r"not builtins\.NoneType"),
        (PooledClient(NOWHERE, ignore_exc=True), "without ignore_exc"),
        (HashClient([NOWHERE], use_pooling=True, ignore_exc=True), "without ignore_exc"),
        (PooledClient(NOWHERE, serde=PickleSerde()), "without serde"),
        (PooledClient(NOWHERE, serde=CompressedSerde()), "without serde"),
        (PooledClient(NOWHERE, serializer=lambda key, value: (value, 0)), "without serde"),
        (PooledClient(NOWHERE, deserializer=lambda key, value, flags: value), "without serde"),
        (HashClient([NOWHERE], use_pooling=True, serde=PickleSerde()), "without serde"),
    ],
)
def test_an_unfit_client_is_a_type_error(client, says):
    with pytest.raises(TypeError, match=says):
        MemcachedStore(client)


def test_a_client_without_servers_is_refused():
    with pytest.raises(ConfigurationError, match="no server"):
        MemcachedStore(HashClient([], use_pooling=True))


@pytest.mark.parametrize("prefix", ["a b", "a\nb", "\0", "\u00fc", "\u3000", None, b"bytes"])
def test_a_wrong_prefix_is_refused(prefix):
    with pytest.raises(ConfigurationError, match="prefix must be printable ASCII without spaces"):
        MemcachedStore(PooledClient(NOWHERE, **LIMITS), prefix=prefix)


def test_a_prefix_that_leaves_no_room_for_the_key_is_refused():
    MemcachedStore(PooledClient(NOWHERE, **LIMITS), prefix="x" * 186)
    with pytest.raises(ConfigurationError, match="at most 186 characters here, not 187"):
        MemcachedStore(PooledClient(NOWHERE, **LIMITS), prefix="x" * 187)
    with pytest.raises(ConfigurationError, match="at most 183 characters here, not 184"):
        MemcachedStore(PooledClient(NOWHERE, key_prefix=b"abc", **LIMITS), prefix="x" * 184)


@pytest.mark.parametrize("limits", [{}, {"timeout": 1}, {"connect_timeout": 1}])
def test_a_client_that_may_wait_for_ever_is_told_of_once(monkeypatch, caplog, limits):
    monkeypatch.setattr(operators, "_said", {})
    for _ in range(2):
        MemcachedStore(PooledClient(NOWHERE, **limits))
        MemcachedStore(HashClient([NOWHERE], use_pooling=True, **limits))
        MemcachedStore(PooledClient(NOWHERE, **LIMITS))
    assert [record.name for record in caplog.records] == ["middleware.stores"]
    assert "timeout=2, connect_timeout=2" in caplog.text


def test_without_the_package_the_extra_is_named(monkeypatch):
    client = PooledClient(NOWHERE, **LIMITS)
    monkeypatch.setitem(sys.modules, "pymemcache", None)
    with pytest.raises(MissingExtra, match=r"pip install 'wsgi-middleware\[memcached\]'"):
        MemcachedStore(client)


def test_its_repr_says_where():
    client = HashClient([("a", 1), ("b", 2), "/run/memcached.sock"], use_pooling=True, **LIMITS)
    assert repr(MemcachedStore(client, prefix="p:")) == (
        "<MemcachedStore: memcached at a:1, b:2, /run/memcached.sock, prefix='p:'>"
    )


# What it writes


@slow
def test_the_server_sees_a_hash_and_no_key(server, store):
    store.set("a-secret-session-id", b"value")
    (name,) = server.names()
    assert name == "middleware:" + hashed("a-secret-session-id")


@slow
def test_stores_with_different_prefixes_share_a_server_and_no_key(server):
    stores = [MemcachedStore(server.client, prefix=prefix) for prefix in ("a", "ab", "", "x" * 186)]
    for number, each in enumerate(stores):
        assert each.add("key", b"%d" % number)
    assert [each.get("key") for each in stores] == [b"0", b"1", b"2", b"3"]
    for each in stores:
        each.close()


@slow
def test_the_prefix_of_the_client_comes_first(server):
    with MemcachedStore(lambda: server.client(key_prefix=b"site:"), prefix="app:") as store:
        store.set("key", b"value")
        assert server.names() == ["site:app:" + hashed("key")]
        assert store.swap("key", b"value", b"new")


def test_a_time_to_live_is_whole_seconds_at_least_two_and_a_date_beyond_30_days():
    now = 1_700_000_000.25
    assert [_expire(ttl, now) for ttl in (1e-9, 1, 1.5, 2, 1800)] == [2, 2, 3, 3, 1801]
    assert _expire(30 * DAY - 1, now) == 30 * DAY
    assert _expire(30 * DAY, now) == 1_700_000_001 + 30 * DAY + 1
    assert _expire(2**31 - 1 - 1_700_000_002, now) == 2**31 - 1
    assert [_expire(ttl, now) for ttl in (2**31 - 1_700_000_002, 2**31, 1e300, float("inf"))] == [0] * 4


@given(st.floats(min_value=0, exclude_min=True), st.floats(min_value=1e9, max_value=2**31))
def test_an_entry_never_leaves_early(ttl, now):
    expire = _expire(ttl, now)
    assert isinstance(expire, int)
    if expire:
        # memcached's clock is up to a second late when it counts from now.
        lives = expire - 1 if expire <= 30 * DAY else expire - now
        assert lives >= ttl


@slow
@pytest.mark.parametrize("size", [512, 513, 100_000, 1_000_000])
def test_values_of_any_size_are_set_over_others_or_over_nothing(store, size):
    store.set("key", bytes(size), 100)
    assert store.get("key") == bytes(size)
    store.set("key", b"x" * size)
    assert store.get("key") == b"x" * size
    store.set("key", b"")
    assert store.get("key") == b""


@slow
def test_a_value_above_the_server_s_limit_is_too_large_and_changes_nothing(store):
    store.set("key", b"old")
    too_large = bytes(1 << 20)
    for write in (
        lambda: store.set("key", too_large),
        lambda: store.add("other", too_large),
        lambda: store.swap("key", b"old", too_large),
    ):
        with pytest.raises(ValueTooLarge, match="above its limit, which its option -I raises"):
            write()
        assert store.get("key") == b"old"
        assert store.get("other") is None


def test_a_value_above_the_limit_of_any_memcached_is_not_sent():
    with MemcachedStore(PooledClient(NOWHERE, **LIMITS)) as store, pytest.raises(ValueTooLarge, match=str(MAX_VALUE)):
        store.set("key", bytes(MAX_VALUE + 1))


@slow
def test_a_swap_goes_by_the_value_where_another_has_written_the_same(store):
    store.set("key", b"same")
    ask = store._servers.ask

    def interfering(name, verb, *arguments):
        if verb == "cas":
            store._servers.ask = ask
            store.set("key", b"same")
        return ask(name, verb, *arguments)

    store._servers.ask = interfering
    assert store.swap("key", b"same", b"new") is True
    assert store.get("key") == b"new"


@slow
def test_a_swap_does_not_bring_back_what_is_deleted_meanwhile(store):
    store.set("key", b"old")
    ask = store._servers.ask

    def interfering(name, verb, *arguments):
        if verb == "cas":
            ask(name, "delete")
        return ask(name, verb, *arguments)

    store._servers.ask = interfering
    assert store.swap("key", b"old", b"new") is False
    assert store.get("key") is None


@slow
def test_a_full_server_that_does_not_evict_is_told(tmp_path):
    with Memcached(tmp_path, "-M", "-m", "2") as server, MemcachedStore(server.client) as store:

        def fill():
            for number in range(1000):
                store.add(str(number), bytes(100_000))

        with pytest.raises(StoreError, match=r"out of memory.*with -M and is full"):
            fill()


@slow
def test_what_memcached_would_not_answer_is_told_without_its_text(tmp_path):
    with Memcached(tmp_path) as server, MemcachedStore(server.client) as store:
        store.set("key", b"value")

        class Confused(pymemcache.PooledClient):
            def _create_client(self):
                client = super()._create_client()
                client._raise_errors = lambda line, name: None
                return client

        with MemcachedStore(lambda: Confused(server.address, **LIMITS), prefix="a") as confused:
            with pytest.raises(StoreError, match="look whether it is one") as caught:
                confused.add("key", bytes(1 << 21))
            assert caught.value.__cause__ is None


# Connections


@slow
def test_a_client_that_was_given_is_left_open(server):
    client = server.client()
    with MemcachedStore(client) as store:
        store.set("key", b"value")
    for call in (lambda: store.get("key"), lambda: store.set("key", b"value"), lambda: store.delete("key")):
        with pytest.raises(StoreError, match="this MemcachedStore is closed"):
            call()
    assert len(client.client_pool.free) == 1
    assert client.get("middleware:" + hashed("key")) == b"value"
    client.close()


@slow
def test_a_client_that_the_store_made_is_closed_with_it(server):
    made = []
    with MemcachedStore(lambda: made.append(server.client()) or made[0]) as store:
        store.set("key", b"value")
        (connection,) = made[0].client_pool.free
    assert connection.sock is None


@slow
def test_an_answer_is_waited_for_whatever_the_client_says(server):
    with MemcachedStore(lambda: server.client(default_noreply=True)) as store:
        assert store.add("key", b"a") is True
        assert store.add("key", b"b") is False
        assert store.delete("other") is False


@slow
def test_threads_beyond_the_client_s_connections_are_told(server):
    client = server.client(max_pool_size=1)
    with MemcachedStore(client) as store:
        taken = client.client_pool.get()
        with pytest.raises(StoreError, match=r"all connections are in use.*max_pool_size"):
            store.get("key")
        client.client_pool.release(taken)
        assert store.get("key") is None
    client.close()


@slow
def test_an_interrupted_call_leaves_no_answer_to_the_next_and_no_place_taken(server, monkeypatch):
    client = server.client(max_pool_size=1)
    with MemcachedStore(client) as store:
        store.set("key", b"a")
        (connection,) = client.client_pool.free

        def interrupted(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(connection, "get", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.get("key")
        assert store.get("key") == b"a"
    client.close()


@slow
def test_a_connection_with_an_answer_that_nobody_waited_for_is_not_used(server):
    client = server.client()
    with MemcachedStore(client) as store:
        store.set("key", b"a")
        (connection,) = client.client_pool.free
        connection.sock.sendall(b"version\r\n")
        assert server.ask("version")  # so that the first has been answered too
        assert store.get("key") == b"a"
        assert client.client_pool.free != (connection,)
    client.close()
