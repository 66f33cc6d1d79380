"""What a request does with remembered logins: it brings a cookie, gets another one, begins and ends them."""

from __future__ import annotations

import sys

from middleware.auth.login.remember_logins import RememberedLogins, split
from middleware.auth.login.remember_me import RememberMe
from middleware.auth.schemes.base import Unavailable, put_cookie
from middleware.cookies.codec import MOST_TRIED, values_of
from middleware.errors import ConfigurationError, StoreError
from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.login.remember_logins import Used
    from middleware.auth.login.remember_series import Series
    from middleware.sessions import Session
    from middleware.stores.base import Store

_HELD = "middleware.auth.remember"  # the value that the browser has by the end of this request; empty for none


class Remembering:
    """Remember-me in the requests of a layer, whose store keeps the logins. Without a layer nobody is remembered.

    Raises ConfigurationError for what are no options. Each method raises Unavailable where the store does not answer.
    """

    __slots__ = ("_clock", "_options")

    def __init__(self, options: RememberMe, clock: Callable[[], float]) -> None:
        if not isinstance(options, RememberMe):
            raise ConfigurationError(f"remember= takes RememberMe(...), or None, not {options!r}")
        self._options = options
        self._clock = clock

    def recall(self, environ: WSGIEnvironment, is_welcome: Callable[[Series], bool]) -> Used | None:
        """Whom the browser remembers; None where that is nobody. A cookie that is good for nothing is deleted.

        After a theft no browser remembers that user.
        """
        visit = self._visit(environ)
        if visit is None or not visit.cookie.sent:
            return None
        with _OR_UNAVAILABLE:
            used = visit.logins.use(visit.held, is_welcome)
            if used is not None and used.is_theft:
                visit.logins.end_all(used.user)
        if used is None or used.is_theft:
            visit.delete()
        elif used.value is not None:
            visit.put(used.value, used.end - self._clock())
        return used

    def still_counts(self, environ: WSGIEnvironment, user: str) -> bool:
        """Whether what was just recalled was not ended since; its cookie is deleted if so."""
        visit = self._visit(environ)
        if visit is None:
            return False
        with _OR_UNAVAILABLE:
            counts = visit.logins.counts(user, visit.held.partition(":")[0])
        if not counts:
            visit.delete()
        return counts

    def why_over(self, environ: WSGIEnvironment, mark: str) -> str | None:
        """Why a session that was opened for a remembered login counts no more; None where it counts."""
        visit = self._visit(environ)
        if visit is None:
            return None
        with _OR_UNAVAILABLE:
            return visit.logins.why_over(mark)

    def begin(self, environ: WSGIEnvironment, user: str, key: str, proof: str) -> None:
        """Remember `user` in this browser, in the place of whoever it remembers by now."""
        visit = self._visit(environ)
        if visit is None:
            return
        with _OR_UNAVAILABLE:
            visit.logins.end(visit.held)
            value, end = visit.logins.begin(user, key, proof)
        visit.put(value, end - self._clock())

    def forget(self, environ: WSGIEnvironment, *, unless: str | None = None) -> None:
        """Let this browser remember nobody, or nobody but the user `unless`."""
        visit = self._visit(environ)
        if visit is None or not (visit.cookie.sent or visit.held):
            return
        with _OR_UNAVAILABLE:
            if unless is not None and visit.logins.user_of(visit.held) == unless:
                return
            visit.logins.end(visit.held)
        visit.delete()

    def forget_everywhere(self, environ: WSGIEnvironment, user: str) -> None:
        """Let no browser remember `user`."""
        visit = self._visit(environ)
        if visit is not None:
            with _OR_UNAVAILABLE:
                visit.logins.end_all(user)

    def _visit(self, environ: WSGIEnvironment) -> _Visit | None:
        layer = environ.get("middleware.auth")
        store: Store | None = None if layer is None else layer.store
        if store is None:
            return None
        if environ.get("wsgi.multiprocess") or environ.get("wsgi.run_once"):
            _warn_of_other_processes(store)
        logins = RememberedLogins(store, self._options.seconds, extend=self._options.extend, clock=self._clock)
        return _Visit(environ, logins, _Cookie(self._options, environ))


def end_sessions(session: Session, user: str) -> None:
    """End all sessions of a user whose login was stolen, where that can be done."""
    try:
        session.users.end_all(user)
    except ConfigurationError:
        say_once(
            "a remembered login was stolen, and other sessions of its user go on, for they are kept in cookies: "
            "give SessionMiddleware revocations=store beside secret=, or store= in its place",
            logger="middleware.auth",
        )


def _warn_of_other_processes(store: Store) -> None:
    memory = sys.modules.get("middleware.stores.memory")
    if memory is not None and isinstance(store, memory.MemoryStore):
        say_once(
            "remembered logins are kept in a MemoryStore, but this server runs several processes, and each has its "
            "own: use SQLiteStore, or another store that they share",
            logger="middleware.auth",
        )


class _Visit:
    """One request: the remembered logins, the cookie that came, and the value that the browser holds by now."""

    __slots__ = ("_environ", "cookie", "held", "logins")

    def __init__(self, environ: WSGIEnvironment, logins: RememberedLogins, cookie: _Cookie) -> None:
        self._environ = environ
        self.logins = logins
        self.cookie = cookie
        self.held: str = environ.get(_HELD, cookie.value)

    def put(self, value: str, seconds: float) -> None:
        line = self.cookie.line
        put_cookie(self._environ, line.name, line.setting_checked(value, max(int(seconds), 1)))
        self._environ[_HELD] = value

    def delete(self) -> None:
        put_cookie(self._environ, self.cookie.line.name, self.cookie.line.deletion)
        self._environ[_HELD] = ""


class _Cookie:
    """The cookie in one request: what came, and what answers it."""

    __slots__ = ("line", "sent")

    def __init__(self, remember: RememberMe, environ: WSGIEnvironment) -> None:
        self.line = remember.lines[remember.cookie.is_secure(environ.get("wsgi.url_scheme") == "https")]
        self.sent = values_of(environ.get("HTTP_COOKIE", ""), self.line.name, MOST_TRIED)

    @property
    def value(self) -> str:
        """The only value that came, if it can be one of ours. Of two, one may have been planted by a neighbour."""
        return self.sent[0] if len(self.sent) == 1 and split(self.sent[0]) else ""


class _OrUnavailable:
    """A store that does not answer makes the request one for later."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, StoreError):
            raise Unavailable from error


_OR_UNAVAILABLE = _OrUnavailable()
