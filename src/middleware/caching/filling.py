"""An answer of the application on its way to the client, and into the store where it may be kept."""

from __future__ import annotations

from middleware.caching.flights.flights import FAILED, PASSED, STORED
from middleware.caching.flights.passed_over import PASSED_FOR
from middleware.caching.privacy import is_authorized, is_private
from middleware.caching.rules.fields import without
from middleware.caching.rules.freshness import DAY, FAILURES, is_ever_fresh
from middleware.caching.rules.tags import tags_of
from middleware.caching.shelf.entry import Head, StoredBody
from middleware.caching.shelf.lines import checksum
from middleware.caching.shelf.marks import new_name
from middleware.wsgi import UNWATCHED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.caching.buffers import Copy
    from middleware.caching.flights.flights import Flight
    from middleware.caching.flights.store_flights import Landing
    from middleware.caching.handle import Cache
    from middleware.caching.look import Look
    from middleware.caching.rules.said import Fields, Said
    from middleware.caching.shelf.shelf import Found
    from middleware.caching.status import Detail
    from middleware.caching.terms import Terms
    from middleware.wsgi import Ending, Response

# What the cache replaces by its own validators, and withholds, while it asks whether a stored answer still holds.
_CONDITIONS = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_RANGE", "HTTP_IF_RANGE")

_A_WHILE = 5  # seconds for which a body outlives a head that nothing can make fresh again
_END_OF_CHUNKS = b"0\r\n\r\n"  # an application that sent Transfer-Encoding may have framed the body itself


