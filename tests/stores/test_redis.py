"""RedisStore where it differs from other stores: what it takes, what it writes, what it says when Redis refuses."""

import re
import sys
import threading
from pathlib import Path

import pytest
import redis
from redis import asyncio as redis_asyncio
from redis.cluster import LoadBalancingStrategy
from redis.sentinel import Sentinel
from servers.programs import PATIENCE, wait_until
from servers.redis_servers import RedisServer, keys_of

from middleware import operators
from middleware.errors import ConfigurationError, MissingExtra, StoreError, ValueTooLarge
from middleware.stores import RedisStore
from middleware.stores.redis import MAX_VALUE
from middleware.testing.crowds import THREADS, in_threads

slow = pytest.mark.slow
NOWHERE = 1  # a port on which nobody listens


@pytest.fixture
def server(redis_server):
    redis_server.ask("FLUSHALL")
    return redis_server


@pytest.fixture
def store(server):
    with RedisStore(server.client()) as store:
        yield store


# What it takes


def test_a_store_is_made_while_redis_is_down():
    says = r"Redis at localhost:1, database 0: .*refused.* Look whether it runs"
    with RedisStore(redis.Redis(port=NOWHERE)) as store, pytest.raises(StoreError, match=says):
        store.get("key")


@pytest.mark.parametrize(
    ("client", "says"),
    [
        (None, r"redis\.Redis\(\.\.\.\) or redis\.RedisCluster\(\.\.\.\), not builtins\.NoneType"),
        ("redis://localhost", r"not builtins\.str"),
        (redis_asyncio.Redis(), "WSGI is synchronous, take the client of the same name from redis"),
        (redis.ConnectionPool(), r"not redis\.connection\.ConnectionPool"),
        (redis.Redis().pipeline(), r"not redis\.client\.Pipeline"),
    ],
)
def test_what_is_no_client_is_a_type_error(client, says):
    with pytest.raises(TypeError, match=says):
        RedisStore(client)


def test_a_client_that_returns_text_is_refused():
    with pytest.raises(ConfigurationError, match="without decode_responses"):
        RedisStore(redis.Redis(decode_responses=True))


def test_a_client_that_reads_from_replicas_is_refused():
    sentinel = Sentinel([("localhost", NOWHERE)], socket_timeout=1)
    with pytest.raises(ConfigurationError, match=r"sentinel\.master_for"):
        RedisStore(sentinel.slave_for("primary"))


@slow
def test_a_cluster_client_that_reads_from_replicas_is_refused(redis_cluster):
    balanced = redis_cluster.client(load_balancing_strategy=LoadBalancingStrategy.ROUND_ROBIN)
    with balanced, pytest.raises(ConfigurationError, match="without read_from_replicas and load_balancing_strategy"):
        RedisStore(balanced)
    with redis_cluster.client() as client:
        client.read_from_replicas = True  # as its deprecated option does
        with pytest.raises(ConfigurationError, match="without read_from_replicas"):
            RedisStore(client)


@slow
def test_a_cluster_client_that_returns_text_or_keeps_a_cache_is_refused(redis_cluster):
    with redis_cluster.client(decode_responses=True) as client, pytest.raises(ConfigurationError, match="decode"):
        RedisStore(client)
    with redis_cluster.client() as client:
        client.get_redis_connection(client.get_default_node()).connection_pool.cache = {}  # Redis 7.4 and later
        with pytest.raises(ConfigurationError, match="without cache and cache_config"):
            RedisStore(client)


@pytest.mark.parametrize("prefix", ["a\nb", "\0", None, b"bytes"])
def test_a_wrong_prefix_is_refused(prefix):
    with pytest.raises(ConfigurationError, match="prefix must be printable text"):
        RedisStore(redis.Redis(), prefix=prefix)


def test_a_client_that_may_wait_for_ever_is_told_of_once(monkeypatch, caplog):
    monkeypatch.setattr(operators, "_said", {})
    for _ in range(2):
        RedisStore(redis.Redis(socket_timeout=None))
        RedisStore(redis.Redis(socket_timeout=2))
    assert [record.name for record in caplog.records] == ["middleware.stores"]
    assert "socket_timeout=2" in caplog.text


