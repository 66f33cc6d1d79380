"""What is stored, found, kept and removed. Its rule: nothing that is damaged in a store reaches a request.

Of each URL there is a record. It names a generation, and what was stored counts only while its generation is the
record's: to delete the record is to purge the URL with all its variants, in every process on the same store, and an
answer that the application began before that finds no record of its generation and is not stored. Beside the record
stand, for each variant, a head, and a body that the head names.
"""

from __future__ import annotations

import os
import sys

from middleware.caching.entry import Head, Record, checksum
from middleware.caching.guarded import GuardedStore
from middleware.caching.keys import record_address
from middleware.caching.memo import Memo
from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import WSGIEnvironment

    from middleware.caching.keys import Key, Keys
    from middleware.stores.base import Store

MAX_VARIANTS = 64  # of one URL; the oldest go first
MAX_SELECTIONS = 8  # different lists of field names in the Vary of one URL's answers
REREAD = 1.0  # seconds after which a head is read again: a store that evicts must see that it is in use
LONGEST_CALL = 300  # seconds that an application may take for an answer that is to be stored
_ATTEMPTS = 5  # of changing what others change too; a store that fails gets one
_DECODED = 8 << 20  # bytes that the decoded forms of records and heads may take
_VERIFIED = 16 << 20  # bytes of bodies that were found whole and are held; they may stay so long after their store


class Found:
    """A stored answer that fits a request: its head, with its address, its variant, and the record of its URL.

    `read_again_at`: until then the record alone says that nothing has changed, which saves a third of a hit.
    """

    __slots__ = ("address", "head", "read_again_at", "record", "variant")

    def __init__(self, record: Record, variant: str, address: str, head: Head, read_again_at: float) -> None:
        self.record = record
        self.variant = variant
        self.address = address
        self.head = head
        self.read_again_at = read_again_at


