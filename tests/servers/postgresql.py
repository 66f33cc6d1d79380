"""A PostgreSQL of the tests' own, in a temporary folder and on a free loopback port."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import psycopg
from conftest import program
from servers.databases import NAME, PASSWORD, USER, Database
from servers.programs import PATIENCE

DEBIAN = Path("/usr/lib/postgresql")  # has a folder for each version, and none of them is on PATH


class PostgreSQL(Database):
    """settings: of postgresql.conf, as `name=value`."""

    def __init__(self, *settings):
        self._programs = _programs()
        self._settings = settings
        super().__init__("postgres")

    def prepare(self):
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self.run(
            self._programs / "initdb", "--pgdata", self.data, "--username", USER, "--pwfile", password,
            "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync",
        )  # fmt: skip

    def command(self):
        settings = (
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            *self._settings,
        )
        return [self._programs / "postgres", "-D", self.data, *(f"--{setting}" for setting in settings)]

    def answers(self):
        try:
            with self.connect("postgres") as connection:
                if not connection.execute("SELECT FROM pg_database WHERE datname = %s", (NAME,)).rowcount:
                    connection.execute(f"CREATE DATABASE {NAME}")
        except psycopg.OperationalError as error:
            raise OSError from error
        return True

    def kill(self):
        """End it at once (SIGKILL), and the processes that it has started: they would serve on for a moment."""
        with self.connect() as connection:
            processes = connection.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()").fetchall()
        super().kill()
        for (process,) in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def connect(self, database=NAME):
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=database, autocommit=True,
            connect_timeout=PATIENCE,
        )  # fmt: skip


def _programs():
    """The folder that has both programs, in their newest version: a server reads only what its own initdb made."""
    versions = sorted(DEBIAN.glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    found = shutil.which("initdb")
    for folder in (*versions, *([Path(found).resolve().parent] if found else [])):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return Path(program("initdb")).parent
