"""MemcachedStore while its servers die, hang and come back, and while the process forks."""

import os
import threading
from contextlib import suppress

import pytest
from forking import forked, needs_fork
from pymemcache import HashClient, PooledClient
from servers.memcached_servers import Memcached
from servers.network import Relay, Silent
from servers.programs import PATIENCE, wait_until

from middleware.errors import StoreError
from middleware.stores import MemcachedStore, open_store
from middleware.stores.arguments import hashed
from middleware.testing.crowds import THREADS, in_threads

pytestmark = pytest.mark.slow
LIMITS = {"timeout": PATIENCE, "connect_timeout": PATIENCE}


def test_a_restart_is_not_noticed_but_for_what_is_gone(tmp_path):
    with Memcached(tmp_path) as server, MemcachedStore(server.client) as store:
        barrier = threading.Barrier(THREADS)

        def work(number):
            barrier.wait()
            store.set(str(number), b"value")

        in_threads(work, barrier)  # so that the store has connections
        server.kill()
        for call in (lambda: store.get("key"), lambda: store.add("key", b"value"), lambda: store.delete("key")):
            with pytest.raises(StoreError, match="Look whether it runs"):
                call()
        server.start()
        assert store.get("0") is None
        in_threads(work, barrier)
        assert all(store.get(str(number)) == b"value" for number in range(THREADS))


def test_a_server_that_is_down_has_no_stand_in(tmp_path):
    with Memcached(tmp_path / "a") as a, Memcached(tmp_path / "b") as b:
        servers = [a.address, b.address]
        impatient = {"retry_attempts": 0, "dead_timeout": 0}
        with MemcachedStore(lambda: HashClient(servers, use_pooling=True, **impatient, **LIMITS)) as store:
            keys = [str(number) for number in range(40)]
            for key in keys:
                store.set(key, b"value")
            kept = {key for key in keys if "middleware:" + hashed(key) in set(b.names())}
            assert 0 < len(kept) < len(keys)
            a.kill()
            for key in sorted(set(keys) - kept):
                for verb, arguments in (("get", ()), ("add", (b"new",)), ("swap", (b"a", b"b")), ("delete", ())):
                    with pytest.raises(StoreError, match=str(a.port)):
                        getattr(store, verb)(key, *arguments)
            with pytest.raises(StoreError, match=str(a.port)):
                store.get_many(keys)
            assert store.get_many(sorted(kept)) == [b"value"] * len(kept)
            assert all(store.get(key) == b"value" for key in kept)
            assert len(b.names()) == len(kept)
            a.start()
            assert all(store.add(key, b"new") for key in set(keys) - kept)


def test_an_address_that_never_answers_is_asked_once():
    with Silent() as silent:
        address = ("127.0.0.1", silent.port)
        with MemcachedStore(lambda: PooledClient(address, timeout=0.2, connect_timeout=PATIENCE)) as store:
            with pytest.raises(StoreError, match=r"timed out\. Look whether it is overloaded"):
                store.get("key")
            assert silent.accepted == 1


def test_a_server_that_hangs_is_told_and_used_again(tmp_path):
    with Memcached(tmp_path) as server, MemcachedStore(lambda: server.client(timeout=0.3)) as store:
        wait_until(lambda: is_set(store, "key", b"a"))
        with server.hanging(), pytest.raises(StoreError, match=r"overloaded\. A write may have been done all the same"):
            store.swap("key", b"a", b"b")
        wait_until(lambda: is_set(store, "other", b"c"))
        with MemcachedStore(server.client) as patient:
            assert patient.get("key") in {b"a", b"b"}


def is_set(store, key, value):
    """Set it with what is left of a time limit on a busy machine: whether this and another look were in time."""
    with suppress(StoreError):
        store.set(key, value)
        assert store.get(key) == value
        return True
    return False


def test_a_write_whose_answer_was_lost_is_not_sent_again(tmp_path):
    with Memcached(tmp_path) as server, Relay(server.port) as relay:
        client = PooledClient(("127.0.0.1", relay.port), **LIMITS)
        with MemcachedStore(lambda: client) as store:
            store.set("key", b"a")
            for write, wrote in (
                (lambda: store.add("added", b"1"), b"a"),
                (lambda: store.delete("key"), None),
            ):
                relay.losing.set()
                with pytest.raises(StoreError, match="done all the same"):
                    write()
                relay.losing.clear()
                assert store.get("key") == wrote
            assert store.get("added") == b"1"
            assert relay.lost == 2


# Forks


@needs_fork
def test_a_child_uses_connections_of_its_own(memcached):
    client = memcached.client()
    with MemcachedStore(client) as store:
        store.set("key", b"value")
        (connection,) = client.client_pool.free
        with forked() as child:
            if child:
                assert client.client_pool.free == ()
                assert store.get("key") == b"value"
                store.set("child", b"value")
        assert client.client_pool.free == (connection,)
        assert store.get("child") == b"value"
        with forked() as child:
            if child:
                store.close()
                client.close()
        assert store.swap("key", b"value", b"new") is True
        assert client.client_pool.free == (connection,)
    client.close()


@needs_fork
def test_forks_beside_threads_that_write_lose_nothing(memcached):
    with open_store(memcached.url()) as store:
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


def test_a_fork_that_python_did_not_make_is_noticed_by_the_process_id(memcached, monkeypatch):
    client = memcached.client()
    with MemcachedStore(client) as store:
        store.set("key", b"value")
        (parents,) = client.client_pool.free
        monkeypatch.setattr(os, "getpid", lambda: 1)
        assert store.get("key") == b"value"
        assert client.client_pool.free != (parents,)
    with suppress(OSError):
        client.close()