class Filling:
    """One answer on its way from the application to the client, and into the store where it may be kept.

    `generation`: of its URL when the application was asked. `flight`: of those who wait for this answer.
    """

    __slots__ = (
        "_cache",
        "_copy",
        "_declared",
        "_environ",
        "_fields",
        "_flight",
        "_let_go",
        "_look",
        "_original",
        "_received_at",
        "_replaced",
        "_said",
        "_status",
        "_tags",
        "_terms",
        "generation",
    )

    # Set where an answer will be stored if its body is whole.
    _received_at: float
    _status: str
    _fields: Fields
    _declared: int | None
    _copy: Copy
    _tags: tuple[str, ...]

    def __init__(self, terms: Terms, look: Look, generation: str, flight: Flight | None, cache: Cache) -> None:
        self._terms = terms
        self._look = look
        self.generation = generation
        self._flight = flight
        self._cache = cache
        self._environ = look.environ
        self._original = look.environ.copy()  # inner layers may change what they pass on, and Vary means what came here
        self._replaced = False
        self._let_go = False
        self._said: Said | None = None  # of an answer that will be stored if its body is whole

    @property
    def personal(self) -> bool:
        """Whether the request says who asks."""
        return self._with_cookie or self._authorized

    @property
    def _with_cookie(self) -> bool:
        return bool(self._original.get("HTTP_COOKIE"))

    @property
    def _authorized(self) -> bool:
        # An inner layer may have removed it when it was checked.
        policy = self._terms.policy
        return is_authorized(self._original, policy) or is_authorized(self._environ, policy)

    def put_conditions(self, conditions: dict[str, str]) -> None:
        """Ask the application with these conditions in the place of the client's."""
        self._replaced = True
        for name in _CONDITIONS:
            self._environ.pop(name, None)
        self._environ.update(conditions)

    def begin_again(self) -> None:
        """Make the request what it was when it came here, and withhold the client's conditions: for a second call."""
        self._environ.clear()
        self._environ.update(self._original)
        self.put_conditions({})

    def land(self, landing: Landing, seconds: float = PASSED_FOR) -> None:
        """Tell those who wait for this answer; that it may not be stored is remembered for so many seconds."""
        if self._flight is not None:
            self._flight.land(landing, seconds)

    def restore_conditions(self) -> None:
        """Put the client's conditions back."""
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
        terms, look, found = self._terms, self._look, self._look.found
        reason: Detail | None = None
        if self._let_go:
            self._said = None
        else:
            self._said, reason = self._judge(response)
        if self._said is None:
            if found is not None and self._is_contradicted(response.code):
                terms.shelf.remove(found)
            self.land(PASSED, 0 if response.code in FAILURES else PASSED_FOR)
        elif not is_ever_fresh(self._said):
            self.land(PASSED)  # who waits for it would have to ask the application all the same
        response.headers = without(response.headers, terms.policy.stripped)
        if terms.status is not None:
            response.headers.append(terms.status.forwarded(look.reason, stored=self._said is not None, detail=reason))
        if self._said is not None or self._replaced:  # replaced conditions wait for the end
            return None
        self._let_go = True
        return UNWATCHED

    def _is_contradicted(self, code: str) -> bool:
        """Whether what is stored is not what the application says now to everybody."""
        if self.personal or code in FAILURES or code == "304":
            return False
        return not (self._look.key.ranged and code in ("206", "416"))  # which are about the range alone

    def _judge(self, response: Response) -> tuple[Said | None, Detail | None]:
        """What the answer says of its storing, where it will be stored if its body is whole; else why it is not."""
        terms = self._terms
        status, fields = response.status, response.headers
        if is_private(self._environ):
            return None, "session"
        from middleware.caching.buffers import Copy
        from middleware.caching.rules.storing import declared_length, is_one_line, kept, refusal_at_sight

        reason = refusal_at_sight(fields, terms.policy)
        if reason is not None:
            return None, reason
        if self._look.key.ranged:
            if status[:3] not in ("200", "206"):
                return None, "range"  # it may be about the range alone
        elif status[:3] == "206":
            return None, "partial"  # nobody asked for a part
        now = terms.clock()
        said = self._read(status[:3], fields, now)
        reason = self._reason_against(status[:3], said)
        if reason is not None:
            return None, reason
        declared = declared_length(fields)
        if declared is not None and not 0 <= declared <= terms.max_object:
            return None, "too-large" if declared > 0 else "unreadable"
        tags = tags_of(fields)
        if tags is None:
            return None, "tags"
        stored = kept(fields, now, said.private_fields)
        if stored is None or not is_one_line(status):
            return None, "unreadable"
        self._received_at = now
        self._status = status
        self._fields = stored
        self._declared = declared
        self._tags = tags
        self._copy = Copy(terms.buffers, terms.max_object if declared is None else declared)
        return said, None

    def _read(self, code: str, fields: Fields, now: float) -> Said:
        """What an answer to this request says of its storing."""
        from middleware.caching.rules.said import Said
        from middleware.caching.rules.storing import may_guess

        policy = self._terms.policy
        said = Said(code, fields, self._look.now, now, policy)
        if not may_guess(authorized=self._authorized, with_cookie=self._with_cookie, policy=policy):
            said.guessed = 0
        return said

    def _reason_against(self, code: str, said: Said) -> Detail | None:
        """Why an answer that says this to this request is not stored."""
        from middleware.caching.rules.storing import refusal

        policy = self._terms.policy
        return refusal(code, said, authorized=self._authorized, with_cookie=self._with_cookie, policy=policy)

    def watch(self, chunk: bytes) -> None:
        """Copy what passes, as long as it will be stored."""
        if self._said is not None and not self._copy.add(chunk):
            self._said = None
            self.land(PASSED)

    def end(self, ending: Ending) -> None:
        """Store the answer if all of it has passed, and if nobody looked into a session on the way."""
        self.restore_conditions()
        said, self._said = self._said, None
        outcome: Landing = FAILED
        seconds = PASSED_FOR
        try:
            if said is not None and ending.completed and ending.error is None:
                outcome = STORED if self._commit(said, ending) else PASSED
                if outcome is PASSED and self._terms.shelf.is_over(self._look.key.record, self.generation):
                    seconds = 0  # the next answer may be stored
        finally:
            if said is not None:
                self._copy.drop()
            self.land(outcome, seconds)

    def _commit(self, said: Said, ending: Ending) -> bool:
        """Whether the answer, of which all has passed, was stored."""
        size = self._copy.size
        if ending.by_descriptor or self._declared not in (None, size) or is_private(self._environ):
            return False
        code = self._status[:3]
        if size and code == "204":
            return False  # a body that no client gets
        if code == "206":
            from middleware.caching.rules.ranges import is_the_part_it_says

            if not is_the_part_it_says(self._fields, size):
                return False
        now = self._terms.clock()
        body = self._copy.body()
        if said.framed and body.endswith(_END_OF_CHUNKS):
            return False
        until = int(now + said.useful_for(code)) + (DAY if said.has_validator else _A_WHILE)
        if self._declared is None and code != "204":
            self._fields.append(("Content-Length", str(size)))
        stored_body = StoredBody(new_name(), size, checksum(body), until)
        head = Head(self.generation, self._status, self._fields, said, self._received_at, stored_body)
        return self._keep(said, head, body, now)

    def update(self, found: Found, body: bytes, fields: Fields) -> tuple[Head, bool]:
        """The stored head after an answer with these fields confirmed it, and whether it is stored so.

        That is a 304 (RFC 9111, section 4.3.4), or a 200 to HEAD (section 4.3.5).
        """
        from middleware.caching.rules.storing import FORBIDDING, kept, updated

        head = found.head
        now = self._terms.clock()
        code = head.status[:3]
        merged = updated(head.fields, fields, now)
        said = self._read(code, merged, now)
        stored = kept(merged, now, said.private_fields)
        until = int(now + said.useful_for(code))
        stored_body = head.body if until <= head.body.until else head.body.kept_until(until + DAY)
        sent = [pair for pair in merged if pair[0].lower() != "age"] if stored is None else stored
        fresh = Head(head.generation, head.status, sent, said, now, stored_body)
        reason = self._reason_against(code, said)
        if reason in FORBIDDING:
            self._terms.shelf.remove(found)
        tags = tags_of(merged)
        if stored is None or tags is None or reason is not None or is_private(self._environ):
            return fresh, False
        # The application need not name its tags again to say that nothing has changed; if it does, those count.
        self._tags = tags if tags_of(fields) or self._cache.tags else (*tags, *head.tags)
        return fresh, self._keep(said, fresh, None if stored_body is head.body else body, now, updates=True)

    def _keep(self, said: Said, head: Head, body: bytes | None, now: float, *, updates: bool = False) -> bool:
        assert said.selecting is not None
        return self._terms.shelf.keep(
            self._original,
            self._look.key,
            said.selecting,
            head,
            body,
            said.useful_for(head.status[:3]),
            now,
            tags=(*self._tags, *self._cache.tags),
            asked_at=self._look.now,
            updates=updates,
        )
