"""SQLStore's own promises, on each of its databases."""

import os
import pickle
import threading
import types

import pytest
from forking import forked, needs_fork
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from stores.sql_kit import place

from middleware.errors import ConfigurationError, MissingExtra, StoreError, ValueTooLarge
from middleware.stores import SQLStore
from middleware.stores.sql import MAX_VALUE
from middleware.testing.clock import FakeClock

pytestmark = pytest.mark.slow


@pytest.fixture(params=["postgresql", "mariadb", "sqlite"])
def database(request):
    found = place(request.param, request)
    yield found
    found.close()


# The table


def test_the_table_is_made_on_request_and_what_is_there_stays(database):
    store = database.store(made=False)
    for call in (lambda: store.get("key"), lambda: store.set("key", b"value"), store.purge, store.clear):
        with pytest.raises(StoreError, match=rf"no table '{database.table}': make it with create_table\(\)"):
            call()
    store.create_table()
    store.set("key", b"value")
    store.create_table()
    assert store.get("key") == b"value"


def test_processes_that_make_the_table_at_once_all_find_it(database):
    stores = [database.store(made=False, engine=create_engine(database.url, poolclass=NullPool)) for _ in range(8)]
    barrier = threading.Barrier(8)
    errors = []

    def work(store):
        barrier.wait()
        try:
            store.create_table()
            store.set(str(id(store)), b"value")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert database.rows() == 8


def test_an_index_that_is_missing_is_made_too(database):
    store = database.store()
    index = f"{database.table}_expires"
    database.tell(f"DROP INDEX {index}" + (f" ON {database.table}" if database.kind == "mariadb" else ""))
    store.create_table()
    database.tell(f"DROP INDEX {index}" + (f" ON {database.table}" if database.kind == "mariadb" else ""))


def test_the_table_can_be_made_by_somebody_elses_migrations(database):
    from sqlalchemy import MetaData

    store = database.store(made=False)
    theirs = MetaData()
    store.table.to_metadata(theirs)
    theirs.create_all(database.engine)
    assert store.add("key", b"value") is True


def test_the_table_shows_no_key(database):
    store = database.store(prefix="sessions:")
    store.set("a-secret-session-id", b"value")
    found = database.ask(f"SELECT {database.key} FROM {database.table} WHERE length({database.key}) >= 64")
    assert found.startswith("sessions:")
    assert len(found) == len("sessions:") + 64
    assert "secret" not in found


def test_stores_with_different_prefixes_share_a_table_and_no_key(database):
    stores = {prefix: database.store(prefix=prefix) for prefix in ("a", "A", "ab", "a ", "a_", "a%", "")}
    for prefix, store in stores.items():
        assert store.add("key", prefix.encode())
    stores["a"].clear()
    left = {prefix: store.get("key") for prefix, store in stores.items()}
    assert left == {**{prefix: prefix.encode() for prefix in stores}, "a": None}
    stores["a_"].clear()
    stores[""].clear()
    assert [prefix for prefix, store in stores.items() if store.get("key") is not None] == ["A", "ab", "a ", "a%"]


def test_clear_deletes_more_than_one_batch(database):
    store = database.store(prefix="p:")
    database.fill(1200, expires=None, prefix="p:")
    database.fill(10, expires=None)
    store.clear()
    assert database.rows() == 10


