"""What the cache keeps in its store, to and from bytes: the record of a URL, and the head of a stored answer.

A body is kept as it is, beside its head.
"""

from __future__ import annotations

from middleware.caching.rules.fields import without
from middleware.caching.rules.policy import DEFAULT
from middleware.caching.shelf.lines import number, opened, sealed
from middleware.caching.shelf.marks import tag_of
from middleware.headers import parse_http_date

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from middleware.caching.rules.policy import CachePolicy
    from middleware.caching.rules.said import Fields, Said
    from middleware.caching.shelf.marks import Marked


class Record:
    """What is known of a URL. Without it nothing stored of the URL counts; deleting it purges them all.

    `generation`: an opaque text; what is stored belongs to one. `serial`: makes each record of a URL other bytes than
    the one before, so that whoever meets the same again knows that nothing has changed. `until`: when the store may
    forget it. `selections`: the lists of field names by which its answers were selected. `variants`: what is stored,
    oldest first. `marked`: the marks by which it is purged with others, and their generations. `soft_at`: when it was
    purged softly, 0 for never.

    No part of it: `found`, what was found with it, by variant, in this process; its own `address` and bytes, `data`.
    """

    __slots__ = (
        "address",
        "data",
        "found",
        "generation",
        "marked",
        "selections",
        "serial",
        "soft_at",
        "until",
        "variants",
    )

    def __init__(
        self,
        generation: str,
        serial: int,
        until: int,
        selections: tuple[tuple[str, ...], ...] = (),
        variants: tuple[str, ...] = (),
        *,
        marked: Marked = (),
        soft_at: float = 0.0,
    ) -> None:
        self.generation = generation
        self.serial = serial
        self.until = until
        self.selections = selections
        self.variants = variants
        self.marked = marked
        self.soft_at = soft_at
        self.found: dict[str, Any] = {}
        self.address = ""
        self.data = b""

    def seal(self, address: str) -> None:
        """Be the record that stands there. Errors as with `to_bytes`."""
        self.address = address
        self.data = self.to_bytes(address)

    def to_bytes(self, address: str) -> bytes:
        """A ValueError where a field name of an application's Vary is no latin-1 text."""
        selections = ";".join([",".join(names) for names in self.selections])
        marked = ";".join([f"{name}={generation}" for name, generation in self.marked])
        numbers = f"{self.serial} {self.until} {self.soft_at!r} {len(self.selections)}"
        return sealed("record", address, (self.generation, numbers, marked, selections, ",".join(self.variants)))

    @staticmethod
    def from_bytes(address: str, data: bytes) -> Record | None:
        lines = opened("record", address, data)
        try:
            if lines is None:
                return None
            generation, numbers, marks, selections, variants = lines
            serial, until, soft_at, count = numbers.split(" ")
            names = [tuple(part.split(",")) if part else () for part in selections.split(";")] if int(count) else []
            pairs = [part.split("=") for part in marks.split(";")] if marks else []
            record = Record(
                generation,
                int(serial),
                int(until),
                tuple(names),
                tuple(variants.split(",")) if variants else (),
                marked=tuple([(name, own) for name, own in pairs]),
                soft_at=number(soft_at),
            )
        except ValueError:
            return None
        record.address = address
        record.data = data
        return record

    def replaced(
        self,
        *,
        until: int | None = None,
        selections: tuple[tuple[str, ...], ...] | None = None,
        variants: tuple[str, ...] | None = None,
        soft_at: float | None = None,
    ) -> Record:
        """The next record of this URL, of the same generation."""
        return Record(
            self.generation,
            self.serial + 1,
            self.until if until is None else until,
            self.selections if selections is None else selections,
            self.variants if variants is None else variants,
            marked=self.marked,
            soft_at=self.soft_at if soft_at is None else soft_at,
        )


class StoredBody:
    """Where the body of a stored answer is, and what it must be. `until`: when the store may forget it."""

    __slots__ = ("checksum", "length", "name", "until")

    def __init__(self, name: str, length: int, checksum: int, until: int) -> None:
        self.name = name
        self.length = length
        self.checksum = checksum
        self.until = until

    def kept_until(self, until: int) -> StoredBody:
        """The same body, kept longer."""
        return StoredBody(self.name, self.length, self.checksum, until)


