"""What the cache keeps in its store, to and from bytes: the record of a URL, and the head of a stored answer.

The format is lines of text, no pickle, with a version, a checksum and the fingerprint of the address before them. What
cannot be read, was damaged, or belongs to another address is None: a miss. A body is kept as it is, beside its head.
"""

from __future__ import annotations

from binascii import crc32

from middleware.caching.conditions import not_modified
from middleware.caching.policy import DEFAULT
from middleware.caching.said import Said
from middleware.caching.storing import without_body
from middleware.caching.variants import digest
from middleware.headers import parse_http_date

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from middleware.caching.policy import CachePolicy
    from middleware.caching.said import Fields

VERSION = "wsgi-middleware cache 2"


class Record:
    """What is known of a URL. Without it nothing stored of the URL counts; deleting it purges them all.

    `generation`: an opaque text; what is stored belongs to one. `serial`: counts what was stored, so that whoever meets
    the same record again knows that nothing has changed. `until`: when the store may forget it. `selections`: the lists
    of field names by which its answers were selected. `variants`: what is stored, oldest first.

    `found` is no part of the record: what was found with it, by variant, in this process.
    """

    __slots__ = ("found", "generation", "selections", "serial", "until", "variants")

    def __init__(
        self,
        generation: str,
        serial: int,
        until: int,
        selections: tuple[tuple[str, ...], ...] = (),
        variants: tuple[str, ...] = (),
    ) -> None:
        self.generation = generation
        self.serial = serial
        self.until = until
        self.selections = selections
        self.variants = variants
        self.found: dict[str, Any] = {}

    def to_bytes(self, address: str) -> bytes:
        """A ValueError where a field name of an application's Vary is no latin-1 text."""
        selections = ";".join([",".join(names) for names in self.selections])
        numbers = f"{self.serial} {self.until} {len(self.selections)}"
        return _sealed("record", address, (self.generation, numbers, selections, ",".join(self.variants)))

    @staticmethod
    def from_bytes(address: str, data: bytes) -> Record | None:
        lines = _opened("record", address, data)
        try:
            if lines is None:
                return None
            generation, numbers, selections, variants = lines
            serial, until, count = map(int, numbers.split(" "))
            names = [tuple(part.split(",")) if part else () for part in selections.split(";")] if count else []
            return Record(generation, serial, until, tuple(names), tuple(variants.split(",")) if variants else ())
        except ValueError:
            return None


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

    `generation`: of its URL's record. `status`, `fields`: as they will be sent, but for Age and Cache-Status;
    `hit_fields`: those of a hit that was not validated, `not_modified_fields`: those of a 304. `received`: when the
    application gave it. `lifetime`: in seconds, explicit or `guessed`; `explicit`: the application said it.
    `initial_age`, `must_validate`, `may_be_stale`, `stale_while_revalidate`, `stale_on_failure`, `immutable`: see
    `Said`.
    `stale_at`: the time from which it is only reused after asking, or always where it says so.
    """

    __slots__ = (
        "_modified",
        "body",
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
        "not_modified_fields",
        "received",
        "stale_at",
        "stale_on_failure",
        "stale_while_revalidate",
        "status",
    )

    def __init__(
        self, generation: str, status: str, fields: Fields, said: Said, received: float, body: StoredBody
    ) -> None:
        self.generation = generation
        self.status = status
        self.fields = fields
        self.received = received
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
        withheld = said.withheld
        self.hit_fields = [pair for pair in fields if pair[0].lower() not in withheld] if withheld else fields
        self.not_modified_fields = without_body(self.hit_fields)
        date = next((value for name, value in fields if name.lower() == "date"), "")
        self._modified = parse_http_date(said.last_modified or date, received)

    def age(self, now: float) -> float:
        """Seconds since the application made it. A clock that steps back never makes it younger than on receipt."""
        return self.initial_age + max(0.0, now - self.received)

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
            repr(self.initial_age),
            str(self.guessed),
            self.status,
        ]
        for pair in self.fields:
            lines += pair
        return _sealed("head", address, lines)

    @staticmethod
    def from_bytes(address: str, data: bytes, policy: CachePolicy = DEFAULT) -> Head | None:
        lines = _opened("head", address, data)
        try:
            if lines is None:
                return None
            generation, name, length, check, until, received, initial_age, guessed, status, *rest = lines
            fields = list(zip(rest[::2], rest[1::2], strict=True))
            said = Said(status[:3], fields, float(received), float(received), policy)
            said.initial_age = float(initial_age)  # its Age field is not among those that are kept
            said.guessed = min(said.guessed, int(guessed))  # nothing was guessed for requests that said who asks
            body = StoredBody(name, int(length), int(check), int(until))
            return Head(generation, status, fields, said, float(received), body)
        except ValueError:
            return None


def checksum(body: bytes) -> int:
    """What tells a damaged body; not what keeps out a forger, who could write any entry."""
    return crc32(body)


def _sealed(kind: str, address: str, lines: tuple[str, ...] | list[str]) -> bytes:
    """A ValueError where a line cannot be one."""
    text = "\n".join((VERSION, kind, digest(address), *lines))
    if text.count("\n") != len(lines) + 2:
        raise ValueError("a line break in what is to be stored")
    data = text.encode("latin-1")
    return crc32(data).to_bytes(4, "big") + data


def _opened(kind: str, address: str, data: bytes) -> list[str] | None:
    if len(data) < 4 or crc32(data[4:]) != int.from_bytes(data[:4], "big"):
        return None
    version, *lines = data[4:].decode("latin-1").split("\n")
    if version != VERSION or lines[:2] != [kind, digest(address)]:
        return None
    return lines[2:]
