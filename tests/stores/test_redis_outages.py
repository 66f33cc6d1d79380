"""RedisStore while its servers die, hang, move and come back, and while the process forks."""

import os
import threading
from contextlib import suppress

import pytest
import redis
from forking import forked, needs_fork
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel
from servers.network import Relay, Silent
from servers.programs import IN_TIME, PATIENCE, wait_until
from servers.redis_servers import ClusterOfThree, RedisServer, SentinelServer

from middleware.errors import StoreError
from middleware.stores import RedisStore, open_store
from middleware.stores.arguments import hashed
from middleware.testing.crowds import THREADS, in_threads

pytestmark = pytest.mark.slow
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


def calls(server, command):
    """How often the server was asked this."""
    return server.ask("INFO", "commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]


# Killed and started again


def test_a_server_that_was_killed_has_all_that_was_acknowledged(tmp_path):
    with RedisServer(tmp_path, *DURABLE) as server, RedisStore(server.client()) as store:
        store.set("deleted", b"value")
        store.delete("deleted")
        barrier = threading.Barrier(THREADS + 1)
        acknowledged = []

        def work(number):
            barrier.wait()
            with suppress(StoreError):
                for turn in range(100_000):
                    store.add(f"{number} {turn}", b"value")
                    acknowledged.append(f"{number} {turn}")

        def kill():
            barrier.wait()
            wait_until(lambda: len(acknowledged) > 200)
            server.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        in_threads(work, barrier)
        killer.join()
        for call in (lambda: store.get("key"), lambda: store.set("key", b"value"), lambda: store.delete("key")):
            with pytest.raises(StoreError, match="Look whether it runs"):
                call()
        server.start()
        assert [key for key in acknowledged if store.get(key) is None] == []
        assert store.get("deleted") is None


def test_a_restart_between_two_calls_is_not_noticed(tmp_path):
    with RedisServer(tmp_path, *DURABLE) as server, RedisStore(server.client()) as store:
        barrier = threading.Barrier(THREADS)

        def work(number):
            barrier.wait()
            store.set(str(number), b"value")

        in_threads(work, barrier)  # so that the store has connections
        server.kill()
        server.start()
        in_threads(lambda number: work(number + THREADS), barrier)
        assert all(store.get(str(number)) == b"value" for number in range(2 * THREADS))


def test_a_cluster_that_has_lost_a_primary_works_again_when_that_is_back(tmp_path):
    soon = ("--cluster-node-timeout", "2000")  # one that comes back waits as long before it serves
    with ClusterOfThree(tmp_path, *DURABLE, *soon) as cluster, cluster.client() as client, RedisStore(client) as store:
        keys = [str(number) for number in range(60)]
        for key in keys:
            store.set(key, key.encode())
        cluster.nodes[0].kill()
        served = set()
        for key in keys:
            with suppress(StoreError):
                assert store.get(key) == key.encode()
                served.add(key)
        assert served != set(keys)
        cluster.nodes[0].start()
        cluster.wait()
        wait_until(lambda: answers(store, keys))
        assert [store.get(key) for key in keys] == [key.encode() for key in keys]
        assert all(store.swap(key, key.encode(), b"new") for key in keys)


def answers(store, keys):
    """Whether the store does: the client learns of the node with its first calls."""
    with suppress(StoreError):
        return [store.get(key) for key in keys]
    return None


def test_a_cluster_that_is_down_when_the_store_is_opened_is_used_when_it_is_up(tmp_path):
    cluster = ClusterOfThree(tmp_path)
    with open_store(cluster.url(f"{IN_TIME}&prefix=app:")) as store:
        assert repr(store) == "<RedisStore: a Redis Cluster, prefix='app:'>"
        with pytest.raises(StoreError, match=r"a Redis Cluster: .*cannot be connected"):
            store.get("key")
        with cluster:
            assert store.add("key", b"value") is True
            assert str(cluster.nodes[0].port) in repr(store)


# No answer


def test_an_address_that_never_answers_is_asked_once():
    with Silent() as silent, RedisStore(redis.Redis(port=silent.port, socket_timeout=0.2)) as store:
        with pytest.raises(StoreError, match="Look whether it is overloaded"):
            store.get("key")
        assert silent.accepted == 1


def test_a_server_that_hangs_is_told_and_used_again(tmp_path):
    with (
        RedisServer(tmp_path) as server,
        RedisStore(server.client()) as patient,
        RedisStore(server.client(socket_timeout=0.3)) as store,
    ):
        patient.set("key", b"a")
        assert patient.swap("key", b"a", b"b")  # so that the server has the script
        wait_until(lambda: answers(store, ["key"]))
        before = calls(server, "evalsha")
        with server.hanging(), pytest.raises(StoreError, match="may have been done all the same"):
            store.swap("key", b"b", b"c")
        wait_until(lambda: answers(store, ["key"]) == [b"c"])  # it has read the command by now
        assert calls(server, "evalsha") == before + 1


@pytest.mark.parametrize("options", [{}, {"retry": Retry(NoBackoff(), 5), "retry_on_error": [redis.TimeoutError]}])
def test_a_write_whose_answer_was_lost_is_not_sent_again(tmp_path, options):
    with RedisServer(tmp_path) as server, Relay(server.port) as relay:
        client = redis.Redis(port=relay.port, socket_timeout=PATIENCE, **options)
        with RedisStore(client) as store:
            store.set("key", b"0")
            assert store.swap("key", b"0", b"1")  # so that the server has the script
            before = calls(server, "evalsha"), calls(server, "set"), calls(server, "del")
            for write, wrote in (
                (lambda: store.swap("key", b"1", b"2"), b"2"),
                (lambda: store.add("added", b"1"), b"2"),
                (lambda: store.delete("key"), None),
            ):
                relay.losing.set()
                with pytest.raises(StoreError, match="may have been done all the same"):
                    write()
                relay.losing.clear()
                assert store.get("key") == wrote
            assert relay.lost == 3
            after = calls(server, "evalsha"), calls(server, "set"), calls(server, "del")
            assert [now - then for then, now in zip(before, after, strict=True)] == [1, 2, 1]  # a swap sets too


def test_a_node_of_a_cluster_that_hangs_is_asked_once(tmp_path):
    with (
        ClusterOfThree(tmp_path) as cluster,
        open_store(cluster.url()) as patient,
        open_store(cluster.url("?timeout=300ms")) as store,
    ):
        patient.set("key", b"a")
        assert patient.swap("key", b"a", b"b")
        wait_until(lambda: answers(store, ["key"]))
        (node,) = [node for node in cluster.nodes if node.names()]
        before = calls(node, "evalsha")
        with node.hanging(), pytest.raises(StoreError):
            store.swap("key", b"b", b"c")
        cluster.wait()
        wait_until(lambda: answers(store, ["key"]) == [b"c"])
        assert calls(node, "evalsha") == before + 1


# Moved


def test_slots_that_move_to_another_node_lose_nothing(tmp_path):
    with ClusterOfThree(tmp_path) as cluster, cluster.client() as client, RedisStore(client) as store:
        store.set("key", b"a")
        assert store.swap("key", b"a", b"b")
        name = "middleware:" + hashed("key")
        slot = client.keyslot(name)
        (source,) = [node for node in cluster.nodes if node.port == client.get_node_from_key(name).port]
        target = next(node for node in cluster.nodes if node is not source)
        ids = {node: node.ask("CLUSTER", "MYID") for node in (source, target)}
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
        source.ask("MIGRATE", "127.0.0.1", target.port, name, 0, 5000)
        assert store.get("key") == b"b"  # by ASK
        assert store.get_many(["other", "key"]) == [None, b"b"]
        assert store.swap("key", b"b", b"c")  # and the script is not there yet
        for node in (target, source):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
        assert store.swap("key", b"c", b"d")  # by MOVED
        assert store.get("key") == b"d"
        assert store.get_many(["key", "other"]) == [b"d", None]
        assert store.delete("key") is True


def test_a_store_follows_its_sentinel_to_the_new_primary(tmp_path):
    at_once = ("--repl-diskless-sync-delay", "0")
    with RedisServer(tmp_path / "old", *at_once) as old, RedisServer(tmp_path / "new", *at_once) as new:
        new.ask("REPLICAOF", "127.0.0.1", old.port)
        wait_until(lambda: new.ask("INFO", "replication")["master_link_status"] == "up")
        with SentinelServer(tmp_path / "sentinel", old) as sentinel:
            address = ("127.0.0.1", sentinel.port)
            client = Sentinel([address], socket_timeout=PATIENCE).master_for("primary", socket_timeout=PATIENCE)
            with RedisStore(client) as store:
                store.set("key", b"a")
                assert store.swap("key", b"a", b"b")
                wait_until(lambda: new.ask("DBSIZE") == 1)
                sentinel.fail_over()
                wait_until(lambda: old.ask("INFO", "replication")["role"] == "slave")
                wait_until(lambda: answers(store, ["key"]))
                assert store.swap("key", b"b", b"c")
                assert new.ask("INFO", "replication")["role"] == "master"


# Forks


@needs_fork
def test_a_child_uses_connections_of_its_own(tmp_path):
    with RedisServer(tmp_path) as server, RedisStore(server.client()) as store:
        store.set("key", b"value")
        with forked() as child:
            if child:
                assert store._server._idle == []
                assert store.get("key") == b"value"
                store.set("child", b"value")
        assert len(store._server._idle) == 1
        assert store.get("child") == b"value"
        with forked() as child:
            if child:
                store.close()
        assert store.swap("key", b"value", b"new") is True
        wait_until(lambda: server.clients() == 1)


@needs_fork
@pytest.mark.parametrize("kind", ["server", "cluster"])
def test_forks_beside_threads_that_write_lose_nothing(tmp_path, redis_cluster, kind):
    with RedisServer(tmp_path) as server:
        for node in redis_cluster.nodes:
            node.ask("FLUSHALL")
        with open_store(server.url() if kind == "server" else redis_cluster.url()) as store:
            forks_beside_threads(store)


@needs_fork
def test_a_fork_waits_for_a_call_without_an_answer_and_no_longer():
    with Silent() as silent, RedisStore(redis.Redis(port=silent.port, socket_timeout=0.5)) as store:
        asking = threading.Thread(target=lambda: answers(store, ["key"]))
        asking.start()
        wait_until(lambda: silent.accepted == 1)
        with forked() as child:
            if child:
                with pytest.raises(StoreError, match="overloaded"):
                    store.get("key")
        asking.join()


def forks_beside_threads(store):
    """Count in two threads and ten children at once."""
    store.set("counter", b"0")
    done = threading.Event()
    counts = [0, 0]

    def count(number):
        while not done.is_set():
            bump(store)
            counts[number] += 1

    threads = [threading.Thread(target=count, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        with forked() as child:
            if child:
                for _ in range(10):
                    bump(store)
    done.set()
    for thread in threads:
        thread.join()
    assert store.get("counter") == b"%d" % (sum(counts) + 100)


def bump(store):
    while True:
        old = store.get("counter")
        if store.swap("counter", old, b"%d" % (int(old) + 1)):
            return


def test_a_fork_that_python_did_not_make_is_noticed_by_the_process_id(tmp_path, monkeypatch):
    with RedisServer(tmp_path) as server, RedisStore(server.client()) as store:
        store.set("key", b"value")
        (parents,) = store._server._idle
        monkeypatch.setattr(os, "getpid", lambda: 1)
        assert store.get("key") == b"value"
        assert store._server._idle != [parents]
