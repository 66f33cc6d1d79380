"""An answer of the application on its way to the client, and into the store where it may be kept."""

from __future__ import annotations

from middleware.caching.entry import Head, StoredBody
from middleware.caching.freshness import DAY
from middleware.caching.keys import is_private
from middleware.caching.lines import checksum
from middleware.caching.marks import new_name
from middleware.caching.policy import DEFAULT
from middleware.caching.said import Said
from middleware.caching.storing import (
    FAILURES,
    declared_length,
    is_one_line,
    is_worth_reading,
    kept,
    may_guess,
    refusal,
    updated,
)
from middleware.caching.tags import tags_of
from middleware.wsgi import UNWATCHED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIEnvironment

    from middleware.caching.handle import Cache
    from middleware.caching.keys import Key
    from middleware.caching.said import Fields
    from middleware.caching.shelf import Found, Shelf
    from middleware.wsgi import Ending, Response

# What the cache replaces by its own validators, and withholds, while it asks whether a stored answer still holds.
_CONDITIONS = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_RANGE")


class Terms:
    """What all fillings of one cache have in common: its store, its clock, its options."""

    __slots__ = ("clock", "label", "max_object", "shelf")

    def __init__(self, shelf: Shelf, clock: Callable[[], float], max_object: int, label: str | None) -> None:
        self.shelf = shelf
        self.clock = clock
        self.max_object = max_object
        self.label = label


