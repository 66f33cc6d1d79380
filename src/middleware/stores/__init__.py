"""A place to keep bytes for a while: one contract of five verbs, and the stores that keep it.

Names load when first asked for: a process that keeps everything in memory never imports sqlite3.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.stores.base import Clearable, Purgeable, ReadsMany, Store
    from middleware.stores.memcached import MemcachedStore
    from middleware.stores.memory import MemoryStore
    from middleware.stores.redis import RedisStore
    from middleware.stores.sql import SQLStore
    from middleware.stores.sqlite import SQLiteStore
    from middleware.stores.urls import open_store

__all__ = [
    "Clearable",
    "MemcachedStore",
    "MemoryStore",
    "Purgeable",
    "ReadsMany",
    "RedisStore",
    "SQLStore",
    "SQLiteStore",
    "Store",
    "open_store",
]

_HOMES = {
    "Clearable": "base",
    "MemcachedStore": "memcached",
    "MemoryStore": "memory",
    "Purgeable": "base",
    "ReadsMany": "base",
    "RedisStore": "redis",
    "SQLStore": "sql",
    "SQLiteStore": "sqlite",
    "Store": "base",
    "open_store": "urls",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(__import__(f"{__name__}.{home}", fromlist=(name,)), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
