"""SQLStore, run through the contract on real servers, under the isolation levels that come into its way."""

from functools import partial
from itertools import count

import pytest
from servers.programs import IN_TIME
from sqlalchemy import create_engine
from stores.sql_kit import DRIVERS

from middleware.stores import Clearable, Purgeable, ReadsMany, SQLStore, Store, open_store
from middleware.testing.stores import ReadsManyContract, SharedStoreContract, StoreContract

pytestmark = pytest.mark.slow

_prefixes = (f"test{number}:" for number in count())


@pytest.fixture(scope="module")
def engines():
    """Engines by what they were made of, each with its table."""
    made = {}

    def engine(url, **options):
        key = (url, *options.items())
        if key not in made:
            made[key] = create_engine(url, pool_size=16, **options)
            SQLStore(made[key]).create_table()
        return made[key]

    yield engine
    for each in made.values():
        each.dispose()


class OnAServer(ReadsManyContract, StoreContract):
    """One table; a prefix for each store."""

    kind = "postgresql"
    query = ""
    options = {}

    @pytest.fixture(autouse=True)
    def _engine(self, request, engines):
        self.url = request.getfixturevalue(self.kind).url(DRIVERS[self.kind], self.query)
        self.engine = engines(self.url, **self.options)

    def make_store(self, clock):
        return SQLStore(self.engine, clock=clock, prefix=next(_prefixes))


class AmongProcesses(SharedStoreContract):
    """Each opens a store of its own, in autocommit."""

    def make_opener(self):
        return partial(open_store, f"{self.url}{IN_TIME}&prefix={next(_prefixes)}")


class TestPostgreSQL(OnAServer, AmongProcesses):
    pass


class TestSerializablePostgreSQL(OnAServer):
    query = "?options=-cdefault_transaction_isolation%3Dserializable"


class TestMariaDB(OnAServer, AmongProcesses):
    kind = "mariadb"


class TestMariaDBInAutocommit(OnAServer):
    kind = "mariadb"
    options = {"isolation_level": "AUTOCOMMIT"}


class TestSerializableMariaDB(OnAServer):
    kind = "mariadb"
    options = {"isolation_level": "SERIALIZABLE"}


class TestMariaDBThatCountsChangedRows(OnAServer):
    """As drivers do that SQLAlchemy does not tell to count what they found."""

    kind = "mariadb"

    @pytest.fixture(autouse=True)
    def _engine(self, mariadb, engines):
        self.url = mariadb.url(DRIVERS["mariadb"])
        self.engine = engines(self.url, creator=mariadb.connect)


class TestSQLite(ReadsManyContract, StoreContract):
    @pytest.fixture(autouse=True)
    def _engine(self, tmp_path, engines):
        self.engine = engines(f"sqlite:///{tmp_path / 'sql.db'}")

    def make_store(self, clock):
        return SQLStore(self.engine, clock=clock)


def test_it_has_the_powers_it_says(tmp_path):
    store = SQLStore(create_engine(f"sqlite:///{tmp_path / 'sql.db'}"))
    assert isinstance(store, Store)
    assert isinstance(store, Clearable)
    assert isinstance(store, Purgeable)
    assert isinstance(store, ReadsMany)
