"""Marks, by which many entries are purged at once: of everything, of a path with all its queries, of a tag.

An entry keeps the generation of each of its marks and counts only while they are the same. So a purge is one write,
however many entries it reaches, and a mark that got lost makes misses, never old answers.
"""

from __future__ import annotations

import os

from middleware.caching.shelf.lines import number, opened, sealed
from middleware.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.stores.base import Store

    Marked = tuple[tuple[str, str], ...]  # names of marks, and the generation of each

EVERYTHING = "everything"

LONGEST_CALL = 300  # seconds that an application may take for an answer that is to be stored
LASTING = 86400  # seconds for which a mark outlives what is marked by it: it need not be written with each answer
ATTEMPTS = 20  # of changing what others change too


class Mark:
    """One of these words, as it stands in the store.

    `generation`: an opaque text, another after each purge. `purged_at`: when it was purged, 0 for never; an answer that
    the application began before that is not stored. `soft_at`: when it was purged softly, 0 for never; what the
    application was asked for before that is stale. `until`: when the store may forget it. In seconds since 1970.
    """

    __slots__ = ("data", "generation", "purged_at", "soft_at", "until")

    def __init__(self, generation: str, purged_at: float, soft_at: float, until: int) -> None:
        self.generation = generation
        self.purged_at = purged_at
        self.soft_at = soft_at
        self.until = until
        self.data: bytes | None = None  # as it stands in the store

    def to_bytes(self, address: str) -> bytes:
        numbers = f"{self.purged_at!r} {self.soft_at!r} {self.until}"
        return sealed("mark", address, (self.generation, numbers))

    @staticmethod
    def from_bytes(address: str, data: bytes) -> Mark | None:
        lines = opened("mark", address, data)
        try:
            if lines is None:
                return None
            generation, numbers = lines
            purged_at, soft_at, until = numbers.split(" ")
            return Mark(generation, number(purged_at), number(soft_at), int(until))
        except ValueError:
            return None


def mark_address(name: str) -> str:
    """Where a store has this mark."""
    return "cache mark " + name


def tag_mark(tag: str) -> str:
    """The name of a tag's mark."""
    return "tag " + tag


def tag_of(mark: str) -> str:
    """The tag of which this is the mark's name."""
    return mark.removeprefix("tag ")


def purge_mark(store: Store, name: str, now: float, *, soft: bool, remember: bool) -> None:
    """Purge what has this mark. A failure of the store is the caller's.

    remember: whether answers may be under way that will have this mark and do not know of it yet.
    """
    address = mark_address(name)
    if not soft:
        if remember:
            until = int(now) + LASTING
            store.set(address, Mark(new_name(), now, 0.0, until).to_bytes(address), until - now)
        else:
            store.delete(address)
        return
    for _ in range(ATTEMPTS):
        data = store.get(address)
        mark = None if data is None else Mark.from_bytes(address, data)
        if data is None or mark is None:
            if not remember:
                return
            until = int(now) + LASTING
            if store.add(address, Mark(new_name(), 0.0, now, until).to_bytes(address), until - now):
                return
            if data is not None:
                store.delete(address)  # it cannot be read
            continue
        changed = Mark(mark.generation, mark.purged_at, max(now, mark.soft_at), mark.until)
        if store.swap(address, data, changed.to_bytes(address), max(1.0, mark.until - now)):
            return
    raise StoreError(f"others kept changing the mark of {name!r} in the cache's store: purge it again")


def new_name() -> str:
    """A text that nothing else was ever called by."""
    return os.urandom(16).hex()
