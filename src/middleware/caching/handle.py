"""What an application says to the cache round it, and what anybody else says to a cache's store."""

from __future__ import annotations

from time import time

from middleware.caching.keys.key_options import CacheKeys
from middleware.caching.keys.keys import Keys
from middleware.caching.rules.policy import DEFAULT
from middleware.caching.rules.tags import checked
from middleware.caching.shelf.entries import Entries
from middleware.caching.shelf.guarded import GuardedStore
from middleware.caching.shelf.purges import Purges
from middleware.errors import ConfigurationError, LayerMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIEnvironment

    from middleware.caching.keys.keys import Key
    from middleware.caching.shelf.shelf import Shelf
    from middleware.stores.base import Store


class CachePurger:
    """Purges what a cache has in its store, from anywhere: a job, a signal handler, another process.

    store: the cache's own, or another object that leads to the same place with the same prefix. A `MemoryStore` must be
        the same object.
    keys: the cache's, where it ignores parameters of queries.
    clock: seconds since 1970, the same as the cache's. Machines that share a store must agree on the time.

    A purge takes effect at once in all processes on the store. Answers that the application is making meanwhile are not
    stored either.
    """

    __slots__ = ("_keys", "_purges")

    def __init__(self, store: Store, *, keys: CacheKeys | None = None, clock: Callable[[], float] = time) -> None:
        for verb in ("get", "set", "add", "swap", "delete"):
            if not callable(getattr(store, verb, None)):
                raise ConfigurationError(f"store has no {verb}(): pass the store of the cache")
        self._keys = Keys(CacheKeys() if keys is None else keys)
        guarded = GuardedStore(store, clock=clock)
        self._purges = Purges(store, guarded, Entries(store, guarded, DEFAULT), clock)

    def purge(self, *urls: str, soft: bool = False, prefix: bool = False) -> None:
        """Purge these URLs, all variants of them; a URL of which nothing is stored is no error.

        One URL is one scheme, host, path and query. `prefix`: with every query there may be, and without one.

        `soft`: what is stored becomes stale instead. Then the application is asked whether it still holds, and it is
        still sent where stale answers may be.

        Raises ValueError for what is no http or https URL, StoreError where the store does not answer.
        """
        meant = [meant for url in urls for meant in self._keys.urls_meant(url, self._base())]
        self._purges.urls(meant, soft=soft, prefix=prefix)

    def purge_tags(self, *tags: str, soft: bool = False) -> None:
        """Purge all that has one of these tags. `soft` and errors as with `purge`."""
        self._purges.tags(checked(tags), soft=soft)

    def purge_all(self, *, soft: bool = False) -> None:
        """Purge all that is stored. `soft` and errors as with `purge`."""
        self._purges.everything(soft=soft)

    def _base(self) -> str | None:
        """What a relative URL is relative to."""
        return None


class Cache(CachePurger):
    """The cache that stands round an application, for one request: `get_cache(environ)`.

    URLs may be relative to that of the request (`"/articles/7"`).
    """

    __slots__ = ("_key", "tags")

    def __init__(self, shelf: Shelf, key: Key) -> None:
        self._keys = shelf.keys
        self._purges = shelf.purges
        self._key = key
        self.tags: tuple[str, ...] = ()

    def tag(self, *tags: str) -> None:
        """Give the answer to this request these tags too, beside those in its fields.

        In time for the end of the answer. A tag is 1 to 256 visible ASCII characters, else ValueError; an answer with
        more than 64 is not stored.
        """
        self.tags = (*self.tags, *checked(tags))

    def _base(self) -> str | None:
        return self._key.url or None


def get_cache(environ: WSGIEnvironment) -> Cache:
    """The cache round this application. LayerMissing where there is none."""
    cache = environ.get("middleware.cache")
    if not isinstance(cache, Cache):
        raise LayerMissing("no cache here: wrap the app in CacheMiddleware")
    return cache
