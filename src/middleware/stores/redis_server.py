"""A Redis server or cluster, asked one command at a time. Errors come out as StoreError.

Its rule: no command is sent twice, but where the server says that it did nothing (MOVED, ASK, NOSCRIPT). A lost answer
is a StoreError, whose caller knows what a second try would mean.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import partial
from threading import Lock, Semaphore

from middleware.errors import ConfigurationError, MissingExtra, StoreError
from middleware.operators import say_once
from middleware.stores.forks import Gate
from middleware.stores.redis_errors import explained, known_errors, told_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType
    from typing import Any

_BATCH = 1000  # keys that `clear` looks at in one command
_PATIENCE = 5.0  # seconds that a fork waits for calls that have no time limit of their own

# What the client's own pool does with its connections, and a store's connections do without.
_OF_THE_POOL = {
    "retry",
    "retry_on_timeout",
    "retry_on_error",
    "maint_notifications_config",
    "maint_notifications_pool_handler",
}


def imported() -> ModuleType:
    """redis-py. MissingExtra where it is not installed."""
    try:
        import redis
    except ImportError as error:
        raise MissingExtra("RedisStore needs an extra: pip install 'wsgi-middleware[redis]'") from error
    return redis


def server_of(client: Any) -> Server | Cluster:
    """What to ask through this client. TypeError or ConfigurationError where it is unfit."""
    redis = imported()
    if isinstance(client, redis.RedisCluster):
        return Cluster(lambda: client, ours=False)
    if isinstance(client, redis.Redis) and not isinstance(client, redis.client.Pipeline):
        return Server(client)
    if callable(client):
        return Cluster(client, ours=True)
    kind = f"{type(client).__module__}.{type(client).__qualname__}"
    hint = ": WSGI is synchronous, take the client of the same name from redis" if ".asyncio." in kind else ""
    raise TypeError(f"RedisStore takes redis.Redis(...) or redis.RedisCluster(...), not {kind}{hint}")


class Server:
    """One server, with connections of its own that are made as the client makes them, but that try once.

    The client's would try again to connect, for seconds, and to send what may have been carried out.
    """

    def __init__(self, client: Any) -> None:
        from redis.backoff import NoBackoff
        from redis.exceptions import ReadOnlyError, ResponseError
        from redis.retry import Retry

        self._errors = known_errors()
        self._answered = ResponseError
        self._no_primary = ReadOnlyError
        pool = client.connection_pool
        settings = {name: value for name, value in pool.connection_kwargs.items() if name not in _OF_THE_POOL}
        _check_settings(settings)
        if not getattr(pool, "is_master", True):
            raise ConfigurationError(
                "this client reads from replicas, which do not know yet what was written last: take sentinel.master_for"
            )
        self.place = _place(pool, settings)
        self._client = client  # a sentinel's connections ask its pool where the primary is
        self._make = partial(pool.connection_class, **settings, retry=Retry(NoBackoff(), 0))
        self._limit: int = getattr(pool, "max_connections", 2**31)
        self._wait: float | None = getattr(pool, "timeout", 0)  # only a BlockingConnectionPool has one
        timeout = self._make().socket_timeout
        _check_timeout(timeout)
        self._closed = False
        self._begin()
        self._gate = Gate(self._begin_in_child, patience=timeout or _PATIENCE)

    def _begin(self) -> None:
        self._idle: list[Any] = []
        self._places = Semaphore(self._limit)

    def _begin_in_child(self) -> None:
        self._drop_idle()  # closes what this process has inherited; the parent's connection stays as it is
        self._begin()

    def ask(self, _: str, *command: str | bytes | int) -> Any:
        """What the server answers."""
        with self._gate:
            places = self._places
            if not places.acquire(timeout=self._wait):
                raise StoreError(
                    f"{self.place}: all {self._limit} connections are in use: "
                    "make the client with a larger max_connections"
                )
            connection = None
            try:
                connection = self._take()
                connection.send_command(*command)
                answer = connection.read_response()
            except BaseException as error:
                if connection is not None:
                    self._after(error, connection)
                if isinstance(error, self._errors):
                    raise explained(error, self.place) from told_from(error)
                raise
            else:
                self._give_back(connection)
                return answer
            finally:
                places.release()

    def read(self, names: Sequence[str]) -> list[bytes | None]:
        """The values of these keys, in their order."""
        values: list[bytes | None] = self.ask("", "MGET", *names) if names else []
        return values

    def clear(self, pattern: str) -> None:
        """Delete the keys that the pattern matches."""
        cursor = 0
        while True:
            found, names = self.ask("", "SCAN", cursor, "MATCH", pattern, "COUNT", _BATCH)
            if names:
                self.ask("", "UNLINK", *names)
            cursor = int(found)
            if cursor == 0:
                return

    def close(self) -> None:
        """Close the connections, now or when their callers are done."""
        self._closed = True
        self._drop_idle()

    def _take(self) -> Any:
        """An idle connection that the server has not closed meanwhile, or a new one."""
        if self._closed:
            raise StoreError(f"this RedisStore is closed: {self.place}")
        with suppress(IndexError):
            while True:
                connection = self._idle.pop()
                if not self._is_stale(connection):
                    return connection
                connection.disconnect()
        connection = self._make()
        connection.connect()
        return connection

    def _is_stale(self, connection: Any) -> bool:
        """Whether the server has closed it, or has said what nobody asked for."""
        try:
            stale: bool = connection.can_read()
        except self._errors:
            return True
        return stale

    def _give_back(self, connection: Any) -> None:
        if self._closed:
            connection.disconnect()
        else:
            self._idle.append(connection)

    def _after(self, error: BaseException, connection: Any) -> None:
        """Keep the connection where the server has answered with an error; else the next answer would be another's."""
        if isinstance(error, self._no_primary):
            self._drop_idle()  # they all lead there
        elif isinstance(error, self._answered):
            self._give_back(connection)
            return
        connection.disconnect()

    def _drop_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().disconnect()


