"""Stores by URL, for configuration files and command lines. In Python, take the store itself."""

from __future__ import annotations

from functools import partial

from middleware.errors import ConfigurationError
from middleware.stores.network_urls import (
    database_number,
    open_memcached,
    open_redis,
    open_redis_cluster,
    open_redis_socket,
    time_limit,
)
from middleware.stores.sql_urls import SQL_SCHEMES, open_sql, sql_keys
from middleware.units import parse_duration, parse_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from middleware.stores.base import Store


def open_store(url: str) -> Store:
    """The store that a URL names:

    - `memory://?max_bytes=64MiB&when_full=refuse`
    - `sqlite:///relative.db`, `sqlite:////absolute/path.db?prefix=sessions&timeout=5s&durable=no`
    - `redis://user:password@host:6379/0?prefix=app:&timeout=2s`, `rediss://` over TLS (`ssl_ca_certs=` names a file),
      `redis+cluster://host:6379,host:6379`, `rediss+cluster://`, `redis+unix:///run/redis/redis.sock?db=0`
    - `memcached://host:11211,host:11211?prefix=app:&timeout=2s`, `memcached:///run/memcached.sock`
    - `postgresql://user:password@host/database?prefix=app:&table=middleware_store&timeout=5s`, `mysql://`, `mariadb://`,
      with the driver's own keys too (`sslmode=verify-full`); a driver may be named (`postgresql+psycopg2://`)

    The keys of the query are the keyword options of the store's class; `timeout` of a server is how long to wait for a
    connection and for an answer. Sizes and durations may carry a unit; `%` escapes any character.

    Raises ConfigurationError for an unknown scheme, an unknown key or a wrong value, naming the nearest real one, and
    whatever the store's constructor raises.
    """
    scheme, found, rest = url.partition("://")
    if not found:
        # The text itself stays out of messages: it may hold a password.
        raise ConfigurationError(f"a store's URL begins with a scheme: {_listed()}")
    place, _, query = rest.partition("?")
    if scheme.partition("+")[0] in SQL_SCHEMES:
        keys = sql_keys(scheme, query)
        return open_sql(scheme, place, _options(scheme, query, keys))
    if scheme not in _SCHEMES:
        near = _nearest(scheme, (*_SCHEMES, *SQL_SCHEMES))
        raise ConfigurationError(f"unknown store {scheme!r} in its URL, there are {_listed()}{near}")
    opener, keys = _SCHEMES[scheme]
    return opener(place, _options(scheme, query, keys))


def _options(scheme: str, query: str, keys: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    from urllib.parse import parse_qsl

    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict")
    except ValueError:
        raise ConfigurationError(f"the query of a {scheme} URL is key=value&key=value, escaped with %") from None
    options: dict[str, Any] = {}
    for key, text in pairs:
        if key not in keys:
            near = _nearest(key, keys)
            raise ConfigurationError(f"a {scheme} URL has no {key!r}, there are {', '.join(keys)}{near}")
        if key in options:
            raise ConfigurationError(f"{key} stands twice in the {scheme} URL")
        try:
            options[key] = keys[key](text)
        except ConfigurationError as error:
            raise ConfigurationError(f"{key} of a {scheme} URL: {error}") from None
    return options


def _when_full(text: str) -> str:
    choices = ("evict", "refuse")
    if text not in choices:
        raise ConfigurationError(f"{text!r} is not one of {', '.join(choices)}{_nearest(text, choices)}")
    return text


def _switch(text: str) -> bool:
    if text.lower() not in _SWITCHES:
        raise ConfigurationError(f"{text!r} is not one of {', '.join(_SWITCHES)}")
    return _SWITCHES[text.lower()]


def _memory(place: str, options: dict[str, Any]) -> Store:
    from middleware.stores.memory import MemoryStore

    if place.strip("/"):
        raise ConfigurationError("memory:// has no path: write memory://?max_bytes=64MiB")
    return MemoryStore(**options)


def _sqlite(place: str, options: dict[str, Any]) -> Store:
    from urllib.parse import unquote

    from middleware.stores.sqlite import SQLiteStore

    if not place.startswith("/") or place == "/":
        raise ConfigurationError("write sqlite:///relative.db or, with four slashes, sqlite:////absolute/path.db")
    return SQLiteStore(unquote(place[1:], errors="surrogateescape"), **options)


_SWITCHES = {"yes": True, "no": False, "true": True, "false": False, "on": True, "off": False, "1": True, "0": False}
_OF_A_SERVER: dict[str, Callable[[str], Any]] = {"prefix": str, "timeout": time_limit}
_SCHEMES: dict[str, tuple[Callable[[str, dict[str, Any]], Store], dict[str, Callable[[str], Any]]]] = {
    "memory": (_memory, {"max_bytes": parse_size, "when_full": _when_full}),
    "sqlite": (_sqlite, {"prefix": str, "timeout": parse_duration, "durable": _switch}),
    "redis": (open_redis, _OF_A_SERVER),
    "rediss": (partial(open_redis, tls=True), {**_OF_A_SERVER, "ssl_ca_certs": str}),
    "redis+unix": (open_redis_socket, {**_OF_A_SERVER, "db": database_number}),
    "redis+cluster": (open_redis_cluster, _OF_A_SERVER),
    "rediss+cluster": (partial(open_redis_cluster, tls=True), {**_OF_A_SERVER, "ssl_ca_certs": str}),
    "memcached": (open_memcached, _OF_A_SERVER),
}


def _listed() -> str:
    return ", ".join(f"{scheme}://" for scheme in (*_SCHEMES, *SQL_SCHEMES))


def _nearest(name: str, real: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, list(real), n=1)
    return f": did you mean {near[0]!r}?" if near else ""
