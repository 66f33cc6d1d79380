"""The layer that puts a session into environ, keeps what was changed in it, and tells browser and caches about it."""

from __future__ import annotations

import sys
import time

from middleware.cookies.options import CookieOptions
from middleware.errors import ConfigurationError, LayerMissing, StoreError
from middleware.headers import restricted_to_private
from middleware.operators import say_once
from middleware.sessions.limits import Limits
from middleware.sessions.session import Session
from middleware.signing import check_secrets
from middleware.wsgi import Response, forward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.cookies.options import CookieLine
    from middleware.sessions.session import Record
    from middleware.signing import Secret
    from middleware.stores.base import Store

KEY = "middleware.session"
RETRY_AFTER = 5  # seconds, in the answer while the store is down
LOGGER = "middleware.sessions"


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
    time merge what they change. `secret`: keeps the whole session in a signed cookie, readable by the client, at most
    4096 bytes; text or bytes of 16 bytes or more, or a list of them, newest last.

    `cookie`: its name (None: `__Host-id` over https, `id` over http) and attributes.
    `idle_timeout`: seconds without a request after which a session is over. `lifetime`: seconds after which it is over
    in any case. `max_bytes`: the largest content of a session in a store. `save_on_error`: keep changes where the
    application answers 5xx, too. `aliases`: further environ keys, such as `beaker.session`. `clock`: the time in
    seconds since 1970.

    Raises ConfigurationError for both or neither of `store` and `secret`, and for values that cannot work.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        store: Store | None = None,
        secret: Secret | None = None,
        cookie: CookieOptions = CookieOptions(),  # noqa: B008 - a frozen value
        idle_timeout: float = 1800,
        lifetime: float = 43200,
        max_bytes: int = 65536,
        save_on_error: bool = False,
        aliases: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        if store is None and secret is None:
            raise ConfigurationError(
                "a session needs a place: store=MemoryStore() or SQLiteStore(path) keeps it on the server, "
                "secret=... keeps it in a signed cookie"
            )
        if store is not None and secret is not None:
            raise ConfigurationError("give SessionMiddleware store= or secret=, not both: a stored session needs none")
        for verb in () if store is None else ("get", "add", "swap", "delete"):
            if not callable(getattr(store, verb, None)):
                raise ConfigurationError(f"store= has no {verb}(): pass a store, such as SQLiteStore(path)")
        if not isinstance(cookie, CookieOptions):
            raise ConfigurationError(
                f'cookie= is a CookieOptions("name", ...) with the cookie\'s name and attributes, not {cookie!r}'
            )
        if isinstance(aliases, str):
            raise ConfigurationError("aliases= is a list of environ keys, not one text")
        limits = Limits(idle_timeout, lifetime, max_bytes, cookie.max_age is not None, clock)
        self.app = app
        secrets = () if secret is None else check_secrets(secret)
        self._aliases = tuple(aliases)
        self._save_on_error = save_on_error
        self._https = _Place(store, secrets, limits, _line(cookie, secure=cookie.secure is not False))
        self._http: _Place | _NoPlace = self._https
        if cookie.secure is None:
            line = _line_over_http(cookie)
            self._http = _NoPlace(self._https.line) if line is None else _Place(store, secrets, limits, line)
        self._in_this_process = store is not None and _is_memory(store)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._in_this_process and (environ.get("wsgi.multiprocess") or environ.get("wsgi.run_once")):
            _warn_of_other_processes()
        place = self._https if environ.get("wsgi.url_scheme") == "https" else self._http
        session = environ[KEY] = Session(place, environ.get("HTTP_COOKIE", ""))
        for alias in self._aliases:
            environ[alias] = session

        def amend(response: Response) -> None:
            if not session.accessed:
                session.closed = True
                return
            try:
                value = session.finish(response.status, self._save_on_error)
            except StoreError as error:
                _log(error)
                out = _unavailable()
                response.status, response.headers, response.body = out.status, out.headers, out.body
                value = session.cookie
            _tell(response, place.line, value)

        try:
            return forward(self.app, environ, start_response, amend)
        except StoreError as error:
            if session.failure is not error:
                raise
            session.failure = None  # its traceback leads back to the session
            _log(error)
            out = _unavailable()
            _tell(out, place.line, session.cookie)
            start_response(out.status, out.headers, sys.exc_info())
            return out.body_for(environ)


class _Place:
    """Where sessions are kept, and the cookie that leads there.

    `open` opens the session of a Cookie field. What that takes (json, hashlib) is imported with the first one.
    """

    def __init__(self, store: Store | None, secrets: tuple[bytes, ...], limits: Limits, line: CookieLine) -> None:
        self.line = line
        self.open: Callable[[str], Record] = self._open_first
        self._store = store
        self._secrets = secrets
        self._limits = limits

    def _open_first(self, field: str) -> Record:
        if self._store is not None:
            from middleware.sessions.stored import StoredSessions

            self.open = StoredSessions(self._store, self._limits, self.line.name).open
        else:
            from middleware.sessions.signed import SignedSessions

            self.open = SignedSessions(self._secrets, self._limits, self.line.name).open
        return self.open(field)


class _NoPlace:
    """What a request by http finds where the cookie is for https."""

    def __init__(self, line: CookieLine) -> None:
        self.line = line

    def open(self, field: str) -> Record:  # noqa: ARG002
        raise ConfigurationError(
            f"the session cookie {self.line.name} is for https, and this request came by http: where a proxy in front "
            "speaks https, say secure=True in the cookie options; for http choose other options"
        )


def _line(cookie: CookieOptions, *, secure: bool) -> CookieLine:
    """How the cookie is set and deleted, over https or not."""
    name = cookie.name
    if name is None:
        prefix = "__Host-" if cookie.path == "/" and cookie.domain is None else "__Secure-"
        name = f"{prefix}id" if secure else "id"
    return cookie.line(name, secure)


def _line_over_http(cookie: CookieOptions) -> CookieLine | None:
    """None where no browser would keep the cookie."""
    try:
        return _line(cookie, secure=False)
    except ValueError:
        return None


def _tell(response: Response, line: CookieLine, value: str | None) -> None:
    """Tell the browser the cookie's new value, and caches that this answer is for one visitor."""
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
    if value is not None:
        response.headers.append(("Set-Cookie", line.setting_checked(value) if value else line.deletion))
    if not states:
        response.headers.append(("Cache-Control", "private" if value is None else "no-store"))
    elif value is not None:
        response.set("Cache-Control", restricted_to_private(response.get("Cache-Control")))


def _unavailable() -> Response:
    """The answer while the store is down. By itself it leaves the cookie alone: the session may be there again soon."""
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Retry-After", str(RETRY_AFTER)),
        ("Cache-Control", "no-store"),
    ]
    return Response(
        "503 Service Unavailable", headers, [b"Sessions are not available at the moment. Try again soon.\n"]
    )


def _log(error: StoreError) -> None:
    import logging

    logging.getLogger(LOGGER).error("answered 503, for the store of sessions failed: %s", error)


def _is_memory(store: Store) -> bool:
    memory = sys.modules.get("middleware.stores.memory")
    return memory is not None and isinstance(store, memory.MemoryStore)


def _warn_of_other_processes() -> None:
    say_once(
        "sessions are kept in a MemoryStore, but this server runs several processes, and each has its own: "
        "use SQLiteStore, or another store that they share",
        logger=LOGGER,
    )