def test_without_the_package_the_extra_is_named(monkeypatch):
    client = redis.Redis()
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingExtra, match=r"pip install 'wsgi-middleware\[redis\]'"):
        RedisStore(client)


def test_its_repr_says_where_and_no_password():
    assert repr(RedisStore(redis.Redis("db.internal", 6380, 2, password="secret"), prefix="a:")) == (
        "<RedisStore: Redis at db.internal:6380, database 2, prefix='a:'>"
    )
    assert "/run/redis.sock" in repr(RedisStore(redis.Redis(unix_socket_path="/run/redis.sock")))
    assert "the primary of 'sessions'" in repr(RedisStore(Sentinel([("a", 1)]).master_for("sessions")))
    assert "secret" not in repr(RedisStore(redis.Redis.from_url("redis://:secret@host")))


# What it writes


@slow
def test_the_server_sees_a_hash_and_no_key(server, store):
    store.set("a-secret-session-id", b"value")
    (name,) = server.names()
    assert name.startswith(b"middleware:")
    assert len(name) == len(b"middleware:") + 64


@slow
def test_stores_with_different_prefixes_share_a_server_and_no_key(server):
    prefixes = ["a", "ab", "", "*", "a[b-c]?", "\\", "\u00fc:"]
    stores = [RedisStore(server.client(), prefix=prefix) for prefix in prefixes]
    server.ask("SET", "of another program", "1")
    for number, each in enumerate(stores):
        assert each.add("key", b"%d" % number)
    for number, each in enumerate(stores):
        assert each.get("key") == b"%d" % number
        each.clear()
        assert each.get("key") is None
        assert keys_of(server) == len(stores) - number
    for each in stores:
        each.close()


@slow
def test_clear_deletes_more_than_one_batch(server, store):
    for number in range(2500):
        store.set(str(number), b"value")
    store.clear()
    assert keys_of(server) == 0


@slow
def test_clear_reaches_every_primary_of_a_cluster(redis_cluster):
    for node in redis_cluster.nodes:
        node.ask("FLUSHALL")
    with redis_cluster.client() as client, RedisStore(client) as store, RedisStore(client, prefix="b:") as other:
        for number in range(300):
            store.set(str(number), b"value")
        other.set("key", b"value")
        assert all(keys_of(node) for node in redis_cluster.nodes)
        store.clear()
        assert keys_of(*redis_cluster.nodes) == 1
        assert other.get("key") == b"value"


@slow
@pytest.mark.parametrize("ttl", [10**12, 10.0**300, float("inf")])
def test_a_time_to_live_beyond_all_measure_means_no_expiry(server, store, ttl):
    store.set("set", b"1", ttl)
    store.add("add", b"1", ttl)
    store.swap("set", b"1", b"2", ttl)
    assert {server.ask("PTTL", name) for name in server.names()} == {-1}


@slow
def test_a_time_to_live_of_a_moment_is_a_millisecond(server, store):
    store.set("key", b"1", 1e-9)
    store.set("long", b"1", 10.0**12 - 1)
    assert store.get("long") == b"1"


def test_a_value_above_the_limit_is_too_large_and_is_not_sent():
    with RedisStore(redis.Redis(port=NOWHERE)) as store:
        too_large = bytes(MAX_VALUE + 1)
        for write in (
            lambda: store.set("key", too_large),
            lambda: store.add("key", too_large),
            lambda: store.swap("key", b"old", too_large),
        ):
            with pytest.raises(ValueTooLarge, match=str(MAX_VALUE)):
                write()
        assert store.swap("key", too_large, b"new") is False


@slow
def test_a_swap_works_on_after_the_server_has_forgotten_its_script(server, store):
    store.set("key", b"a")
    assert store.swap("key", b"a", b"b")
    server.ask("SCRIPT", "FLUSH")
    assert store.swap("key", b"b", b"c")
    assert store.get("key") == b"c"


_VERBS = {"get", "mget", "set", "evalsha", "del"}


