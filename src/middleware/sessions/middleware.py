"""The layer that puts a session into environ, keeps what was changed in it, and tells browser and caches about it."""

from __future__ import annotations

import sys
import time

from middleware.cookies.options import CookieOptions
from middleware.errors import ConfigurationError, LayerMissing, StoreError
from middleware.headers import restricted_to_private
from middleware.operators import say_once
from middleware.sessions.cookie import MOST_CHUNKS, SessionCookie
from middleware.sessions.places import InCookie, InStore, Nowhere, unnoticed
from middleware.sessions.session import Session
from middleware.sessions.terms import Terms
from middleware.sessions.timeouts import Timeouts
from middleware.signing import check_crypto, check_secrets
from middleware.timings import TIMINGS, timed
from middleware.wsgi import Response, forward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Literal
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.events import Event
    from middleware.sessions.in_cookie.revocations import Revocations
    from middleware.sessions.in_store.users import UserSessions
    from middleware.sessions.place import Tell
    from middleware.signing import Secret
    from middleware.stores.base import Store

KEY = "middleware.session"
RETRY_AFTER = 5  # seconds, in the answer while the store is down
LOGGER = "middleware.sessions"
CLEARED = (  # W3C Clear-Site-Data, section 3.1, and what browsers have added
    "cache",
    "cookies",
    "storage",
    "executionContexts",
    "clientHints",
    "prefetchCache",
    "prerenderCache",
    "*",
)


def get_session(environ: WSGIEnvironment) -> Session:
    """The session of this request. Raises LayerMissing where the request passed no SessionMiddleware."""
    try:
        session: Session = environ[KEY]
    except KeyError:
        raise LayerMissing("no session here: wrap the app in SessionMiddleware") from None
    return session


