"""What the cache does where it has no answer: it asks the application, once for all who wait for the same.

A stored answer that is stale is validated, and sent as it is where the application fails or may be asked later.
"""

from __future__ import annotations

from functools import partial
from threading import get_ident

from middleware.caching.flights.flights import FAILED, STORED, Waiter
from middleware.caching.keys.variants import digest, framed
from middleware.caching.look import Look, use_of
from middleware.caching.privacy import is_authorized
from middleware.caching.rules.asked import NOTHING
from middleware.caching.rules.freshness import FAILURES, FRESH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from middleware.caching.asking import Asking
    from middleware.caching.flights.flights import Flight, Flights
    from middleware.caching.keys.keys import Key, Keys
    from middleware.caching.shelf.shelf import Found
    from middleware.caching.status import Detail
    from middleware.caching.terms import Terms


class Fetching:
    """Has the application of one cache asked, now or later, by one request or for many."""

    def __init__(self, asking: Asking, terms: Terms, keys: Keys, flights: Flights) -> None:
        self._asking = asking
        self._terms = terms
        self._keys = keys
        self._flights = flights

    def fetch(self, look: Look, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a GET from the application, or from what it answered to a request that came at the same time."""
        key = look.key
        if not key.canonical or look.asked.no_store:
            detail: Detail = "no-store" if key.canonical else "host"
            return self._asking.pass_on(key, look.environ, start_response, look.reason, detail)
        flight, given = self._join(look, start_response)
        return self._asking.ask(look, flight, start_response) if given is None else given

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
        return digest(framed(parts))  # which is no key in a store that shows what a client sent

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
        from middleware.caching.answering import answer

        head = found.head
        body = partial(self._terms.shelf.body, found)
        return answer(head, head.hit_fields, body, look.environ, start_response, look.now, field)

    def refresh_later(self, look: Look, start_response: StartResponse) -> Iterable[bytes] | None:
        """Answer with what is stale, and see to it that it is refreshed; None where that cannot be done so."""
        from middleware.caching.clean_environ import cleaned
        from middleware.caching.refreshing import Afterwards

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
        refreshing = self._terms.refreshing
        if not refreshing.can_run_beside(environ):
            return Afterwards(chunks, task)
        if not refreshing.start(environ, task):
            flight.land(FAILED)  # no room: a later request tries again
        return chunks

    def _refresh(self, environ: WSGIEnvironment, key: Key, flight: Flight) -> None:
        """Ask the application, for nobody who waits, about a stored answer that is stale."""
        from middleware.caching.refreshing import run

        flight.thread = get_ident()  # that of the request goes on to others
        now = self._terms.clock()
        look = Look(environ, key, NOTHING, None, None, now)
        try:
            look.found_now(*self._terms.shelf.find(environ, key, now), now)
            found = look.found
            if found is not None and use_of(found, look, self._terms.policy) is FRESH:
                return  # another refreshed it between the look into the store and the flight
            ask, most = self._asking.ask, self._terms.max_object
            code = run(lambda _, start: ask(look, flight, start, covers=False), environ, most=most)
            if code in FAILURES:
                self._asking.tell("refresh_failed", look, {"status": code, "error": None})
        except Exception as error:
            self._asking.tell("refresh_failed", look, {"status": None, "error": repr(error)})
            raise
        finally:
            flight.land(FAILED)  # unless it has landed already