class Shelf:
    """Finds, keeps and removes entries in a `Store`."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self.keys = keys
        self._variant = keys.variant
        self._store = GuardedStore(store)
        self._unguarded = store
        memory = sys.modules.get("middleware.stores.memory")
        self._in_process = memory is not None and isinstance(store, memory.MemoryStore)
        self._records = Memo(_DECODED)
        self._bodies = Memo(_VERIFIED)

    def find(self, environ: WSGIEnvironment, key: Key, now: float) -> tuple[Record | None, Found | None]:
        """The record of this request's URL, and the stored answer that fits; None where there is none.

        Of several answers that fit, since their Vary differed, it is the latest (RFC 9111, section 4).
        """
        record = self._record(key.record)
        if record is None:
            return None, None
        latest: Found | None = None
        for names in record.selections:
            chosen = self._variant(environ, key.seen, names)
            found: Found | None = record.found.get(chosen)
            if found is None or now >= found.read_again_at:
                found = self._find_variant(record, key.url, chosen, now)
            if found is not None and (latest is None or found.head.received > latest.head.received):
                latest = found
        return record, latest

    def _find_variant(self, record: Record, url: str, chosen: str, now: float) -> Found | None:
        address = _head_address(url, chosen)
        head = self._head(address)
        if head is None or head.generation != record.generation:
            return None
        found = record.found[chosen] = Found(record, chosen, address, head, min(head.stale_at, now + REREAD))
        self._records.grow(len(address) + head.size())  # it goes when the record does
        return found

    def body(self, found: Found) -> bytes | None:
        """The body of the head that was found; None where it is gone or damaged, and the entry is removed then."""
        stored = found.head.body
        if stored.length == 0:
            return b""
        body = self._store.get(_body_address(stored.name))
        if body is not None:
            if body is self._bodies.get(stored.name):
                return body
            if len(body) == stored.length and checksum(body) == stored.checksum:
                if self._in_process:  # each get gives the same object, and it need not be checked again
                    self._bodies.put(stored.name, body, len(body))
                return body
        self.remove(found)
        return None

    def record_for(self, key: Key, now: float) -> Record | None:
        """The record of a URL about which the application is going to be asked; a new one where there is none.

        Nothing can be stored without it. None where the store does not answer.
        """
        record = Record(new_name(), 0, int(now) + LONGEST_CALL)
        if self._store.add(key.record, record.to_bytes(key.record), LONGEST_CALL):
            return record
        return self._record(key.record)

    def keep(
        self,
        environ: WSGIEnvironment,
        key: Key,
        names: tuple[str, ...],
        head: Head,
        body: bytes | None,
        ttl: float,
        now: float,
    ) -> None:
        """Store an answer, unless its URL was purged since its generation was read.

        `environ` is the request as it arrived; `names` are the request fields that select the answer. `body` is None
        where the store has it already. `ttl` is the store's. What was stored before and would have matched this
        request is removed.
        """
        record = self._record(key.record)
        if record is None or record.generation != head.generation:
            return
        chosen = self._variant(environ, key.seen, names)
        address = _head_address(key.url, chosen)
        if body and not self._store.set(_body_address(head.body.name), body, head.body.until - now):
            return
        placed, before = self._place(address, head, ttl, updates=body is None)
        if not placed:
            if body is not None:
                self.forget_body(head)
            return
        listed = self._list(environ, key, names, chosen, record, head, now + ttl, now)
        if before is not None and before.body.name != head.body.name:
            self.forget_body(before)
        if not listed:
            self._forget(address, head)

    def _place(self, address: str, head: Head, ttl: float, *, updates: bool) -> tuple[bool, Head | None]:
        """Put a head where it belongs; whether that was done, and the head that it replaced.

        By `swap`, so that of several threads each knows what it replaced, and no body is left behind by any. A head
        that `updates` another, and so names the same body, gives way to an answer that was stored meanwhile.
        """
        data = head.to_bytes(address)
        for _ in range(_ATTEMPTS):
            old = self._store.get(address)
            if old is None:
                if self._store.add(address, data, ttl):
                    return True, None
                if self._store.failures:
                    break
                continue
            before = Head.from_bytes(address, old)
            if updates and before is not None and before.body.name != head.body.name:
                return False, None
            if self._store.swap(address, old, data, ttl):
                return True, before
            if self._store.failures:
                break
        return False, None

    def _list(
        self,
        environ: WSGIEnvironment,
        key: Key,
        names: tuple[str, ...],
        chosen: str,
        record: Record,
        head: Head,
        until: float,
        now: float,
    ) -> bool:
        """Name a head that was stored in the record of its URL. False where its generation is over."""
        for _ in range(_ATTEMPTS):
            matched = {self._variant(environ, key.seen, other) for other in record.selections if other != names}
            others = [name for name in record.variants if name != chosen and name not in matched]
            selections = (names, *[other for other in record.selections if other != names])[:MAX_SELECTIONS]
            changed = Record(
                record.generation,
                record.serial + 1,
                int(until) + 3600 if until > record.until else record.until,
                record.selections if names in record.selections else selections,
                (*others[1 - MAX_VARIANTS :], chosen),
            )
            old, new = record.to_bytes(key.record), changed.to_bytes(key.record)
            if self._store.swap(key.record, old, new, max(1.0, changed.until - now)):
                for name in {*record.variants} - {*changed.variants}:
                    self._forget_variant(key.url, name, record.generation, but=head.body.name)
                return True
            if self._store.failures:
                return False
            latest = self._record(key.record)
            if latest is None or latest.generation != head.generation:
                return False  # it was purged, and what was just stored counts no more
            record = latest
        return False

    def remove(self, found: Found) -> None:
        """Remove the head that was found, and its body."""
        found.record.found.pop(found.variant, None)
        self._forget(found.address, found.head)

    def _forget(self, address: str, head: Head, *, but: str = "") -> None:
        """Remove a head, unless another took its place meanwhile, and its body, unless that is the one named."""
        stored = self._head(address)
        if stored is not None and stored.body.name == head.body.name:
            self._store.delete(address)
        if head.body.name != but:
            self.forget_body(head)

    def _forget_variant(self, url: str, name: str, generation: str, *, but: str = "") -> None:
        address = _head_address(url, name)
        head = self._head(address)
        if head is not None and head.generation == generation:
            self._forget(address, head, but=but)

    def forget_body(self, head: Head) -> None:
        """Remove the body of a head that is no longer stored."""
        self._bodies.forget(head.body.name, None)
        if head.body.length:
            self._store.delete(_body_address(head.body.name))

    def invalidate(self, urls: Iterable[str]) -> None:
        """Remove all that is stored of these URLs. A failure of the store is only told."""
        for url in urls:
            self._clear_out(url)
            self._store.delete(record_address(url), at_any_time=True)

    def purge(self, urls: Iterable[str]) -> None:
        """Remove all that is stored of these URLs. A failure of the store is the caller's."""
        for url in urls:
            self._clear_out(url)
            self._unguarded.delete(record_address(url))

    def _clear_out(self, url: str) -> None:
        """Remove what a record names. Without the record it counts no more, but would take room until it expires.

        The record is spoilt first, by `swap`, so that nothing is named in it after it was read here.
        """
        address = record_address(url)
        for _ in range(_ATTEMPTS):
            record = self._record(address)
            if record is None:
                return
            if self._store.swap(address, record.to_bytes(address), b"spoilt", 1.0):
                for name in record.variants:
                    self._forget_variant(url, name, record.generation)
                return
            if self._store.failures:
                return

    def tell_if_alone(self, environ: WSGIEnvironment) -> None:
        """Say, once a process, that other processes do not see what this one keeps in memory."""
        if self._in_process and (environ.get("wsgi.multiprocess") or environ.get("wsgi.run_once")):
            say_once(
                "the cache is in a MemoryStore, and this server runs several processes: each has a cache of its own, "
                "and a purge reaches only one. A store outside the process, such as SQLiteStore, is shared by all",
                logger="middleware.caching",
            )

    def _record(self, address: str) -> Record | None:
        data = self._store.get(address)
        if data is None:
            return None
        known = self._records.get(address)
        if known is not None and known[0] == data:
            record: Record = known[1]
            return record
        decoded = Record.from_bytes(address, data)
        if decoded is None:
            self._store.delete(address)
        else:
            self._records.put(address, (data, decoded), len(address) + 2 * len(data))
        return decoded

    def _head(self, address: str) -> Head | None:
        data = self._store.get(address)
        if data is None:
            return None
        decoded = Head.from_bytes(address, data)
        if decoded is None:
            self._store.delete(address)
        return decoded


def new_name() -> str:
    """A text that nothing else was ever called by."""
    return os.urandom(16).hex()


def _head_address(url: str, variant_name: str) -> str:
    return f"cache head {variant_name} {url}"


def _body_address(name: str) -> str:
    return "cache body " + name
