"""A store in one file, by the standard library's sqlite3: for many threads and many processes of one machine.

Its rule: a write takes SQLite's write lock before it reads the clock. What keeps the file is in sqlite_file.py.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from functools import partial

from middleware.errors import ConfigurationError, StoreError, ValueTooLarge
from middleware.stores.arguments import HASH_LENGTH, check_prefix, check_ttl, check_value, hashed
from middleware.stores.sqlite_file import SQLiteFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

MAX_VALUE = 64 << 20
"""The largest value in bytes: a row is read and written in one piece, while everybody else waits to write."""

_APPLICATION_ID = 0x77736D73  # "wsms", in the file's header: this file is a store of ours
_VERSION = 1
_SCHEMA = (
    "CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires REAL)",
    "CREATE INDEX expiring ON entries (expires) WHERE expires IS NOT NULL",
    "CREATE TABLE sweeps (began REAL NOT NULL)",
    "INSERT INTO sweeps VALUES (0)",
    f"PRAGMA application_id = {_APPLICATION_ID}",
    f"PRAGMA user_version = {_VERSION}",
)
_GET = "SELECT value FROM entries WHERE key = ? AND (expires IS NULL OR expires > ?)"
_GET_MANY = "SELECT key, value FROM entries WHERE key IN ({}) AND (expires IS NULL OR expires > ?)"
_SET = (
    "INSERT INTO entries (key, value, expires) VALUES (?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
)
_ADD = _SET + " WHERE entries.expires <= ?"
_SWAP = "UPDATE entries SET value = ?, expires = ? WHERE key = ? AND value = ? AND (expires IS NULL OR expires > ?)"
_DELETE = "DELETE FROM entries WHERE key = ? AND (expires IS NULL OR expires > ?)"
_PURGE = "DELETE FROM entries WHERE rowid IN (SELECT rowid FROM entries WHERE expires <= ? LIMIT ?)"
_SWEEP = "UPDATE sweeps SET began = ? WHERE began <= ? OR began > ?"  # or: a clock was set back
_CLEAR = (
    "DELETE FROM entries WHERE rowid IN"
    " (SELECT rowid FROM entries WHERE length(key) = ? AND substr(key, 1, ?) = ? LIMIT ?)"
)

_BATCH = 1000  # rows that one transaction deletes
_MANY = 500  # rows that one statement reads; SQLite takes 999 parameters at least
_SWEEP_EVERY = 60.0  # seconds


class SQLiteStore:
    """Keeps entries in the SQLite file at `path`, which is made (mode 0600) where it is missing; its directory is not.

    path: a file of its own, on a local disk: write-ahead logging does not work over a network.
    prefix: printable text put before the hash of each key, for stores that share a file. Default: none.
    clock: seconds, the same for every process that shares the file: the wall clock.
    timeout: how long a call waits for its turn to write, in seconds. Default: 5.
    durable: whether a write is on the disk before its call returns, so that a power cut undoes no log-out. Default:
        True. False is several times faster and right for a cache: a power cut then takes the last moments' writes.

    Keys are written as their BLAKE2b-256, so the file shows no session id or token. A value above `MAX_VALUE` raises
    ValueTooLarge. Writes survive a crash of the process in either case. They also purge expired entries, at most once a
    minute.

    Raises ConfigurationError for a wrong option, and StoreError where the directory is missing, the file cannot be
    written or is not a store's. After a StoreError the next call tries again: no restart is needed when its cause has
    gone, and a file that was deleted or moved away is made anew.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        prefix: str = "",
        clock: Callable[[], float] = time.time,
        timeout: float = 5.0,
        durable: bool = True,
    ) -> None:
        given = os.fspath(path)
        if not isinstance(given, str) or not given or "\0" in given:
            raise ConfigurationError(f"path must be the path of a file, not {given!r}")
        if given == ":memory:" or given.startswith("file:"):
            raise ConfigurationError(
                f"path must be the path of a file, not {given!r}. To keep all in memory: MemoryStore"
            )
        check_prefix(prefix)
        if not 0 < timeout <= 3600:
            raise ConfigurationError(f"timeout must be above 0 and at most 3600 seconds, not {timeout!r}")
        if not isinstance(durable, bool):
            raise ConfigurationError(f"durable must be True or False, not {durable!r}")
        self._prefix = prefix
        self._clock = clock
        self._sweep_at = 0.0  # when to ask next whether a sweep is due
        self._sweeping = False
        self._file = SQLiteFile(given, prepare=partial(_prepare, durable=durable), timeout=timeout)

    def get(self, key: str) -> bytes | None:
        """The value, or None where there is none or it has expired."""
        name = self._name(key)
        with self._file.connection() as connection:
            row = connection.execute(_GET, (name, self._clock())).fetchone()
            return None if row is None else row[0]

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values in the order of their keys."""
        names = [self._name(key) for key in keys]
        once = list(dict.fromkeys(names))
        values: dict[str, bytes] = {}
        with self._file.connection() as connection:
            for first in range(0, len(once), _MANY):
                some = once[first : first + _MANY]
                statement = _GET_MANY.format(", ".join("?" * len(some)))
                values.update(connection.execute(statement, (*some, self._clock())).fetchall())
        return [values.get(name) for name in names]

    def set(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Keep `value`, whatever was there."""
        name = self._name(key)
        self._check(value, ttl)
        with self._writing() as connection:
            connection.execute(_SET, (name, value, self._expires(ttl)))

    def add(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """Keep `value` where nothing is: True. Where something is, nothing changes: False."""
        name = self._name(key)
        self._check(value, ttl)
        with self._writing() as connection:
            row = (name, value, self._expires(ttl), self._clock())
            return connection.execute(_ADD, row).rowcount == 1

    def swap(self, key: str, old: bytes, new: bytes, ttl: float | None = None) -> bool:
        """Put `new` in the place of `old`: True. Where something else or nothing is, nothing changes: False."""
        name = self._name(key)
        self._check(new, ttl)
        check_value(old)
        with self._writing() as connection:
            row = (new, self._expires(ttl), name, old, self._clock())
            return connection.execute(_SWAP, row).rowcount == 1

    def delete(self, key: str) -> bool:
        """True where something was deleted, False where there was nothing, or only what had expired."""
        name = self._name(key)
        with self._writing() as connection:
            return connection.execute(_DELETE, (name, self._clock())).rowcount == 1

    def clear(self) -> None:
        """Delete every entry under this store's prefix."""
        length = len(self._prefix)
        while True:
            with self._writing(sweep=False) as connection:
                cleared = connection.execute(_CLEAR, (length + HASH_LENGTH, length, self._prefix, _BATCH)).rowcount
            if cleared < _BATCH:
                return

    def purge(self) -> int:
        """Delete the expired entries of the file, under whatever prefix, in batches; how many there were."""
        purged = 0
        while True:
            with self._writing(sweep=False) as connection:
                batch = connection.execute(_PURGE, (self._clock(), _BATCH)).rowcount
            purged += batch
            if batch < _BATCH:
                return purged

    def close(self) -> None:
        """Close the file. Using the store after that is a StoreError."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SQLiteStore({self._file.path!r}, prefix={self._prefix!r})"

    def _name(self, key: str) -> str:
        return self._prefix + hashed(key)

    def _check(self, value: bytes, ttl: float | None) -> None:
        check_value(value)
        check_ttl(ttl)
        if len(value) > MAX_VALUE:
            raise ValueTooLarge(f"a value of {len(value)} bytes is above SQLiteStore's limit of {MAX_VALUE}")

    def _expires(self, ttl: float | None) -> float | None:
        return None if ttl is None else self._clock() + ttl

    @contextmanager
    def _writing(self, *, sweep: bool = True) -> Iterator[sqlite3.Connection]:
        """A connection that holds SQLite's write lock; committed at the end."""
        with self._file.write_connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
            if sweep:
                self._sweep(connection)

    def _sweep(self, connection: sqlite3.Connection) -> None:
        """Purge one batch where a sweep is due or goes on. The file says when: a CGI process lives for one write."""
        now = self._clock()
        if not self._sweeping and self._sweep_at - _SWEEP_EVERY <= now < self._sweep_at:
            return
        # What the caller wrote is committed: that purging failed is not for them to hear.
        with suppress(self._file.errors):
            if not self._sweeping:
                self._sweep_at = now + _SWEEP_EVERY
                if not connection.execute(_SWEEP, (now, now - _SWEEP_EVERY, now)).rowcount:
                    return  # another process was first
            self._sweeping = False
            self._sweeping = connection.execute(_PURGE, (now, _BATCH)).rowcount == _BATCH


def _prepare(connection: sqlite3.Connection, *, durable: bool) -> None:
    """Make the file a store where it is empty; refuse one that is somebody else's, and leave it as it is."""
    ours = _is_ours(connection)
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise StoreError("no write-ahead logging here: put the file on a local disk")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    if not ours:
        connection.execute("BEGIN IMMEDIATE")
        if not _is_ours(connection):  # another process may have been here in between
            for statement in _SCHEMA:
                connection.execute(statement)
        connection.execute("COMMIT")


def _is_ours(connection: sqlite3.Connection) -> bool:
    """True where the file holds our tables, False where it is empty."""
    # In this order: another process may make the tables, which commits both at once, between the two.
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        if tables:
            raise StoreError("it is another program's database: give the store a file of its own")
        return False
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != _VERSION:
        raise StoreError(
            f"it has format {version}, and this version of wsgi-middleware knows {_VERSION}: "
            "upgrade wsgi-middleware, or give the store another file"
        )
    return True
