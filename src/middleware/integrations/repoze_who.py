"""repoze.who's environ on our identities, for applications that were written for it.

app = RepozeWho(app)
app = AuthMiddleware(app, SessionLogin(users), rules=[...])
"""

from __future__ import annotations

import sys
import time
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from middleware.auth.handle import get_auth
from middleware.auth.identity import get_identity
from middleware.auth.schemes.base import Throttled, Unavailable
from middleware.auth.tickets.who import WhoIdentifier, WhoIdentity, WhoPlugins, who_identity
from middleware.auth.users import check_users
from middleware.auth.verification import Verifier
from middleware.errors import ConfigurationError
from middleware.wsgi import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.auth.middleware import AuthMiddleware
    from middleware.auth.users import Users

    AddMetadata = Callable[[WSGIEnvironment, WhoIdentity], object]
    Headers = list[tuple[str, str]]


class RepozeWho:
    """Puts `repoze.who.identity`, `repoze.who.plugins` and `repoze.who.api` into environ. Stands inside AuthMiddleware.

    `metadata`: metadata providers of repoze.who, or callables that take environ and the identity and add to it.
    `users`: as for `Basic`, for applications that call `api.login(credentials)`. `clock`: seconds since 1970.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        metadata: Iterable[Any] = (),
        users: Users | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.app = app
        self._metadata = [_adder(provider) for provider in metadata]
        if users is not None:
            check_users(users)
        self._verifier = None if users is None else Verifier(users, clock)
        self._plugins = WhoPlugins(WhoIdentifier(_remember, _forget))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        identity = get_identity(environ)
        plugins = environ.setdefault("repoze.who.plugins", self._plugins)  # AuthTkt has its own: it knows of tokens
        environ.pop("repoze.who.identity", None)
        if identity is not None:
            made = environ["repoze.who.identity"] = who_identity(identity, plugins["auth_tkt"])
            for add in self._metadata:
                add(environ, made)
        environ["repoze.who.api"] = WhoAPI(environ, plugins, self._verifier)
        try:
            body = self.app(environ, start_response)
        except (Throttled, Unavailable) as error:
            return _not_now(environ, start_response, error)
        return _late(environ, start_response, body) if isinstance(body, GeneratorType) else body


class WhoAPI:
    """`environ["repoze.who.api"]`: what applications call. No method gives header fields: cookies go by themselves."""

    def __init__(self, environ: WSGIEnvironment, plugins: WhoPlugins, verifier: Verifier | None) -> None:
        self.environ = environ
        self.name_registry = plugins
        self._verifier = verifier

    def authenticate(self) -> WhoIdentity | None:
        """Who is asking, None where nobody is identified."""
        found: WhoIdentity | None = self.environ.get("repoze.who.identity")
        return found

    def challenge(
        self,
        status: str = "403 Forbidden",  # noqa: ARG002 - as repoze.who has it
        app_headers: Headers | tuple[()] = (),
    ) -> WSGIApplication:
        """The application that asks for a login: a 401, of which AuthMiddleware makes what suits the client."""
        cookies = [(name, value) for name, value in app_headers if name.lower() == "set-cookie"]
        return Response("401 Unauthorized", cookies)

    def remember(self, identity: Mapping[str, Any] | None = None) -> Headers:
        """Sign in the user of `identity`; nothing for None, since a login is remembered by itself."""
        return [] if identity is None else self.name_registry["auth_tkt"].remember(self.environ, identity)

    def forget(self, identity: Mapping[str, Any] | None = None) -> Headers:
        """Sign out whoever is asking."""
        return self.name_registry["auth_tkt"].forget(self.environ, identity)

    def login(
        self, credentials: Mapping[str, Any], identifier_name: str | None = None
    ) -> tuple[WhoIdentity | None, Headers]:
        """Check `login` and `password` of a form, and sign in who they are of; None where they are wrong.

        Of `credentials` no more counts than these and a `max_age` that is a number: the rest may be what a client sent.

        Raises ConfigurationError without `users=`, Throttled and Unavailable as `Basic` does; where the application
        lets these two go, the answer is 429 or 503.
        """
        if self._verifier is None:
            raise ConfigurationError("api.login() checks passwords: say where they are, RepozeWho(app, users=...)")
        from middleware.auth.throttle.attempts import attempt

        verifier, user, password = self._verifier, credentials.get("login"), credentials.get("password")
        if not isinstance(user, str) or not isinstance(password, str) or not user or not user.isprintable():
            return None, []
        user = verifier.name_of(user) or user
        account = attempt(self.environ, "repoze.who", user, lambda: verifier.check(user, password, self.environ))
        if account is None:
            return None, []
        made = WhoIdentity({"login": user, "repoze.who.userid": user, "groups": sorted(account.roles)})
        if isinstance(credentials.get("max_age"), int):  # of the application: fields of a form are text
            made["max_age"] = credentials["max_age"]
        self.name_registry[identifier_name or "auth_tkt"].remember(self.environ, made)
        return made, []

    def logout(self, identifier_name: str | None = None) -> Headers:
        """Sign out whoever is asking: from here on there is no identity."""
        headers = self.name_registry[identifier_name or "auth_tkt"].forget(self.environ)
        self.environ.pop("repoze.who.identity", None)
        return headers


def _not_now(
    environ: WSGIEnvironment, start_response: StartResponse, error: Throttled | Unavailable
) -> Iterable[bytes]:
    """The 429 or 503 of the layer, for an application that does not know of these errors."""
    layer: AuthMiddleware = environ["middleware.auth"]
    exc_info = sys.exc_info()  # should the application have begun to answer

    def start(status: str, headers: Headers, _: object = None) -> Callable[[bytes], object]:
        return start_response(status, headers, exc_info)

    return layer.not_now(environ, error)(environ, start)


def _late(
    environ: WSGIEnvironment, start_response: StartResponse, body: Generator[bytes, None, None]
) -> Iterator[bytes]:
    """An application that is a generator, and signs in when its answer is asked for."""
    try:
        yield from body
    except (Throttled, Unavailable) as error:
        yield from _not_now(environ, start_response, error)


def _remember(environ: WSGIEnvironment, identity: Mapping[str, Any]) -> None:
    get_auth(environ).login(str(identity["repoze.who.userid"]), remember=identity.get("max_age") is not None)


def _forget(environ: WSGIEnvironment) -> None:
    get_auth(environ).logout()


def _adder(provider: Any) -> AddMetadata:
    add: AddMetadata = getattr(provider, "add_metadata", provider)
    if not callable(add) or isinstance(provider, type):
        raise ConfigurationError(f"metadata= takes metadata providers or callables, not {provider!r}")
    return add
