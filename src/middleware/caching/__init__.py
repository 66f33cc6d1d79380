"""A shared HTTP cache (RFC 9111): `CacheMiddleware`, and `get_cache` for the application inside it."""

from __future__ import annotations

from middleware.caching.handle import Cache, get_cache
from middleware.caching.middleware import CacheMiddleware
from middleware.caching.policy import CachePolicy

__all__ = ["Cache", "CacheMiddleware", "CachePolicy", "get_cache"]