class SessionMiddleware:
    """Puts a `Session` into `environ["middleware.session"]`. Give it a `store` or a `secret`.

    `store`: keeps sessions on the server; the browser has a random id. Log-out is final, requests that run at the same
    time merge what they change.
    `secret`: keeps the whole session in a signed cookie, readable by the client, at most 4096 bytes; text or bytes of
    16 bytes or more, or a list of them, newest last. `seal` (False): encrypts it (extra `crypto`). `chunks` (1): the
    number of cookies that it may be cut into. `revocations`: a store that makes log-out final there, too.

    `cookie`: its name (None: `__Host-id` over https, `id` over http) and attributes.
    `timeouts`: how long sessions live, 30 minutes without a request and 12 hours in all; see `Timeouts`.
    `rotate_on`: keys a change of which gives the session a new id, such as the one where an application keeps its user.
    `max_bytes` (65536): the largest content of a session in a store.
    `max_sessions` (None): of one user who logs in by `session.login`; of more, `when_too_many` ends the one that logged
    in first ("end_oldest") or refuses the login ("refuse").
    `save_on_error` (False): keep changes where the application answers 5xx, too.
    `on_outage`: what a request that needs its session gets while the store is down: "503", or "anonymous" for an empty
    session that cannot be changed, or a function that is given the StoreError and decides between the two.
    `on_other_browser` (None): what happens where a session comes with another User-Agent than it was given to: an event
    ("tell"), and also a new id ("rotate") or its end ("end").
    `clear_site_data`: what a browser clears at a log-out, such as ("cache", "storage") (W3C Clear-Site-Data).
    `on_event`: is given an `Event` for each thing that happens to a session; docs/sessions.md lists them.
    `aliases`: further environ keys, such as `beaker.session`. `clock`: the time in seconds since 1970.

    Raises ConfigurationError for both or neither of `store` and `secret`, and for values that cannot work; MissingExtra
    for `seal` without the package that it needs.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        store: Store | None = None,
        secret: Secret | None = None,
        seal: bool = False,
        chunks: int = 1,
        revocations: Store | None = None,
        cookie: CookieOptions = CookieOptions(),  # noqa: B008 - a frozen value
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - a frozen value
        rotate_on: Sequence[str] = (),
        max_bytes: int = 65536,
        max_sessions: int | None = None,
        when_too_many: Literal["end_oldest", "refuse"] = "end_oldest",
        save_on_error: bool = False,
        on_outage: Literal["503", "anonymous"] | Callable[[StoreError], Literal["503", "anonymous"]] = "503",
        on_other_browser: Literal["tell", "rotate", "end"] | None = None,
        clear_site_data: Sequence[str] = (),
        on_event: Callable[[Event], object] | None = None,
        aliases: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        _check_place(store, secret, seal, chunks, revocations)
        if store is None and max_sessions is not None:
            raise ConfigurationError("max_sessions= needs store=: nobody counts the sessions that are kept in cookies")
        if not isinstance(cookie, CookieOptions):
            raise ConfigurationError(
                f'cookie= is a CookieOptions("name", ...) with the cookie\'s name and attributes, not {cookie!r}'
            )
        if on_event is not None and not callable(on_event):
            raise ConfigurationError(f"on_event= is a function of an Event, not {on_event!r}")
        self._aliases = _texts("aliases", aliases)
        for alias in self._aliases:
            if alias.startswith("wsgi."):
                raise ConfigurationError(f"aliases= cannot hold {alias!r}: the server's own keys begin with wsgi.")
        kinds = _texts("clear_site_data", clear_site_data)
        for kind in kinds:
            if kind not in CLEARED:
                raise ConfigurationError(f"clear_site_data= is a list of {', '.join(CLEARED)}, and not of {kind!r}")
        terms = Terms(
            timeouts=timeouts,
            rotate_on=_texts("rotate_on", rotate_on),
            max_bytes=max_bytes,
            max_sessions=max_sessions,
            when_too_many=when_too_many,
            save_on_error=save_on_error,
            on_outage=on_outage,
            on_other_browser=on_other_browser,
            renews_cookie=cookie.max_age is not None,
            clock=clock,
        )
        secrets = () if secret is None else check_secrets(secret)
        kept_in = revocations if store is None else store
        self.app = app
        self._on_event = on_event
        self._clock = clock
        self._binds = on_other_browser is not None
        self._clear_site_data = ", ".join(f'"{kind}"' for kind in kinds)
        self._in_this_process = kept_in is not None and _is_memory(kept_in)

        def place(over: SessionCookie) -> InStore | InCookie:
            return InCookie(secrets, seal, revocations, terms, over) if store is None else InStore(store, terms, over)

        self._https = place(SessionCookie(cookie, secure=cookie.secure is not False, most=chunks))
        self._http: InStore | InCookie | Nowhere = self._https
        if cookie.secure is None:
            over_http = _over_http(cookie, chunks)
            self._http = Nowhere(self._https) if over_http is None else place(over_http)

    @property
    def users(self) -> UserSessions | Revocations:
        """The sessions of every user who logged in by `session.login`, to list and end them."""
        return self._https.users(self._teller(None), unnoticed)

    def open(self, field: str = "", *, https: bool = False) -> Session:
        """A session without a request: the one that a Cookie field names, or a new one.

        `field`: as a browser sends it, `"id=..."`. `session.save()` keeps what was changed and gives the Set-Cookie
        lines.
        """
        return Session(self._https if https else self._http, field, self._teller(None))

    def cookie_name(self, *, https: bool = False) -> str:
        """What the session's cookie is called: `__Host-id` over https and `id` over http, unless `cookie` says."""
        return (self._https if https else self._http).cookie.name

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._in_this_process and (environ.get("wsgi.multiprocess") or environ.get("wsgi.run_once")):
            _warn_of_other_processes()
        place = self._https if environ.get("wsgi.url_scheme") == "https" else self._http
        tell = _nobody if self._on_event is None else self._teller(environ.get("REMOTE_ADDR"))
        session = environ[KEY] = Session(place, environ.get("HTTP_COOKIE", ""), tell)
        if self._binds:
            session.user_agent = environ.get("HTTP_USER_AGENT", "")
        if TIMINGS in environ:
            session._load = timed(session._load, environ, "session")  # type: ignore[method-assign]
            session.finish = timed(session.finish, environ, "session")  # type: ignore[method-assign]
        for alias in self._aliases:
            environ[alias] = session
        if "paste.testing_variables" in environ:
            environ["paste.testing_variables"]["session"] = session

        def amend(response: Response) -> None:
            if not session.accessed:
                session.closed = True
                return
            try:
                lines = session.finish(response.status)
            except StoreError as error:
                session.failure = None
                out = unavailable(error)
                response.status, response.headers, response.body = out.status, out.headers, out.body
                lines = session.cookie_lines()
            self._mark(response, session, lines)

        try:
            body = forward(self.app, environ, start_response, amend)
        except StoreError as error:
            page = self._refuse(error, session, environ, start_response)
            if page is None:
                raise
            return page
        if session.closed:
            return body
        from middleware.sessions.late import LateStart

        return LateStart(body, self._refuse, session, environ, start_response)

    def _refuse(
        self, error: StoreError, session: Session, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes] | None:
        """Answer 503 where the store of this session failed: the body. None where it did not, or it is too late."""
        if session.failure is not error or session.closed:
            return None
        session.failure = None  # its traceback leads back to the session
        out = unavailable(error)
        self._mark(out, session, session.cookie_lines())
        start_response(out.status, out.headers, sys.exc_info())
        return out.body_for(environ)

    def _mark(self, response: Response, session: Session, lines: list[str]) -> None:
        """Tell the browser its cookie's new value, and caches that this answer is for one visitor."""
        varies = states = False
        for name, _ in response.headers:
            lower = name.lower()
            if lower == "vary":
                varies = True
            elif lower == "cache-control":
                states = True
        if varies:
            response.vary("Cookie")
        else:
            response.headers.append(("Vary", "Cookie"))
        for line in lines:
            response.headers.append(("Set-Cookie", line))
        if not states:
            response.headers.append(("Cache-Control", "no-store" if lines else "private"))
        elif lines:
            said = response.get("Cache-Control")
            restricted = restricted_to_private(said)
            if restricted != said:
                response.set("Cache-Control", restricted)
                session._tell("made_private", session.id, said=said)
        if self._clear_site_data and session.ended and response.get("Clear-Site-Data") is None:
            response.headers.append(("Clear-Site-Data", self._clear_site_data))

    def _teller(self, client: str | None) -> Tell:
        listener, clock = self._on_event, self._clock
        if listener is None:
            return _nobody
        from middleware.events import Event, emit

        def tell(name: str, subject: str | None = None, /, **details: object) -> None:
            emit(listener, Event("session", name, clock(), subject, client, details))

        return tell


