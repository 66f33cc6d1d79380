"""SQLStore while its server is down, gone, silent, or in a state that a write must not be repeated in."""

import threading
from contextlib import contextmanager, suppress

import psycopg
import pymysql
import pytest
from servers.network import Relay, Silent
from servers.programs import wait_until
from sqlalchemy import create_engine, event
from stores.sql_kit import DRIVERS, place

from middleware.errors import StoreError
from middleware.stores import open_store

pytestmark = pytest.mark.slow


@pytest.fixture(params=["postgresql", "mariadb"])
def database(request):
    found = place(request.param, request)
    yield found
    found.close()


@pytest.fixture
def always_asleep(monkeypatch):
    """Every connection counts as one that was not used for long."""
    monkeypatch.setattr("middleware.stores.sql_connections._IDLE", -1.0)


def every_verb(store):
    return (
        lambda: store.get("key"),
        lambda: store.set("key", b"new"),
        lambda: store.add("other", b"new"),
        lambda: store.swap("key", b"value", b"new"),
        lambda: store.delete("key"),
        store.purge,
        store.clear,
        store.create_table,
    )


def test_a_server_that_was_killed_is_told_and_served_again_when_it_is_back(database):
    store = database.store()
    store.set("key", b"value")
    database.server.kill()
    try:
        for verb in every_verb(store):
            with pytest.raises(StoreError, match="The next call tries again") as caught:
                verb()
            assert "not to be shown" not in str(caught.value)
    finally:
        database.server.start()
    assert store.get("key") == b"value"
    assert store.swap("key", b"value", b"new") is True
    assert store.get("other") is None


def test_what_was_acknowledged_is_there_after_the_server_was_killed(database):
    """Threads add entries until the server dies under them."""
    store = database.store()
    enough = threading.Semaphore(0)
    acknowledged = [0] * 4

    def work(number):
        try:
            while store.add(f"{number} {acknowledged[number]}", b"value"):
                acknowledged[number] += 1
                enough.release()
        except StoreError:
            return

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    assert all(enough.acquire(timeout=30) for _ in range(100))
    database.server.kill()
    try:
        for thread in threads:
            thread.join()
    finally:
        database.server.start()
    kept = [store.get(f"{number} {turn}") for number in range(4) for turn in range(acknowledged[number])]
    assert kept == [b"value"] * sum(acknowledged)


def test_a_restart_that_nobody_saw_is_no_error_for_a_reader(database):
    store = database.store()
    store.set("key", b"value")
    restart(database.server)
    assert store.get("key") == b"value"
    restart(database.server)
    assert store.get_many(["key", "other"]) == [b"value", None]


@pytest.mark.usefixtures("always_asleep")
@pytest.mark.parametrize("verb", [1, 2, 3, 4], ids=["set", "add", "swap", "delete"])
def test_a_restart_that_nobody_saw_is_no_error_for_a_writer(database, verb):
    store = database.store()
    store.set("key", b"value")
    restart(database.server)
    assert every_verb(store)[verb]() in (None, True)


@pytest.mark.parametrize("verb", [1, 2, 3, 4], ids=["set", "add", "swap", "delete"])
def test_a_write_whose_answer_is_lost_is_not_repeated(database, verb):
    """It was kept, and a second one would be a lie: an `add` that says False, a `set` that undoes a log-out."""
    with through_a_relay(database, isolation_level="AUTOCOMMIT") as (store, relay, _):
        store.set("key", b"value")
        relay.losing.set()
        with pytest.raises(StoreError, match="whether the database kept it is unknown"):
            every_verb(store)[verb]()
        relay.losing.clear()
        kept = {1: b"new", 2: b"value", 3: b"new", 4: None}
        assert store.get("key") == kept[verb]
        assert store.get("other") == (b"new" if verb == 2 else None)


def test_a_read_whose_answer_is_lost_is_repeated_once(database):
    with through_a_relay(database) as (store, relay, engine):
        store.set("key", b"value")
        relay.losing.set()
        event.listen(engine, "invalidate", lambda *_: relay.losing.clear())
        assert store.get("key") == b"value"
        assert relay.lost == 1


def test_a_reader_gives_up_when_the_answer_is_lost_again(database):
    with through_a_relay(database) as (store, relay, _):
        store.set("key", b"value")
        relay.losing.set()
        with pytest.raises(StoreError):
            store.get("key")
        assert relay.lost == 2


def test_a_write_that_was_not_committed_yet_is_repeated(request):
    """MariaDB's usual engine commits in a second step: before that, nothing is kept."""
    database = place("mariadb", request)
    with through_a_relay(database) as (store, relay, engine):
        store.set("key", b"value")
        event.listen(engine, "invalidate", lambda *_: relay.losing.clear())
        relay.losing.set()
        assert store.swap("key", b"value", b"new") is True
        assert (relay.lost, store.get("key")) == (1, b"new")

        @event.listens_for(engine, "commit")
        def lose_the_answer(_):
            relay.losing.set()

        with pytest.raises(StoreError, match="unknown"):
            store.swap("key", b"new", b"newer")
        event.remove(engine, "commit", lose_the_answer)
        assert store.get("key") == b"newer"
    database.close()


@pytest.mark.parametrize("kind", DRIVERS)
def test_a_server_that_accepts_and_never_answers_is_an_error_within_the_time_limit(kind):
    with Silent() as silent:
        url = f"{kind}://user:secret@127.0.0.1:{silent.port}/db?timeout=1s"
        with open_store(url) as store, pytest.raises(StoreError) as caught:
            store.get("key")
        assert silent.accepted == 1
        assert "secret" not in str(caught.value)


