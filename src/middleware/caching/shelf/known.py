"""What this process knows of a store, so that what was read and checked need not be read and checked again.

Beside a `MemoryStore`, which no other process writes to, it is all that a hit needs: whoever changes what is stored, by
whichever layer or handle of this process, changes this in the same moment, after the store.
"""

from __future__ import annotations

import sys
from weakref import WeakKeyDictionary, ref

from middleware.caching.memo import Memo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.stores.base import Store
    from middleware.stores.memory import MemoryStore

_MOST = 16 << 20  # bytes of decoded records and heads, and again of bodies; beside a small MemoryStore a quarter of it
_MARKS = 1 << 20  # bytes of decoded marks
_beside: WeakKeyDictionary[MemoryStore, list[ref[Known]]] = WeakKeyDictionary()


class Known:
    """What one layer, or one handle, knows.

    `records`: decoded, by address, with what was found of each. `marks`: decoded, by address. `bodies`: whole ones, by
    name. `turn`: another object after each change of a mark in this process.

    Others on the same MemoryStore have what they know for themselves, since a policy or a name may make it another; but
    they hear of each change.
    """

    __slots__ = ("__weakref__", "_all", "bodies", "marks", "records", "turn")

    def __init__(self, everybody: list[ref[Known]], most: int = _MOST) -> None:
        self._all = everybody
        self.records = Memo(most)
        self.marks = Memo(min(most, _MARKS))
        self.bodies = Memo(most)
        self.turn = object()
        everybody.append(ref(self, everybody.remove))

    def forget(self, address: str) -> None:
        """This record was changed."""
        for reference in [*self._all]:
            known = reference()
            if known is not None:
                known.records.forget(address)

    def turn_over(self, address: str) -> None:
        """This mark was changed."""
        for reference in [*self._all]:
            known = reference()
            if known is not None:
                known.marks.forget(address)
                known.turn = object()


def memory_store(store: Store) -> MemoryStore | None:
    """The store, where it is a MemoryStore and nothing else."""
    memory = sys.modules.get("middleware.stores.memory")
    return store if memory is not None and type(store) is memory.MemoryStore else None  # type: ignore[return-value]  # by its exact type


def known_of(store: Store) -> Known:
    """A new one, which hears of what others on the same MemoryStore change."""
    memory = memory_store(store)
    if memory is None:
        return Known([])
    return Known(_beside.setdefault(memory, []), min(_MOST, memory.max_bytes // 4))
