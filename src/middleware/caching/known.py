"""What this process knows of a store, so that what was read and checked need not be read and checked again.

Beside a `MemoryStore`, which no other process writes to, it is all that a hit needs: whoever changes what is stored, by
whichever layer or handle of this process, changes this in the same moment, after the store.
"""

from __future__ import annotations

import sys
from weakref import WeakKeyDictionary

from middleware.caching.memo import Memo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.caching.policy import CachePolicy
    from middleware.stores.base import Store
    from middleware.stores.memory import MemoryStore

DECODED = 16 << 20  # bytes that the decoded forms of records and heads may take
VERIFIED = 16 << 20  # bytes of bodies that were found whole and are held; they may stay so long after their store
_beside: WeakKeyDictionary[MemoryStore, dict[CachePolicy, Known]] = WeakKeyDictionary()


class Known:
    """`records`: decoded, by address, with what was found of each. `bodies`: whole ones, by name.

    `turn`: another object after each change of what several entries depend on. It is known anew for
    each policy, since a policy decides what a stored answer means.
    """

    __slots__ = ("_all", "bodies", "records", "turn")

    def __init__(self, everybody: dict[CachePolicy, Known]) -> None:
        self._all = everybody
        self.records = Memo(DECODED)
        self.bodies = Memo(VERIFIED)
        self.turn = object()

    def forget(self, address: str) -> None:
        """This record was changed."""
        for known in [*self._all.values()]:
            known.records.forget(address)

    def turn_over(self) -> None:
        """A mark was changed."""
        for known in [*self._all.values()]:
            known.turn = object()


def memory_store(store: Store) -> MemoryStore | None:
    """The store, where it is a MemoryStore and nothing else."""
    memory = sys.modules.get("middleware.stores.memory")
    return store if memory is not None and type(store) is memory.MemoryStore else None  # type: ignore[return-value]


def known_of(store: Store, policy: CachePolicy) -> Known:
    """What is known of this store: of a MemoryStore, the same for all layers on it that have this policy."""
    memory = memory_store(store)
    everybody: dict[CachePolicy, Known] = {} if memory is None else _beside.setdefault(memory, {})
    return everybody.setdefault(policy, Known(everybody))
