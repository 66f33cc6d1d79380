"""Memcached servers, asked one command at a time through a pymemcache client. Errors come out as StoreError.

Its rules: no command is sent twice; a server that is down has no stand-in; no connection is carried over a fork.
"""

from __future__ import annotations

import select

from middleware.errors import ConfigurationError, MissingExtra, StoreError, ValueTooLarge
from middleware.operators import say_once
from middleware.stores.forks import Gate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_WRITES = {"set", "add", "replace", "cas", "delete"}
_UNKNOWN = "A write may have been done all the same"
_PATIENCE = 5.0  # seconds that a fork waits for calls that have no time limit of their own


def servers_of(client: Any) -> Servers:
    """What to ask through this client. TypeError or ConfigurationError where it is unfit."""
    try:
        import pymemcache  # noqa: F401 - asked for its presence
    except ImportError as error:
        raise MissingExtra("MemcachedStore needs an extra: pip install 'wsgi-middleware[memcached]'") from error
    if callable(client):
        return Servers(_checked(client()), ours=True)
    return Servers(_checked(client), ours=False)


def _checked(client: Any) -> Any:
    from pymemcache import Client, HashClient, PooledClient

    if isinstance(client, PooledClient) or (isinstance(client, HashClient) and client.use_pooling):
        return client
    hint = ", which serves one thread at a time" if isinstance(client, (Client, HashClient)) else ""
    raise TypeError(
        "MemcachedStore takes pymemcache's PooledClient(server, timeout=2, connect_timeout=2) or "
        "HashClient(servers, use_pooling=True, timeout=2, connect_timeout=2), not "
        f"{type(client).__module__}.{type(client).__qualname__}{hint}"
    )


class Servers:
    """The servers of a client.

    ours: whether the client is to be closed with the store.
    """

    def __init__(self, client: Any, *, ours: bool) -> None:
        from pymemcache import MemcacheError, PooledClient

        self._client = client
        self._ours = ours
        self._single = isinstance(client, PooledClient)
        self._errors = (MemcacheError, OSError, RuntimeError)
        self._closed = False
        self.key_prefix = len(client.key_prefix)
        self._gate = Gate(self._begin_in_child, patience=self._checked())

    @property
    def place(self) -> str:
        """Where the servers are, for messages."""
        return f"memcached at {', '.join(_address(pooled.server) for pooled in self._pooled())}"

    def ask(self, name: str, verb: str, *arguments: Any) -> Any:
        """What pymemcache makes of the answer: None or (None, None), True or False."""
        options = {"noreply": False} if verb in _WRITES else {}
        with self._gate:
            return self._ask(self._server_of(name), verb, name, *arguments, **options)

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """The values of these keys, where there are some: a command for each server."""
        values: dict[str, bytes] = {}
        with self._gate:
            servers: dict[int, tuple[Any, list[str]]] = {}
            for name in dict.fromkeys(names):
                pooled = self._server_of(name)
                servers.setdefault(id(pooled), (pooled, []))[1].append(name)
            for pooled, own in servers.values():
                values.update(self._ask(pooled, "get_many", own))
        return values

    def _server_of(self, name: str) -> Any:
        """The client of the server that has this key."""
        if self._closed:
            raise StoreError(f"this MemcachedStore is closed: {self.place}")
        return self._client if self._single else self._client.clients[self._named(name)]

    def _ask(self, pooled: Any, verb: str, *arguments: Any, **options: Any) -> Any:
        pool = pooled.client_pool
        connection = None
        try:
            connection = _fresh(pool)
            answer = getattr(connection, verb)(*arguments, **options)
        except BaseException as error:
            if connection is not None:
                pool.destroy(connection)
            if isinstance(error, self._errors):
                raise _explained(error, f"memcached at {_address(pooled.server)}") from _shown(error)
            raise
        pool.release(connection)
        return answer

    def close(self) -> None:
        """Close the client, where it was made for the store."""
        self._closed = True
        if self._ours:
            self._client.close()

    def _named(self, name: str) -> str:
        """The server of this key, dead or alive."""
        server: str | None = self._client.hasher.get_node(name)
        if server is None:
            raise StoreError("this HashClient has given up its servers: give the store a client that nobody else uses")
        return server

    def _pooled(self) -> list[Any]:
        return [self._client] if self._single else list(self._client.clients.values())

    def _checked(self) -> float:
        """TypeError where an answer would not be the server's; else how long a call may take."""
        from pymemcache.serde import LegacyWrappingSerde

        if not self._pooled():
            raise ConfigurationError("this HashClient has no server: give it one at least")
        if self._client.ignore_exc:
            raise TypeError("a memcached that is down must be told: make the client without ignore_exc")
        plain = LegacyWrappingSerde(None, None)
        timeouts: list[float | None] = []
        for pooled in self._pooled():
            serde = pooled.serde
            for method in ("serialize", "deserialize"):
                if getattr(getattr(serde, method), "__func__", None) is not getattr(plain, method).__func__:
                    raise TypeError("values are bytes: make the client without serde, serializer and deserializer")
            timeouts += [pooled.timeout, pooled.connect_timeout]
        if None in timeouts:
            say_once(
                "MemcachedStore has a client without a time limit: a memcached that does not answer would keep its "
                "requests for ever. Make the client with timeout=2, connect_timeout=2",
                logger="middleware.stores",
            )
        return max([timeout for timeout in timeouts if timeout], default=_PATIENCE)

    def _begin_in_child(self) -> None:
        """Close what this process has inherited; the parent's connections stay as they are."""
        for pooled in self._pooled():
            for _ in pooled.client_pool.free:
                pooled.client_pool.destroy(pooled.client_pool.get())


