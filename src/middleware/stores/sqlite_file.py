"""Connections to one SQLite file: a caller at a time, over forks, through deletions. Errors come out as StoreError.

Its rules: no connection is ever carried over a fork; after an error a connection is thrown away, so that the next
call starts afresh.
"""

# Importing pathlib takes longer than importing sqlite3, and a CGI process does it for every request.
# ruff: noqa: PTH108, PTH110, PTH112, PTH116, PTH120

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from threading import Condition, Lock
from time import monotonic, sleep

from middleware.errors import MissingExtra, StoreError, ValueTooLarge
from middleware.stores.forks import watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    Identity = tuple[int, int]  # device and inode: which file a connection has open
    Held = tuple[sqlite3.Connection, Identity]

_IDLE = 16  # connections kept open for the next callers
_abandoned: list[sqlite3.Connection] = []  # a parent's: to close them here would harm it


class SQLiteFile:
    """The file at `path`, which is made (mode 0600) where it is missing.

    prepare: is given each new connection, and raises StoreError where the file is not what it should be.
    timeout: seconds to wait for locks.
    """

    def __init__(self, path: str, *, prepare: Callable[[sqlite3.Connection], None], timeout: float) -> None:
        try:
            import sqlite3
        except ImportError as error:
            raise MissingExtra("this Python was built without sqlite3: use MemoryStore, or another Python") from error
        self.path = os.path.realpath(path)  # a server may change its directory later
        self.errors = sqlite3.Error
        self._sqlite3 = sqlite3
        self._prepare = prepare
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
        self._idle: list[Held] = []
        self._in_use = 0
        self._forking = False
        self._write = Lock()  # threads queue here: SQLite would have them poll

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for one caller. It is kept for the next one unless something goes wrong."""
        self._notice_fork()
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
    def write_connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for one caller, and for no other one of this process that wants to write."""
        self._notice_fork()
        write = self._write
        if not write.acquire(timeout=self._timeout):
            raise StoreError(f"{self.path}: other threads kept it locked for {self._timeout:g} seconds")
        try:
            with self.connection() as connection:
                yield connection
        finally:
            write.release()

    def close(self) -> None:
        """Close all connections, now or when their callers are done. Asking for another is a StoreError."""
        self._notice_fork()
        with self._turn:
            self._closed = True
            self._close_idle()

    def __del__(self) -> None:
        if getattr(self, "_idle", None):
            with suppress(Exception):
                self.close()

    def _take(self) -> Held | None:
        """An idle connection to the file that stands at the path now; None where there is none."""
        with self._turn:
            while self._forking:
                self._turn.wait()
            if self._closed:
                raise StoreError(f"this SQLiteStore is closed: {self.path}")
            if self._idle and self._idle[-1][1] != _identity(self.path):
                self._close_idle()
            self._in_use += 1
            return self._idle.pop() if self._idle else None

    def _give_back(self, held: Held | None, *, good: bool) -> None:
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

    def _open(self) -> Held:
        _create(self.path)
        give_up = monotonic() + self._timeout
        while True:
            connection = self._sqlite3.connect(
                self.path, timeout=self._timeout, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(connection)
            except StoreError as error:
                connection.close()
                raise StoreError(f"{self.path}: {error}") from None
            except self._sqlite3.OperationalError as error:
                connection.close()
                # SQLite does not wait while another process switches the file to write-ahead logging.
                if _code(error) != self._sqlite3.SQLITE_BUSY or monotonic() > give_up:
                    raise
                sleep(0.01)
            except BaseException:
                connection.close()
                raise
            else:
                return connection, _identity(self.path)

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

    def _notice_fork(self) -> None:
        """Python tells of the forks that it makes. uWSGI makes one that it does not tell of, before any request."""
        if self._pid != os.getpid():
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
            raise StoreError(f"{self.path}: {error.strerror or error}") from error

    def _explain(self, error: sqlite3.Error) -> StoreError:
        code = _code(error)
        if code == self._sqlite3.SQLITE_TOOBIG:
            return ValueTooLarge(f"{self.path}: the value is above SQLite's own limit")
        return StoreError(f"{self.path}: {error}. {self._advice(code)}")

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


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 where the error is not SQLite's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _identity(path: str) -> Identity:
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
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # at once: gevent's os.close() closes later
        os.close(descriptor)