@slow
def test_each_verb_is_one_command(server, store):
    def commands():
        stats = server.ask("INFO", "commandstats")
        return {name: stats[name]["calls"] for name in stats if name.split("_")[1] in _VERBS}

    store.set("key", b"a")
    store.swap("key", b"a", b"b")
    server.ask("CONFIG", "RESETSTAT")
    assert store.get("key") == b"b"
    assert commands() == {"cmdstat_get": 1}
    assert store.get_many(["key", "other", "key"]) == [b"b", None, b"b"]
    assert commands() == {"cmdstat_get": 1, "cmdstat_mget": 1}
    server.ask("CONFIG", "RESETSTAT")
    assert store.swap("key", b"b", b"c")
    assert commands() == {"cmdstat_evalsha": 1, "cmdstat_get": 1, "cmdstat_set": 1}  # the script's own two among them


# What Redis refuses


@slow
@pytest.mark.parametrize(
    ("setting", "back", "says"),
    [
        (("maxmemory", "1"), ("maxmemory", "0"), "maxmemory: raise that, or let it evict"),
        (("min-replicas-to-write", "1"), ("min-replicas-to-write", "0"), "fewer replicas than min-replicas-to-write"),
    ],
)
def test_a_server_that_refuses_writes_is_told_by_its_reason(server, store, setting, back, says):
    store.set("key", b"a")
    server.ask("CONFIG", "SET", *setting)
    try:
        for write in (
            lambda: store.set("key", b"b"),
            lambda: store.add("other", b"b"),
            lambda: store.swap("key", b"a", b"b"),
        ):
            with pytest.raises(StoreError, match=says):
                write()
        assert store.get("key") == b"a"
    finally:
        server.ask("CONFIG", "SET", *back)
    assert store.swap("key", b"a", b"b")


@slow
def test_a_replica_is_told_and_left_once_it_is_a_primary(server, store):
    store.set("key", b"a")
    server.ask("REPLICAOF", "127.0.0.1", NOWHERE)
    try:
        with pytest.raises(StoreError, match="It is a replica: let the client connect to the primary"):
            store.swap("key", b"a", b"b")
    finally:
        server.ask("REPLICAOF", "NO", "ONE")
    assert store.swap("key", b"a", b"b")


@slow
def test_a_key_of_another_program_is_told(server, store):
    store.set("key", b"a")
    (name,) = server.names()
    server.ask("DEL", name)
    server.ask("LPUSH", name, "1")
    for call in (lambda: store.get("key"), lambda: store.swap("key", b"a", b"b")):
        with pytest.raises(StoreError, match="give the store a prefix of its own"):
            call()


@slow
def test_a_smaller_limit_of_the_server_is_a_value_too_large(server, store):
    server.ask("CONFIG", "SET", "proto-max-bulk-len", str(1 << 20))
    try:
        with pytest.raises(StoreError):
            store.set("key", bytes(1 << 21))
    finally:
        server.ask("CONFIG", "SET", "proto-max-bulk-len", str(512 << 20))
    store.set("key", bytes(1 << 21))


@slow
def test_a_wrong_password_is_told_without_it(server):
    server.ask("ACL", "SETUSER", "shop", "on", ">secret", "~shop:*", "+get")
    try:
        with RedisStore(server.client(username="shop", password="wrong-secret"), prefix="shop:") as store:
            with pytest.raises(StoreError, match="right user name and password") as caught:
                store.get("key")
            assert "secret" not in str(caught.value)
        with RedisStore(server.client(username="shop", password="secret"), prefix="shop:") as store:
            assert store.get("key") is None
            with pytest.raises(StoreError, match="Let its user run GET, MGET, SET"):
                store.set("key", b"value")
        elsewhere = RedisStore(server.client(username="shop", password="secret"))
        with elsewhere, pytest.raises(StoreError, match="under the store's prefix"):
            elsewhere.get("key")
    finally:
        server.ask("ACL", "DELUSER", "shop")


