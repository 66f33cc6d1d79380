"""What an application can do about logins: the handle that `get_auth` gives."""

from __future__ import annotations

from middleware.auth.rules.rule import require as rule
from middleware.errors import LayerMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.explain import Explanation
    from middleware.auth.identity import Identity
    from middleware.auth.middleware import AuthMiddleware
    from middleware.wsgi import Response


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

    def login(self, user: str, *, remember: bool = False, factors: Iterable[str] = ("pwd",)) -> Identity:
        """Sign `user` in: for an application that has checked by itself who this is. The session gets a new id.

        `remember`: keep the login when the browser is closed, where the scheme can. `factors`: what was checked.

        Raises LookupError for a user who is not in the source of the scheme, or is disabled; RuntimeError where no
        scheme keeps logins, and where the head of the answer has left; Unavailable where the source fails;
        TooManySessions as `session.login` does.
        """
        return self._layer.login(self._environ, user, persistent=remember, factors=factors)

    def logout(self, *, everywhere: bool = False) -> None:
        """End the login; `everywhere`, all logins of this user. Raises RuntimeError as `login` does."""
        self._layer.logout(self._environ, everywhere=everywhere)

    def require(
        self,
        *,
        role: str | Iterable[str] | None = None,
        user: str | Iterable[str] | None = None,
        scope: str | Iterable[str] | None = None,
        fresh: float | None = None,
    ) -> Response | None:
        """What a rule cannot know, asked by the application: None where whoever is asking passes.

        The arguments are those of the rule `require`. Anything else is the answer to give, and a WSGI application
        itself: `if refusal := auth.require(role="editor"): return refusal(environ, start_response)`. Raises
        ConfigurationError for arguments that no rule takes.
        """
        return self._layer.require(self._environ, rule("/", role=role, user=user, scope=scope, fresh=fresh))

    def explain(self, method: str | None = None, path: str | None = None) -> Explanation:
        """Which rule let this request in, and why; or which would decide another one, of this method and path."""
        if method is None and path is None:
            return self._layer.explain_request(self._environ)
        return self._layer.explain("GET" if method is None else method, "/" if path is None else path)

    def impersonate(self, user: str) -> Identity:
        """Act as `user` from here on: who may do so is for the application to decide before.

        The identity becomes that of `user`, with whoever did this as its `actor`; it is never fresh. Raises LookupError
        and RuntimeError as `login` does; RuntimeError also where nobody is signed in or acts as somebody else already.
        """
        return self._layer.impersonate(self._environ, user)

    def stop_impersonating(self) -> Identity:
        """Be who one is again. Raises RuntimeError where nobody acts as somebody else."""
        return self._layer.impersonate(self._environ, None)

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
