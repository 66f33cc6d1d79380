"""What the tests of SQLStore share: databases with a table of each test's own."""

from __future__ import annotations

from itertools import count

from sqlalchemy import create_engine, text

from middleware.stores import SQLStore

DRIVERS = {"postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}
_numbers = count()


class Place:
    """One database, and a table in it that no other test has."""

    def __init__(self, kind, url, server=None):
        self.kind = kind
        self.url = url
        self.server = server
        self.table = f"test_{next(_numbers)}"
        self.engine = create_engine(url)
        self._stores = []

    def store(self, *, engine=None, made=True, **options):
        store = SQLStore(engine or self.engine, table=self.table, **options)
        if made:
            store.create_table()
        self._stores.append(store)
        return store

    def rows(self):
        """The number of entries in the table, whatever they are."""
        return self.ask(f"SELECT count(*) FROM {self.table} WHERE length({self.key}) >= 64")

    def ask(self, statement, **parameters):
        """The first value that a statement finds."""
        with self.engine.connect() as connection:
            return connection.execute(text(statement), parameters).scalar()

    def tell(self, statement, *rows):
        with self.engine.begin() as connection:
            connection.execute(text(statement), list(rows) or None)

    @property
    def key(self):
        """The column's name, which is a word of MySQL's."""
        return "`key`" if self.kind == "mariadb" else "key"

    def fill(self, number, *, expires, prefix=""):
        """Rows that writes of a store would sweep away as they are made."""
        self.tell(
            f"INSERT INTO {self.table} ({self.key}, value, expires) VALUES (:key, :value, :expires)",
            *({"key": f"{prefix}{each:064x}", "value": b"value", "expires": expires} for each in range(number)),
        )

    def close(self):
        for store in self._stores:
            store.close()
        self.engine.dispose()


def place(kind, request):
    """A database of this kind; its server is started where no test has asked for it yet."""
    if kind == "sqlite":
        folder = request.getfixturevalue("tmp_path")
        return Place(kind, f"sqlite:///{folder / 'sql.db'}")
    server = request.getfixturevalue(kind)
    return Place(kind, server.url(DRIVERS[kind]), server)
