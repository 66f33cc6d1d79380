"""A shared HTTP cache round an application (RFC 9111): its options, and the way of a request."""

from __future__ import annotations

from time import time

from middleware.caching.keys.key_options import CacheKeys
from middleware.caching.keys.keys import Keys
from middleware.caching.look import Look, use_of
from middleware.caching.privacy import is_private
from middleware.caching.rules.asked import NOTHING, asked_of
from middleware.caching.rules.freshness import REVALIDATE_LATER, VALIDATE
from middleware.caching.rules.policy import CachePolicy
from middleware.caching.shelf.shelf import Shelf
from middleware.caching.status import CacheStatus
from middleware.caching.terms import Terms
from middleware.errors import ConfigurationError
from middleware.made_once import made_once
from middleware.options import is_number
from middleware.timings import TIMINGS, timed
from middleware.wsgi import Response, forward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Literal, Self
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.caching.asking import Asking
    from middleware.caching.fetching import Fetching
    from middleware.caching.flights.flights import Flights
    from middleware.caching.keys.keys import Key
    from middleware.caching.shelf.shelf import Found
    from middleware.events import Event
    from middleware.stores.base import Store

_POLICIES = {"default": CachePolicy(), "conformance": CachePolicy.CONFORMANCE}
# Methods that change nothing.
SAFE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"))