@slow
def test_the_rights_that_the_page_names_are_enough(server):
    page = (Path(__file__).parents[2] / "docs" / "stores.md").read_text()
    rights, more = re.search(r"`ACL SETUSER shop on >password ([^`]*)`, and `([^`]*)` where `clear", page).groups()
    server.ask("ACL", "SETUSER", "shop", "on", ">password", *rights.split(), *more.split())
    try:
        with RedisStore(server.client(username="shop", password="password"), prefix="shop:") as store:
            store.set("key", b"a", 10)
            assert store.add("key", b"b") is False
            assert store.swap("key", b"a", b"b", 10) is True
            assert store.get("key") == b"b"
            assert store.get_many(["key", "other"]) == [b"b", None]
            assert store.delete("key") is True
            store.set("key", b"a")
            store.clear()
            assert store.get("key") is None
    finally:
        server.ask("ACL", "DELUSER", "shop")


@slow
def test_a_server_that_does_not_know_a_command_is_told_without_the_values(tmp_path):
    renamed = ("--rename-command", "EVALSHA", "", "--rename-command", "SET", "")
    with RedisServer(tmp_path, *renamed) as server, RedisStore(server.client()) as store:
        for write in (lambda: store.set("key", b"secret"), lambda: store.swap("key", b"secret", b"secret")):
            with pytest.raises(StoreError, match="unknown command") as caught:
                write()
            assert "secret" not in str(caught.value)
            assert caught.value.__cause__ is None
            assert caught.value.__suppress_context__


# Connections


@slow
def test_a_client_is_left_open(tmp_path):
    with RedisServer(tmp_path) as server, server.client() as client:
        with RedisStore(client) as store:
            store.set("key", b"value")
        for call in (lambda: store.get("key"), lambda: store.set("key", b"value"), store.clear):
            with pytest.raises(StoreError, match="this RedisStore is closed"):
                call()
        store.close()
        assert client.ping()
        wait_until(lambda: server.clients() == 1)  # the client's own


@slow
def test_a_cluster_client_is_left_open_where_it_was_given(redis_cluster):
    with redis_cluster.client() as client:
        store = RedisStore(client)
        store.set("key", b"value")
        store.close()
        with pytest.raises(StoreError, match="this RedisStore is closed"):
            store.get("key")
        assert client.ping()


@slow
def test_a_cluster_client_that_the_store_made_is_closed_with_it(redis_cluster):
    made = []
    store = RedisStore(lambda: made.append(redis_cluster.client()) or made[0])
    assert not made
    store.set("key", b"value")
    assert store.get("key") == b"value"
    pool = made[0].get_redis_connection(made[0].get_default_node()).connection_pool
    connection = pool.get_connection()
    pool.release(connection)
    store.close()
    assert connection._sock is None


def test_a_function_that_makes_something_else_says_so():
    with RedisStore(lambda: redis.Redis(port=NOWHERE)) as store, pytest.raises(TypeError, match="RedisCluster"):
        store.get("key")


@slow
def test_threads_beyond_the_client_s_connections_are_told(server):
    with RedisStore(server.client(max_connections=1)) as store:
        store.set("key", b"value")
        with store._server._gate:
            store._server._places.acquire()
            with pytest.raises(StoreError, match=r"all 1 connections are in use.*max_connections"):
                store.get("key")
            store._server._places.release()
        assert store.get("key") == b"value"


@slow
def test_threads_wait_for_a_connection_where_the_client_s_would(tmp_path):
    with RedisServer(tmp_path) as server:
        pool = redis.BlockingConnectionPool(
            port=server.port, max_connections=2, timeout=PATIENCE, socket_timeout=PATIENCE
        )
        with RedisStore(redis.Redis(connection_pool=pool)) as store:
            answers = []
            barrier = threading.Barrier(THREADS)

            def work(_):
                barrier.wait()
                answers.extend(store.add("key", b"value") for _ in range(20))

            in_threads(work, barrier)
            assert answers.count(True) == 1
            assert len(answers) == 20 * THREADS
            assert server.clients() <= 2


@slow
def test_an_interrupted_call_leaves_no_answer_to_the_next(server, monkeypatch):
    with RedisStore(server.client()) as store:
        store.set("key", b"a")
        (connection,) = store._server._idle

        def interrupted(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(connection, "read_response", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.get("key")
        assert store._server._idle == []
        assert store.delete("key") is True


@slow
def test_connections_that_the_server_has_closed_are_not_used(server, store):
    store.set("key", b"a")
    server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert store.swap("key", b"a", b"b")
