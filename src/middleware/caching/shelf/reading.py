"""What one request reads from the store: each value once, and several in one go where the store can."""

from __future__ import annotations

from middleware.caching.shelf.marks import ATTEMPTS, LASTING, Mark, mark_address, new_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from middleware.caching.shelf.guarded import GuardedStore
    from middleware.caching.shelf.known import Known
    from middleware.caching.shelf.marks import Marked


class Reading:
    """`data`: what was read, by address; None where there was nothing."""

    __slots__ = ("_marks", "_store", "data")

    def __init__(self, store: GuardedStore, known: Known) -> None:
        self._store = store
        self._marks = known.marks
        self.data: dict[str, bytes | None] = {}

    def fetch(self, addresses: Iterable[str]) -> None:
        """Read what was not read yet."""
        data = self.data
        missing = [address for address in addresses if address not in data]
        if missing:
            data.update(zip(missing, self._store.get_many(missing), strict=True))

    def get(self, address: str) -> bytes | None:
        """The value there; None where there is none."""
        if address not in self.data:
            self.data[address] = self._store.get(address)
        return self.data[address]

    def again(self, address: str) -> bytes | None:
        """The value that is there now."""
        self.data[address] = value = self._store.get(address)
        return value

    def mark(self, name: str) -> Mark | None:
        """The mark of this name; None where there is none that can be read."""
        address = mark_address(name)
        data = self.get(address)
        if data is None:
            self._marks.forget(address)
            return None
        mark: Mark | None = self._marks.get(address)
        if mark is not None and mark.data == data:
            return mark
        mark = Mark.from_bytes(address, data)
        if mark is None:
            self._store.delete(address)
            self.data[address] = None
        else:
            self._know(address, mark, data)
        return mark

    def _know(self, address: str, mark: Mark, data: bytes) -> None:
        mark.data = data
        self._marks.put(address, mark, 2 * len(address) + len(data))

    def soft_since(self, marked: Marked) -> float | None:
        """When these marks were last purged softly, 0 for never; None where one is of another generation, or gone."""
        latest = 0.0
        for name, generation in marked:
            mark = self.mark(name)
            if mark is None or mark.generation != generation:
                return None
            latest = max(latest, mark.soft_at)
        return latest

    def ensured(self, name: str, now: float, until: float) -> Mark | None:
        """The mark of this name, or a new one where there is none; kept as long as an entry until then needs it.

        None where the store does not answer.
        """
        address, store = mark_address(name), self._store
        for _ in range(ATTEMPTS):
            mark = self.mark(name)
            if mark is not None and mark.until >= until:
                return mark
            lasting = int(until) + LASTING
            if mark is None:
                new = Mark(new_name(), 0.0, 0.0, lasting)
            else:
                new = Mark(mark.generation, mark.purged_at, mark.soft_at, lasting)
            old, data, ttl = self.data[address], new.to_bytes(address), lasting - now
            done = store.add(address, data, ttl) if old is None else store.swap(address, old, data, ttl)
            if done:
                self.data[address] = data
                self._know(address, new, data)
                return new
            if store.failures:
                break
            self.again(address)
        return None
