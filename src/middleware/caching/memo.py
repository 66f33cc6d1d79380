"""What was worked out before, for as long as there is room. Its rule: what clients send decides nothing about its size.

A plain `lru_cache` counts its entries, however long they are, and some servers let a request line have 256 KiB.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OBJECTS = 500  # bytes that an entry takes beyond the texts in it


class Memo:
    """A dict within a number of bytes; when it is full, it starts anew.

    No lock: threads that count at the same moment make the bound a little less exact, and nothing else.
    """

    __slots__ = ("_items", "_limit", "_size", "forget", "get")

    def __init__(self, limit: int) -> None:
        self._items: dict[Any, Any] = {}
        self._limit = limit
        self._size = 0
        self.get = self._items.get
        self.forget = self._items.pop

    def put(self, name: object, value: object, size: int) -> None:
        """Keep a value that takes about so many bytes, unless it is so large that few others would find room."""
        if size <= self._limit // 4:
            self.grow(size + _OBJECTS)
            self._items[name] = value

    def grow(self, size: int) -> None:
        """Count what an entry has come to hold since."""
        if self._size + size > self._limit:
            self._items.clear()
            self._size = 0
        self._size += size
