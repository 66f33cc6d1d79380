"""What is stored, found, kept and removed.

Of each URL there is a record. It names a generation, and what was stored counts only while its generation is the
record's: to delete the record is to purge the URL with all its variants, in every process on the same store, and an
answer that the application began before that finds no record of its generation and is not stored. Beside the record
stand, for each variant, a head, and a body that the head names.

What is purged together with others has marks (marks.py): the record that of everything, and where its URL has a query
that of its path; the head those of its tags.
"""

from __future__ import annotations

from time import time

from middleware.caching.rules.fields import without_body
from middleware.caching.rules.policy import DEFAULT
from middleware.caching.rules.tags import are_fit
from middleware.caching.shelf.entries import ATTEMPTS, Entries, body_address, head_address
from middleware.caching.shelf.entry import Record
from middleware.caching.shelf.guarded import GuardedStore
from middleware.caching.shelf.known import memory_store
from middleware.caching.shelf.marks import LONGEST_CALL, mark_address, new_name, tag_mark
from middleware.caching.shelf.purges import Purges, marks_of
from middleware.caching.shelf.reading import Reading
from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIEnvironment

    from middleware.caching.keys.keys import Key, Keys
    from middleware.caching.rules.policy import CachePolicy
    from middleware.caching.rules.said import Fields
    from middleware.caching.shelf.entry import Head
    from middleware.caching.status import CacheStatus
    from middleware.events import Listener
    from middleware.stores.base import Store

MAX_VARIANTS = 64  # of one URL; the oldest go first
MAX_SELECTIONS = 8  # different lists of field names in the Vary of one URL's answers
REREAD = 1.0  # seconds after which all is read again: a store that evicts must see that it is in use


class Found:
    """A stored answer that fits a request: its head, with its address, its variant, and the record of its URL.

    `soft`: it was purged softly, which made it stale. `read_again_at`: until then it is enough that nothing has changed
    that it depends on: what stands at the addresses in `depends` is `data`. Beside a MemoryStore: that its `emptied`,
    and the `turn` of what is known of it, are the same.
    """

    __slots__ = (
        "_told",
        "address",
        "data",
        "depends",
        "emptied",
        "head",
        "read_again_at",
        "record",
        "soft",
        "turn",
        "variant",
    )

    def __init__(
        self, record: Record, variant: str, address: str, head: Head, read_again_at: float, *, soft: bool
    ) -> None:
        self.record = record
        self.variant = variant
        self.address = address
        self.head = head
        self.read_again_at = read_again_at
        self.soft = soft
        self.turn: object = None
        self.emptied = 0
        self.depends: list[str] = []
        self.data: list[bytes | None] = []
        self._told: tuple[float, Fields, Fields] = (float("inf"), [], [])

    def ttl(self, now: float) -> int:
        """Seconds that it is still fresh, as `Head.ttl`; none of them where it was purged softly."""
        left = self.head.ttl(now)
        return min(left, 0) if self.soft else left

    def fields_at(self, now: float, status: CacheStatus | None, *, unmodified: bool = False) -> Fields:
        """The fields of a hit, or of one that is 304, which belong to the caller.

        They are made once a second of the answer's age, since its whole seconds are all that changes in them.
        """
        began, fields, unmodified_fields = self._told
        if not began <= now < began + 1:
            began, fields, unmodified_fields = self._tell(now, status)
        return [*unmodified_fields] if unmodified else [*fields]

    def _tell(self, now: float, status: CacheStatus | None) -> tuple[float, Fields, Fields]:
        head = self.head
        age = int(head.age(now))
        fields = [*head.hit_fields, ("Age", str(age))]
        if status is not None:
            fields.append(status.hit(self.ttl(now)))
        self._told = head.received - head.initial_age + age, fields, without_body(fields)
        return self._told


