"""The pages of SessionLogin: the form to sign in, the button to sign out, and what is posted from them."""

from __future__ import annotations

from middleware.auth.login import form_tokens
from middleware.auth.login.kept_login import ACTING, AGAIN, LOGIN, read, session_of
from middleware.auth.login.next_url import origin_of, same_origin
from middleware.auth.schemes.base import Throttled, Unavailable
from middleware.auth.telling import tell
from middleware.errors import MiddlewareError, TooManySessions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.auth.answers.pages import Page
    from middleware.auth.login.forms import Form
    from middleware.auth.middleware import AuthMiddleware
    from middleware.auth.schemes.session_login import SessionLogin
    from middleware.auth.users import Account
    from middleware.wsgi import Response

_WRONG = "The name or the password is not right."
_TOO_MANY = "You are signed in at as many places as this site allows. Sign out at one of them first."
_AGAIN = "Please sign in again: this page asks for the password once more."
_OTHER = "You are signed in as somebody else. Sign in with that name, or sign out first."
_YES = ("on", "1", "true", "yes")


class _NotBegun(Unavailable):
    """The password was right, and no login could begin: this counts neither as a failure nor as a success."""


class LoginPages:
    """`login` and `logout`: the pages of a scheme. `page` draws the form; where it is None, it is drawn here."""

    __slots__ = ("_can_remember", "_page", "_paths", "_scheme", "login", "logout")

    def __init__(self, scheme: SessionLogin, page: Page | None, *, can_remember: bool) -> None:
        self._scheme = scheme
        self._page = page
        self._can_remember = can_remember
        self._paths = scheme.paths
        self.logout: WSGIApplication = _by_method(self._ask_to_sign_out, self._sign_out)
        self.login: WSGIApplication = _by_method(self._ask_to_sign_in, self._sign_in)

    def _ask_to_sign_in(self, environ: WSGIEnvironment) -> Response:
        wanted, again = self._paths.asked(environ)
        session = session_of(environ)
        login = self._scheme.standing_login(environ, session) if again else None
        if login is not None and login.factors == ACTING:
            return _refusal(environ, "403 Forbidden", "acting as another")
        if login is not None:
            session[AGAIN] = True
        elif AGAIN in session:
            del session[AGAIN]
        return self._form(environ, "200 OK", "", wanted)

    def _sign_in(self, environ: WSGIEnvironment) -> Response:
        from middleware.auth.answers.pages import redirect
        from middleware.auth.throttle.attempts import attempt

        form = self._posted(environ)
        if form.refused is not None:
            return _refusal(environ, *form.refused)
        wanted = self._paths.checked(environ, form.only("next"))
        given, password = form.only("username") or "", form.only("password") or ""
        if not given or not given.isprintable():
            tell(environ, "login.failure", user=given or None, scheme=self._scheme.name)
            return self._form(environ, "401 Unauthorized", _WRONG, wanted)
        name = self._scheme.name_of(given)
        user = given if name is None else name
        owner = self._owner(environ)
        if owner is not None and owner != user:
            return self._form(environ, "403 Forbidden", _OTHER, wanted)
        persistent = self._can_remember and form.only("remember") in _YES

        def sign_in() -> Account | None:
            account = self._scheme.check(environ, user, password)
            if account is None or name is None:
                return None
            try:
                self._scheme.begin(environ, name, account, persistent=persistent)
            except MiddlewareError as error:
                raise _NotBegun from error
            return account

        try:
            account = attempt(environ, self._scheme.name, user, sign_in)
        except Throttled as error:
            page = self._form(environ, "429 Too Many Requests", _slow_down(error.retry_after), wanted)
            page.set("Retry-After", str(error.retry_after))
            return page
        except _NotBegun as error:
            if not isinstance(error.__cause__, TooManySessions):
                raise error.__cause__ or error from None
            tell(environ, "refused", user=user, scheme=self._scheme.name, reason="too many sessions")
            return self._form(environ, "403 Forbidden", _TOO_MANY, wanted)
        if account is None:
            return self._form(environ, "401 Unauthorized", _WRONG, wanted)
        return redirect("303 See Other", self._paths.after(environ, wanted))

    def _ask_to_sign_out(self, environ: WSGIEnvironment) -> Response:
        from middleware.auth.answers.pages import logout_page

        wanted, _ = self._paths.asked(environ)
        form_tokens.will_send(environ)
        page = logout_page(self._paths.logout_in(environ), wanted, self._scheme.form_token(environ))
        form_tokens.send(environ, page)
        return page

    def _sign_out(self, environ: WSGIEnvironment) -> Response:
        from middleware.auth.answers.pages import redirect

        form = self._posted(environ)
        if form.refused is not None:
            return _refusal(environ, *form.refused)
        login = read(session_of(environ).get(LOGIN))  # whatever it is worth: nobody is kept from signing out
        self._scheme.forget(environ)
        if login is not None:
            tell(environ, "logout", user=login.user, scheme=self._scheme.name)
        return redirect("303 See Other", self._paths.after(environ, self._paths.checked(environ, form.only("next"))))

    def _owner(self, environ: WSGIEnvironment) -> str | None:
        """Who alone may sign in with this form, because it asked somebody to do so again."""
        session = session_of(environ)
        if AGAIN not in session:
            return None
        login = self._scheme.standing_login(environ, session)
        return None if login is None else login.user

    def _posted(self, environ: WSGIEnvironment) -> Form:
        """The form that was posted from one of our pages; one from another site is refused."""
        from middleware.auth.login import forms
        from middleware.auth.login.forms import Form

        ours = _from_our_page(environ)
        form = Form() if ours is False else forms.read(environ)
        if ours is None and form.refused is None:
            ours = form_tokens.is_right(environ, session_of(environ), form.only("token"))
        if ours is False:
            tell(environ, "refused", scheme=self._scheme.name, reason="cross-site")
            return Form(refused=("403 Forbidden", "cross-site"))
        return form

    def _form(self, environ: WSGIEnvironment, status: str, error: str, wanted: str) -> Response:
        from middleware.auth.answers import pages

        owner = self._owner(environ)
        form_tokens.will_send(environ)
        if self._page is not None:
            page = pages.own_login_page(status, self._page(environ, error or (_AGAIN if owner else ""), wanted))
        else:
            page = pages.login_page(
                status,
                self._paths.login_in(environ),
                error,
                wanted,
                self._scheme.form_token(environ),
                again=None if owner is None else (owner, _AGAIN, self._paths.logout_in(environ)),
                can_remember=self._can_remember and owner is None,
            )
        form_tokens.send(environ, page)
        if status[:3] == "401":
            page.headers += [("WWW-Authenticate", challenge) for challenge in self._scheme.challenges(environ, None)]
        return page


def _by_method(
    get: Callable[[WSGIEnvironment], Response], post: Callable[[WSGIEnvironment], Response]
) -> WSGIApplication:
    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if method in ("GET", "HEAD"):
            return get(environ)(environ, start_response)
        if method == "POST":
            return post(environ)(environ, start_response)
        return _refusal(environ, "405 Method Not Allowed", "wrong method")(environ, start_response)

    return serve


def _slow_down(seconds: int) -> str:
    wait = f"{-(-seconds // 60)} minutes" if seconds > 90 else "1 second" if seconds == 1 else f"{seconds} seconds"
    return f"Too many attempts to sign in failed. Please wait {wait} before the next one."


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
