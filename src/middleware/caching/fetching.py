"""What the cache does where it has no answer: it asks the application, once for all who wait for the same.

A stored answer that is stale is validated, and sent as it is where the application fails or may be asked later.
"""

from __future__ import annotations

from functools import partial

from middleware.caching.answering import answer
from middleware.caching.clean_environ import cleaned
from middleware.caching.filling import Filling
from middleware.caching.flights.flights import FAILED, PASSED, STORED, Waiter
from middleware.caching.handle import Cache
from middleware.caching.keys.variants import framed
from middleware.caching.look import Look, use_of
from middleware.caching.priming import prime
from middleware.caching.privacy import is_authorized
from middleware.caching.refreshing import Afterwards, run
from middleware.caching.rules.asked import NOTHING
from middleware.caching.rules.freshness import FRESH, usable_on_failure
from middleware.caching.rules.storing import FAILURES, agrees, without
from middleware.events import Event, emit
from middleware.headers import etag_matches
from middleware.wsgi import Response, forward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.caching.filling import Terms
    from middleware.caching.flights.flights import Flight, Flights
    from middleware.caching.keys.keys import Key, Keys
    from middleware.caching.refreshing import Refreshing
    from middleware.caching.shelf.entry import Head
    from middleware.caching.shelf.shelf import Found
    from middleware.caching.status import Detail, Reason
    from middleware.events import Listener