class Shelf:
    """Finds, keeps and removes entries in a `Store`.

    keys: tell what selects one of the answers of a URL. policy: by which stored answers are read. on_event: is told
    when the store fails, and when it has recovered. clock: seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        policy: CachePolicy = DEFAULT,
        *,
        on_event: Listener | None = None,
        clock: Callable[[], float] = time,
    ) -> None:
        self._store = GuardedStore(store, on_event=on_event, clock=clock)
        self._memory = memory_store(store)
        self._entries = Entries(store, self._store, policy)
        self._known = self._entries.known
        self._known_record = self._known.records.get
        self.keys = keys
        self._variant = keys.variant
        self._clock = clock
        self.purges = Purges(store, self._store, self._entries, clock)
        self.invalidate = self.purges.invalidate
        self.is_over = self._entries.is_over

    @property
    def shared_store(self) -> GuardedStore | None:
        """The store, where other processes may use it too."""
        return self._store if self._memory is None else None

    def find(self, environ: WSGIEnvironment, key: Key, now: float) -> tuple[Record | None, Found | None]:
        """The record of this request's URL, and the stored answer that fits; None where there is none.

        Of several answers that fit, since their Vary differed, it is the latest (RFC 9111, section 4).
        """
        record: Record | None = self._known_record(key.record)
        if record is not None and len(record.selections) == 1:
            found: Found | None = record.found.get(self._variant(environ, key.seen, record.selections[0]))
            if found is not None and now < found.read_again_at:
                memory = self._memory
                if memory is None:
                    if self._store.get_many(found.depends) == found.data:
                        return record, found
                elif found.turn is self._known.turn and found.emptied == memory.emptied:
                    return record, found
        return self._look_up(environ, key, now)

    def _look_up(self, environ: WSGIEnvironment, key: Key, now: float) -> tuple[Record | None, Found | None]:
        turn = self._known.turn  # before anything is read
        emptied = 0 if self._memory is None else self._memory.emptied
        read = Reading(self._store, self._known)
        if self._store.reads_many:
            names = marks_of(key.url)
            guessed = head_address(key.url, self._variant(environ, key.seen, ()))  # most answers have no Vary
            read.fetch((key.record, *map(mark_address, names), guessed))
            for name in names:
                read.mark(name)  # for `record_for`
        record = self._entries.decoded_record(key.record, read.get(key.record))
        if record is None:
            return None, None
        read.fetch([mark_address(name) for name, _ in record.marked])
        soft_at = read.soft_since(record.marked)
        if soft_at is None:
            return None, None  # what is stored of it counts no more
        latest = self._latest(environ, key, record, read)
        if latest is None:
            return record, None
        variant, head, tagged_soft_at = latest
        is_soft = head.asked_at <= max(soft_at, record.soft_at, tagged_soft_at)
        found = Found(record, variant, head_address(key.url, variant), head, now + REREAD, soft=is_soft)
        found.turn = turn
        found.emptied = emptied
        if self._memory is None:
            found.depends = [key.record, *[mark_address(name) for name, _ in (*record.marked, *head.tagged)]]
            found.data = [read.get(address) for address in found.depends]
        if variant not in record.found:
            self._known.records.grow(key.record, len(found.address) + head.size())  # it goes when the record does
        record.found[variant] = found
        return record, found

    def _latest(
        self, environ: WSGIEnvironment, key: Key, record: Record, read: Reading
    ) -> tuple[str, Head, float] | None:
        """The variant and the head of the latest answer that fits, and when its tags were purged softly."""
        variants = [self._variant(environ, key.seen, names) for names in record.selections]
        addresses = [head_address(key.url, variant) for variant in variants]
        read.fetch(addresses)
        latest: tuple[str, Head, float] | None = None
        for variant, address in zip(variants, addresses, strict=True):
            head = self._entries.decoded_head(address, read.get(address))
            if head is None or head.generation != record.generation:
                continue
            if latest is not None and latest[1].received >= head.received:
                continue
            soft_at = self._tags_soft_at(environ, head, read)
            if soft_at is None:
                self._entries.forget(address, head)
            else:
                latest = variant, head, soft_at
        return latest

    def _tags_soft_at(self, environ: WSGIEnvironment, head: Head, read: Reading) -> float | None:
        """When the tags of an answer were purged softly, 0 for never; None where they were purged."""
        self._entries.touch_body(head.body)
        if not head.tagged:
            return 0.0
        addresses = [mark_address(name) for name, _ in head.tagged]
        body = head.body
        # Together with its body, which is mostly what is asked for next.
        together = (
            self._store.reads_many
            and body.length
            and environ.get("REQUEST_METHOD") == "GET"
            and self._known.bodies.has_room_for(body.length)
        )
        if together:
            addresses.append(body_address(body.name))
        read.fetch(addresses)
        soft_at = read.soft_since(head.tagged)
        if soft_at is not None and together:
            self._entries.checked_body(body, read.get(addresses[-1]))
        return soft_at

    def body(self, found: Found) -> bytes | None:
        """The body of the head that was found; None where it is gone or damaged, and the entry is removed then."""
        body = self._entries.body(found.head.body)
        if body is None:
            self.remove(found)
        return body

    def record_for(self, key: Key, now: float) -> Record | None:
        """The record of a URL about which the application is going to be asked; a new one where there is none.

        Nothing can be stored without it. None where the store does not answer.
        """
        address, names = key.record, marks_of(key.url)
        until = int(now) + LONGEST_CALL
        if self._store.reads_many:
            # What `find` has just read with the rest. Where it has changed since, nothing is stored this time.
            known = [self._known.marks.get(mark_address(name)) for name in names]
            marked = tuple(
                [(name, mark.generation) for name, mark in zip(names, known, strict=True) if mark is not None]
            )
            record = Record(new_name(), 0, until, marked=marked)
            if len(marked) == len(names) and self._entries.add_record(address, record, LONGEST_CALL):
                return record
        read = Reading(self._store, self._known)
        read.fetch((address, *map(mark_address, names)))
        marks = [read.ensured(name, now, until) for name in names]
        marked = tuple([(name, mark.generation) for name, mark in zip(names, marks, strict=True) if mark is not None])
        if len(marked) < len(names):
            return None
        record = Record(new_name(), 0, until, marked=marked)
        for _ in range(ATTEMPTS):
            stored = self._entries.decoded_record(address, read.get(address))
            if stored is None:
                if self._entries.add_record(address, record, LONGEST_CALL):
                    return record
            elif stored.marked == marked:
                return stored
            elif self._entries.swap_record(address, stored, record, now):
                for variant in stored.variants:
                    self._entries.forget_variant(key.url, variant, stored.generation)
                return record
            if self._store.failures:
                return None
            read.again(address)
        return None

    def keep(
        self,
        environ: WSGIEnvironment,
        key: Key,
        names: tuple[str, ...],
        head: Head,
        body: bytes | None,
        ttl: float,
        now: float,
        *,
        tags: tuple[str, ...] = (),
        asked_at: float | None = None,
        updates: bool = False,
    ) -> bool:
        """Store an answer, unless its URL or one of its tags was purged since the application was asked for it.

        `environ` is the request as it arrived; `names` are the request fields that select the answer. `body` is None
        where the store has it already. `ttl` is the store's. `asked_at` is when the application was asked, None for
        now. A head that `updates` another has its body, and gives way to an answer that was stored meanwhile.
        What was stored before and would have matched this request is removed.
        """
        head.asked_at = now if asked_at is None else asked_at
        record = self._marked(key, head, tuple(dict.fromkeys(tags)), now, now + ttl)
        if record is None:
            return False
        chosen = self._variant(environ, key.seen, names)
        address = head_address(key.url, chosen)
        if body and not self._store.set(body_address(head.body.name), body, head.body.until - now):
            return False
        is_first = chosen not in record.variants
        placed, before = self._entries.place(address, head, ttl, updates=updates, is_first=is_first)
        if not placed:
            if not updates:
                self._entries.forget_body(head.body)
            return False
        listed = self._list(environ, key, names, chosen, record, head, now + ttl, now)
        if before is not None and before.body.name != head.body.name:
            self._entries.forget_body(before.body)
        if not listed:
            self._entries.forget(address, head)
        return listed

    def _marked(self, key: Key, head: Head, tags: tuple[str, ...], now: float, until: float) -> Record | None:
        """The record of a URL of which an answer may be stored until then, which has its marks; None where it may not.

        The marks are kept as long as the answer needs them.
        """
        if not are_fit(tags):
            return None
        names = [tag_mark(tag) for tag in tags]
        read = Reading(self._store, self._known)
        read.fetch((key.record, *map(mark_address, (*marks_of(key.url), *names))))
        record = self._entries.decoded_record(key.record, read.get(key.record))
        if record is None or record.generation != head.generation:
            return None
        for name, generation in record.marked:
            mark = read.ensured(name, now, until)
            if mark is None or mark.generation != generation:
                return None
        tagged = []
        for name in names:
            mark = read.ensured(name, now, until)
            if mark is None or head.asked_at <= mark.purged_at:
                return None
            tagged.append((name, mark.generation))
        head.tagged = tuple(tagged)
        return record

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
        for _ in range(ATTEMPTS):
            matched = {self._variant(environ, key.seen, other) for other in record.selections if other != names}
            others = [name for name in record.variants if name != chosen and name not in matched]
            selections = (names, *[other for other in record.selections if other != names])[:MAX_SELECTIONS]
            changed = record.replaced(
                until=int(until) + 3600 if until > record.until else None,
                selections=None if names in record.selections else selections,
                variants=(*others[1 - MAX_VARIANTS :], chosen),
            )
            if self._entries.swap_record(key.record, record, changed, now):
                for name in {*record.variants} - {*changed.variants}:
                    self._entries.forget_variant(key.url, name, record.generation, but=head.body.name)
                return True
            if self._store.failures:
                return False
            latest = self._entries.record(key.record)
            if latest is None or latest.generation != head.generation:
                return False  # it was purged, and what was just stored counts no more
            record = latest
        return False

    def remove(self, found: Found) -> None:
        """Remove the head that was found, and its body."""
        found.record.found.pop(found.variant, None)
        self._entries.forget(found.address, found.head)
        self._known.forget(found.record.address)
        record = self._entries.record(found.record.address)
        if record is not None and record.generation == found.record.generation:
            # Another record, so that other processes see at once that something is not as they know it.
            self._entries.swap_record(record.address, record, record.replaced(), self._clock())

    def tell_if_alone(self, environ: WSGIEnvironment) -> None:
        """Say, once a process, that other processes do not see what this one keeps in memory."""
        if self._memory is not None and (environ.get("wsgi.multiprocess") or environ.get("wsgi.run_once")):
            say_once(
                "the cache is in a MemoryStore, and this server runs several processes: each has a cache of its own, "
                "and a purge reaches only one. A store outside the process, such as SQLiteStore, is shared by all",
                logger="middleware.caching",
            )
