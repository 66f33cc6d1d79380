"""Records, heads and bodies in a store. Its rule: nothing that is damaged there reaches a request; it is removed."""

from __future__ import annotations

from middleware.caching.shelf.entry import Head, Record
from middleware.caching.shelf.known import known_of, memory_store
from middleware.caching.shelf.lines import checksum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.caching.rules.policy import CachePolicy
    from middleware.caching.shelf.entry import StoredBody
    from middleware.caching.shelf.guarded import GuardedStore
    from middleware.stores.base import Store

_LARGE = 1 << 16  # bytes of a body that is not held beside a MemoryStore
ATTEMPTS = 5  # of changing what others change too; a store that fails gets one


class Entries:
    """What is stored, by address. `known`: what this process knows of it."""

    __slots__ = ("_guarded", "_memory", "_policy", "known")

    def __init__(self, store: Store, guarded: GuardedStore, policy: CachePolicy) -> None:
        self._guarded = guarded
        self._memory = memory_store(store)
        self._policy = policy
        self.known = known_of(store)

    def record(self, address: str) -> Record | None:
        """The record that is stored there now."""
        return self.decoded_record(address, self._guarded.get(address))

    def decoded_record(self, address: str, data: bytes | None) -> Record | None:
        """The record that these bytes are, the same object for the same bytes as long as there is room."""
        if data is None:
            return None
        records = self.known.records
        known: Record | None = records.get(address)
        if known is not None and known.data == data:
            return known
        decoded = Record.from_bytes(address, data)
        if decoded is None:
            self._guarded.delete(address)
        else:
            self._know(decoded)
        return decoded

    def _know(self, record: Record) -> None:
        address, records = record.address, self.known.records
        records.put(address, record, len(address) + 3 * len(record.data))
        if self._memory is not None and self._guarded.get(address) is not record.data:
            records.forget(address)  # it was changed before it was known here, so nobody has told

    def head(self, address: str) -> Head | None:
        """The head that is stored there now."""
        return self.decoded_head(address, self._guarded.get(address))

    def decoded_head(self, address: str, data: bytes | None) -> Head | None:
        """The head that these bytes are."""
        if data is None:
            return None
        decoded = Head.from_bytes(address, data, self._policy)
        if decoded is None:
            self._guarded.delete(address)
        return decoded

    def body(self, stored: StoredBody) -> bytes | None:
        """The body that is meant; None where it is gone or damaged."""
        body: bytes | int | None = self.known.bodies.get(stored.name)
        if type(body) is bytes:
            return body
        if stored.length == 0:
            return b""
        return self.checked_body(stored, self._guarded.get(body_address(stored.name)))

    def checked_body(self, stored: StoredBody, data: bytes | None) -> bytes | None:
        """These bytes, where they are the body that is meant."""
        if data is None or len(data) != stored.length:
            return None
        if self._memory is not None and stored.length > _LARGE:
            # Held by the store alone, and checked once: a megabyte takes 0.3 ms.
            if self.known.bodies.get(stored.name) != id(data):
                if checksum(data) != stored.checksum:
                    return None
                self.known.bodies.put(stored.name, id(data), 0)
            return data
        if checksum(data) != stored.checksum:
            return None
        self.known.bodies.put(stored.name, data, len(data))
        return data

    def touch_body(self, stored: StoredBody) -> None:
        """See to it that the store notices that the body is in use, and that it is looked at again."""
        bodies = self.known.bodies
        known = bodies.get(stored.name)
        if type(known) is int:
            return
        if self._memory is None or self._guarded.get(body_address(stored.name)) is not known:
            bodies.forget(stored.name)

    def place(self, address: str, head: Head, ttl: float, *, updates: bool, is_first: bool) -> tuple[bool, Head | None]:
        """Put a head where it belongs; whether that was done, and the head that it replaced.

        By `swap`, so that of several threads each knows what it replaced, and no body is left behind by any. A head
        that `updates` another, and so names the same body, gives way to an answer that was stored meanwhile.
        `is_first`: there is probably none.
        """
        data = head.to_bytes(address)
        store = self._guarded
        if is_first:
            if store.add(address, data, ttl):
                return True, None
            if store.failures:
                return False, None
        for _ in range(ATTEMPTS):
            old = store.get(address)
            if old is None:
                if store.add(address, data, ttl):
                    return True, None
                if store.failures:
                    break
                continue
            before = Head.from_bytes(address, old, self._policy)
            if updates and before is not None and before.body.name != head.body.name:
                return False, None
            if store.swap(address, old, data, ttl):
                return True, before
            if store.failures:
                break
        return False, None

    def is_over(self, address: str, generation: str) -> bool:
        """Whether what belongs to this generation of a URL counts no more."""
        record = self.record(address)
        return record is None or record.generation != generation

    def add_record(self, address: str, record: Record, ttl: float) -> bool:
        """Put the first record of a URL there; False where another was first."""
        record.seal(address)
        added = self._guarded.add(address, record.data, ttl)
        if added:
            self._know(record)
        return added

    def swap_record(self, address: str, record: Record, changed: Record, now: float) -> bool:
        """Put the next record of a URL in the place of the one that was read; False where others were first."""
        changed.seal(address)
        swapped = self._guarded.swap(address, record.data, changed.data, max(1.0, changed.until - now))
        self.known.forget(address)
        if swapped:
            self._know(changed)
        return swapped

    def forget(self, address: str, head: Head, *, but: str = "") -> None:
        """Remove a head, unless another took its place meanwhile, and its body, unless that is the one named."""
        stored = self.head(address)
        if stored is not None and stored.body.name == head.body.name:
            self._guarded.delete(address)
        if head.body.name != but:
            self.forget_body(head.body)

    def forget_variant(self, url: str, name: str, generation: str, *, but: str = "") -> None:
        """Remove a variant of a URL, where it is of this generation."""
        address = head_address(url, name)
        head = self.head(address)
        if head is not None and head.generation == generation:
            self.forget(address, head, but=but)

    def forget_body(self, stored: StoredBody) -> None:
        """Remove a body that no head names any more."""
        self.known.bodies.forget(stored.name)
        if stored.length:
            self._guarded.delete(body_address(stored.name))


def head_address(url: str, variant: str) -> str:
    """Where a store has the head of a variant."""
    return f"cache head {variant} {url}"


def body_address(name: str) -> str:
    """Where a store has the body of this name."""
    return "cache body " + name
