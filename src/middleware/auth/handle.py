"""What an application can do about logins: the handle that `get_auth` gives."""

from __future__ import annotations

from middleware.errors import LayerMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.identity import Identity
    from middleware.auth.middleware import AuthMiddleware


class Auth:
    """Sign a user in or out from within the application, in one request."""

    __slots__ = ("_environ", "_layer")

    def __init__(self, layer: AuthMiddleware, environ: WSGIEnvironment) -> None:
        self._layer = layer
        self._environ = environ

    @property
    def identity(self) -> Identity | None:
        """Who is asking, None where nobody is identified."""
        identity: Identity | None = self._environ["middleware.identity"]
        return identity

    def login(self, user: str) -> Identity:
        """Sign `user` in: for an application that has checked by itself who this is. The session gets a new id.

        Raises LookupError for a user who is not in the source of SessionLogin, or is disabled; RuntimeError where no
        scheme keeps logins; Unavailable where the source fails; SessionClosed where the head of the answer has left;
        TooManySessions as `session.login` does.
        """
        return self._layer.login(self._environ, user)

    def logout(self) -> None:
        """End the login and the session that holds it. Raises RuntimeError and SessionClosed as `login` does."""
        self._layer.logout(self._environ)

    def form_token(self) -> str:
        """The value of the hidden field `token` in a form that posts to the login or logout path. May be empty.

        Browsers of this decade say themselves where a form comes from; the token is for all others.
        """
        return self._layer.form_token(self._environ)


def get_auth(environ: WSGIEnvironment) -> Auth:
    """The handle of this request. Raises LayerMissing without AuthMiddleware."""
    try:
        layer: AuthMiddleware = environ["middleware.auth"]
    except KeyError:
        raise LayerMissing("no authentication here: wrap the app in AuthMiddleware") from None
    return Auth(layer, environ)
