"""What an application says to the cache round it."""

from __future__ import annotations

from middleware.errors import LayerMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from middleware.caching.keys import Key
    from middleware.caching.shelf import Shelf


class Cache:
    """The cache that stands round an application, for one request: `get_cache(environ)`."""

    __slots__ = ("_key", "_shelf")

    def __init__(self, shelf: Shelf, key: Key) -> None:
        self._shelf = shelf
        self._key = key

    def purge(self, url: str) -> None:
        """Remove what is stored of this URL, all variants of it; a URL of which nothing is stored is no error.

        `url`: absolute, or relative to this request's (`"/articles/7"`). One URL is one scheme, host, path and query.
        Answers that the application is making at this moment are not stored either.

        Raises ValueError for what is no http or https URL, StoreError where the store does not answer.
        """
        self._shelf.purge(self._shelf.keys.urls_meant(url, self._key.url or None))


def get_cache(environ: WSGIEnvironment) -> Cache:
    """The cache round this application. LayerMissing where there is none."""
    cache = environ.get("middleware.cache")
    if not isinstance(cache, Cache):
        raise LayerMissing("no cache here: wrap the app in CacheMiddleware")
    return cache