class Head:
    """All of a stored answer but its body. Frozen: many requests share one.

    `generation`: of its URL's record. `status`, `fields`: as the application gave them; `sent_fields`: those that
    clients get, beside Age and Cache-Status; `hit_fields`: those of a hit that was not validated. `received`: when the
    application gave it. `lifetime`: in seconds, explicit or `guessed`; `explicit`: the application said it.
    `initial_age`, `must_validate`, `may_be_stale`, `stale_while_revalidate`, `stale_on_failure`, `immutable`: see
    `Said`.
    `stale_at`: the time from which it is only reused after asking, or always where it says so.

    `date`: its Date. `selecting`: the request fields, lower case, that select it. `accepts_ranges`: unless it says not.
    `conditions`: what environ has where the application is asked whether it still holds.

    `asked_at`: when the application was asked for it. `tagged`: the marks of its tags, and their generations. Both are
    set when it is stored.
    """

    __slots__ = (
        "_modified",
        "accepts_ranges",
        "asked_at",
        "body",
        "conditions",
        "date",
        "etag",
        "explicit",
        "fields",
        "generation",
        "guessed",
        "hit_fields",
        "immutable",
        "initial_age",
        "last_modified",
        "lifetime",
        "may_be_stale",
        "must_validate",
        "received",
        "selecting",
        "sent_fields",
        "stale_at",
        "stale_on_failure",
        "stale_while_revalidate",
        "status",
        "tagged",
    )

    def __init__(
        self, generation: str, status: str, fields: Fields, said: Said, received: float, body: StoredBody
    ) -> None:
        self.generation = generation
        self.status = status
        self.fields = fields
        self.received = received
        self.asked_at = received
        self.tagged: Marked = ()
        self.body = body
        self.etag = said.etag
        self.last_modified = said.last_modified
        self.initial_age = said.initial_age
        self.explicit = said.lifetime is not None
        self.guessed = said.guessed
        self.lifetime = said.guessed if said.lifetime is None else said.lifetime
        self.must_validate = said.must_validate
        self.may_be_stale = said.may_be_stale
        self.stale_while_revalidate = said.stale_while_revalidate
        self.stale_on_failure = said.stale_on_failure
        self.immutable = said.immutable
        never = said.must_validate or self.lifetime <= self.initial_age
        self.stale_at = float("-inf") if never else received + self.lifetime - self.initial_age
        self.sent_fields = without(fields, said.stripped)
        self.hit_fields = without(self.sent_fields, said.withheld)
        self.selecting = said.selecting or ()
        self.date = _first("date", fields)
        self.accepts_ranges = (_first("accept-ranges", fields) or "").strip(" \t").lower() != "none"
        self._modified = parse_http_date(said.last_modified or self.date or "", received)
        self.conditions = {}
        if said.etag is not None:
            self.conditions["HTTP_IF_NONE_MATCH"] = said.etag
        if said.last_modified is not None:
            self.conditions["HTTP_IF_MODIFIED_SINCE"] = said.last_modified

    def age(self, now: float) -> float:
        """Seconds since the application made it. A clock that steps back never makes it younger than on receipt."""
        return self.initial_age + max(0.0, now - self.received)

    def ttl(self, now: float) -> int:
        """Seconds that it is still fresh, negative once it has outlived them (RFC 9211, section 2.5)."""
        left = int(self.lifetime) - int(self.age(now))
        return left if now < self.stale_at else min(left, 0)

    @property
    def tags(self) -> tuple[str, ...]:
        """Those that it was stored with."""
        return tuple([tag_of(name) for name, _ in self.tagged])

    @property
    def can_be_validated(self) -> bool:
        """Whether the application can be asked if it still holds."""
        return self.status[:3] == "200" and (self.etag is not None or self.last_modified is not None)

    def satisfies(self, if_none_match: str | None, if_modified_since: str | None, now: float) -> bool:
        """Whether a client that sends these has it already: the answer is 304."""
        if self.status[:3] != "200":
            return False
        if if_none_match is not None and if_none_match == self.etag:
            return True  # what nearly every client sends
        from middleware.caching.rules.conditions import not_modified

        return not_modified(if_none_match, if_modified_since, self.etag, self._modified, now)

    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return 1000 + sum([200 + len(name) + len(value) for name, value in self.fields])

    def to_bytes(self, address: str) -> bytes:
        body = self.body
        lines = [
            self.generation,
            body.name,
            str(body.length),
            str(body.checksum),
            str(body.until),
            repr(self.received),
            repr(self.asked_at),
            repr(self.initial_age),
            str(self.guessed),
            str(len(self.tagged)),
            self.status,
        ]
        for pair in (*self.tagged, *self.fields):
            lines += pair
        return sealed("head", address, lines)

    @staticmethod
    def from_bytes(address: str, data: bytes, policy: CachePolicy = DEFAULT) -> Head | None:
        from middleware.caching.rules.said import Said

        lines = opened("head", address, data)
        try:
            if lines is None:
                return None
            generation, name, length, check, until, *lines = lines
            received, asked_at, initial_age, guessed, tags, status, *lines = lines
            pairs = list(zip(lines[::2], lines[1::2], strict=True))
            fields = pairs[int(tags) :]
            if not status[:3].isdigit():
                return None
            said = Said(status[:3], fields, number(received), number(received), policy)
            said.initial_age = number(initial_age)  # its Age field is not among those that are kept
            said.guessed = min(said.guessed, int(guessed))  # nothing was guessed for requests that said who asks
            body = StoredBody(name, int(length), int(check), int(until))
            head = Head(generation, status, fields, said, number(received), body)
            head.asked_at = number(asked_at)
            head.tagged = tuple(pairs[: int(tags)])
        except ValueError:
            return None
        return head


def _first(wanted: str, fields: Fields) -> str | None:
    """The first line of a field, its name in lower case."""
    return next((value for name, value in fields if name.lower() == wanted), None)