def _fresh(pool: Any) -> Any:
    """A connection that the server has not closed meanwhile, or a new one."""
    while True:
        connection = pool.get()
        if connection.sock is None or not _is_readable(connection.sock):
            return connection
        pool.destroy(connection)


def _is_readable(sock: Any) -> bool:
    """Whether an idle connection has something to say: it was closed, or an answer came late."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])


def _explained(error: BaseException, place: str) -> StoreError:
    from pymemcache import exceptions

    text = error.args[0] if error.args else ""
    text = text.decode("latin-1") if isinstance(text, bytes) else str(error)
    if isinstance(error, exceptions.MemcacheUnexpectedCloseError):
        return StoreError(f"{place} has closed the connection. {_UNKNOWN}")
    if isinstance(error, exceptions.MemcacheServerError) and "too large" in text:
        return ValueTooLarge(f"{place}: the value is above its limit, which its option -I raises")
    if isinstance(error, exceptions.MemcacheServerError):
        return StoreError(f"{place}: {text}. Look whether it runs with -M and is full")
    if isinstance(error, exceptions.MemcacheUnknownCommandError):
        return StoreError(f"{place} does not know the command {text}: let the client speak to memcached itself")
    if isinstance(error, exceptions.MemcacheError):
        return StoreError(f"{place} answers what memcached would not: look whether it is one, and of which version")
    if isinstance(error, TimeoutError):
        return StoreError(f"{place}: {text}. Look whether it is overloaded. {_UNKNOWN}")
    if isinstance(error, OSError):
        return StoreError(f"{place}: {error.strerror or text}. Look whether it runs and can be reached. {_UNKNOWN}")
    return StoreError(f"{place}: all connections are in use: make the client with a larger max_pool_size")


def _shown(error: BaseException) -> BaseException | None:
    """The error as a cause, but for one that may show a piece of a value."""
    return None if type(error).__name__ == "MemcacheUnknownError" else error


def _address(server: Any) -> str:
    return server if isinstance(server, str) else f"{server[0]}:{server[1]}"