def _nobody(name: str, subject: str | None = None, /, **details: object) -> None:
    """Nobody listens."""


def _check_place(
    store: Store | None, secret: Secret | None, seal: bool, chunks: int, revocations: Store | None
) -> None:
    if store is None and secret is None:
        raise ConfigurationError(
            "a session needs a place: store=MemoryStore() or SQLiteStore(path) keeps it on the server, "
            "secret=... keeps it in a signed cookie"
        )
    if store is not None and secret is not None:
        raise ConfigurationError("give SessionMiddleware store= or secret=, not both: a stored session needs no secret")
    for option, given in (("seal", seal), ("chunks", chunks != 1), ("revocations", revocations is not None)):
        if store is not None and given:
            raise ConfigurationError(f"{option}= is for sessions in a cookie (secret=): leave it out beside store=")
    if not isinstance(seal, bool):
        raise ConfigurationError(f"seal is True or False, not {seal!r}")
    if isinstance(chunks, bool) or not isinstance(chunks, int) or not 1 <= chunks <= MOST_CHUNKS:
        raise ConfigurationError(f"chunks is a number of cookies from 1 to {MOST_CHUNKS}, not {chunks!r}")
    for option, kept_in in (("store", store), ("revocations", revocations)):
        if isinstance(kept_in, type):
            raise ConfigurationError(
                f"{option}= is the class {kept_in.__name__}: pass a store, {kept_in.__name__}(...)"
            )
        for verb in () if kept_in is None else ("get", "set", "add", "swap", "delete"):
            if not callable(getattr(kept_in, verb, None)):
                raise ConfigurationError(f"{option}= has no {verb}(): pass a store, such as SQLiteStore(path)")
    if seal:
        check_crypto()


def _texts(option: str, given: object) -> tuple[str, ...]:
    if isinstance(given, list | tuple | set | frozenset) and all(isinstance(text, str) for text in given):
        return tuple(given)
    raise ConfigurationError(f"{option}= is a list of texts, not {given!r}")


def _over_http(cookie: CookieOptions, chunks: int) -> SessionCookie | None:
    """None where no browser would keep the cookie."""
    try:
        return SessionCookie(cookie, secure=False, most=chunks)
    except ValueError:
        return None


def unavailable(error: StoreError) -> Response:
    """The answer while the store is down, which the operator is told.

    By itself it leaves the cookie alone: the session may be there again soon.
    """
    import logging

    logging.getLogger(LOGGER).error("answered 503, for the store of sessions failed: %s", error)
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Retry-After", str(RETRY_AFTER)),
        ("Cache-Control", "no-store"),
    ]
    return Response(
        "503 Service Unavailable", headers, [b"Sessions are not available at the moment. Try again soon.\n"]
    )


def _is_memory(store: Store) -> bool:
    memory = sys.modules.get("middleware.stores.memory")
    return memory is not None and isinstance(store, memory.MemoryStore)


def _warn_of_other_processes() -> None:
    say_once(
        "sessions are kept in a MemoryStore, but this server runs several processes, and each has its own: "
        "use SQLiteStore, or another store that they share",
        logger=LOGGER,
    )
