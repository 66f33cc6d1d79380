"""A shared HTTP cache (RFC 9111): `CacheMiddleware`, its options, and `get_cache` for the application inside it.

Names load when first asked for: a hit needs no handle, and not every cache has options.
"""

from __future__ import annotations

from middleware.front_door import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.caching.handle import Cache, CachePurger, get_cache
    from middleware.caching.keys.key_options import CacheKeys
    from middleware.caching.middleware import CacheMiddleware
    from middleware.caching.rules.policy import CachePolicy

__all__ = ["Cache", "CacheKeys", "CacheMiddleware", "CachePolicy", "CachePurger", "get_cache"]

__getattr__, __dir__ = later(
    __name__,
    {
        "handle": ("Cache", "CachePurger", "get_cache"),
        "keys.key_options": ("CacheKeys",),
        "middleware": ("CacheMiddleware",),
        "rules.policy": ("CachePolicy",),
    },
)
