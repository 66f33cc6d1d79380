"""The hidden token of a login form, for clients that do not say which site a form comes from.

Who has a session has a token there. A stranger gets it in a cookie beside the form, and both must come back alike: so
whoever only looks at a form, as often as they like, leaves nothing on the server.
"""

from __future__ import annotations

import os

from middleware.auth.login.kept_login import LOGIN
from middleware.cookies.codec import values_of
from middleware.cookies.options import CookieOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from middleware.cookies.options import CookieLine
    from middleware.sessions import Session
    from middleware.wsgi import Response

# By whether they are Secure: a name that no other host and no plain connection can set, where there is one.
_OPTIONS = CookieOptions(samesite="Strict")
_LINES = {True: _OPTIONS.line("__Host-login-form", True), False: _OPTIONS.line("login-form", False)}
_KEY = "middleware.auth.form_token"
_DIGITS = 32


def token_for(environ: WSGIEnvironment, session: Session) -> str:
    """The token of a form in this answer; empty where the browser itself says where forms come from."""
    if environ.get("HTTP_SEC_FETCH_SITE"):
        return ""
    if _KEY not in environ or not session.is_new:
        return session.csrf_token
    token: str = environ[_KEY] or _sent(environ) or os.urandom(_DIGITS // 2).hex()
    environ[_KEY] = token
    return token


def will_send(environ: WSGIEnvironment) -> None:
    """Say that `send` follows: the form is part of an answer of ours."""
    environ[_KEY] = ""


def send(environ: WSGIEnvironment, page: Response) -> None:
    """Put the cookie beside the form, where the form has a token of it."""
    token = environ.pop(_KEY)
    if token:
        page.add("Set-Cookie", _line(environ).setting_checked(token))


def is_right(environ: WSGIEnvironment, session: Session, given: str | None) -> bool:
    """Whether a form with this token comes from a page that this browser was given. Never raises."""
    if session.check_csrf_token(given):
        return True
    if LOGIN in session:
        return False  # a login begins with a new token
    sent = _sent(environ)
    if not sent or given is None:
        return False
    from hmac import compare_digest

    return compare_digest(sent.encode(), given.encode("utf-8", "surrogatepass"))


def _sent(environ: WSGIEnvironment) -> str:
    """The token in the cookie, where it is the only one and as we make them."""
    found = values_of(environ.get("HTTP_COOKIE", ""), _line(environ).name, 2)
    return found[0] if len(found) == 1 and len(found[0]) == _DIGITS and not found[0].strip("0123456789abcdef") else ""


def _line(environ: WSGIEnvironment) -> CookieLine:
    return _LINES[environ.get("wsgi.url_scheme") == "https"]
