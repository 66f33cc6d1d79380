"""Statements to a database by the connections of an engine: one at a time, over restarts and forks.

Its rules: each statement is a transaction of its own. It is said again only where the database cannot have kept it;
where it may have, nobody guesses. No connection is carried over a fork.
"""

from __future__ import annotations

import os
from random import random
from time import monotonic, sleep
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from middleware.errors import StoreError, ValueTooLarge
from middleware.stores.forks import Gate
from middleware.stores.sql_errors import DUPLICATE, code_of, explain, is_conflict, is_disconnect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from sqlalchemy import Connection, CursorResult, Executable, Pool

    Parameters = Mapping[str, object]
    Take = Callable[[CursorResult[Any]], Any]

_PATIENCE = 5.0  # seconds that a fork waits for the statements that are under way
_CONFLICTS = 10  # times that a statement is said again after a deadlock
_IDLE = 1.0  # seconds after which a connection may be dead: a server was restarted, a firewall forgot it
_LAST_USED = "middleware.last_used"
_PACKET = "middleware.max_allowed_packet"
_LARGE = 256 << 10  # bytes that every MySQL takes in one packet
_PING = text("SELECT 1")
_GET_PACKET = text("SELECT @@max_allowed_packet")

_processes: WeakKeyDictionary[Engine, int] = WeakKeyDictionary()  # whose the connections of an engine's pool are
_abandoned: list[Pool] = []  # a parent's: to close their connections here would harm it


class Connections:
    """What a store needs of an engine. Errors come out as StoreError.

    where, table: the names of the database and of the store's table, for messages.
    """

    def __init__(self, engine: Engine, *, where: str, table: str) -> None:
        self._engine = engine
        self._where = where
        self._table = table
        self._closed = False
        self._mysql = engine.dialect.name in ("mysql", "mariadb")
        self._local = engine.dialect.name == "sqlite"
        # Autocommit for the length of a statement costs nothing, but five round trips on MySQL and MariaDB.
        self._talking = engine if self._mysql else engine.execution_options(isolation_level="AUTOCOMMIT")
        # The driver's own too: SQLAlchemy lets some of them through when a connection goes back to the pool.
        self._errors: tuple[type[Exception], ...] = (SQLAlchemyError, OSError, engine.dialect.loaded_dbapi.Error)
        _processes.setdefault(engine, os.getpid())
        self._gate = Gate(self._forget, patience=_PATIENCE)

    def first(self, statement: Executable, parameters: Parameters) -> Any:
        """The first column of the first row; None where there is none."""
        return self._say(statement, parameters, lambda result: result.scalar(), writes=False)

    def column(self, statement: Executable, parameters: Parameters) -> list[str]:
        """The first column of every row."""
        found: list[str] = self._say(statement, parameters, lambda result: list(result.scalars()), writes=False)
        return found

    def pairs(self, statement: Executable, parameters: Parameters) -> dict[str, bytes]:
        """Of every row the first column and the second."""
        found: dict[str, bytes] = self._say(statement, parameters, _pairs, writes=False)
        return found

    def write(self, statement: Executable, parameters: Parameters) -> int:
        """How many rows were written."""
        count: int = self._say(statement, parameters, lambda result: result.rowcount, writes=True)
        return count

    def insert(self, statement: Executable, parameters: Parameters) -> bool:
        """Whether the row was written; False where its key is there."""
        try:
            return self.write(statement, parameters) == 1
        except StoreError as error:
            if error.__cause__ is not None and code_of(error.__cause__) == DUPLICATE:
                return False
            raise

    def define(self, make: Callable[[Connection], None]) -> None:
        """Run what makes tables, in one transaction where the database can."""
        try:
            with self._gate, self._opened(self._engine) as connection, connection.begin():
                make(connection)
        except self._errors as error:
            raise explain(error, self._where, self._table, unsure=False) from error

    def close(self) -> None:
        """Say nothing any more: asking for it is a StoreError. The engine stays as it is."""
        self._closed = True

    def _say(self, statement: Executable, parameters: Parameters, take: Take, *, writes: bool) -> Any:
        with self._gate:
            return self._insist(statement, parameters, take, writes=writes)

    def _insist(self, statement: Executable, parameters: Parameters, take: Take, *, writes: bool) -> Any:
        conflicts = 0
        broken = False
        while True:
            connected = done = False
            unsure = False  # whether the database may have kept what it does not tell us that it has
            answer: Any = None
            try:
                with self._opened(self._talking) as connection:
                    connected = True
                    if writes:
                        self._prepare(connection, parameters)
                    commits = writes and self._mysql and not _commits_itself(connection)
                    unsure = writes and not commits
                    answer = take(connection.execute(statement, parameters))
                    if commits:
                        unsure = True
                        connection.commit()
                    connection.info[_LAST_USED] = monotonic()
                    done = True
            except self._errors as error:
                if done:
                    return answer  # what failed is the connection's return to the pool
                if is_conflict(error) and conflicts < _CONFLICTS:
                    sleep(random() * 0.001 * 2**conflicts)  # noqa: S311 - so that the same two do not meet again
                    conflicts += 1
                elif is_disconnect(error) and connected and not unsure and not broken:
                    broken = True  # the pool has thrown all its connections away, not only this one
                else:
                    raise explain(error, self._where, self._table, unsure=unsure) from error
            else:
                return answer

    def _opened(self, engine: Engine) -> Connection:
        if self._closed:
            raise StoreError(f"this SQLStore is closed: {self._where}")
        try:
            return engine.connect()
        except RuntimeError as error:  # PyMySQL's, where a way to log in needs a package that is not installed
            raise StoreError(f"{self._where}: {error}") from error

    def _prepare(self, connection: Connection, parameters: Parameters) -> None:
        """Find out what is wrong before a write goes out, which could not be said again."""
        if not self._local and monotonic() - connection.info.get(_LAST_USED, 0.0) > _IDLE:
            connection.execute(_PING)
        if self._mysql:
            self._measure(connection, parameters)

    def _measure(self, connection: Connection, parameters: Parameters) -> None:
        """Refuse what is above the server's limit: it would break the connection off in the middle."""
        size = sum(len(value) for value in parameters.values() if isinstance(value, bytes))
        if size <= _LARGE:
            return
        most = connection.info.get(_PACKET)
        if most is None:
            most = connection.info[_PACKET] = connection.execute(_GET_PACKET).scalar_one()
        if 2 * size + 1024 > most:  # drivers send two characters for a byte
            raise ValueTooLarge(
                f"{self._where}: {size} bytes are more than half of the server's max_allowed_packet of {most}"
            )

    def _forget(self) -> None:
        """Leave the pool to the parent. Of several stores on one engine, the first does so for all."""
        if _processes.get(self._engine) != os.getpid():
            _abandoned.append(self._engine.pool)
            self._engine.dispose(close=False)
            _processes[self._engine] = os.getpid()


def _commits_itself(connection: Connection) -> bool:
    """Whether the engine was made with isolation_level="AUTOCOMMIT", which saves a round trip."""
    drivers = connection.connection.dbapi_connection
    ask = getattr(drivers, "get_autocommit", None)  # PyMySQL and mysqlclient
    return bool(ask() if ask is not None else getattr(drivers, "autocommit", False))


def _pairs(result: Any) -> dict[str, bytes]:
    return {name: bytes(value) for name, value in result}
