"""Flask on our sessions: `use_sessions(app, store=SQLiteStore("sessions.db"))`, and `flask.session` is one of them.

The layer stands inside the Flask application, so that its test client and `flask run` pass through it too. It loads and
keeps the session and sets the cookie; Flask sees a `SessionMixin` that looks into it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NoReturn

from flask import Flask, Request, got_request_exception, request
from flask.sessions import NullSession, SessionMixin
from flask.sessions import SessionInterface as FlaskSessionInterface
from markupsafe import Markup
from werkzeug.middleware.proxy_fix import ProxyFix

from middleware.auth import get_identity
from middleware.errors import ConfigurationError, LayerMissing
from middleware.gateway import ProxyMiddleware
from middleware.integrations.face import Face
from middleware.integrations.wrapped import session_layer_in
from middleware.sessions import SessionMiddleware
from middleware.sessions.middleware import KEY
from middleware.sessions.session import DAY, MOST_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from flask import Response

    from middleware.sessions import Session

FLASHES = "_flashes"  # where Flask keeps the messages of flash(), as pairs of category and message
MARKUP = "markup:"  # before the category of a message that is markup
OPENED_HERE = "middleware.integrations.flask"  # in environ, where no layer keeps the session
USERS = ("_user_id", "user_id")  # where Flask-Login and Flask's own tutorial keep who is logged in


def use_sessions(app: Flask, **options: Any) -> SessionMiddleware:
    """Give a Flask application our sessions, as `flask.session`. The layer, for its `users` and `open`.

    The options are those of `SessionMiddleware`; `rotate_on` is `("_user_id", "user_id")` where it is not given, so a
    login gives the session a new id.

    Raises ConfigurationError where the application has our sessions already, and where ProxyMiddleware or ProxyFix was
    put round it before: that has to stand outside, or no cookie would be Secure.
    """
    if isinstance(app.session_interface, SessionInterface):
        raise ConfigurationError("use_sessions() was called for this application before: call it once")
    if isinstance(app.wsgi_app, ProxyFix | ProxyMiddleware):
        proxy = type(app.wsgi_app).__name__
        raise ConfigurationError(
            f"{proxy} has to stand outside of the sessions, which ask it for https: "
            f"move the line app.wsgi_app = {proxy}(...) below use_sessions(app, ...)"
        )
    options.setdefault("rotate_on", USERS)
    layer = SessionMiddleware(app.wsgi_app, **options)
    app.wsgi_app = layer  # type: ignore[method-assign]
    app.session_interface = SessionInterface()
    got_request_exception.connect(_let_out, app)
    return layer


def by_identity(find: Callable[[str], Any]) -> Callable[[Request], Any]:
    """For Flask-Login: `login_manager.request_loader(by_identity(find_user))` makes `current_user` ours.

    `find` takes the name of a user and gives what Flask-Login calls one, or None, as `user_loader` does. It is not
    asked where nobody is identified. Raises LayerMissing where the request passed no AuthMiddleware.
    """

    if not callable(find):
        raise ConfigurationError(f"by_identity takes a function that finds a user by name, not {find!r}")

    def load(request: Request) -> Any:
        identity = get_identity(request.environ)
        return None if identity is None else find(identity.user)

    return load


class FlaskSession(Face, SessionMixin):
    """`flask.session`: a mapping with `permanent`, `new`, `modified`, and all that a `Session` has besides.

    `clear()` ends the session and begins an empty one, for that is how Flask's applications log out, and in.
    """

    modified = False
    """Whether a key was set or deleted. Nothing depends on it: changes inside of values are noticed without it."""

    def __init__(self, session: Session, lifetime: timedelta, *, opened_here: bool) -> None:
        super().__init__(session)
        self._days = min(lifetime.total_seconds() / DAY, MOST_DAYS)
        self.opened_here = opened_here

    def __getitem__(self, key: str) -> Any:
        if key != FLASHES:
            return self._session[key]
        waiting = [_shown(*pair) for pair in self._session.peek_flash()]
        if not waiting:
            raise KeyError(key)
        return waiting

    def __setitem__(self, key: str, value: Any) -> None:
        self.modified = True
        if key != FLASHES:
            self._session[key] = value
            return
        waiting, messages = self.get(FLASHES, []), [tuple(pair) for pair in value]
        if messages[: len(waiting)] == waiting:
            messages = messages[len(waiting) :]  # what other requests leave at the same time waits as well
        else:
            self._session.pop_flash()
        for category, message in messages:
            self._session.flash(*_kept(category, message))

    def __delitem__(self, key: str) -> None:
        self.modified = True
        if key != FLASHES:
            del self._session[key]
        elif not self._session.pop_flash():
            raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        yield from self._session
        if self._session.peek_flash():
            yield FLASHES

    def __len__(self) -> int:
        return len(self._session) + bool(self._session.peek_flash())

    def __contains__(self, key: object) -> bool:
        return bool(self._session.peek_flash()) if key == FLASHES else key in self._session

    def clear(self) -> None:
        """End the session and begin an empty one: its id opens nothing any more."""
        self.modified = True
        self._session.invalidate()

    @property
    def new(self) -> bool:  # type: ignore[override]
        """Whether this request began it."""
        return self._session.is_new

    @property
    def permanent(self) -> bool:
        """Whether it outlives the browser, for the application's `permanent_session_lifetime` (400 days at most)."""
        return bool(self.get("_permanent", False))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        if bool(value) != self.permanent:
            self["_permanent"] = bool(value)
            self._session.remember(self._days if value else 0)

    def prolong(self) -> None:
        """Let a permanent session live for its whole time from now on, once a tenth of that has gone by."""
        if self.permanent and self._session.expires - time.time() < 0.9 * self._days * DAY:
            self._session.remember(self._days)


