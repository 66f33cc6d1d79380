"""A Redis server, and a Redis Cluster of three, as Debian has them."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, suppress

import pytest
from servers.programs import IN_TIME, PATIENCE, Running, free_port, wait_until

SLOTS = ((0, 5460), (5461, 10922), (10923, 16383))


class RedisServer(Running):
    """A redis-server in `folder` that keeps only what its options make it keep."""

    def __init__(self, folder, *options):
        from conftest import program

        folder.mkdir(exist_ok=True)
        self.port = free_port()
        command = [program("redis-server"), "--bind", "127.0.0.1", "--port", self.port, "--dir", folder, "--save", ""]
        super().__init__([*command, *options], self._pong, log=folder / "log")

    def url(self, query=IN_TIME):
        return f"redis://127.0.0.1:{self.port}/0{query}"

    def client(self, **options):
        """A client with time limits that a test can wait for."""
        import redis

        return redis.Redis(
            port=self.port, **{"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE, **options}
        )

    def ask(self, *command):
        """What the server answers to a command of the test's own."""
        with self.client() as client:
            return client.execute_command(*command)

    def names(self):
        """The names of all its keys."""
        return self.ask("KEYS", "*")

    def clients(self):
        """How many connections it has, besides the one that asks."""
        return len(self.ask("CLIENT LIST")) - 1

    def _pong(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(5) == b"+PONG"


class ClusterOfThree:
    """Three primaries that share the slots. None is given up soon, for then the others refuse every key: a busy machine
    keeps one waiting too.
    """

    def __init__(self, folder, *options):
        self._buses = [free_port() for _ in range(3)]
        common = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(1000 * PATIENCE), *options)
        self.nodes = [
            RedisServer(folder / str(number), *common, "--cluster-port", str(bus))
            for number, bus in enumerate(self._buses)
        ]

    def __enter__(self):
        with ExitStack() as started:
            for node in self.nodes:
                started.enter_context(node)
            self._join()
            self._started = started.pop_all()
        return self

    def __exit__(self, *_):
        self._started.close()

    def _join(self):
        for number, (node, slots) in enumerate(zip(self.nodes, SLOTS, strict=True), start=1):
            node.ask("CLUSTER", "ADDSLOTSRANGE", *slots)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number)
            for other, bus in zip(self.nodes[: number - 1], self._buses, strict=False):
                node.ask("CLUSTER", "MEET", "127.0.0.1", other.port, bus)
        self.wait()

    def wait(self):
        """Until each of the three serves, and knows the two others."""
        wait_until(lambda: all(self._serves(node) for node in self.nodes))

    def url(self, query=IN_TIME):
        return f"redis+cluster://{','.join(f'127.0.0.1:{node.port}' for node in self.nodes)}{query}"

    def client(self, **options):
        """A client with time limits that a test can wait for."""
        import redis

        first = self.nodes[0]
        return redis.RedisCluster("127.0.0.1", first.port, **{"socket_timeout": PATIENCE, **options})

    def _serves(self, node):
        info = str(node.ask("CLUSTER", "INFO"))
        return "cluster_state:ok" in info and "cluster_known_nodes:3" in info


class SentinelServer(RedisServer):
    """A sentinel that watches over one primary, named "primary", and decides alone."""

    def __init__(self, folder, primary):
        super().__init__(folder)
        config = folder / "sentinel.conf"
        config.write_text(f"sentinel monitor primary 127.0.0.1 {primary.port} 1\n")
        start = self._command[:-2]  # a sentinel has nothing to save
        self._command = [start[0], str(config), "--sentinel", *start[1:]]

    def fail_over(self):
        """Let the replica take over. It refuses until it knows of one that is up to date."""
        from redis import ResponseError

        def accepted():
            with suppress(ResponseError):
                return self.ask("SENTINEL FAILOVER", "primary")

        self.ask("SENTINEL DEBUG", "INFO-PERIOD", 200, "PUBLISH-PERIOD", 200)  # else it takes its time
        wait_until(accepted)


def keys_of(*servers):
    """How many keys these servers hold."""
    return sum(server.ask("DBSIZE") for server in servers)


def make_older(server, seconds):
    """Let `seconds` pass for each key of a server; what has nothing left expires in a thousandth of a second."""
    with server.client() as client:
        for name in client.scan_iter(count=1000):
            left = client.pttl(name)
            if left >= 0:
                client.pexpire(name, max(left - int(seconds * 1000), 1))
    time.sleep(0.005)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    """A Redis server for all tests that do not kill it. A test empties it first."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory):
    """A Redis Cluster for all tests that do not kill it. A test empties it first."""
    with ClusterOfThree(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster
