"""A store on memcached, for all processes of all machines that reach it. It evicts, and a restart empties it.

Its rule: a key belongs to one server, and no other stands in for it. So what was deleted cannot come back from a server
that was away. What sends a command is in memcached_server.py.
"""

from __future__ import annotations

import time
from math import ceil

from middleware.errors import ConfigurationError, StoreError, ValueTooLarge
from middleware.stores.arguments import HASH_LENGTH, check_ttl, check_value, hashed
from middleware.stores.memcached_server import servers_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Any, Self

    import pymemcache

MAX_VALUE = 1 << 30
"""The largest value in bytes that any memcached takes. Without `-I` it takes 1 MiB, with the key and some overhead."""

_LONGEST_NAME = 250
_FITS = 512  # bytes of a value that fit whatever `-I` says
_RELATIVE = 30 * 86400  # seconds: a larger number is a date
_LAST_DATE = 2**31 - 1
_MANY = 1000  # times that another caller may be first


class MemcachedStore:
    """Keeps entries on one memcached or several, under keys of one prefix, for as long as there is room.

    client: pymemcache's `PooledClient(...)`, or `HashClient(..., use_pooling=True)` for several servers; without
        `ignore_exc`, and without `serde`, `serializer` and `deserializer`. Or a function that makes it: then it is
        closed with the store.
    prefix: printable ASCII without spaces before the hash of each key; with a `key_prefix` of the client it has at most
        186 characters. Applications that share a server each need their own.

    Times to live are whole seconds there, rounded up, and one second more: an entry never leaves early, but for want of
    room. A key belongs to the server that the client's hasher names; while that one is down, its keys raise StoreError,
    and the client's other servers do not stand in for it.

    Nothing is sent before the first verb, and no command is sent twice: a write that raised StoreError may have been
    done. A value above the server's limit raises ValueTooLarge.

    Raises TypeError for what is no such client, ConfigurationError for a wrong prefix, and MissingExtra where
    pymemcache is not installed.
    """

    def __init__(
        self,
        client: pymemcache.PooledClient | pymemcache.HashClient | Callable[[], Any],
        *,
        prefix: str = "middleware:",
    ) -> None:
        if not isinstance(prefix, str) or not prefix.isascii() or not prefix.isprintable() or " " in prefix:
            raise ConfigurationError(f"prefix must be printable ASCII without spaces, not {prefix!r}")
        self._prefix = prefix
        self._servers = servers_of(client)
        room = _LONGEST_NAME - HASH_LENGTH - self._servers.key_prefix
        if len(prefix) > room:
            raise ConfigurationError(f"prefix must have at most {max(room, 0)} characters here, not {len(prefix)}")

    def get(self, key: str) -> bytes | None:
        """The value, or None where there is none, it has expired or was evicted."""
        value: bytes | None = self._servers.ask(self._prefix + hashed(key), "get")
        return value

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values in the order of their keys: one command for each server that has some of them."""
        names = [self._prefix + hashed(key) for key in keys]
        values = self._servers.read(names)
        return [values.get(name) for name in names]

    def set(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Keep `value`, whatever was there."""
        name = self._prefix + hashed(key)
        arguments = _checked(value, ttl)
        if len(value) <= _FITS:
            self._servers.ask(name, "set", *arguments)
            return
        # Where a `set` does not fit, memcached drops the old value; these two leave it.
        for _ in range(_MANY):
            if self._servers.ask(name, "add", *arguments) or self._servers.ask(name, "replace", *arguments):
                return
        raise _contended()

    def add(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """Keep `value` where nothing is: True. Where something is, nothing changes: False."""
        name = self._prefix + hashed(key)
        added: bool = self._servers.ask(name, "add", *_checked(value, ttl))
        return added

    def swap(self, key: str, old: bytes, new: bytes, ttl: float | None = None) -> bool:
        """Put `new` in the place of `old`: True. Where something else or nothing is, nothing changes: False."""
        name = self._prefix + hashed(key)
        check_value(old)
        value, expire = _checked(new, ttl)
        for _ in range(_MANY):
            found, ticket = self._servers.ask(name, "gets")
            if found is None or found != old:
                return False
            swapped = self._servers.ask(name, "cas", value, ticket, expire)
            if swapped is None:
                return False  # gone meanwhile
            if swapped:
                return True
            # Somebody has written meanwhile, but perhaps the same value.
        raise _contended()

    def delete(self, key: str) -> bool:
        """True where something was deleted, False where there was nothing, or only what had expired."""
        deleted: bool = self._servers.ask(self._prefix + hashed(key), "delete")
        return deleted

    def close(self) -> None:
        """Using the store after that is a StoreError. A client that was given stays open."""
        self._servers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<MemcachedStore: {self._servers.place}, prefix={self._prefix!r}>"


def _checked(value: bytes, ttl: float | None) -> tuple[bytes, int]:
    """The value and memcached's number for the time to live."""
    check_value(value)
    check_ttl(ttl)
    if len(value) > MAX_VALUE:
        raise ValueTooLarge(f"a value of {len(value)} bytes is above the {MAX_VALUE} of any memcached")
    return value, 0 if ttl is None else _expire(ttl, time.time())


def _expire(ttl: float, now: float) -> int:
    """Seconds up to 30 days, a date beyond, and 0 for what is later than memcached's last date."""
    if ttl > _LAST_DATE:
        return 0
    seconds = ceil(ttl) + 1  # its clock may be about to tick
    if seconds <= _RELATIVE:
        return seconds
    date = ceil(now) + seconds
    return date if date <= _LAST_DATE else 0


def _contended() -> StoreError:
    return StoreError(f"other callers were first {_MANY} times in turn: they change this key without a pause")
