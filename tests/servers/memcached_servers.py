"""A memcached, as Debian has it."""

from __future__ import annotations

import os
import socket
import time
from urllib.parse import unquote

import pytest
from servers.programs import IN_TIME, PATIENCE, Running, free_port

WALKS = 3


class Memcached(Running):
    """A memcached whose options are the given ones."""

    def __init__(self, folder, *options):
        from conftest import program

        folder.mkdir(exist_ok=True)
        self.port = free_port()
        command = [program("memcached"), "-l", "127.0.0.1", "-p", self.port, "-U", "0"]
        command += ["-o", "no_lru_maintainer,lru_crawler"]  # its walk misses what the maintainer moves meanwhile
        if os.geteuid() == 0:
            command += ["-u", "nobody"]  # it does not run as root
        super().__init__([*command, *options], self._version, log=folder / "log")

    def stop(self):
        """At once: it has nothing to write, and takes a second to end where it is asked to."""
        if self._process is not None:
            self.kill()

    def url(self, query=IN_TIME):
        return f"memcached://127.0.0.1:{self.port}{query}"

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    def client(self, **options):
        """A client with time limits that a test can wait for."""
        import pymemcache

        return pymemcache.PooledClient(self.address, **{"timeout": PATIENCE, "connect_timeout": PATIENCE, **options})

    def ask(self, line, end=b"\r\n"):
        """What memcached answers to a line of the test's own, up to `end`."""
        with socket.create_connection(self.address, timeout=PATIENCE) as connection:
            connection.sendall(line.encode() + b"\r\n")
            answer = b""
            while not answer.endswith(end):
                received = connection.recv(65536)
                assert received, "memcached has closed the connection"
                answer += received
            return answer.decode()

    def names(self):
        """The names of all its entries: what several walks find, for one may pass an entry that is just moved."""
        found = set()
        for _ in range(WALKS):
            dump = self.ask("lru_crawler metadump all", b"END\r\n")
            found |= {
                unquote(line.split(" ")[0].removeprefix("key=")) for line in dump.splitlines() if line[:4] == "key="
            }
        return sorted(found)

    def time_left(self, name):
        """The seconds that an entry has left; -1 where it does not expire, None where there is none."""
        answer = self.ask(f"mg {name} t")
        return int(answer.split()[1].removeprefix("t")) if answer.startswith("HD") else None

    def make_older(self, seconds):
        """Let `seconds` pass for each entry. One with nothing left expires where it lies."""
        for name in self.names():
            left = self.time_left(name)
            if left is None or left < 0:
                continue
            left -= seconds
            expire = -1 if left <= 0 else left if left <= 30 * 86400 else time.time() + left
            self.ask(f"touch {name} {expire:.0f}")

    def _version(self):
        return self.ask("version").startswith("VERSION")


@pytest.fixture(scope="session")
def memcached(tmp_path_factory):
    """A memcached for all tests that do not kill it. A test empties it first."""
    with Memcached(tmp_path_factory.mktemp("memcached")) as server:
        yield server
