"""A place to keep bytes for a while: one contract of five verbs, and the stores that keep it.

Names load when first asked for: a process that keeps everything in memory never imports sqlite3.
"""

from __future__ import annotations

from middleware.front_door import later

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

__getattr__, __dir__ = later(
    __name__,
    {
        "base": ("Clearable", "Purgeable", "ReadsMany", "Store"),
        "memcached": ("MemcachedStore",),
        "memory": ("MemoryStore",),
        "redis": ("RedisStore",),
        "sql": ("SQLStore",),
        "sqlite": ("SQLiteStore",),
        "urls": ("open_store",),
    },
)
