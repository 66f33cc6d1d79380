"""A shared HTTP cache (RFC 9111): `CacheMiddleware`, its options, and `get_cache` for the application inside it."""

from __future__ import annotations

from middleware.caching.handle import Cache, CachePurger, get_cache
from middleware.caching.keys.key_options import CacheKeys
from middleware.caching.middleware import CacheMiddleware
from middleware.caching.rules.policy import CachePolicy

__all__ = ["Cache", "CacheKeys", "CacheMiddleware", "CachePolicy", "CachePurger", "get_cache"]