def test_a_pickle_in_the_place_of_a_value_is_only_bytes(database, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    store = database.store()
    store.set("key", b"value")
    database.tell(f"UPDATE {database.table} SET value = :value", {"value": pickle.dumps(Bomb())})
    assert store.get("key") == pickle.dumps(Bomb())
    assert store.swap("key", pickle.dumps(Bomb()), b"new") is True
    assert not (tmp_path / "exploded").exists()


def test_a_time_to_live_without_end_is_no_expiry(database):
    clock = FakeClock()
    store = database.store(clock=clock)
    store.set("key", b"value", float("inf"))
    clock.advance(1e9)
    assert store.get("key") == b"value"


# Expired rows


def test_repeated_sweeps_leave_nothing_and_none_takes_more_than_its_batch(database):
    clock = FakeClock()
    store = database.store(clock=clock)
    store.set("first", b"value")
    database.fill(1100, expires=clock() + 10)
    clock.advance(60)
    left = []
    for _ in range(4):
        store.set("first", b"value")
        left.append(database.rows())
    assert left == [601, 101, 1, 1]


def test_writes_sweep_at_most_once_a_minute_and_reads_never(database):
    clock = FakeClock()
    store = database.store(clock=clock)
    store.set("first", b"value")
    database.fill(100, expires=clock() + 10)
    clock.advance(59)
    store.set("second", b"value")
    assert database.rows() == 102
    clock.advance(1)
    store.get("first")
    assert database.rows() == 102
    store.delete("nothing")
    assert database.rows() == 2


def test_stores_that_share_a_table_sweep_once_a_minute_together(database):
    clock = FakeClock()
    store, other = database.store(clock=clock), database.store(clock=clock, prefix="other:")
    store.set("first", b"value")
    database.fill(10, expires=clock() + 90)
    clock.advance(60)
    store.set("first", b"value")
    clock.advance(40)
    other.set("second", b"value")
    assert database.rows() == 12


def test_processes_that_write_once_sweep_too(database):
    clock = FakeClock()
    for number in range(12):
        database.store(clock=clock).set(f"key {number}", b"value", 5)
        clock.advance(20)
    assert database.rows() <= 4


def test_a_clock_that_was_set_back_stops_no_sweep(database):
    clock = FakeClock()
    store = database.store(clock=clock)
    clock.advance(1_000_000)
    store.set("first", b"value")
    clock.advance(-1_000_000)
    database.fill(10, expires=clock() + 10)
    clock.advance(100)
    store.set("first", b"value")
    assert database.rows() == 1


def test_purge_deletes_all_that_has_expired_and_counts_it(database):
    clock = FakeClock()
    store = database.store(clock=clock)
    store.set("first", b"value")
    database.fill(1200, expires=clock() + 10, prefix="other:")
    store.set("long", b"value", 1000)
    clock.advance(70)
    assert store.purge() == 1200
    assert store.purge() == 0
    assert store.get("first") == store.get("long") == b"value"


def test_an_entry_that_is_written_anew_while_it_is_purged_stays(database):
    clock = FakeClock()
    store, other = database.store(clock=clock), database.store(clock=clock)
    for key in ("stays", "goes"):
        store.set(key, b"old", 10)
    clock.advance(20)
    found = store._database.column

    def column(*question):  # what purge has found to be expired, it deletes in a second statement
        keys = found(*question)
        other.set("stays", b"new", 100)
        return keys

    store._database.column = column
    assert store.purge() == 1
    assert store.get("stays") == b"new"


# Too large


def test_a_value_above_the_limit_is_too_large_and_changes_nothing(database):
    store = database.store()
    store.set("key", b"old")
    for write in (
        lambda: store.set("key", bytes(MAX_VALUE + 1)),
        lambda: store.add("other", bytes(MAX_VALUE + 1)),
        lambda: store.swap("key", b"old", bytes(MAX_VALUE + 1)),
    ):
        with pytest.raises(ValueTooLarge, match=str(MAX_VALUE)):
            write()
    assert (store.get("key"), store.get("other")) == (b"old", None)


def test_a_value_of_more_than_a_blob_or_a_packet_comes_back_or_is_too_large(database):
    store = database.store()
    store.set("key", b"old")
    value = bytes(range(256)) * (36 << 10)  # 9 MiB: MariaDB takes a packet of 16, and a driver may send it as text
    if database.kind == "mariadb":
        for write in (
            lambda: store.set("key", value),
            lambda: store.add("other", value),
            lambda: store.swap("key", b"old", value),
        ):
            with pytest.raises(ValueTooLarge, match="max_allowed_packet"):
                write()
        assert (store.get("key"), store.get("other")) == (b"old", None)
        value = value[: 3 << 20]
    assert store.swap("key", b"old", value) is True
    assert store.get("key") == value
    assert store.swap("key", value, value) is True


# The engine


def test_a_closed_store_says_so_and_leaves_the_engine_open(database):
    with database.store() as store:
        store.set("key", b"value")
    for call in (
        lambda: store.get("key"),
        lambda: store.set("key", b"value"),
        lambda: store.add("key", b"value"),
        lambda: store.swap("key", b"value", b"value"),
        lambda: store.delete("key"),
        store.create_table,
        store.purge,
    ):
        with pytest.raises(StoreError, match="this SQLStore is closed"):
            call()
    store.close()
    assert database.rows() == 1


def test_every_connection_goes_back_to_the_pool(database):
    engine = create_engine(database.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    store = database.store(engine=engine)
    for turn in range(3):
        store.set("key", b"value", 10)
        store.add("key", b"value")
        store.swap("key", b"value", b"value")
        store.get("key")
        store.delete("key")
        store.purge()
        assert engine.pool.checkedout() == 0, turn
    with engine.connect(), pytest.raises(StoreError, match="no connection came free"):
        store.get("key")
    assert store.get("key") is None
    engine.dispose()


def test_the_engine_is_used_as_its_other_users_left_it_and_left_as_it_was(database):
    engine = create_engine(database.url, pool_size=1, max_overflow=0)
    store = database.store(engine=engine)
    store.set("key", b"value")
    with engine.connect() as connection:
        before = connection.get_isolation_level()
        assert before != "AUTOCOMMIT"
        connection.exec_driver_sql(f"DELETE FROM {database.table}")
        connection.rollback()
        assert connection.get_isolation_level() == before
    assert store.get("key") == b"value"
    engine.dispose()


@needs_fork
def test_a_child_makes_connections_of_its_own_and_leaves_its_parents_alone(database):
    store, other = database.store(), database.store(prefix="other:")
    store.set("key", b"value")
    mine = backend(database)
    with forked() as child:
        if child:
            assert store.get("key") == b"value"
            store.set("child", b"value")
            other.set("child", b"value")
            assert database.kind == "sqlite" or backend(database) != mine
    assert backend(database) == mine
    assert store.get("child") == other.get("child") == b"value"
    with forked() as child:
        if child:
            database.close()
    assert store.swap("key", b"value", b"new") is True
    assert backend(database) == mine


def test_a_fork_that_python_did_not_make_is_noticed_by_the_process_id(database, monkeypatch):
    store, other = database.store(), database.store()
    store.set("key", b"value")
    parents = database.engine.pool
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert store.get("key") == b"value"
    childs = database.engine.pool
    assert other.get("key") == b"value"
    assert parents is not childs
    assert database.engine.pool is childs, "the second store threw away what the first one had made"
    parents.dispose()


def backend(database):
    """Which connection the server sees."""
    statements = {"postgresql": "SELECT pg_backend_pid()", "mariadb": "SELECT connection_id()", "sqlite": "SELECT 1"}
    return database.ask(statements[database.kind])


# What is wrong at construction


@pytest.fixture
def engine(tmp_path):
    made = create_engine(f"sqlite:///{tmp_path / 'sql.db'}")
    yield made
    made.dispose()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"prefix": "a\nb"}, "prefix must be printable ASCII"),
        ({"prefix": "ä"}, "prefix must be printable ASCII"),
        ({"prefix": "a" * 65}, "at most 64"),
        ({"prefix": None}, "prefix"),
        ({"table": ""}, "table must be a name"),
        ({"table": "a; DROP TABLE b"}, "table must be a name"),
        ({"table": "a.b.c"}, "table must be a name"),
        ({"table": "t" * 60}, "table must be a name"),
        ({"table": None}, "table must be a name"),
    ],
)
def test_a_wrong_option_is_refused_by_its_name(engine, options, says):
    with pytest.raises(ConfigurationError, match=says):
        SQLStore(engine, **options)


