"""The application is asked: for an answer that is stored on its way, and whether what is stored still holds.

Where it fails, what is stale may be sent in the place of its failure.
"""

from __future__ import annotations

from middleware.caching.filling import Filling
from middleware.caching.flights.flights import FAILED, PASSED, STORED
from middleware.caching.handle import Cache
from middleware.caching.privacy import is_authorized
from middleware.caching.rules.fields import without
from middleware.caching.rules.freshness import FAILURES, usable_on_failure
from middleware.headers import etag_matches
from middleware.wsgi import Response, forward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.caching.flights.flights import Flight
    from middleware.caching.keys.keys import Key
    from middleware.caching.look import Look
    from middleware.caching.shelf.shelf import Found
    from middleware.caching.status import Detail, Reason
    from middleware.caching.terms import Terms
    from middleware.events import Listener
    from middleware.wsgi import Ending


class Asking:
    """Asks the application of one cache."""

    __slots__ = ("_app", "_on_event", "_terms")

    def __init__(self, app: WSGIApplication, terms: Terms, on_event: Listener | None) -> None:
        self._app = app
        self._terms = terms
        self._on_event = on_event

    def ask(
        self, look: Look, flight: Flight | None, start_response: StartResponse, *, covers: bool = True
    ) -> Iterable[bytes]:
        """Ask the application, with the stored validators where there are some, and store its answer if it may be.

        `covers`: whether what is stale may be sent if it fails. Not where nobody waits for an answer.
        """
        environ, shelf = look.environ, self._terms.shelf
        try:
            if look.record is None:
                shelf.tell_if_alone(environ)
            record = look.record or shelf.record_for(look.key, look.now)
            if record is None:  # the store does not answer
                if flight is not None:
                    flight.land(PASSED, 0)
                return self.pass_on(look.key, environ, start_response, look.reason, "store")
            cache = environ["middleware.cache"] = Cache(shelf, look.key)
            filling = Filling(self._terms, look, record.generation, flight, cache)
            found = look.found
            if found is not None:
                head = found.head
                is_for_all = head.explicit or self._terms.policy.guess_for_cookies or not filling.personal
                # A version for an ETag can be the same for two users, whose pages are not.
                validates = is_for_all and head.can_be_validated
                covers = covers and is_for_all and usable_on_failure(head, look.now, soft=found.soft)
                body = shelf.body(found) if validates or covers else None
                if body is not None:
                    return self._ask_about(
                        found, body, look, filling, start_response, validates=validates, covers=covers
                    )
            return forward(self._app, environ, start_response, filling.amend, watch=filling.watch, end=filling.end)
        except BaseException:
            if flight is not None:
                flight.land(FAILED)
            raise

    def _ask_about(
        self,
        found: Found,
        body: bytes,
        look: Look,
        filling: Filling,
        start_response: StartResponse,
        *,
        validates: bool,
        covers: bool,
    ) -> Iterable[bytes]:
        """Ask the application anew, and whether a stored answer still holds; send that where the application fails."""
        environ, head, clock = look.environ, found.head, self._terms.clock
        if validates:
            filling.put_conditions(head.conditions)
        try:
            taken = Response.from_app(self._app, environ)
            if covers:
                from middleware.caching.priming import prime

                prime(taken)
        except BaseException as error:
            filling.restore_conditions()
            if covers and isinstance(error, Exception) and usable_on_failure(head, clock(), soft=found.soft):
                return self._cover(found, body, look, filling, start_response, error)
            raise
        if covers and taken.code in FAILURES and usable_on_failure(head, clock(), soft=found.soft):
            return self._cover(found, body, look, filling, start_response, taken)
        if not validates or taken.code != "304":
            return forward(taken, environ, start_response, filling.amend, watch=filling.watch, end=filling.end)
        try:
            taken.close()
        except BaseException:
            filling.restore_conditions()
            raise
        etag = taken.get("ETag")
        if etag is not None and head.etag is not None and not etag_matches(head.etag, etag):
            filling.begin_again()  # what the application says has not changed is not what is stored
            return forward(self._app, environ, start_response, filling.amend, watch=filling.watch, end=filling.end)
        filling.restore_conditions()
        return self._answer_validated(found, body, look, filling, taken, start_response)

    def _answer_validated(
        self,
        found: Found,
        body: bytes,
        look: Look,
        filling: Filling,
        confirmation: Response,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        """Answer with what the application confirmed by 304, its fields updated."""
        from middleware.caching.answering import answer

        head, stored = filling.update(found, body, confirmation.headers)
        now = self._terms.clock()
        reusable = stored and now < head.stale_at
        filling.land(STORED if reusable else PASSED)  # else who waits for it would have to ask all the same
        status = self._terms.status
        field = None if status is None else status.forwarded(look.reason, code="304", stored=stored)
        return answer(head, head.sent_fields, lambda: body, look.environ, start_response, now, field) or ()

    def _cover(
        self,
        found: Found,
        body: bytes,
        look: Look,
        filling: Filling,
        start_response: StartResponse,
        failure: Exception | Response,
    ) -> Iterable[bytes]:
        """Answer with what is stale, since the application failed (RFC 5861, section 4)."""
        import logging

        from middleware.caching.answering import answer

        logger = logging.getLogger("middleware.caching")
        filling.restore_conditions()
        filling.land(PASSED, 0)  # who waits for it asks too: a failure is no answer for another
        head, url, code = found.head, look.key.url, None
        if isinstance(failure, Exception):
            logger.error("the application failed at %s, and a stale answer was sent", url, exc_info=failure)
        else:
            code = failure.code
            logger.error("the application answered %s at %s, and a stale answer was sent", code, url)
            try:
                failure.close()
            except Exception:
                logger.exception("and then close() of its body failed")
        now = self._terms.clock()
        self.tell("stale_on_failure", look, {"status": code, "age": int(head.age(now))})
        status = self._terms.status
        field = None if status is None else status.forwarded(look.reason, code=code, detail="failure")
        return answer(head, head.hit_fields, lambda: body, look.environ, start_response, now, field) or ()

    def ask_by_head(self, look: Look, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a HEAD from the application. What it says of the stored answer to GET counts (RFC 9111, 4.3.5)."""
        from middleware.caching.rules.storing import agrees

        found, shelf, status = look.found, self._terms.shelf, self._terms.status
        is_of_nobody = look.key.canonical and not is_authorized(look.environ, self._terms.policy)
        if found is None or look.asked.no_store or not is_of_nobody:
            return self.pass_on(look.key, look.environ, start_response, look.reason)
        cache = look.environ["middleware.cache"] = Cache(shelf, look.key)
        filling = Filling(self._terms, look, found.head.generation, None, cache)
        confirmation: list[tuple[str, str]] | None = None

        def amend(response: Response) -> None:
            nonlocal confirmation
            confirmation = None
            if response.code == "200" and found.head.status.startswith("200"):
                if agrees(found.head.fields, response.headers):
                    confirmation = [*response.headers]
                else:
                    shelf.invalidate((look.key.url,))
            response.headers = without(response.headers, self._terms.policy.stripped)
            if status is not None:
                response.headers.append(status.forwarded(look.reason))

        def end(ending: Ending) -> None:
            body = shelf.body(found) if confirmation is not None and ending.completed and ending.error is None else None
            if body is not None and confirmation is not None:
                filling.update(found, body, confirmation)

        return forward(self._app, look.environ, start_response, amend, end=end)

    def pass_on(
        self,
        key: Key,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        reason: Reason,
        detail: Detail | None = None,
    ) -> Iterable[bytes]:
        """Leave the answer to the application, and keep nothing of it."""
        environ["middleware.cache"] = Cache(self._terms.shelf, key)
        status, stripped = self._terms.status, self._terms.policy.stripped
        if status is None and not stripped:
            return self._app(environ, start_response)

        def amend(response: Response) -> None:
            response.headers = without(response.headers, stripped)
            if status is not None:
                response.headers.append(status.forwarded(reason, detail=detail))

        return forward(self._app, environ, start_response, amend)

    def tell(self, name: str, look: Look, details: dict[str, object]) -> None:
        """Tell who listens what happened to the answer of this request."""
        if self._on_event is not None:
            from middleware.events import Event, emit

            client = look.environ.get("REMOTE_ADDR")
            emit(self._on_event, Event("cache", name, self._terms.clock(), look.key.url, client, details))
