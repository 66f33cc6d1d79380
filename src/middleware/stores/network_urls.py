"""Stores on other machines by URL: `redis://`, `memcached://` and their variants. `open_store` reads the rest.

Its rule: an address may hold a password, so no message repeats it.
"""

from __future__ import annotations

from middleware.errors import ConfigurationError
from middleware.units import parse_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from middleware.stores.base import Store

_TIMEOUT = 2.0
"""Seconds to connect, and to be answered. A loopback or a rack answers in a thousandth of that."""


def open_redis(place: str, options: dict[str, Any], *, tls: bool = False) -> Store:
    """`redis://user:password@host:6379/0`, and `rediss://` over TLS."""
    scheme = "rediss" if tls else "redis"
    address = _Address(place, scheme=scheme, port=6379)
    if len(address.hosts) > 1:
        raise ConfigurationError(f"{scheme}:// names one server: write {scheme}+cluster:// for a cluster")
    host, port = address.hosts[0]
    return _redis(options, host=host, port=port, db=address.database(), **address.login(), **_tls(options, tls))


def open_redis_socket(place: str, options: dict[str, Any]) -> Store:
    """`redis+unix:///run/redis/redis.sock?db=0`."""
    path = _socket_path(place, "redis+unix:///run/redis/redis.sock?db=0")
    return _redis(options, unix_socket_path=path, db=options.pop("db", 0))


def open_redis_cluster(place: str, options: dict[str, Any], *, tls: bool = False) -> Store:
    """`redis+cluster://user:password@host:6379,host:6379`, and `rediss+cluster://` over TLS."""
    from middleware.stores.redis import RedisStore
    from middleware.stores.redis_server import imported

    redis = imported()
    address = _Address(place, scheme="rediss+cluster" if tls else "redis+cluster", port=6379)
    if address.path:
        raise ConfigurationError("a Redis Cluster has no databases: leave the path out, and give the store a prefix")
    settings = {**_time_limits(options), **address.login(), **_tls(options, tls)}

    def connected() -> Any:
        nodes = [redis.cluster.ClusterNode(host, port) for host, port in address.hosts]
        return redis.RedisCluster(startup_nodes=nodes, **settings)

    return RedisStore(connected, **options)


def open_memcached(place: str, options: dict[str, Any]) -> Store:
    """`memcached://host:11211,host:11211`, and `memcached:///run/memcached.sock`."""
    from middleware.stores.memcached import MemcachedStore

    servers: list[Any]
    if place.startswith("/"):
        servers = [_socket_path(place, "memcached:///run/memcached.sock")]
    else:
        address = _Address(place, scheme="memcached", port=11211)
        if address.path or address.login():
            raise ConfigurationError("memcached:// has neither user nor path: write memcached://host:11211,host:11211")
        servers = list(address.hosts)
    timeout = options.pop("timeout", _TIMEOUT)
    settings = {"timeout": timeout, "connect_timeout": timeout, "no_delay": True}

    def client() -> Any:
        from pymemcache import HashClient, PooledClient

        if len(servers) == 1:
            return PooledClient(servers[0], **settings)
        return HashClient(servers, use_pooling=True, **settings)

    return MemcachedStore(client, **options)


def time_limit(text: str) -> float:
    """A time limit. ConfigurationError where it is none."""
    seconds = parse_duration(text)
    if not 0 < seconds <= 3600:
        raise ConfigurationError(f"{text!r} is not above 0 and at most an hour")
    return seconds


def database_number(text: str) -> int:
    """The number of a Redis database. ConfigurationError where it is none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise ConfigurationError("a database of Redis is a number such as 0")
    return int(text)


class _Address:
    """The parts of `user:password@host:port,host:port/path`."""

    def __init__(self, place: str, *, scheme: str, port: int) -> None:
        from urllib.parse import unquote

        authority, _, self.path = place.partition("/")
        self._login, _, hosts = authority.rpartition("@")
        self._unquote: Callable[[str], str] = unquote
        try:
            self.hosts = [_host_and_port(unquote(host), port) for host in hosts.split(",")]
        except ValueError:
            raise ConfigurationError(f"write {scheme}://host:{port} in this URL; % escapes other characters") from None

    def login(self) -> dict[str, str]:
        """What to log in with, where there is something."""
        user, _, password = self._login.partition(":")
        return {name: self._unquote(text) for name, text in (("username", user), ("password", password)) if text}

    def database(self) -> int:
        """The number that the path is, or 0."""
        return database_number(self.path) if self.path else 0


def _host_and_port(text: str, default: int) -> tuple[str, int]:
    """ValueError where the text is not `host`, `host:port` or `[address]:port`."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(default)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError
    if not host or not host.isprintable() or " " in host or not (port.isascii() and port.isdecimal()):
        raise ValueError
    if not 0 < int(port) < 65536:
        raise ValueError
    return host, int(port)


def _socket_path(place: str, example: str) -> str:
    from urllib.parse import unquote

    path = unquote(place, errors="surrogateescape")
    if len(path) < 2 or not path.startswith("/") or "\0" in path:
        raise ConfigurationError(f"write {example}")
    return path


def _redis(options: dict[str, Any], **settings: Any) -> Store:
    from middleware.stores.redis import RedisStore
    from middleware.stores.redis_server import imported

    client = imported().Redis(**settings, **_time_limits(options))
    return RedisStore(client, **options)


def _time_limits(options: dict[str, Any]) -> dict[str, float]:
    timeout = options.pop("timeout", _TIMEOUT)
    return {"socket_timeout": timeout, "socket_connect_timeout": timeout}


def _tls(options: dict[str, Any], tls: bool) -> dict[str, Any]:
    if not tls:
        return {}
    return {"ssl": True, "ssl_check_hostname": True, "ssl_ca_certs": options.pop("ssl_ca_certs", None)}
