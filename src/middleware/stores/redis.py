"""A store on Redis or Valkey, for all processes of all machines that reach it.

Its rule: each verb of the contract is one command about one key, so that a cluster serves it too. What sends it is in
redis_server.py.
"""

from __future__ import annotations

from hashlib import sha1
from math import ceil

from middleware.errors import ValueTooLarge
from middleware.stores.arguments import HASH_LENGTH, check_prefix, check_ttl, check_value, hashed
from middleware.stores.redis_errors import ScriptUnknown
from middleware.stores.redis_server import server_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    import redis

MAX_VALUE = 512 << 20
"""The largest value in bytes: what Redis takes in one piece, unless it is configured otherwise."""

_FOREVER = 10**12
"""Seconds from which on an entry does not expire. Redis keeps milliseconds since 1970 in 63 bits."""

_SWAP = """\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '0' then
    redis.call('SET', KEYS[1], ARGV[2])
else
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
"""
_SWAP_DIGEST = sha1(_SWAP.encode(), usedforsecurity=False).hexdigest()  # the name that Redis gives to the script


class RedisStore:
    """Keeps entries on a Redis or Valkey server, or on a Redis Cluster, under keys of one prefix.

    client: `redis.Redis(...)` or `redis.RedisCluster(...)`, that returns bytes and reads from primaries. For a cluster
        also a function that makes the client: it is called at the first use, so that an application starts while the
        cluster is down.
    prefix: printable text before the hash of each key. Applications that share a server each need their own.

    The connections to one server are the store's own, made with the client's settings; to a cluster, they are the
    client's. A command is sent once, whatever the client's `retry=` says: one whose answer was lost may have been
    carried out, and sent again it would tell the winner of an `add` or `swap` that somebody else has won. So a write
    that raised StoreError may have been done.

    Nothing is sent before the first verb. Keys are written as prefix and BLAKE2b-256, times to live in milliseconds.
    A value above `MAX_VALUE` raises ValueTooLarge.

    Raises TypeError for what is no such client, ConfigurationError for one with unfit settings or for a wrong prefix,
    and MissingExtra where the redis package is not installed.
    """

    def __init__(
        self,
        client: redis.Redis | redis.RedisCluster | Callable[[], redis.RedisCluster],
        *,
        prefix: str = "middleware:",
    ) -> None:
        check_prefix(prefix)
        self._prefix = prefix
        self._server = server_of(client)

    def get(self, key: str) -> bytes | None:
        """The value, or None where there is none or it has expired."""
        name = self._prefix + hashed(key)
        value: bytes | None = self._server.ask(name, "GET", name)
        return value

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values in the order of their keys: one command, and on a cluster one round trip for each primary."""
        return self._server.read([self._prefix + hashed(key) for key in keys])

    def set(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Keep `value`, whatever was there."""
        name = self._prefix + hashed(key)
        _check(value)
        self._server.ask(name, "SET", name, value, *_expiry(ttl))

    def add(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """Keep `value` where nothing is: True. Where something is, nothing changes: False."""
        name = self._prefix + hashed(key)
        _check(value)
        kept: object = self._server.ask(name, "SET", name, value, *_expiry(ttl), "NX")
        return kept is not None

    def swap(self, key: str, old: bytes, new: bytes, ttl: float | None = None) -> bool:
        """Put `new` in the place of `old`: True. Where something else or nothing is, nothing changes: False."""
        name = self._prefix + hashed(key)
        check_value(old)
        _check(new)
        if len(old) > MAX_VALUE:
            return False
        _, milliseconds = _expiry(ttl) or (None, 0)
        arguments = (1, name, old, new, milliseconds)
        try:
            swapped = self._server.ask(name, "EVALSHA", _SWAP_DIGEST, *arguments)
        except ScriptUnknown:
            swapped = self._server.ask(name, "EVAL", _SWAP, *arguments)
        return int(swapped) == 1

    def delete(self, key: str) -> bool:
        """True where something was deleted, False where there was nothing, or only what had expired."""
        name = self._prefix + hashed(key)
        return int(self._server.ask(name, "DEL", name)) == 1

    def clear(self) -> None:
        """Delete every entry under this store's prefix, in batches; of a cluster, on every primary."""
        literal = "".join(f"\\{character}" if character in "*?[]\\^-" else character for character in self._prefix)
        self._server.clear(literal + "[0-9a-f]" * HASH_LENGTH)

    def close(self) -> None:
        """Close the connections that the store made. Using it after that is a StoreError. The client stays open."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<RedisStore: {self._server.place}, prefix={self._prefix!r}>"


def _check(value: bytes) -> None:
    check_value(value)
    if len(value) > MAX_VALUE:
        raise ValueTooLarge(f"a value of {len(value)} bytes is above the {MAX_VALUE} that Redis takes")


def _expiry(ttl: float | None) -> tuple[()] | tuple[str, int]:
    check_ttl(ttl)
    return () if ttl is None or ttl >= _FOREVER else ("PX", ceil(ttl * 1000))