class NoSession(NullSession):
    """What `flask.session` is where the request passed no layer: empty, and it says what to do when it is changed."""

    def _fail(self, *_: Any, **__: Any) -> NoReturn:
        raise LayerMissing("no session here: call use_sessions(app, store=...) once the application is made")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = _fail


class SessionInterface(FlaskSessionInterface):
    """Makes the session of the layer `flask.session`. `use_sessions` sets it.

    By itself it is for an application that a SessionMiddleware stands outside of: `app.session_interface =
    SessionInterface()`.
    """

    null_session_class = NoSession

    def open_session(self, app: Flask, request: Request) -> FlaskSession | None:
        """The session of the request. Without a request, as in `session_transaction()`, the layer opens it."""
        environ = request.environ
        if KEY not in environ:
            layer = session_layer_in(app.wsgi_app)
            if layer is None:
                return None
            environ[KEY] = layer.open(environ.get("HTTP_COOKIE", ""), https=request.is_secure)
            environ[OPENED_HERE] = True
        return FlaskSession(environ[KEY], app.permanent_session_lifetime, opened_here=OPENED_HERE in environ)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Nothing is kept here: the layer does it when the head of the answer leaves."""
        assert isinstance(session, FlaskSession)
        kept = session._session
        if not kept.accessed or kept.failure is not None:
            return
        if kept.id is None and list(session) == ["_permanent"]:
            del kept["_permanent"]  # there is nothing to remember, as with a robot that takes no cookie
        if app.config["SESSION_REFRESH_EACH_REQUEST"]:
            session.prolong()
        if session.opened_here:
            for line in kept.save():
                response.headers.add("Set-Cookie", line)


def _let_out(app: Flask, exception: BaseException, **_: Any) -> None:  # noqa: ARG001
    """Hand an outage of the store on to the layer, which answers 503: Flask asks this before it answers 500 itself."""
    session = request.environ.get(KEY)
    if session is not None and session.failure is exception:
        raise exception


def _kept(category: str, message: Any) -> tuple[str, str]:
    """A message of Flask's, as a session keeps it."""
    if hasattr(message, "__html__"):
        return str(message.__html__()), MARKUP + category
    if category.startswith(MARKUP):
        raise ValueError(f"no category of a message begins with {MARKUP}")
    return (str(message) if isinstance(message, str) else message), category


def _shown(category: str, message: str) -> tuple[str, str]:
    """A message as Flask knows it."""
    if category.startswith(MARKUP):
        return category.removeprefix(MARKUP), Markup(message)  # noqa: S704 - it was markup when it came
    return category, message
