"""What an application can do about logins: the handle that `get_auth` gives."""

from __future__ import annotations

from middleware.auth.gate import Gate
from middleware.auth.rules.paths import request_path
from middleware.auth.rules.rule import require as rule
from middleware.auth.schemes.base import impersonates
from middleware.auth.telling import tell, tell_of_login
from middleware.errors import LayerMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.explain import Explanation
    from middleware.auth.identity import Identity
    from middleware.auth.middleware import AuthMiddleware
    from middleware.auth.schemes.base import ImpersonatingScheme
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
        scheme = self._layer.login_scheme()
        identity = scheme.remember(self._environ, user, persistent=remember, factors=factors)
        tell_of_login(self._environ, user, identity.scheme)
        self._layer.identify(self._environ, identity)
        return identity

    def logout(self, *, everywhere: bool = False) -> None:
        """End the login; `everywhere`, all logins of this user. Raises RuntimeError as `login` does."""
        environ, scheme, identity = self._environ, self._layer.login_scheme(), self.identity
        scheme.forget(environ, everywhere=everywhere)
        environ["middleware.identity"] = None
        environ.pop("REMOTE_USER", None)
        environ.pop("AUTH_TYPE", None)
        user = None if identity is None else identity.user
        tell(environ, "logout", user=user, scheme=scheme.name, reason="everywhere" if everywhere else None)

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
        gate = Gate(rule("/", role=role, user=user, scope=scope, fresh=fresh), self._layer.schemes)
        answers, identity = self._layer.answers, self.identity
        if identity is None:
            return answers.ask_to_sign_in(self._environ, gate)
        lack = gate.lack(identity, self._environ, self._layer.clock())
        return None if lack is None else answers.turn_away(self._environ, gate, identity, lack)

    def explain(self, method: str | None = None, path: str | None = None) -> Explanation:
        """Which rule let this request in, and why; or which would decide another one, of this method and path."""
        if method is None and path is None:
            asked = request_path(self._environ, mounted=self._layer.mounted)
            return self._layer.explain(self._environ["REQUEST_METHOD"], asked or "", self._environ)
        return self._layer.explain("GET" if method is None else method, "/" if path is None else path)

    def impersonate(self, user: str) -> Identity:
        """Act as `user` from here on: who may do so is for the application to decide before.

        The identity becomes that of `user`, with whoever did this as its `actor`; it is never fresh. Raises LookupError
        and RuntimeError as `login` does; RuntimeError also where nobody is signed in or acts as somebody else already.
        """
        scheme = self._impersonating_scheme()
        identity = scheme.impersonate(self._environ, user)
        self._layer.identify(self._environ, identity)
        tell(self._environ, "impersonation.start", user=user, scheme=scheme.name, actor=identity.actor)
        return identity

    def stop_impersonating(self) -> Identity:
        """Be who one is again. Raises RuntimeError where nobody acts as somebody else."""
        scheme, before = self._impersonating_scheme(), self.identity
        identity = scheme.stop_impersonating(self._environ)
        self._layer.identify(self._environ, identity)
        if before is not None:
            tell(self._environ, "impersonation.end", user=before.user, scheme=scheme.name, actor=before.actor)
        return identity

    def form_token(self) -> str:
        """The value of the hidden field `token` in a form that posts to the login or logout path. May be empty.

        Browsers of this decade say themselves where a form comes from; the token is for all others.
        """
        return self._layer.login_scheme().form_token(self._environ)

    def _impersonating_scheme(self) -> ImpersonatingScheme:
        scheme = self._layer.login_scheme()
        if not impersonates(scheme):
            raise RuntimeError("no scheme here lets anybody act as another user: SessionLogin does")
        return scheme


def get_auth(environ: WSGIEnvironment) -> Auth:
    """The handle of this request. Raises LayerMissing without AuthMiddleware."""
    try:
        layer: AuthMiddleware = environ["middleware.auth"]
    except KeyError:
        raise LayerMissing("no authentication here: wrap the app in AuthMiddleware") from None
    return Auth(layer, environ)
