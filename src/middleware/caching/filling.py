"""An answer of the application on its way to the client, and into the store where it may be kept."""

from __future__ import annotations

from middleware.caching.flights.flights import FAILED, PASSED, STORED
from middleware.caching.flights.passed_over import PASSED_FOR
from middleware.caching.privacy import is_authorized, is_private
from middleware.caching.rules.fields import without
from middleware.caching.rules.freshness import FAILURES, is_ever_fresh
from middleware.caching.rules.tags import tags_of
from middleware.wsgi import UNWATCHED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.caching.flights.flights import Flight
    from middleware.caching.flights.store_flights import Landing
    from middleware.caching.handle import Cache
    from middleware.caching.judging import Candidate, Judge
    from middleware.caching.look import Look
    from middleware.caching.rules.said import Fields, Said
    from middleware.caching.shelf.entry import Head
    from middleware.caching.shelf.shelf import Found
    from middleware.caching.status import Detail
    from middleware.caching.terms import Terms
    from middleware.wsgi import Ending, Response

# What the cache replaces by its own validators, and withholds, while it asks whether a stored answer still holds.
_CONDITIONS = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_RANGE", "HTTP_IF_RANGE")


class Filling:
    """One answer on its way from the application to the client, and into the store where it may be kept.

    `generation`: of its URL when the application was asked. `flight`: of those who wait for this answer.
    """

    __slots__ = (
        "_cache",
        "_candidate",
        "_environ",
        "_flight",
        "_let_go",
        "_look",
        "_original",
        "_replaced",
        "_terms",
        "generation",
    )

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
        self._candidate: Candidate | None = None

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
        self._candidate = None
        if not self._let_go:
            judged = (
                "session" if is_private(self._environ) else self._judge().candidate(response.status, response.headers)
            )
            if isinstance(judged, str):
                reason = judged
            else:
                self._candidate = judged
        candidate = self._candidate
        if candidate is None:
            if found is not None and self._is_contradicted(response.code):
                terms.shelf.remove(found)
            self.land(PASSED, 0 if response.code in FAILURES else PASSED_FOR)
        elif not is_ever_fresh(candidate.said):
            self.land(PASSED)  # who waits for it would have to ask the application all the same
        response.headers = without(response.headers, terms.policy.stripped)
        if terms.status is not None:
            response.headers.append(terms.status.forwarded(look.reason, stored=candidate is not None, detail=reason))
        if candidate is not None or self._replaced:  # replaced conditions wait for the end
            return None
        self._let_go = True
        return UNWATCHED

    def _is_contradicted(self, code: str) -> bool:
        """Whether what is stored is not what the application says now to everybody."""
        if self.personal or code in FAILURES or code == "304":
            return False
        return not (self._look.key.ranged and code in ("206", "416"))  # which are about the range alone

    def _judge(self) -> Judge:
        """Loaded with the first answer that may be stored: by CGI most are somebody's in particular."""
        from middleware.caching.judging import Judge

        return Judge(self._terms, self._look, authorized=self._authorized, with_cookie=self._with_cookie)

    def watch(self, chunk: bytes) -> None:
        """Copy what passes, as long as it will be stored."""
        if self._candidate is not None and not self._candidate.copy.add(chunk):
            self._candidate = None
            self.land(PASSED)

    def end(self, ending: Ending) -> None:
        """Store the answer if all of it has passed, and if nobody looked into a session on the way."""
        self.restore_conditions()
        candidate, self._candidate = self._candidate, None
        outcome: Landing = FAILED
        seconds = PASSED_FOR
        try:
            if candidate is not None and ending.completed and ending.error is None:
                outcome = STORED if self._commit(candidate, ending) else PASSED
                if outcome is PASSED and self._terms.shelf.is_over(self._look.key.record, self.generation):
                    seconds = 0  # the next answer may be stored
        finally:
            if candidate is not None:
                candidate.copy.drop()
            self.land(outcome, seconds)

    def _commit(self, candidate: Candidate, ending: Ending) -> bool:
        """Whether the answer, of which all has passed, was stored."""
        if ending.by_descriptor or is_private(self._environ):
            return False
        now = self._terms.clock()
        whole = candidate.whole(self.generation, now)
        if whole is None:
            return False
        head, body = whole
        return self._keep(candidate.said, head, body, now, candidate.tags)

    def update(self, found: Found, body: bytes, fields: Fields) -> tuple[Head, bool]:
        """The stored head after an answer with these fields confirmed it, and whether it is stored so.

        That is a 304 (RFC 9111, section 4.3.4), or a 200 to HEAD (section 4.3.5).
        """
        now = self._terms.clock()
        confirmed = self._judge().confirmed(found.head, fields, now)
        head, tags = confirmed.head, confirmed.tags
        if confirmed.is_forbidden:
            self._terms.shelf.remove(found)
        if tags is None or is_private(self._environ):
            return head, False
        if not (tags_of(fields) or self._cache.tags):
            tags = (*tags, *found.head.tags)  # it need not name its tags again to say that nothing has changed
        needs_body = head.body is not found.head.body
        return head, self._keep(confirmed.said, head, body if needs_body else None, now, tags, updates=True)

    def _keep(
        self, said: Said, head: Head, body: bytes | None, now: float, tags: tuple[str, ...], *, updates: bool = False
    ) -> bool:
        assert said.selecting is not None
        return self._terms.shelf.keep(
            self._original,
            self._look.key,
            said.selecting,
            head,
            body,
            said.useful_for(head.status[:3]),
            now,
            tags=(*tags, *self._cache.tags),
            asked_at=self._look.now,
            updates=updates,
        )