class CacheMiddleware:
    """Answers from a store what the wrapped application said may be reused, and stores that on its way out.

    A shared cache as RFC 9111 has it: one stored answer goes to many clients, so nothing private is stored.

    store: where answers are kept, any `Store`; one of its own, since a bounded store lets the oldest entries go.
    policy: what may be stored and reused; `"default"` is safe, `"conformance"` uses all that the RFCs permit, and a
        `CachePolicy` is anything between.
    keys: what makes two requests the same, beyond scheme, host and target.
    max_object: bytes of the largest body that is stored. A body is copied up to this size while it passes; all that
        pass at one time take at most sixteen times as much.
    flight_timeout: seconds for which a request waits for the answer to another that asked for the same.
    max_waiters: how many requests wait for one answer; others ask the application themselves.
    purge_by: says of a PURGE request's environ whether it may purge; None leaves PURGE to the application.
    name: what the cache calls itself in Cache-Status (RFC 9211); None sends no such field.
    on_event: is told of `store_failed`, `store_recovered`, `stale_on_failure` and `refresh_failed`.
    clock: seconds since 1970.

    Raises ConfigurationError for an option that is wrong.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        store: Store,
        policy: CachePolicy | Literal["default", "conformance"] = "default",
        keys: CacheKeys | None = None,
        max_object: int = 4 << 20,
        flight_timeout: float = 5.0,
        max_waiters: int = 100,
        purge_by: Callable[[WSGIEnvironment], bool] | None = None,
        name: str | None = "wsgi-middleware",
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], float] = time,
    ) -> None:
        for verb in ("get", "set", "add", "swap", "delete"):
            if not callable(getattr(store, verb, None)):
                raise ConfigurationError(f"store= has no {verb}(): pass a store, such as MemoryStore()")
        if type(max_object) is not int or max_object < 1:
            raise ConfigurationError(f"max_object= is a number of bytes above 0, not {max_object!r}")
        if purge_by is not None and not callable(purge_by):
            raise ConfigurationError(f"purge_by= is a function of a request's environ, or None, not {purge_by!r}")
        if on_event is not None and not callable(on_event):
            raise ConfigurationError(f"on_event= is a function of an Event, or None, not {on_event!r}")
        if not is_number(flight_timeout) or not 0 < flight_timeout <= 3600:
            raise ConfigurationError(
                f"flight_timeout= is a number of seconds above 0, at most 3600, not {flight_timeout!r}"
            )
        if type(max_waiters) is not int or max_waiters < 0:
            raise ConfigurationError(f"max_waiters= is a number of requests, at least 0, not {max_waiters!r}")
        policy = _policy(policy)
        keys = CacheKeys() if keys is None else keys
        if not isinstance(keys, CacheKeys):
            raise ConfigurationError(f"keys= is a CacheKeys, not {keys!r}")
        self.app = app
        self._keys = Keys(keys, guard_unkeyed=policy.guard_unkeyed)
        self._shelf = shelf = Shelf(store, self._keys, policy, on_event=on_event, clock=clock)
        self._terms = terms = Terms(
            shelf,
            policy=policy,
            clock=clock,
            max_object=max_object,
            status=None if name is None else CacheStatus(name),
        )
        self._clock = clock
        self._policy = policy
        self._purge_by = purge_by

        def asking() -> Asking:
            from middleware.caching.asking import Asking

            return Asking(app, terms, on_event)

        def flights() -> Flights:
            from middleware.caching.flights.flights import Flights

            return Flights(shelf.shared_store, timeout=flight_timeout, max_waiters=max_waiters)

        self._make_asking = asking
        self._make_flights = flights

    @made_once
    def _asking(self) -> Asking:
        return self._make_asking()

    @made_once
    def _fetching(self) -> Fetching:
        """What is done where the store has no answer, made with the first such request: a CGI process may see none."""
        from middleware.caching.fetching import Fetching

        return Fetching(self._asking, self._terms, self._keys, self._make_flights())

    def close(self) -> None:
        """Refresh nothing more in the background, and wait a moment for what is under way. The store stays open."""
        self._terms.refreshing.close()  # made even now, so that later requests find it closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ.get("REQUEST_METHOD")
        key = self._keys.key_of(environ)
        if method != "GET" and method != "HEAD":
            return self._answer_other_method(key, environ, start_response)
        if key.bypass or is_private(environ):
            return self._asking.pass_on(key, environ, start_response, "bypass", key.bypass or "session")
        now = self._clock()
        find = timed(self._shelf.find, environ, "cache") if TIMINGS in environ else self._shelf.find
        record, found = find(environ, key, now)
        asked = NOTHING
        if "HTTP_CACHE_CONTROL" in environ or "HTTP_PRAGMA" in environ:
            asked = asked_of(environ, self._policy)
        # A plain hit or 304, which is what a cache is for: 3 us each, where the general way takes 7 and 8.
        if (
            found is not None
            and now < found.head.stale_at
            and not found.soft
            and found.head.explicit
            and not key.ranged
            and asked is NOTHING
        ):
            etag = environ.get("HTTP_IF_NONE_MATCH")
            if etag is None and "HTTP_IF_MODIFIED_SINCE" not in environ:
                body = self._shelf.body(found) if method == "GET" else b""
                if body is not None:
                    start_response(found.head.status, found.fields_at(now, self._terms.status))
                    return [body] if body else []
            elif etag is not None and found.head.satisfies(etag, None, now):
                start_response("304 Not Modified", found.fields_at(now, self._terms.status, unmodified=True))
                return []
        look = Look(environ, key, asked, record, found, now)
        if found is not None:
            answer = self._answer(found, look, start_response)
            if answer is not None:
                return answer
        if asked.only_if_cached:
            return self._refuse(environ, start_response)
        return self._fetch(look, start_response)

    def _answer(self, found: Found, look: Look, start_response: StartResponse) -> Iterable[bytes] | None:
        """Answer from the store, where what was found there will do."""
        use = use_of(found, look, self._policy)
        if use is VALIDATE:
            return None
        if use is REVALIDATE_LATER:
            return self._fetching.refresh_later(look, start_response)
        status = self._terms.status
        field = None if status is None else status.hit(found.ttl(look.now))
        return self._fetching.answer(found, look, start_response, field)

    def _fetch(self, look: Look, start_response: StartResponse) -> Iterable[bytes]:
        """Answer from the application, which does not see what no answer may depend on."""
        environ = look.environ
        keys = self._keys
        fetch = self._fetching.fetch if environ["REQUEST_METHOD"] == "GET" else self._asking.ask_by_head
        hidden = keys.hide(environ)
        if hidden is None:
            return fetch(look, start_response)
        return forward(
            lambda _, start_response: fetch(look, start_response),
            environ,
            start_response,
            end=lambda _: keys.restore(environ, hidden),
        )

    def _answer_other_method(
        self, key: Key, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        method = environ.get("REQUEST_METHOD")
        if method == "PURGE" and self._purge_by is not None:
            from middleware.caching.purging import purge

            return purge(self._shelf, key, self._purge_by, environ)(environ, start_response)
        if not key.url or method in SAFE:
            return self._asking.pass_on(key, environ, start_response, "method")
        from middleware.caching.changing import Change

        return Change(self._terms, key, environ).pass_on(self.app, start_response)

    def _refuse(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request that only wants what is stored, where nothing is (RFC 9111, section 5.2.1.7)."""
        fields = [("Content-Type", "text/plain"), ("Cache-Control", "no-store")]
        if self._terms.status is not None:
            fields.append(self._terms.status.refused("only-if-cached"))
        return Response("504 Gateway Timeout", fields, [b"not in the cache\n"])(environ, start_response)


def _policy(policy: CachePolicy | str) -> CachePolicy:
    if isinstance(policy, CachePolicy):
        return policy
    if policy not in _POLICIES:
        raise ConfigurationError(f'policy= is "default", "conformance" or a CachePolicy, not {policy!r}')
    return _POLICIES[policy]
