"""What was worked out before, for as long as there is room. Its rule: what clients send decides nothing about its size.

A plain `lru_cache` counts its entries, however long they are, and some servers let a request line have 256 KiB.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OBJECTS = 500  # bytes that an entry takes beyond the texts in it


class Memo:
    """A dict within a number of bytes; when it is full, the older half of it goes.

    No lock: threads that count at the same moment make the bound a little less exact, and nothing else.
    """

    __slots__ = ("_items", "_limit", "_size", "_sizes", "get")

    def __init__(self, limit: int) -> None:
        self._items: dict[Any, Any] = {}
        self._sizes: dict[Any, int] = {}
        self._limit = limit
        self._size = 0
        self.get = self._items.get

    def has_room_for(self, size: int) -> bool:
        """Whether a value that takes about so many bytes would be kept."""
        return size <= self._limit // 4

    def put(self, name: object, value: object, size: int) -> None:
        """Keep a value that takes about so many bytes, unless it is so large that few others would find room."""
        self.forget(name)
        if self.has_room_for(size):
            self._items[name] = value
            self._count(name, size + _OBJECTS)

    def grow(self, name: object, size: int) -> None:
        """Count what an entry has come to hold since."""
        if name in self._items:
            self._count(name, size)

    def forget(self, name: object) -> None:
        """Let go of an entry, if it is there."""
        self._items.pop(name, None)
        self._size -= self._sizes.pop(name, 0)

    def _count(self, name: object, size: int) -> None:
        self._sizes[name] = self._sizes.get(name, 0) + size
        self._size += size
        if self._size > self._limit:
            self._halve()

    def _halve(self) -> None:
        names = list(self._items)
        for name in names[: len(names) // 2 + 1]:
            self.forget(name)
        self._size = sum(list(self._sizes.values()))
        if self._size > self._limit:  # a few entries that have grown
            self._items.clear()
            self._sizes.clear()
            self._size = 0
