"""What is stored is purged: of a URL by its record, of everything, of a path with all its queries and of tags by marks.

Its rule: when a purge has returned, no request that begins after it gets what was purged, in any process on the store.
"""

from __future__ import annotations

from middleware.caching.keys.keys import record_address
from middleware.caching.keys.variants import digest
from middleware.caching.shelf.entries import ATTEMPTS
from middleware.caching.shelf.entry import Record
from middleware.caching.shelf.marks import EVERYTHING, mark_address, purge_mark, tag_mark
from middleware.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from middleware.caching.shelf.entries import Entries
    from middleware.caching.shelf.guarded import GuardedStore
    from middleware.stores.base import Store

_ATTEMPTS = 20  # of changing what others change too, for somebody who wants to know that it was done


class Purges:
    """Removes from one store. All but `invalidate` raise StoreError where it does not answer."""

    __slots__ = ("_clock", "_entries", "_guarded", "_known", "_store")

    def __init__(self, store: Store, guarded: GuardedStore, entries: Entries, clock: Callable[[], float]) -> None:
        self._store = store
        self._guarded = guarded
        self._entries = entries
        self._known = entries.known
        self._clock = clock

    def invalidate(self, urls: Iterable[str]) -> None:
        """Remove all that is stored of these URLs. A failure of the store is only told."""
        for url in urls:
            address = record_address(url)
            self._clear_out(url, address)
            self._guarded.delete(address, at_any_time=True)
            self._known.forget(address)

    def urls(self, urls: Iterable[str], *, soft: bool = False, prefix: bool = False) -> None:
        """Purge these URLs: `Key.url` as requests have it. `prefix`: with all queries."""
        for url in urls:
            path = url.partition("?")[0]
            self._purge_url(path if prefix else url, soft=soft)
            if prefix:
                self._purge_mark(path_mark(path), soft=soft)

    def tags(self, tags: Iterable[str], *, soft: bool = False) -> None:
        """Purge what has one of these tags."""
        for tag in tags:
            self._purge_mark(tag_mark(tag), soft=soft, remember=True)

    def everything(self, *, soft: bool = False) -> None:
        """Purge all that is stored."""
        self._purge_mark(EVERYTHING, soft=soft)

    def _purge_mark(self, name: str, *, soft: bool, remember: bool = False) -> None:
        try:
            purge_mark(self._store, name, self._clock(), soft=soft, remember=remember)
        finally:
            self._known.turn_over(mark_address(name))

    def _purge_url(self, url: str, *, soft: bool) -> None:
        address = record_address(url)
        if soft:
            self._soften(address)
        else:
            self._clear_out(url, address)
            self._store.delete(address)
        self._known.forget(address)

    def _soften(self, address: str) -> None:
        """Note in the record of a URL that what the application was asked for until now is stale."""
        for _ in range(_ATTEMPTS):
            data = self._store.get(address)
            record = None if data is None else Record.from_bytes(address, data)
            if data is None or record is None:
                return
            now = self._clock()
            changed = record.replaced(soft_at=max(now, record.soft_at))
            if self._store.swap(address, data, changed.to_bytes(address), max(1.0, record.until - now)):
                return
        raise StoreError("others kept changing what the cache's store has of this URL: purge it again")

    def _clear_out(self, url: str, address: str) -> None:
        """Remove what a record names. Without the record it counts no more, but would take room until it expires.

        The record is spoilt first, by `swap`, so that nothing is named in it after it was read here.
        """
        for _ in range(ATTEMPTS):
            record = self._entries.record(address)
            if record is None:
                return
            if self._guarded.swap(address, record.data, b"spoilt", 1.0):
                self._known.forget(address)
                for name in record.variants:
                    self._entries.forget_variant(url, name, record.generation)
                return
            if self._guarded.failures:
                return


def path_mark(path: str) -> str:
    """The name of the mark that all URLs have which are this one and a query."""
    return "path " + digest(path)


def marks_of(url: str) -> list[str]:
    """The names of the marks that the record of this URL has."""
    path, question, _ = url.partition("?")
    return [EVERYTHING, path_mark(path)] if question else [EVERYTHING]