# What two transactions do to each other


CONFLICTS = {
    "postgresql": """
        CREATE SEQUENCE {table}_turns;
        CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('{table}_turns') <= {times} THEN RAISE EXCEPTION 'refused' USING ERRCODE = '40001'; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER {table}_refuses BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_refuse()
    """,
    "mariadb": """
        CREATE SEQUENCE {table}_turns;
        CREATE TRIGGER {table}_refuses BEFORE UPDATE ON {table} FOR EACH ROW
        IF NEXTVAL({table}_turns) <= {times} THEN
            SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'refused';
        END IF
    """,
}


@pytest.mark.parametrize(("times", "says"), [(3, None), (1000, "refused")])
def test_a_write_that_met_a_deadlock_is_repeated_a_few_times(database, times, says, monkeypatch):
    store = database.store()
    store.set("key", b"value")
    statements = CONFLICTS[database.kind].format(table=database.table, times=times)
    if database.kind == "postgresql":
        with database.engine.begin() as connection:
            connection.exec_driver_sql(statements)
    else:
        for statement in statements.split(";", 1):
            database.tell(statement)
    if says is None:
        assert store.swap("key", b"value", b"new") is True
        assert store.get("key") == b"new"
    else:
        with pytest.raises(StoreError, match=says):
            store.swap("key", b"value", b"new")
        assert store.get("key") == b"value"


WAITING = {
    "postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted",
    "mariadb": "SELECT variable_value > 0 FROM information_schema.global_status"
    " WHERE variable_name = 'INNODB_ROW_LOCK_CURRENT_WAITS'",
}


def test_a_deadlock_with_another_transaction_is_resolved(database):
    """Theirs holds one row and wants the next, ours the other way round."""
    store = database.store(prefix="p:")
    for number in range(2):
        store.set(str(number), b"value")
    first, second = sorted(store._name(str(number)) for number in range(2))
    lock = f"SELECT 1 FROM {database.table} WHERE {database.key} = '{{}}' FOR UPDATE"
    with database.server.connect() as theirs:
        cursor = theirs.cursor()
        cursor.execute("BEGIN")
        cursor.execute(lock.format(second))
        clearing = threading.Thread(target=store.clear)
        clearing.start()
        wait_until(lambda: database.ask(WAITING[database.kind]))
        with suppress(psycopg.errors.DeadlockDetected, pymysql.OperationalError):  # one of the two has to give way
            cursor.execute(lock.format(first))
        cursor.execute("ROLLBACK")
        clearing.join()
    assert database.rows() == 0


# What the server's administrator did


def test_a_server_that_only_reads_is_told(database):
    store = database.store()
    store.set("key", b"value")
    with read_only(database):
        with pytest.raises(StoreError, match="The server only reads"):
            store.set("key", b"new")
        assert store.get("key") == b"value"
    assert store.swap("key", b"value", b"new") is True


@contextmanager
def read_only(database):
    switch = {
        "postgresql": ("ALTER DATABASE stores SET default_transaction_read_only = {}", "on", "off"),
        "mariadb": ("SET GLOBAL tx_read_only = {}", "1", "0"),
    }
    statement, on, off = switch[database.kind]
    with database.server.connect() as administrator:
        cursor = administrator.cursor()
        cursor.execute(statement.format(on))
        database.engine.dispose()  # what was said holds for new connections
        try:
            yield
        finally:
            cursor.execute(statement.format(off))
            database.engine.dispose()


def test_a_user_without_rights_is_told(database):
    database.store().set("key", b"value")
    make = {
        "postgresql": "CREATE ROLE humble LOGIN PASSWORD 'humble'",
        "mariadb": "CREATE USER humble@'127.0.0.1' IDENTIFIED BY 'humble'",
    }
    with database.server.connect() as administrator:
        administrator.cursor().execute(make[database.kind])
    _, _, place = database.url.partition("@")
    with open_store(f"{DRIVERS[database.kind]}://humble:humble@{place}?table={database.table}") as store:
        for verb in every_verb(store)[:5]:
            with pytest.raises(StoreError, match="needs SELECT, INSERT, UPDATE and DELETE on the table"):
                verb()
    with database.server.connect() as administrator:
        administrator.cursor().execute(" ".join(["DROP", *make[database.kind].split()[1:3]]))


def test_a_way_to_log_in_that_the_driver_cannot_take_is_told(mariadb):
    with mariadb.connect() as administrator:
        cursor = administrator.cursor()
        with suppress(pymysql.OperationalError):  # it is there already
            cursor.execute("INSTALL SONAME 'auth_ed25519'")
        cursor.execute("CREATE USER IF NOT EXISTS modern@'127.0.0.1' IDENTIFIED VIA ed25519 USING PASSWORD('secret')")
    url = mariadb.url("mariadb").replace("tester", "modern")
    with open_store(url) as store, pytest.raises(StoreError, match="package is required"):
        store.get("key")


def restart(server):
    server.kill()
    server.start()


@contextmanager
def through_a_relay(database, **options):
    database.store()
    with Relay(database.server.port) as relay:
        url = database.url.replace(f":{database.server.port}/", f":{relay.port}/")
        engine = create_engine(url, **options)
        try:
            yield database.store(engine=engine, made=False), relay, engine
        finally:
            relay.losing.clear()
            engine.dispose()
