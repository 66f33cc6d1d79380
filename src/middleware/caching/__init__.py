"""A shared HTTP cache (RFC 9111): `CacheMiddleware`, its options, and `get_cache` for the application inside it.

Names load when first asked for: a hit needs no handle, and not every cache has options.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.caching.handle import Cache, CachePurger, get_cache
    from middleware.caching.keys.key_options import CacheKeys
    from middleware.caching.middleware import CacheMiddleware
    from middleware.caching.rules.policy import CachePolicy

__all__ = ["Cache", "CacheKeys", "CacheMiddleware", "CachePolicy", "CachePurger", "get_cache"]

_HOMES = {
    "Cache": "handle",
    "CacheKeys": "keys.key_options",
    "CacheMiddleware": "middleware",
    "CachePolicy": "rules.policy",
    "CachePurger": "handle",
    "get_cache": "handle",
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
