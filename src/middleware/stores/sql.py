"""A store in a table of PostgreSQL, MariaDB, MySQL or SQLite, by SQLAlchemy Core: for all machines that share it.

Its rule: what a verb finds and what it writes is decided by the database, in one statement, at one moment. How the
statements read is in sql_table.py, how they get there in sql_connections.py.
"""

from __future__ import annotations

import time
from contextlib import suppress
from math import inf

from middleware.errors import ConfigurationError, MissingExtra, StoreError, ValueTooLarge
from middleware.stores.arguments import check_ttl, check_value, hashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    from sqlalchemy import Connection, Engine, Table

    Row = dict[str, object]

MAX_VALUE = 64 << 20
"""The largest value in bytes. MySQL and MariaDB take half of their `max_allowed_packet`, where that is less."""

TABLE = "middleware_store"

_DIALECTS = ("postgresql", "mysql", "mariadb", "sqlite")
_BATCH = 500  # rows that one statement deletes, or reads
_SWEEP_EVERY = 60.0  # seconds
_TURNS = 100  # of an add that finds its key taken and free by turns
_LONGEST_NAME = 48


class SQLStore:
    """Keeps entries in one table of an SQL database that any number of machines share.

    engine: an SQLAlchemy Engine (2.0.28 or later) for PostgreSQL, MariaDB, MySQL or SQLite. It stays yours to close.
    prefix: printable ASCII put before the hash of each key, for stores that share a table; at most 64 characters.
        Default: none.
    table: its name, or `schema.name`. `create_table()` makes it, or your own migrations do from `store.table`.
    clock: seconds since 1970, the same on every machine that shares the table: the wall clock.

    Keys are written as their BLAKE2b-256, so the table shows no session id or token. A value above `MAX_VALUE` raises
    ValueTooLarge. Writes also purge expired entries, at most once a minute for all machines together. Every statement
    is a transaction of its own, and a verb needs one; `add` on MySQL and MariaDB up to three.

    A statement that met a deadlock is said again a few times; a reading one whose connection broke, once. A write whose
    connection broke is a StoreError: nobody knows whether the database kept it.

    Raises TypeError for what is no Engine, ConfigurationError for a wrong option, and MissingExtra without SQLAlchemy.
    No connection is made before the first verb.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        prefix: str = "",
        table: str = TABLE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        _check_engine(engine)
        from middleware.stores.sql_connections import Connections
        from middleware.stores.sql_table import MAX_PREFIX, SWEEP, Statements, make_table

        if not isinstance(prefix, str) or not (prefix.isascii() and prefix.isprintable() and len(prefix) <= MAX_PREFIX):
            raise ConfigurationError(
                f"prefix must be printable ASCII of at most {MAX_PREFIX} characters, not {prefix!r}"
            )
        if not isinstance(table, str) or not _is_table_name(table):
            raise ConfigurationError(
                f"table must be a name of ASCII letters, digits and _, with a schema and a dot before it if need be, "
                f"not {table!r}"
            )
        self._prefix = prefix
        self._clock = clock
        self._where = engine.url.set(query={}).render_as_string(hide_password=True)
        self._table = make_table(table)
        self._say = Statements(self._table, engine.dialect.name, prefix, _BATCH)
        self._database = Connections(engine, where=self._where, table=table)
        self._sweep_name = SWEEP
        self._sweep_at = 0.0  # when to ask next whether a sweep is due
        self._sweeping = False

    @property
    def table(self) -> Table:
        """The table as SQLAlchemy knows it, for Alembic and its like: `store.table.to_metadata(your_metadata)`."""
        return self._table

    def create_table(self) -> None:
        """Make the table and its index where they are missing; what is there stays as it is."""

        def make(connection: Connection) -> None:
            self._table.create(connection, checkfirst=True)
            for index in self._table.indexes:  # of a table that another process is making, or that was made halfway
                index.create(connection, checkfirst=True)

        for _ in range(2):  # another process may come in between, at the table and at the index
            with suppress(StoreError):
                return self._database.define(make)
        return self._database.define(make)

    def get(self, key: str) -> bytes | None:
        """The value, or None where there is none or it has expired."""
        value = self._database.first(self._say.get, {"name": self._name(key), "now": self._now()})
        return None if value is None else bytes(value)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values in the order of their keys: a statement for up to 500 of them."""
        names = [self._name(key) for key in keys]
        once = list(dict.fromkeys(names))
        values: dict[str, bytes] = {}
        for first in range(0, len(once), _BATCH):
            row: Row = {"names": once[first : first + _BATCH], "now": self._now()}
            values.update(self._database.pairs(self._say.read, row))
        return [values.get(name) for name in names]

    def set(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Keep `value`, whatever was there."""
        name = self._name(key)
        self._check(value, ttl)
        self._database.write(self._say.set, {"name": name, "new": value, "until": self._until(ttl)})
        self._sweep()

    def add(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """Keep `value` where nothing is: True. Where something is, nothing changes: False."""
        name = self._name(key)
        self._check(value, ttl)
        added = self._add({"name": name, "new": value, "until": self._until(ttl), "now": self._now()})
        self._sweep()
        return added

    def swap(self, key: str, old: bytes, new: bytes, ttl: float | None = None) -> bool:
        """Put `new` in the place of `old`: True. Where something else or nothing is, nothing changes: False."""
        name = self._name(key)
        self._check(new, ttl)
        check_value(old)
        row = {"name": name, "old": old, "new": new, "until": self._until(ttl), "now": self._now()}
        swapped = self._database.write(self._say.swap, row) == 1
        if not swapped and old == new and self._say.same is not None:
            swapped = self._database.first(self._say.same, row) is not None
        self._sweep()
        return swapped

    def delete(self, key: str) -> bool:
        """True where something was deleted, False where there was nothing, or only what had expired."""
        deleted = self._database.write(self._say.delete, {"name": self._name(key), "now": self._now()}) == 1
        self._sweep()
        return deleted

    def clear(self) -> None:
        """Delete every entry under this store's prefix, in batches."""
        while True:
            keys = self._database.column(self._say.mine, {})
            if keys:
                self._database.write(self._say.drop, {"keys": keys})
            if len(keys) < _BATCH:
                return

    def purge(self) -> int:
        """Delete the expired entries of the table, under whatever prefix, in batches; how many there were."""
        purged = 0
        while True:
            found, deleted = self._collect(self._now())
            purged += deleted
            if found < _BATCH:
                return purged

    def close(self) -> None:
        """Stop using the engine, which stays open. Using the store after that is a StoreError."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SQLStore({self._where!r}, table={self._table.fullname!r}, prefix={self._prefix!r})"

    def _name(self, key: str) -> str:
        return self._prefix + hashed(key)

    def _check(self, value: bytes, ttl: float | None) -> None:
        check_value(value)
        check_ttl(ttl)
        if len(value) > MAX_VALUE:
            raise ValueTooLarge(f"a value of {len(value)} bytes is above SQLStore's limit of {MAX_VALUE}")

    def _now(self) -> float:
        return float(self._clock())

    def _until(self, ttl: float | None) -> float | None:
        """When an entry expires. MySQL has no infinity."""
        return None if ttl is None or ttl == inf else self._now() + ttl

    def _add(self, row: Row) -> bool:
        if self._say.add is not None:
            return self._database.write(self._say.add, row) == 1
        for _ in range(_TURNS):
            row["now"] = self._now()
            if self._database.insert(self._say.insert, row):
                return True
            if self._database.first(self._say.find, row) is not None:
                return False
            if self._database.write(self._say.renew, row):
                return True
        raise StoreError(f"{self._where}: others kept adding and deleting the key all the time")

    def _collect(self, now: float) -> tuple[int, int]:
        """Delete one batch of expired entries: how many were found, and how many were still there to delete."""
        keys = self._database.column(self._say.expired, {"now": now})
        return len(keys), self._database.write(self._say.collect, {"keys": keys, "now": now}) if keys else 0

    def _sweep(self) -> None:
        """Purge one batch where a sweep is due or goes on. The table says when: there are other machines."""
        now = self._now()
        if not self._sweeping and self._sweep_at - _SWEEP_EVERY <= now < self._sweep_at:
            return
        # What the caller wrote is kept: that purging failed is not for them to hear.
        with suppress(StoreError):
            if not self._sweeping:
                self._sweep_at = now + _SWEEP_EVERY
                row: Row = {"name": self._sweep_name, "new": b"", "until": self._sweep_at, "now": now}
                if not self._database.write(self._say.claim, row) and not self._add(row):
                    return  # another process was first
            self._sweeping = False
            self._sweeping = self._collect(now)[0] == _BATCH


class OpenedSQLStore(SQLStore):
    """One that made its engine itself, and so closes it: `open_store` has made both."""

    def __init__(self, engine: Engine, *, prefix: str = "", table: str = TABLE) -> None:
        super().__init__(engine, prefix=prefix, table=table)
        self._engine = engine

    def close(self) -> None:
        """Close every connection. Using the store after that is a StoreError."""
        super().close()
        self._engine.dispose()


def need_sqlalchemy() -> None:
    """MissingExtra where it is not there, or too old."""
    try:
        import sqlalchemy
    except ImportError:
        raise MissingExtra("SQLStore needs SQLAlchemy: pip install 'wsgi-middleware[sql]'") from None
    if _is_old(sqlalchemy.__version__):
        raise MissingExtra("SQLStore needs SQLAlchemy 2.0.28 or later: pip install --upgrade 'wsgi-middleware[sql]'")


def _is_old(version: str) -> bool:
    major, minor, patch = [*version.split("."), "0", "0"][:3]
    return int(major) < 2 or ((major, minor) == ("2", "0") and patch.isdigit() and int(patch) < 28)


def _check_engine(engine: object) -> None:
    need_sqlalchemy()
    import sqlalchemy

    if hasattr(engine, "sync_engine") or (isinstance(engine, sqlalchemy.Engine) and engine.dialect.is_async):
        raise TypeError(
            "engine must be a synchronous Engine, for WSGI is synchronous: "
            'create_engine("postgresql+psycopg://...") instead of create_async_engine(...)'
        )
    if not isinstance(engine, sqlalchemy.Engine):
        raise TypeError(
            f"engine must be an SQLAlchemy Engine, not {type(engine).__name__}: "
            "SQLStore(create_engine(url)), or open_store(url)"
        )
    if engine.dialect.name not in _DIALECTS:
        raise ConfigurationError(f"SQLStore knows {', '.join(_DIALECTS)}, and not {engine.dialect.name}")


def _is_table_name(name: str) -> bool:
    """Whether it is a name that every database takes, and leaves room for `_expires` behind it."""
    *schema, bare = name.split(".")
    return len(schema) <= 1 and all(
        part.isascii() and part.isidentifier() and len(part) <= _LONGEST_NAME for part in (*schema, bare)
    )