class Fetching:
    """Asks the application of one cache."""

    __slots__ = ("_app", "_flights", "_keys", "_on_event", "_refreshing", "_terms")

    def __init__(
        self,
        app: WSGIApplication,
        terms: Terms,
        keys: Keys,
        flights: Flights,
        refreshing: Refreshing,
        on_event: Listener | None,
    ) -> None:
        self._app = app
        self._terms = terms
        self._keys = keys
        self._flights = flights
        self._refreshing = refreshing
        self._on_event = on_event

    def fetch(self, look: Look, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a GET from the application, or from what it answered to a request that came at the same time."""
        key = look.key
        if not key.canonical or look.asked.no_store:
            detail: Detail = "no-store" if key.canonical else "host"
            return self.pass_on(key, look.environ, start_response, look.reason, detail)
        flight, given = self._join(look, start_response)
        return self._ask(look, flight, start_response) if given is None else given

    def _join(self, look: Look, start_response: StartResponse) -> tuple[Flight | None, Iterable[bytes] | None]:
        """Lead a flight, or wait for one; the answer where there is one then."""
        if is_authorized(look.environ, self._terms.policy):
            return None, None  # no answer to these is one for others
        name = self._name(look)
        if look.key.ranged:  # nor to these, but they are answered out of one that is under way
            outcome = self._flights.wait_for(name)
            return None, self._answer_anew(look, start_response, collapsed=outcome is STORED)
        boarded = self._flights.board(name)
        is_refined = False
        while isinstance(boarded, Waiter):
            outcome = boarded.wait()
            given = self._answer_anew(look, start_response, collapsed=outcome is STORED)
            if given is not None:
                return None, given
            refined = self._name(look)
            if outcome is FAILED:
                boarded = boarded.board_again()
            elif outcome is STORED and not is_refined:  # what was stored is for other requests, or is replaced just now
                is_refined = True
                boarded = boarded.board_again(refined)
            else:
                return None, None
        if boarded.alone:
            return boarded, None
        # Another may have landed between the look into the store and the boarding.
        try:
            given = self._answer_anew(look, start_response, collapsed=False)
        except BaseException:
            boarded.land(FAILED)
            raise
        if given is not None:
            boarded.land(STORED)
        return boarded, given

    def _name(self, look: Look, environ: WSGIEnvironment | None = None) -> str:
        """What requests must have in common for one to wait for the answer to another, as far as that is known."""
        environ, key, record = environ or look.environ, look.key, look.record
        parts = [key.url, key.seen, "cookie" if environ.get("HTTP_COOKIE") else ""]
        if record is not None:
            parts += [self._keys.variant(environ, key.seen, names) for names in record.selections if names]
        return framed(parts)

    def _answer_anew(self, look: Look, start_response: StartResponse, *, collapsed: bool) -> Iterable[bytes] | None:
        """Look into the store again, and answer from it where that is possible now."""
        now = self._terms.clock()
        record, found = self._terms.shelf.find(look.environ, look.key, now)
        reason = look.reason
        look.found_now(record, found, now)
        if found is None or use_of(found, look, self._terms.policy) is not FRESH:
            return None
        status = self._terms.status
        field = None
        if status is not None:
            field = status.forwarded(reason, collapsed=True) if collapsed else status.hit(found.ttl(now))
        return self.answer(found, look, start_response, field)

    def answer(
        self, found: Found, look: Look, start_response: StartResponse, field: tuple[str, str] | None
    ) -> list[bytes] | None:
        """Answer with what was found, and `field` beside it; None where its body is gone."""
        head = found.head
        body = partial(self._terms.shelf.body, found)
        return answer(head, head.hit_fields, body, look.environ, start_response, look.now, field)

    def refresh_later(self, look: Look, start_response: StartResponse) -> Iterable[bytes] | None:
        """Answer with what is stale, and see to it that it is refreshed; None where that cannot be done so."""
        found, environ, status = look.found, look.environ, self._terms.status
        assert found is not None
        names = found.head.selecting
        if "cookie" in names or "authorization" in names or is_authorized(environ, self._terms.policy):
            return None
        if not look.key.canonical:
            return None  # nothing that it says may be stored
        clean = cleaned(environ, (*names, *self._keys.keyed))
        self._keys.hide(clean)
        key = self._keys.key_of(clean)
        if key.url != look.key.url or key.seen != look.key.seen:  # what a site adds to its keys is not in it
            return None
        chunks = self.answer(found, look, start_response, None if status is None else status.hit(found.ttl(look.now)))
        if chunks is None:
            return None
        flight = self._flights.try_lead(self._name(look, clean))
        if flight is None:
            return chunks
        task = partial(self._refresh, clean, key, flight)
        if not self._refreshing.can_run_beside(environ):
            return Afterwards(chunks, task)
        if not self._refreshing.start(environ, task):
            flight.land(FAILED)  # no room: a later request tries again
        return chunks

    def _refresh(self, environ: WSGIEnvironment, key: Key, flight: Flight) -> None:
        """Ask the application, for nobody who waits, about a stored answer that is stale."""
        try:
            now = self._terms.clock()
            record, found = self._terms.shelf.find(environ, key, now)
            look = Look(environ, key, NOTHING, record, found, now)
            if found is not None and use_of(found, look, self._terms.policy) is FRESH:
                return  # another refreshed it between the look into the store and the flight
            code = run(
                lambda _, start: self._ask(look, flight, start, covers=False), environ, most=self._terms.max_object
            )
            if code in FAILURES:
                self._tell("refresh_failed", environ, {"status": code, "error": None})
        except Exception as error:
            self._tell("refresh_failed", environ, {"status": None, "error": repr(error)})
            raise
        finally:
            flight.land(FAILED)  # unless it has landed already

    def _ask(
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
                validates = self._may_validate(found.head, filling)
                covers = covers and usable_on_failure(found.head, look.now, soft=found.soft)
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

    def _may_validate(self, head: Head, filling: Filling) -> bool:
        """Whether the application may be asked if what is stored still holds.

        A version for an ETag can be the same for two users, whose pages are not.
        """
        allowed = head.explicit or self._terms.policy.guess_for_cookies or not filling.personal
        return head.can_be_validated and allowed

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
        taken.close()
        etag = taken.get("ETag")
        if etag is not None and head.etag is not None and not etag_matches(head.etag, etag):
            filling.put_conditions({})  # what the application says has not changed is not what is stored
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
        self._tell("stale_on_failure", look.environ, {"status": code, "age": int(head.age(now))})
        status = self._terms.status
        field = None if status is None else status.forwarded(look.reason, code=code, detail="failure")
        return answer(head, head.hit_fields, lambda: body, look.environ, start_response, now, field) or ()

    def fetch_head(self, look: Look, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a HEAD from the application. What it says of the stored answer to GET counts (RFC 9111, 4.3.5)."""
        found, shelf, status = look.found, self._terms.shelf, self._terms.status
        is_of_nobody = look.key.canonical and not is_authorized(look.environ, self._terms.policy)
        if found is None or look.asked.no_store or not is_of_nobody:
            return self.pass_on(look.key, look.environ, start_response, look.reason)
        cache = look.environ["middleware.cache"] = Cache(shelf, look.key)
        filling = Filling(self._terms, look, found.head.generation, None, cache)

        def amend(response: Response) -> None:
            if response.code == "200":
                body = shelf.body(found)
                if not agrees(found.head.fields, response.headers):
                    shelf.invalidate((look.key.url,))
                elif body is not None:
                    filling.update(found, body, response.headers)
            response.headers = without(response.headers, self._terms.policy.stripped)
            if status is not None:
                response.headers.append(status.forwarded(look.reason))

        return forward(self._app, look.environ, start_response, amend)

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

    def _tell(self, name: str, environ: WSGIEnvironment, details: dict[str, object]) -> None:
        if self._on_event is not None:
            subject, client = self._keys.key_of(environ).url, environ.get("REMOTE_ADDR")
            emit(self._on_event, Event("cache", name, self._terms.clock(), subject, client, details))
