"""Whether an answer of the application is stored: judged at its head, and once more when all of it has passed.

Loaded with the first answer that is nobody's in particular. No store is asked here, no WSGI is spoken; time is an
argument.
"""

from __future__ import annotations

from middleware.caching.buffers import Copy
from middleware.caching.rules.freshness import DAY
from middleware.caching.rules.said import Said
from middleware.caching.rules.storing import (
    FORBIDDING,
    declared_length,
    is_one_line,
    kept,
    may_guess,
    refusal,
    refusal_at_sight,
    updated,
)
from middleware.caching.rules.tags import tags_of
from middleware.caching.shelf.entry import Head, StoredBody
from middleware.caching.shelf.lines import checksum
from middleware.caching.shelf.marks import new_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.caching.look import Look
    from middleware.caching.rules.said import Fields
    from middleware.caching.status import Detail
    from middleware.caching.terms import Terms

_A_WHILE = 5  # seconds for which a body outlives a head that nothing can make fresh again
_END_OF_CHUNKS = b"0\r\n\r\n"  # an application that sent Transfer-Encoding may have framed the body itself


class Judge:
    """Judges the answers to one request. `authorized`, `with_cookie`: how it says who asks."""

    __slots__ = ("_authorized", "_look", "_terms", "_with_cookie")

    def __init__(self, terms: Terms, look: Look, *, authorized: bool, with_cookie: bool) -> None:
        self._terms = terms
        self._look = look
        self._authorized = authorized
        self._with_cookie = with_cookie

    def candidate(self, status: str, fields: Fields) -> Candidate | Detail:
        """The answer with this head, where it will be stored if its body is whole; else why it is not."""
        terms, code = self._terms, status[:3]
        reason = refusal_at_sight(fields, terms.policy)
        if reason is not None:
            return reason
        if self._look.key.ranged:
            if code not in ("200", "206"):
                return "range"  # it may be about the range alone
        elif code == "206":
            return "partial"  # nobody asked for a part
        now = terms.clock()
        said = self._read(code, fields, now)
        reason = self._reason_against(code, said)
        if reason is not None:
            return reason
        declared = declared_length(fields)
        if declared is not None and not 0 <= declared <= terms.max_object:
            return "too-large" if declared > 0 else "unreadable"
        tags = tags_of(fields)
        if tags is None:
            return "tags"
        stored = kept(fields, now, said.private_fields)
        if stored is None or not is_one_line(status):
            return "unreadable"
        copy = Copy(terms.buffers, terms.max_object if declared is None else declared)
        return Candidate(status, stored, said, tags, declared, copy, now)

    def confirmed(self, head: Head, fields: Fields, now: float) -> Confirmed:
        """The stored head after an answer with these fields confirmed it.

        That is a 304 (RFC 9111, section 4.3.4), or a 200 to HEAD (section 4.3.5).
        """
        code = head.status[:3]
        merged = updated(head.fields, fields, now)
        said = self._read(code, merged, now)
        stored = kept(merged, now, said.private_fields)
        until = int(now + said.useful_for(code))
        body = head.body if until <= head.body.until else head.body.kept_until(until + DAY)
        sent = [pair for pair in merged if pair[0].lower() != "age"] if stored is None else stored
        reason = self._reason_against(code, said)
        is_stored = stored is not None and reason is None
        return Confirmed(
            Head(head.generation, head.status, sent, said, now, body),
            said,
            tags_of(merged) if is_stored else None,
            is_forbidden=reason in FORBIDDING,
        )

    def _read(self, code: str, fields: Fields, now: float) -> Said:
        """What an answer to this request says of its storing."""
        policy = self._terms.policy
        said = Said(code, fields, self._look.now, now, policy)
        if not may_guess(authorized=self._authorized, with_cookie=self._with_cookie, policy=policy):
            said.guessed = 0
        return said

    def _reason_against(self, code: str, said: Said) -> Detail | None:
        """Why an answer that says this to this request is not stored."""
        policy = self._terms.policy
        return refusal(code, said, authorized=self._authorized, with_cookie=self._with_cookie, policy=policy)


class Candidate:
    """An answer that will be stored if its body is whole: `copy` is what has passed of it."""

    __slots__ = ("_declared", "_fields", "_received_at", "_status", "copy", "said", "tags")

    def __init__(
        self,
        status: str,
        fields: Fields,
        said: Said,
        tags: tuple[str, ...],
        declared: int | None,
        copy: Copy,
        received_at: float,
    ) -> None:
        self._status = status
        self._fields = fields
        self.said = said
        self.tags = tags
        self._declared = declared
        self.copy = copy
        self._received_at = received_at

    def whole(self, generation: str, now: float) -> tuple[Head, bytes] | None:
        """The head and the body to store, of which all has passed; None where that cannot be all of it."""
        size, code = self.copy.size, self._status[:3]
        if self._declared not in (None, size):
            return None
        if size and code == "204":
            return None  # a body that no client gets
        if code == "206":
            from middleware.caching.rules.ranges import is_the_part_it_says  # no other answer needs it

            if not is_the_part_it_says(self._fields, size):
                return None
        body = self.copy.body()
        said = self.said
        if said.framed and body.endswith(_END_OF_CHUNKS):
            return None
        until = int(now + said.useful_for(code)) + (DAY if said.has_validator else _A_WHILE)
        if self._declared is None and code != "204":
            self._fields.append(("Content-Length", str(size)))
        stored_body = StoredBody(new_name(), size, checksum(body), until)
        return Head(generation, self._status, self._fields, said, self._received_at, stored_body), body


class Confirmed:
    """A stored answer that was confirmed: its head from now on, and the tags that are named for it.

    `tags`: None where it is not stored so. `is_forbidden`: what is stored is to be given up.
    """

    __slots__ = ("head", "is_forbidden", "said", "tags")

    def __init__(self, head: Head, said: Said, tags: tuple[str, ...] | None, *, is_forbidden: bool) -> None:
        self.head = head
        self.said = said
        self.tags = tags
        self.is_forbidden = is_forbidden