class Filling:
    """One answer on its way from the application to the client, and into the store where it may be kept.

    `generation`: of its URL when the application was asked. `found`: what was stored then. `reason`: why the
    application is asked. `hidden`: what the application does not see of the request.
    """

    __slots__ = (
        "_asked_at",
        "_cache",
        "_chunks",
        "_declared",
        "_environ",
        "_fields",
        "_found",
        "_generation",
        "_hidden",
        "_key",
        "_let_go",
        "_original",
        "_reason",
        "_received_at",
        "_replaced",
        "_said",
        "_size",
        "_status",
        "_terms",
    )

    # Set where an answer will be stored if its body is whole.
    _received_at: float
    _status: str
    _fields: Fields
    _declared: int | None
    _chunks: list[bytes]
    _size: int

    def __init__(
        self,
        terms: Terms,
        key: Key,
        generation: str,
        found: Found | None,
        environ: WSGIEnvironment,
        now: float,
        reason: str,
        hidden: dict[str, object] | None,
        cache: Cache,
    ) -> None:
        self._cache = cache
        self._terms = terms
        self._key = key
        self._generation = generation
        self._found = found
        self._environ = environ
        self._original = environ.copy()  # inner layers may change what they pass on, and Vary means what came here
        self._replaced = False
        self._let_go = False
        self._asked_at = now
        self._reason = reason
        self._hidden = hidden
        self._said: Said | None = None  # of an answer that will be stored if its body is whole

    @property
    def personal(self) -> bool:
        """Whether the request says who asks."""
        return self._with_cookie or self._authorized

    @property
    def _authorized(self) -> bool:
        # Some gateways remove Authorization when they have checked it, and an inner layer may have done so by now.
        return "HTTP_AUTHORIZATION" in self._original or any(
            environ.get(name) for environ in (self._original, self._environ) for name in ("REMOTE_USER", "AUTH_TYPE")
        )

    def put_conditions(self, conditions: dict[str, str]) -> None:
        """Ask the application with these conditions in the place of the client's."""
        self._replaced = True
        for name in _CONDITIONS:
            self._environ.pop(name, None)
        self._environ.update(conditions)

    def restore_conditions(self) -> None:
        """Put the client's conditions back, and what was hidden."""
        if self._hidden is not None:
            self._environ.update(self._hidden)
        if self._replaced:
            self._replaced = False
            for name in _CONDITIONS:
                self._environ.pop(name, None)
                if name in self._original:
                    self._environ[name] = self._original[name]

    def amend(self, response: Response) -> object:
        """Decide with the head whether the answer will be stored, and let go of it where it will not.

        A head that replaces one decides anew, as long as the answer was not let go.
        """
        self._said = None if self._let_go else self._storable(response)
        found = self._found
        if self._said is None and found is not None and response.code not in FAILURES:
            self._terms.shelf.remove(found)  # what was stored is not what the application says now
        label = self._terms.label
        if label is not None:
            stored = "" if self._said is None else "; stored"
            response.headers.append(("Cache-Status", f"{label}; fwd={self._reason}{stored}"))
        if self._said is not None or self._replaced or self._hidden is not None:  # replaced conditions wait for the end
            return None
        self._let_go = True
        return UNWATCHED

    def _storable(self, response: Response) -> Said | None:
        status, fields = response.status, response.headers
        if is_private(self._environ) or not is_worth_reading(fields, DEFAULT):
            return None
        declared = declared_length(fields)
        if declared is not None and not 0 <= declared <= self._terms.max_object:
            return None
        now = self._terms.clock()
        said = self._read(status[:3], fields, now)
        if self._refusal(status[:3], said) is not None:
            return None
        stored = kept(fields, now, said.private_fields)
        if stored is None or not is_one_line(status):
            return None
        self._received_at = now
        self._status = status
        self._fields = stored
        self._declared = declared
        self._chunks = []
        self._size = 0
        return said

    def watch(self, chunk: bytes) -> None:
        """Copy what passes, as long as it will be stored."""
        if self._said is None:
            return
        self._size += len(chunk)
        if self._size > (self._terms.max_object if self._declared is None else self._declared):
            self._said = None
            self._chunks = []
        else:
            self._chunks.append(bytes(chunk))

    def end(self, ending: Ending) -> None:
        """Store the answer if all of it has passed, and if nobody looked into a session on the way."""
        self.restore_conditions()
        said = self._said
        if said is None or not ending.completed or ending.error is not None or ending.by_descriptor:
            return
        if self._declared not in (None, self._size) or is_private(self._environ):
            return
        if self._size and self._status[:3] == "204":
            return  # a body that no client gets
        now = self._terms.clock()
        body = b"".join(self._chunks)  # a single chunk is handed on as it is
        until = int(now + said.useful_for(self._status[:3])) + DAY
        if self._declared is None and self._status[:3] != "204":
            self._fields.append(("Content-Length", str(self._size)))
        stored_body = StoredBody(new_name(), self._size, checksum(body), until)
        head = Head(self._generation, self._status, self._fields, said, self._received_at, stored_body)
        self._keep(said, head, body, now)

    def update(self, found: Found, body: bytes, fields: Fields, now: float) -> tuple[Head, bool]:
        """The stored head after a 304 with these fields, and whether it is stored so (RFC 9111, section 4.3.4)."""
        head = found.head
        status = head.status[:3]
        merged = updated(head.fields, fields, now)
        said = self._read(status, merged, now)
        stored = kept(merged, now, said.private_fields)
        until = int(now + said.useful_for(status))
        stored_body = head.body if until <= head.body.until else head.body.kept_until(until + DAY)
        sent = [pair for pair in merged if pair[0].lower() != "age"] if stored is None else stored
        fresh = Head(head.generation, head.status, sent, said, now, stored_body)
        if said.forbidden:
            self._terms.shelf.remove(found)
            return fresh, False
        if stored is None or self._refusal(status, said) is not None or is_private(self._environ):
            return fresh, False
        self._keep(said, fresh, None if stored_body is head.body else body, now)
        return fresh, True

    def _read(self, status: str, fields: Fields, now: float) -> Said:
        said = Said(status, fields, self._asked_at, now, DEFAULT)
        if not may_guess(authorized=self._authorized, with_cookie=self._with_cookie, policy=DEFAULT):
            said.guessed = 0
        return said

    def _refusal(self, status: str, said: Said) -> str | None:
        return refusal(status, said, authorized=self._authorized, with_cookie=self._with_cookie, policy=DEFAULT)

    @property
    def _with_cookie(self) -> bool:
        return bool(self._original.get("HTTP_COOKIE"))

    def _keep(self, said: Said, head: Head, body: bytes | None, now: float) -> None:
        assert said.selecting is not None
        ttl = said.useful_for(head.status[:3])
        tags = (*(tags_of(head.fields) or ()), *self._cache.tags)
        self._terms.shelf.keep(
            self._original, self._key, said.selecting, head, body, ttl, now, tags=tags, asked_at=self._asked_at
        )
