"""What an application's own forms need against CSRF: requests that another site makes a visitor's browser send.

Nothing here reads the body of a request: the application reads its form, and hands over the one value.
"""

from __future__ import annotations

from middleware.sessions.middleware import get_session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from middleware.sessions.session import Session

FIELD = "csrf_token"
_SAFE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))


class _Markup(str):
    """HTML as it is: Jinja, Mako and Django's templates ask `__html__`, and escape nothing in it."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def csrf_input(session: Session) -> str:
    """The hidden `<input>` for a form, as HTML: its name is `csrf_token`, its value a `session.csrf_token`.

    The templates of Jinja, Mako and Django do not escape it.
    """
    return _Markup(f'<input type="hidden" name="{FIELD}" value="{session.csrf_token}">')


def check_csrf(environ: WSGIEnvironment, token: object = None) -> bool:
    """Whether this request comes from a page of its own session, or is of a method that changes nothing.

    `token`: what the application found in the form's field `csrf_token`, whatever that is. A script sends a
    `session.csrf_token` in the header field `X-CSRF-Token` instead. GET, HEAD, OPTIONS and TRACE (RFC 9110, section
    9.2.1) need none, and leave the session alone. Where this is False answer 403: it never raises for what a client
    has sent. Raises LayerMissing where the request passed no SessionMiddleware, StoreError while the store is down.
    """
    session = get_session(environ)
    if environ["REQUEST_METHOD"] in _SAFE:
        return True
    return session.check_csrf_token(token) or session.check_csrf_token(environ.get("HTTP_X_CSRF_TOKEN"))
