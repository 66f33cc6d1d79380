"""A login with a form, kept in the session: a page to sign in, a button to sign out.

What is kept is the name, when the password was checked, and a digest of the stored password under a random key: a login
ends with the password that it was made with.
"""

from __future__ import annotations

import os
import time
from functools import cached_property

from middleware.auth.identity import Identity
from middleware.auth.next_url import next_of, origin_of, safe_next, same_origin
from middleware.auth.paths import readings
from middleware.auth.users import check_users
from middleware.errors import ConfigurationError, LayerMissing, TooManySessions
from middleware.headers import quoted
from middleware.sessions.middleware import SessionMiddleware

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.auth.forms import Form
    from middleware.auth.middleware import AuthMiddleware
    from middleware.auth.pages import Page
    from middleware.auth.schemes.base import Refused
    from middleware.auth.users import Account, Users
    from middleware.auth.verification import Verifier
    from middleware.sessions import Session
    from middleware.wsgi import Response


_LOGIN = "middleware.auth"
_WRONG = "The name or the password is not right."
_TOO_MANY = "You are signed in at as many places as this site allows. Sign out at one of them first."


class SessionLogin:
    """A login with a form, kept in the session. Needs SessionMiddleware outside of AuthMiddleware.

    `users`: as for `Basic`. `login_path` serves the form (GET) and takes it (POST), `logout_path` ends the login
    (POST); both are paths as the browser sees them, and no rule is needed for them. `default_next`: where a login leads
    that came from nowhere. `page(environ, error, next)`: gives the HTML of the login page, with a form that posts
    `username`, `password`, `next` and `token` (from `get_auth(environ).form_token()`) to `login_path`; `error` is a
    sentence or empty. `clock`: seconds since 1970.

    Raises ConfigurationError, and MissingExtra for stored passwords that need a package which is not installed.
    """

    name = "session"
    auth_type = "session"
    reads = ("Cookie",)

    def __init__(
        self,
        users: Users,
        *,
        login_path: str = "/login",
        logout_path: str = "/logout",
        default_next: str = "/",
        page: Page | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        check_users(users)
        for option, path in (("login_path", login_path), ("logout_path", logout_path)):
            if path[:1] != "/" or safe_next(path, "") is None or readings(path) != {path}:
                raise ConfigurationError(f"{option}= is a plain path that begins with /, not {path!r}")
        if login_path == logout_path:
            raise ConfigurationError("login_path= and logout_path= are two different paths")
        if default_next[:1] != "/" or safe_next(default_next, "") is None or default_next in (login_path, logout_path):
            raise ConfigurationError(f"default_next= is a path of this site, not {default_next!r}")
        if page is not None and not callable(page):
            raise ConfigurationError(f"page= is a callable that gives HTML, not {page!r}")
        self.pages: Mapping[str, WSGIApplication] = {login_path: self._login_page, logout_path: self._logout_page}
        self._users = users
        self._login_path = login_path
        self._logout_path = logout_path
        self._default_next = default_next
        self._page = page
        self._clock = clock
        self._challenge = f"Session login={quoted(login_path)}"

    @cached_property
    def _verifier(self) -> Verifier:
        from middleware.auth.verification import Verifier

        # One for all threads: of two that come here at once, cached_property alone would give each its own.
        verifier: Verifier = vars(self).setdefault("_verifier", Verifier(self._users, self._clock))
        return verifier

    def authenticate(self, environ: WSGIEnvironment, /) -> Identity | None:
        """Who signed in, in this session. One whose password has changed since, or whose account is gone, is ended.

        Raises Unavailable, and LayerMissing without a session.
        """
        session = _session(environ)
        kept = session.get(_LOGIN)
        if kept is None:
            return None
        login = _login_of(kept)
        account = None if login is None else self._verifier.account(login[3])
        if login is None or account is None or not self._verifier.is_proof(login[1], login[2], account.hash):
            session.invalidate()  # all of it: what it holds was that user's
            return None
        at, _, _, user = login
        return Identity(user, self.name, name=account.name, roles=account.roles, authenticated_at=at)

    def challenges(self, environ: WSGIEnvironment, refused: Refused | None, /) -> tuple[str, ...]:  # noqa: ARG002
        """For programs: where a person signs in. No browser asks for a password when it sees this."""
        return (self._challenge,)

    def check_layer(self, layer: AuthMiddleware, /) -> None:
        """A login kept in a session needs the session before it, so the session layer stands outside.

        Raises ConfigurationError where it stands inside.
        """
        inner: object = layer.app
        for _ in range(100):
            if isinstance(inner, SessionMiddleware):
                raise ConfigurationError(
                    "SessionMiddleware stands inside AuthMiddleware, whose SessionLogin needs it outside: move the "
                    "line app = SessionMiddleware(app, ...) below the line app = AuthMiddleware(app, ...)"
                )
            inner = getattr(inner, "app", None)

    def login_url(self, environ: WSGIEnvironment, /) -> str:
        """The login page, with the way back to this request."""
        wanted = next_of(environ)
        if wanted is None or self._is_own(wanted):
            return self._login_path
        from urllib.parse import quote

        return f"{self._login_path}?next={quote(wanted, safe='/')}"

    def remember(
        self,
        environ: WSGIEnvironment,
        user: str,
        /,
        *,
        persistent: bool = False,  # noqa: ARG002
        factors: Iterable[str] = ("pwd",),  # noqa: ARG002
    ) -> Identity:
        """Begin a login, under a new session id. What another user's session held is dropped.

        Raises LookupError for a user who is unknown or disabled, Unavailable, LayerMissing, TooManySessions.
        """
        account = self._verifier.account(user)
        if account is None:
            raise LookupError(f"no user {user!r} who may sign in")
        return self._begin(environ, user, account)

    def _begin(self, environ: WSGIEnvironment, user: str, account: Account) -> Identity:
        """Begin a login that lasts as long as the password in `account`, which is the one that was checked."""
        session = _session(environ)
        session.login(user, label=environ.get("HTTP_USER_AGENT", ""))
        now = self._clock()
        key = os.urandom(16).hex()
        session[_LOGIN] = f"{now!r} {key} {self._verifier.proof(key, account.hash)} {user}"
        return Identity(user, self.name, name=account.name, roles=account.roles, authenticated_at=now)

    def forget(self, environ: WSGIEnvironment, /, *, everywhere: bool = False) -> None:  # noqa: ARG002
        """End the login, and the session that held it."""
        _session(environ).logout()

    def form_token(self, environ: WSGIEnvironment, /) -> str:
        """The token that a form of this session holds. Empty where the browser itself says where forms come from."""
        return "" if environ.get("HTTP_SEC_FETCH_SITE") else _session(environ).csrf_token

    def _login_page(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if method in ("GET", "HEAD"):
            return self._form(environ, "200 OK", "", self._wanted(environ))(environ, start_response)
        if method != "POST":
            return _refusal(environ, "405 Method Not Allowed", "wrong method")(environ, start_response)
        return self._sign_in(environ)(environ, start_response)

    def _logout_page(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if method in ("GET", "HEAD"):
            from middleware.auth.pages import logout_page

            page = logout_page(self._logout_path, self._wanted(environ), self.form_token(environ))
            return page(environ, start_response)
        if method != "POST":
            return _refusal(environ, "405 Method Not Allowed", "wrong method")(environ, start_response)
        return self._sign_out(environ)(environ, start_response)

    def _sign_in(self, environ: WSGIEnvironment) -> Response:
        from middleware.auth.pages import redirect

        form = self._posted(environ)
        if form.refused is not None:
            return _refusal(environ, *form.refused)
        wanted = self._checked(environ, form.only("next"))
        user, password = form.only("username") or "", form.only("password") or ""
        account = self._verifier.check(user, password) if user and user.isprintable() else None
        if account is None:
            return self._form(environ, "401 Unauthorized", _WRONG, wanted)
        try:
            self._begin(environ, user, account)
        except TooManySessions:
            return self._form(environ, "403 Forbidden", _TOO_MANY, wanted)
        return redirect("303 See Other", wanted or self._default_next)

    def _sign_out(self, environ: WSGIEnvironment) -> Response:
        from middleware.auth.pages import redirect

        form = self._posted(environ)
        if form.refused is not None:
            return _refusal(environ, *form.refused)
        self.forget(environ)
        return redirect("303 See Other", self._checked(environ, form.only("next")) or self._default_next)

    def _posted(self, environ: WSGIEnvironment) -> Form:
        """The form that was posted from one of our pages; one from another site is refused."""
        from middleware.auth.forms import Form, read

        ours = _from_our_page(environ)
        if ours is False:
            return Form(refused=("403 Forbidden", "cross-site"))
        form = read(environ)
        if ours is None and form.refused is None and not _session(environ).check_csrf_token(form.only("token")):
            return Form(refused=("403 Forbidden", "cross-site"))
        return form

    def _form(self, environ: WSGIEnvironment, status: str, error: str, wanted: str) -> Response:
        from middleware.auth import pages

        if self._page is None:
            page = pages.login_page(status, self._login_path, error, wanted, self.form_token(environ))
        else:
            page = pages.own_login_page(status, self._page(environ, error, wanted))
        if status[:3] == "401":
            page.set("WWW-Authenticate", self._challenge)
        return page

    def _wanted(self, environ: WSGIEnvironment) -> str:
        """The way back in the query, checked; empty where there is none, or there are two."""
        from urllib.parse import parse_qs

        try:
            given = parse_qs(environ.get("QUERY_STRING", "")[:8192], max_num_fields=20).get("next", [])
        except ValueError:
            return ""
        return self._checked(environ, given[0] if len(given) == 1 else None)

    def _checked(self, environ: WSGIEnvironment, value: str | None) -> str:
        """`value` where it is a way back into this site, else nothing."""
        wanted = safe_next(value, origin_of(environ)) or ""
        return "" if self._is_own(wanted) else wanted

    def _is_own(self, target: str) -> bool:
        return target.partition("?")[0].partition("#")[0] in self.pages


def _session(environ: WSGIEnvironment) -> Session:
    try:
        session: Session = environ["middleware.session"]
    except KeyError:
        raise LayerMissing(
            "SessionLogin keeps logins in the session: write app = SessionMiddleware(app, ...) below the line with "
            "AuthMiddleware"
        ) from None
    return session


def _login_of(kept: object) -> tuple[float, str, str, str] | None:
    """When, a key, a digest under it, and the user."""
    parts = kept.split(" ", 3) if isinstance(kept, str) else []
    if len(parts) != 4:
        return None
    try:
        return float(parts[0]), parts[1], parts[2], parts[3]
    except ValueError:
        return None


def _from_our_page(environ: WSGIEnvironment) -> bool | None:
    """Whether a page of this origin sent this request; None where the browser does not say."""
    site: str = environ.get("HTTP_SEC_FETCH_SITE", "")
    if site:
        return site in ("same-origin", "none")
    origin: str = environ.get("HTTP_ORIGIN", "")
    return same_origin(origin, origin_of(environ)) if origin else None


def _refusal(environ: WSGIEnvironment, status: str, reason: str) -> Response:
    layer: AuthMiddleware = environ["middleware.auth"]
    return layer.refuse(environ, status, reason, [("Allow", "GET, HEAD, POST")] if status[:3] == "405" else ())