def test_what_is_no_engine_is_refused_with_the_cure():
    from sqlalchemy.ext.asyncio import create_async_engine

    url = "postgresql+psycopg://user:secret@localhost/db"
    for wrong, says in (
        (url, r"must be an SQLAlchemy Engine, not str: SQLStore\(create_engine\(url\)\), or open_store\(url\)"),
        (None, "not NoneType"),
        (create_async_engine(url), "WSGI is synchronous"),
        (create_async_engine(url).sync_engine, "WSGI is synchronous"),
    ):
        with pytest.raises(TypeError, match=says) as caught:
            SQLStore(wrong)
        assert "secret" not in str(caught.value)


def test_a_database_that_it_does_not_know_is_refused():
    driver = types.SimpleNamespace(paramstyle="qmark", version="5.0", Error=Exception, Cursor=object)
    with pytest.raises(ConfigurationError, match="knows postgresql, mysql, mariadb, sqlite, and not mssql"):
        SQLStore(create_engine("mssql+pyodbc://server/db?driver=theirs", module=driver))


def test_without_sqlalchemy_the_extra_is_named(engine, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sqlalchemy", None)
    with pytest.raises(MissingExtra, match=r"pip install 'wsgi-middleware\[sql\]'"):
        SQLStore(engine)


def test_an_sqlalchemy_that_is_too_old_is_told(engine, monkeypatch):
    for version in ("1.4.54", "2.0.27"):
        monkeypatch.setattr("sqlalchemy.__version__", version)
        with pytest.raises(MissingExtra, match=r"2\.0\.28 or later"):
            SQLStore(engine)
    for version in ("2.0.28", "2.1.0b1", "2.1", "3.0.0"):
        monkeypatch.setattr("sqlalchemy.__version__", version)
        SQLStore(engine)


def test_its_repr_shows_no_password_key_or_value(database):
    store = database.store(prefix="sessions:")
    store.set("secret key", b"secret value")
    assert "secret" not in repr(store)
    assert "not to be shown" not in repr(store)
    assert repr(store).endswith(f"table='{database.table}', prefix='sessions:')")
