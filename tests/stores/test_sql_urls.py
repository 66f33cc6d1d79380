"""SQLStores by URL: no server is asked here, but where a test says so."""

import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.programs import wait_until
from sqlalchemy import text
from stores.sql_kit import DRIVERS, place

from middleware.errors import ConfigurationError, MiddlewareError, MissingExtra, StoreError
from middleware.stores import SQLStore, open_store


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@h:1/db", "'postgresql+psycopg://u:***@h:1/db', table='middleware_store', prefix=''"),
        ("postgresql+psycopg://h/db?table=web.kept&prefix=a%26b", "'postgresql+psycopg://h/db', table='web.kept'"),
        ("postgresql://u:sec%2Fret@h/db", "'postgresql+psycopg://u:***@h/db', table="),
        ("postgresql:///db?host=%2Frun%2Fpostgresql&sslpassword=secret", "'postgresql+psycopg:///db', table="),
        ("mysql://u:secret@h/db?ssl_ca=%2Fca.pem", "'mysql+pymysql://u:***@h/db', table="),
        ("mariadb+pymysql://u:se%40cret%2F@h/db?charset=utf8mb4", "'mariadb+pymysql://u:***@h/db', table="),
    ],
)  # fmt: skip
def test_a_url_gives_the_store_its_options_and_the_driver_its_own(url, shown):
    with open_store(url) as store:
        assert isinstance(store, SQLStore)
        assert repr(store).startswith(f"SQLStore({shown}")
        assert "ret" not in repr(store)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgres://h/db", r"did you mean 'postgresql'\?"),
        ("sqlite+pysqlite:///a.db", r"there are memory://, sqlite://"),
        ("postgresql://h/db?tabel=a", r"has no 'tabel', there are prefix, table.*did you mean 'table'\?"),
        ("postgresql://h/db?sslmod=require", r"did you mean 'sslmode'\?"),
        ("postgresql://h/db?ssl_ca=a", r"no 'ssl_ca'"),
        ("postgresql://h/db?timeout=0", r"timeout of a postgresql URL"),
        ("postgresql+pg8000://h/db?timeout=5s", r"no 'timeout', there are prefix, table"),
        ("mysql://h/db?sslmode=require", r"no 'sslmode'"),
        ("mariadb+mariadbconnector://h/db?charset=utf8", r"no 'charset', there are prefix, table"),
        ("postgresql://h/db?table=a&table=b", "table stands twice"),
        ("postgresql://h/db?table=a%20b", "table must be a name"),
        ("postgresql://h/db?prefix=%0A", "prefix must be printable"),
        ("postgresql://h/db?prefix", "key=value"),
        ("postgresql://u:se?cret@h/db", "%3F for"),
        ("postgresql://h:secret/db", r"write postgresql\+psycopg://user:password@host:port/database"),
        ("postgresql+secret://h/db", r"write postgresql\+psycopg://"),
        ("mysql+aiomysql://u:secret@h/db", r"write mysql\+pymysql://"),
    ],
)  # fmt: skip
def test_a_wrong_url_is_told_with_what_is_right_and_without_its_password(url, says):
    with pytest.raises(ConfigurationError, match=says) as caught:
        open_store(url)
    assert "cret" not in str(caught.value)
    assert caught.value.__context__ is None or "cret" not in str(caught.value.__context__)


def test_a_driver_that_is_missing_is_named_with_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra, match=r"psycopg, the driver of postgresql://.*pip install 'psycopg\[binary\]'"):
        open_store("postgresql://h/db")


def test_without_sqlalchemy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(MissingExtra, match=r"pip install 'wsgi-middleware\[sql\]'"):
        open_store("postgresql://h/db")


@given(st.sampled_from(["postgresql", "mysql+pymysql"]), st.text(), st.text())
def test_any_text_is_a_store_or_an_error_of_ours(scheme, place, query):
    with suppress(MiddlewareError):
        open_store(f"{scheme}://{place}?{query}").close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", DRIVERS)
def test_an_opened_store_closes_every_connection_and_shows_no_password(kind, request):
    database = place(kind, request)
    database.store()
    count = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'",
        "mariadb": "SELECT count(*) FROM information_schema.processlist WHERE user = 'tester'",
    }
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watching:
        before = watching.execute(text(count[kind])).scalar()
        with open_store(f"{database.url}?table={database.table}") as store:
            store.set("key", b"value")
            assert watching.execute(text(count[kind])).scalar() == before + 1
        wait_until(lambda: watching.execute(text(count[kind])).scalar() == before)
    with pytest.raises(StoreError, match="closed"):
        store.get("key")
    with (
        open_store(database.url.replace("not%20to%20be%20shown", "wrong")) as store,
        pytest.raises(StoreError) as caught,
    ):
        store.get("key")
    assert "tester" in str(caught.value)
    assert "wrong" not in str(caught.value)
    database.close()
