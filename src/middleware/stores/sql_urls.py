"""An SQLStore by URL: what may stand there, and the engine that is made of it, with time limits.

Its rule: an address may hold a password, so no message repeats it.
"""

from __future__ import annotations

from middleware.errors import ConfigurationError, MiddlewareError, MissingExtra
from middleware.stores.network_urls import time_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from sqlalchemy import Engine

    from middleware.stores.base import Store

SQL_SCHEMES = ("postgresql", "mysql", "mariadb")
"""Any of them may name a driver: `postgresql+psycopg`."""

_DRIVERS = {"postgresql": "psycopg", "mysql": "pymysql", "mariadb": "pymysql"}
_PACKAGES = {
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "pymysql": "PyMySQL",
    "mysqldb": "mysqlclient",
}
_TIMEOUT = 5.0
"""Seconds to connect, to be answered, and for a connection of the pool to come free."""

# What a URL may say to a driver: keywords of libpq, and those that PyMySQL and mysqlclient have in common.
_LIBPQ = (
    "host", "hostaddr", "port", "passfile", "require_auth", "channel_binding", "client_encoding", "options",
    "application_name", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "gssencmode",
    "sslmode", "sslnegotiation", "sslcert", "sslkey", "sslpassword", "sslcertmode", "sslrootcert", "sslcrl",
    "sslcrldir", "sslsni", "requirepeer", "ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname",
    "gsslib", "service", "target_session_attrs", "load_balance_hosts",
)  # fmt: skip
_MYSQL = (
    "unix_socket", "charset", "init_command", "read_default_file", "read_default_group", "ssl_ca", "ssl_capath",
    "ssl_cert", "ssl_key", "ssl_cipher", "ssl_check_hostname",
)  # fmt: skip
_KEYS = {"psycopg": _LIBPQ, "psycopg2": _LIBPQ, "pymysql": _MYSQL, "mysqldb": _MYSQL}


def sql_keys(scheme: str, query: str) -> dict[str, Callable[[str], Any]]:
    """How each key that this scheme may have is read: ours, and the driver's where we know them."""
    if "@" in query:  # messages name keys, and this one may be half a password
        raise ConfigurationError(f"a {scheme} URL needs %3F for ? and %40 for @ in its password and its query")
    drivers = _KEYS.get(_driver(scheme), ())
    return {"prefix": str, "table": str, **({"timeout": time_limit} if drivers else {}), **dict.fromkeys(drivers, str)}


def open_sql(scheme: str, place: str, options: Mapping[str, Any]) -> Store:
    """The store of `scheme://place`, which is still escaped."""
    from middleware.stores.sql import OpenedSQLStore, need_sqlalchemy

    need_sqlalchemy()
    ours = {key: options[key] for key in ("prefix", "table") if key in options}
    theirs = {key: text for key, text in options.items() if key not in (*ours, "timeout")}
    engine = _engine(scheme, place, theirs, options.get("timeout", _TIMEOUT))
    return OpenedSQLStore(engine, **ours)


def _driver(scheme: str) -> str:
    database, _, driver = scheme.partition("+")
    return driver or _DRIVERS[database]


def _engine(scheme: str, place: str, query: Mapping[str, str], timeout: float) -> Engine:
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.engine.default import DefaultDialect
    from sqlalchemy.exc import ArgumentError

    database, driver = scheme.partition("+")[0], _driver(scheme)
    how: dict[str, Any] = {}
    if hasattr(DefaultDialect, "detect_autocommit_setting"):  # since SQLAlchemy 2.0.43
        how["skip_autocommit_rollback"] = True
    # Raised outside of `except`: what SQLAlchemy says of a URL may show all of it.
    wrong: MiddlewareError
    try:
        url = make_url(f"{database}+{driver}://{place}").update_query_dict({**_time_limits(driver, timeout), **query})
        if url.get_dialect().is_async:
            raise ValueError(driver)
        return create_engine(url, isolation_level="AUTOCOMMIT", pool_timeout=timeout, hide_parameters=True, **how)
    except ImportError:
        package = _PACKAGES.get(driver, driver)
        wrong = MissingExtra(f"{driver}, the driver of {scheme}://, is not installed: pip install '{package}'")
    except (ArgumentError, ValueError):
        wrong = ConfigurationError(
            f"write {database}+{_DRIVERS[database]}://user:password@host:port/database, "
            "each part escaped with % where need be"
        )
    raise wrong


def _time_limits(driver: str, timeout: float) -> dict[str, str]:
    """The limits in the driver's words, which are whole seconds; libpq's for an answer is in milliseconds."""
    seconds = str(max(1, round(timeout)))
    if _KEYS.get(driver) is _LIBPQ:
        return {"connect_timeout": seconds, "tcp_user_timeout": str(round(timeout * 1000))}
    if _KEYS.get(driver) is _MYSQL:
        return {"connect_timeout": seconds, "read_timeout": seconds, "write_timeout": seconds}
    return {}
