"""A store in one file, by the standard library's sqlite3: for many threads and many processes of one machine.

Its rules: a connection serves one caller at a time and is never carried over a fork; a write takes SQLite's write lock
before it reads the clock; after an error the connection is thrown away, so that the next call starts afresh.
"""

# Importing pathlib takes longer than importing sqlite3, and a CGI process does it for every request.
# ruff: noqa: PTH108, PTH110, PTH112, PTH116, PTH120

from __future__ import annotations

import os
import stat
import time
from contextlib import contextmanager, suppress
from hashlib import blake2b
from threading import Condition, Lock

from middleware.errors import ConfigurationError, MissingExtra, StoreError, ValueTooLarge
from middleware.stores.forks import watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

    Key = tuple[int, int]  # device and inode: which file a connection has open

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
_SWEEP_EVERY = 60.0  # seconds
_IDLE = 16  # connections kept open for the next callers


class SQLiteStore:
    """Keeps entries in the SQLite file at `path`, which is made (mode 0600) where it is missing; its directory is not.

    path: a file of its own, on a local disk: write-ahead logging does not work over a network.
    prefix: printable text put before the hash of each key, for stores that share a file. Default: none.
    clock: seconds, the same for every process that shares the file: the wall clock.
    timeout: how long a call waits for its turn to write, in seconds. Default: 5.

    Keys are written as their BLAKE2b-256, so the file shows no session id or token. A value above `MAX_VALUE` raises
    ValueTooLarge. Writes survive a crash of the process at once, and a power cut except for the last moments. Writes
    also purge expired entries, at most once a minute.

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
    ) -> None:
        given = os.fspath(path)
        if not isinstance(given, str) or not given or "\0" in given:
            raise ConfigurationError(f"path must be the path of a file, not {given!r}")
        if given == ":memory:" or given.startswith("file:"):
            raise ConfigurationError(
                f"path must be the path of a file, not {given!r}. To keep all in memory: MemoryStore"
            )
        if not isinstance(prefix, str) or not prefix.isprintable():
            raise ConfigurationError(f"prefix must be printable text, not {prefix!r}")
        if not 0 < timeout <= 3600:
            raise ConfigurationError(f"timeout must be above 0 and at most 3600 seconds, not {timeout!r}")
        try:
            import sqlite3
        except ImportError as error:
            raise MissingExtra("this Python was built without sqlite3: use MemoryStore, or another Python") from error
        self._sqlite3 = sqlite3
        self._path = os.path.realpath(given)  # a server may change its directory later
        self._prefix = prefix
        self._clock = clock
        self._timeout = timeout
        self._closed = False
        self._begin()
        with self._translated():
            # Nothing stays open: a server that builds its applications before it forks carries nothing over.
            self._open()[0].close()
        watch(self)

    def _begin(self) -> None:
        """Start as a process that has no connection yet."""
        self._pid = os.getpid()
        self._turn = Condition()
        self._idle: list[tuple[sqlite3.Connection, Key]] = []
        self._in_use = 0
        self._forking = False
        self._write = Lock()  # threads queue here: SQLite would have them poll
        self._sweep_at = 0.0  # when to ask next whether a sweep is due
        self._sweeping = False

    def get(self, key: str) -> bytes | None:
        """The value, or None where there is none or it has expired."""
        name = self._name(key)
        with self._connection() as connection:
            row = connection.execute(_GET, (name, self._clock())).fetchone()
            return None if row is None else row[0]

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
        if not isinstance(old, bytes):
            raise TypeError(f"a value is bytes, not {type(old).__name__}")
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
            with self._writing() as connection:
                cleared = connection.execute(_CLEAR, (length + 64, length, self._prefix, _BATCH)).rowcount
            if cleared < _BATCH:
                return

    def purge(self) -> int:
        """Delete the expired entries of the file, under whatever prefix, in batches; how many there were."""
        purged = 0
        while True:
            with self._writing() as connection:
                batch = connection.execute(_PURGE, (self._clock(), _BATCH)).rowcount
            purged += batch
            if batch < _BATCH:
                return purged

    def close(self) -> None:
        """Close the file. Using the store after that is a StoreError."""
        if self._pid != os.getpid():
            self._abandon()
        with self._turn:
            self._closed = True
            self._close_idle()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_idle", None):
            with suppress(Exception):
                self.close()

    def __repr__(self) -> str:
        return f"SQLiteStore({self._path!r}, prefix={self._prefix!r})"

    # A call

    def _name(self, key: str) -> str:
        if not isinstance(key, str):
            raise TypeError(f"a key is str, not {type(key).__name__}")
        return self._prefix + blake2b(key.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()

    def _check(self, value: bytes, ttl: float | None) -> None:
        if not isinstance(value, bytes):
            raise TypeError(f"a value is bytes, not {type(value).__name__}")
        if ttl is not None and not ttl > 0:
            raise ValueError(f"a time to live is above 0 seconds, not {ttl!r}; None means no expiry")
        if len(value) > MAX_VALUE:
            raise ValueTooLarge(f"a value of {len(value)} bytes is above SQLiteStore's limit of {MAX_VALUE}")

    def _expires(self, ttl: float | None) -> float | None:
        return None if ttl is None else self._clock() + ttl

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for one caller. It is kept for the next one unless something goes wrong."""
        if self._pid != os.getpid():
            self._abandon()
        with self._translated():
            held = self._take()
            try:
                if held is None:
                    held = self._open()
                yield held[0]
            except BaseException:
                self._give_back(held, good=False)
                raise
            self._give_back(held, good=True)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A connection that holds SQLite's write lock; committed at the end."""
        if self._pid != os.getpid():
            self._abandon()
        write = self._write
        if not write.acquire(timeout=self._timeout):
            raise StoreError(f"{self._path}: other threads kept it locked for {self._timeout:g} seconds")
        try:
            with self._connection() as connection:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
                self._sweep(connection)
        finally:
            write.release()

    def _sweep(self, connection: sqlite3.Connection) -> None:
        """Purge one batch where a sweep is due or goes on. The file says when: a CGI process lives for one write."""
        now = self._clock()
        if not self._sweeping and self._sweep_at - _SWEEP_EVERY <= now < self._sweep_at:
            return
        # What the caller wrote is committed: that purging failed is not for them to hear.
        with suppress(self._sqlite3.Error):
            if not self._sweeping:
                self._sweep_at = now + _SWEEP_EVERY
                if not connection.execute(_SWEEP, (now, now - _SWEEP_EVERY, now)).rowcount:
                    return  # another process was first
            self._sweeping = False
            self._sweeping = connection.execute(_PURGE, (now, _BATCH)).rowcount == _BATCH

    # Connections

    def _take(self) -> tuple[sqlite3.Connection, Key] | None:
        """An idle connection to the file that stands at the path now; None where there is none."""
        with self._turn:
            while self._forking:
                self._turn.wait()
            if self._closed:
                raise StoreError(f"this SQLiteStore is closed: {self._path}")
            if self._idle and self._idle[-1][1] != _identity(self._path):
                self._close_idle()
            self._in_use += 1
            return self._idle.pop() if self._idle else None

    def _give_back(self, held: tuple[sqlite3.Connection, Key] | None, *, good: bool) -> None:
        with self._turn:
            self._in_use -= 1
            if held is not None:
                if good and not self._closed and len(self._idle) < _IDLE:
                    self._idle.append(held)
                else:
                    with suppress(self._sqlite3.Error):
                        held[0].close()  # rolls back what was not committed
            if self._forking:
                self._turn.notify_all()

    def _close_idle(self) -> None:
        while self._idle:
            with suppress(self._sqlite3.Error):
                self._idle.pop()[0].close()

    def _open(self) -> tuple[sqlite3.Connection, Key]:
        _create(self._path)
        give_up = time.monotonic() + self._timeout
        while True:
            connection = self._sqlite3.connect(
                self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(connection)
            except self._sqlite3.OperationalError as error:
                connection.close()
                # SQLite does not wait while another process switches the file to write-ahead logging.
                if error.sqlite_errorcode & 0xFF != self._sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                    raise
                time.sleep(0.01)
            except BaseException:
                connection.close()
                raise
            else:
                return connection, _identity(self._path)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the file a store where it is empty; refuse one that is somebody else's, and leave it as it is."""
        ours = self._is_ours(connection)
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise StoreError(f"{self._path}: no write-ahead logging here. Put the file on a local disk")
        connection.execute("PRAGMA synchronous = NORMAL")
        if not ours:
            connection.execute("BEGIN IMMEDIATE")
            if not self._is_ours(connection):  # another process may have been here in between
                for statement in _SCHEMA:
                    connection.execute(statement)
            connection.execute("COMMIT")

    def _is_ours(self, connection: sqlite3.Connection) -> bool:
        """True where the file holds our tables, False where it is empty."""
        # In this order: another process may make the tables, which commits both at once, between the two.
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
            if tables:
                raise StoreError(f"{self._path} is another program's database: give the store a file of its own")
            return False
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != _VERSION:
            raise StoreError(
                f"{self._path} has format {version}, and this version of wsgi-middleware knows {_VERSION}: "
                "upgrade wsgi-middleware, or give the store another file"
            )
        return True

    # Forks

    def before_fork(self) -> None:
        """Wait for the callers inside, close every connection, and let nobody in until the fork is done."""
        self._turn.acquire()
        self._forking = True
        self._turn.wait_for(lambda: self._in_use <= 0, timeout=2 * self._timeout)
        self._close_idle()

    def after_fork(self, *, in_child: bool) -> None:
        """Both go on without a connection."""
        if in_child:
            self._begin()
            return
        self._forking = False
        self._turn.notify_all()
        self._turn.release()

    def _abandon(self) -> None:
        """A fork that Python did not make, and so did not tell us of: uWSGI makes such ones, before any request."""
        _abandoned.extend(connection for connection, _ in self._idle)
        self._begin()

    # Errors

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._sqlite3.Error as error:
            raise self._explain(error) from error
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror or error}") from error

    def _explain(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == self._sqlite3.SQLITE_TOOBIG:
            return ValueTooLarge(f"{self._path}: the value is above SQLite's own limit")
        return StoreError(f"{self._path}: {error}. {self._advice(code)}")

    def _advice(self, code: int) -> str:
        db = self._sqlite3
        if code in (db.SQLITE_BUSY, db.SQLITE_LOCKED):
            return f"Another process kept it locked for {self._timeout:g} seconds: find it, or give a longer timeout"
        if code in (db.SQLITE_READONLY, db.SQLITE_CANTOPEN, db.SQLITE_PERM):
            return "The server's user must be able to write the file and its directory"
        if code in (db.SQLITE_CORRUPT, db.SQLITE_NOTADB):
            return "The file is damaged or no database: move it away, and the store makes a new one"
        if code in (db.SQLITE_FULL, db.SQLITE_IOERR):
            return "Look whether the disk is full or damaged"
        return "The next call tries again"


_abandoned: list[sqlite3.Connection] = []  # the parent's: closing them here would harm it


def _identity(path: str) -> Key:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return (0, 0)
    return (status.st_dev, status.st_ino)


def _create(path: str) -> None:
    """Make an empty file that only this user may read, where there is none."""
    if os.path.exists(path):
        if os.path.isdir(path):
            raise StoreError(f"{path} is a directory: name a file in it")
        if not _allowed(path, os.R_OK | os.W_OK):
            raise StoreError(f"{path} cannot be read and written: the server's user must be able to")
        return
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise StoreError(f"{directory} is no directory: make it, writable for the server's user")
    if not _allowed(directory, os.W_OK | os.X_OK):
        raise StoreError(f"{directory} cannot be written: the server's user must be able to")
    with _locked(directory):
        if os.path.exists(path):
            return
        for companion in ("-wal", "-shm", "-journal"):  # of a file that was deleted under a running server
            with suppress(FileNotFoundError):
                os.unlink(path + companion)
        _make(path)


def _allowed(path: str, what: int) -> bool:
    return os.access(path, what, effective_ids=os.access in os.supports_effective_ids)


def _make(path: str) -> None:
    # Not by opening it: closing any descriptor of a file drops every lock that this process has on it, SQLite's too.
    try:
        os.mknod(path, 0o600 | stat.S_IFREG)
    except (AttributeError, PermissionError):  # Windows has no mknod, and elsewhere it may be for root alone
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


@contextmanager
def _locked(directory: str) -> Iterator[None]:
    """Two processes that miss the file must not take each other's new one for an old one's remains."""
    try:
        import fcntl
    except ImportError:  # Windows, where a file in use cannot be deleted
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