class Cluster:
    """A Redis Cluster, through the connections of its client.

    make: called at the first command.
    ours: whether the client is to be closed with the store.
    """

    def __init__(self, make: Callable[[], Any], *, ours: bool) -> None:
        self._make = make
        self._ours = ours
        self._errors = known_errors()
        self._client: Any = None
        self._making = Lock()
        self._closed = False
        self._gate = Gate(self._begin_in_child, patience=_PATIENCE)
        if not ours:
            self._client = _checked_cluster(make())

    @property
    def place(self) -> str:
        """Where the cluster is, for messages."""
        if self._client is None:
            return "a Redis Cluster"
        nodes = self._client.nodes_manager.startup_nodes
        return f"the Redis Cluster of {', '.join(sorted(nodes)[:3])}"

    def ask(self, name: str, *command: str | bytes | int) -> Any:
        """What the primary of this key answers."""
        with self._gate, self._translated():
            client = self._opened()
            node = self._primary_of(client, name)
            # Where the node is named, the client follows MOVED and ASK, and sends nothing again after a lost answer.
            return client.execute_command(*command, target_nodes=node)

    def read(self, names: Sequence[str]) -> list[bytes | None]:
        """The values of these keys, in their order; all that one primary has in one round trip."""
        values: dict[str, Any] = {}
        with self._gate, self._translated():
            client = self._opened()
            nodes: dict[str, tuple[Any, list[str]]] = {}
            for name in dict.fromkeys(names):
                node = self._primary_of(client, name)
                nodes.setdefault(node.name, (node, []))[1].append(name)
            for node, own in nodes.values():
                pipeline = client.get_redis_connection(node).pipeline(transaction=False)
                for name in own:
                    pipeline.get(name)
                values.update(zip(own, pipeline.execute(raise_on_error=False), strict=True))
        # What has moved to another primary is asked for there, as `ask` does.
        return [self.ask(name, "GET", name) if isinstance(values[name], Exception) else values[name] for name in names]

    def _primary_of(self, client: Any, name: str) -> Any:
        from redis.exceptions import SlotNotCoveredError

        try:
            return client.get_node_from_key(name)
        except SlotNotCoveredError:
            client.nodes_manager.initialize()  # it may be covered by now
            return client.get_node_from_key(name)

    def clear(self, pattern: str) -> None:
        """Delete the keys that the pattern matches, from each primary."""
        with self._gate, self._translated():
            client = self._opened()
            for node in client.get_primaries():
                server = client.get_redis_connection(node)
                cursor = -1
                while cursor != 0:
                    cursor, names = server.scan(max(cursor, 0), match=pattern, count=_BATCH)
                    pipeline = server.pipeline(transaction=False)  # they lie in different slots
                    for found in names:
                        pipeline.unlink(found)
                    pipeline.execute()

    def close(self) -> None:
        """Close the client, where it was made here."""
        self._closed = True
        if self._ours and self._client is not None:
            self._client.close()

    def _opened(self) -> Any:
        if self._closed:
            raise StoreError(f"this RedisStore is closed: {self.place}")
        if self._client is None:
            # While the cluster is down each caller in turn tries to reach it: nobody queues for long.
            if not self._making.acquire(timeout=_PATIENCE):
                raise StoreError(f"{self.place}: other threads could not reach it either. Look whether it runs")
            try:
                if self._client is None:
                    self._client = _checked_cluster(self._make())
            finally:
                self._making.release()
        return self._client

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise explained(error, self.place) from told_from(error)

    def _begin_in_child(self) -> None:
        self._making = Lock()  # the pools of the client's nodes notice the fork themselves


def _checked_cluster(client: Any) -> Any:
    if not isinstance(client, imported().RedisCluster):
        raise TypeError(f"RedisStore takes a function that makes a RedisCluster, not {type(client).__name__}")
    if client.read_from_replicas or getattr(client, "load_balancing_strategy", None):
        raise ConfigurationError(
            "this client reads from replicas, which do not know yet what was written last: "
            "make it without read_from_replicas and load_balancing_strategy"
        )
    pool = client.get_redis_connection(client.get_default_node()).connection_pool
    if getattr(pool, "cache", None) is not None:
        raise ConfigurationError("this client answers from a cache of its own: make it without cache and cache_config")
    _check_settings(pool.connection_kwargs)
    _check_timeout(pool.connection_class(**pool.connection_kwargs).socket_timeout)
    return client


def _check_settings(settings: dict[str, Any]) -> None:
    if settings.get("decode_responses"):
        raise ConfigurationError("values are bytes: make the client without decode_responses")


def _check_timeout(timeout: float | None) -> None:
    if timeout is None:
        say_once(
            "RedisStore has a client without a time limit: a Redis that does not answer would keep its requests for "
            "ever. Make the client with socket_timeout=2",
            logger="middleware.stores",
        )


def _place(pool: Any, settings: dict[str, Any]) -> str:
    service = getattr(pool, "service_name", None)
    if service is not None:
        return f"Redis, the primary of {service!r}"
    database = settings.get("db") or 0
    if "path" in settings:
        return f"Redis at {settings['path']}, database {database}"
    return f"Redis at {settings.get('host', 'localhost')}:{settings.get('port', 6379)}, database {database}"
