"""The layer: finds the rule of a request, asks the schemes who it is, and lets it in, or says how to get in."""

from __future__ import annotations

from middleware.auth.negotiation import is_navigation
from middleware.auth.paths import request_path
from middleware.auth.rules import AMBIGUOUS, DENIED, Rule, Rules, require
from middleware.auth.schemes.base import Refused, Unavailable
from middleware.auth.schemes.session_login import SessionLogin
from middleware.errors import ConfigurationError
from middleware.headers import members, restricted_to_private
from middleware.wsgi import Response, forward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Literal, TypeGuard
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.auth.identity import Identity
    from middleware.auth.pages import Page
    from middleware.auth.schemes.base import LoginScheme, Scheme

# Fields that frameworks read as the method of a POST.
_OVERRIDES = ("HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_HTTP_METHOD", "HTTP_X_METHOD_OVERRIDE")

# Fields that say who may keep an answer, or for whom it is.
_TOLD_TO_CACHES = frozenset({"vary", "cache-control", "cdn-cache-control", "surrogate-control", "x-accel-expires"})


class AuthMiddleware:
    """Let in whom the rules let in.

    `schemes`: one scheme, or a list of them in the order in which they are asked: the first that finds credentials of
    its own decides. `rules`: a list of `allow`, `optional` and `require`; the first that matches wins, and what none
    matches is denied. Without `rules` everything requires a login. `extra_methods`: methods beyond GET, HEAD, POST,
    PUT, PATCH, DELETE and OPTIONS that `allow` and `optional` may match. `remote_user_encoding`: `"text"`, or `"wsgi"`
    for the latin-1 form of PEP 3333. `page(environ, status, reason)`: gives the HTML of a refusal, where the client
    wants HTML.

    In environ it leaves `middleware.identity` (an Identity or None), and REMOTE_USER and AUTH_TYPE where somebody is
    identified; what a server or an outer layer had set there is removed. Raises ConfigurationError.
    """

    def __init__(
        self,
        app: WSGIApplication,
        schemes: Scheme | Sequence[Scheme],
        *,
        rules: Iterable[Rule] | None = None,
        extra_methods: Iterable[str] = (),
        remote_user_encoding: Literal["text", "wsgi"] = "text",
        page: Page | None = None,
    ) -> None:
        self.app = app
        asked: list[Scheme] = list(schemes) if isinstance(schemes, (list, tuple)) else [schemes]  # type: ignore[list-item]
        _check_schemes(asked)
        if rules is not None and (isinstance(rules, Rule) or not hasattr(rules, "__iter__")):
            raise ConfigurationError("rules= takes a list, in the order in which they are tried")
        if remote_user_encoding not in ("text", "wsgi"):
            raise ConfigurationError(f'remote_user_encoding= is "text" or "wsgi", not {remote_user_encoding!r}')
        self.rules = Rules([require("/")] if rules is None else list(rules), extra_methods)
        self._gates = {rule: _Gate(rule, asked) for rule in (*self.rules, DENIED)}
        self._auth_types = {scheme.name: scheme.auth_type for scheme in asked}
        self._login = next((scheme for scheme in asked if _keeps_logins(scheme)), None)
        self._pages = dict(self._login.pages) if self._login is not None else {}
        self._as_wsgi = remote_user_encoding == "wsgi"
        self._page = page
        if any(isinstance(scheme, SessionLogin) for scheme in asked):
            _refuse_session_inside(app)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["middleware.auth"] = self
        environ["middleware.identity"] = None
        environ.pop("REMOTE_USER", None)
        environ.pop("AUTH_TYPE", None)
        path = request_path(environ)
        try:
            if path in self._pages:
                return self._pages[path](environ, start_response)
            rule = AMBIGUOUS if path is None else self.rules.rule_for(path, environ["REQUEST_METHOD"])
            if self.rules.by_method and self._is_overridden(environ, path, rule):
                rule = AMBIGUOUS
            if rule.kind == "allow":
                return self.app(environ, start_response)
            if rule is AMBIGUOUS:
                return self.refuse(environ, "400 Bad Request", "ambiguous request")(environ, start_response)
            gate = self._gates[rule]
            found = gate.authenticate(environ)
        except Unavailable as error:
            retry = [("Retry-After", str(error.retry_after))]
            return self.refuse(environ, "503 Service Unavailable", "unavailable", retry)(environ, start_response)
        if isinstance(found, Refused):
            return self._refuse_credentials(environ, gate, found)(environ, start_response)
        identity = found
        if identity is None:
            if rule.kind != "optional":
                return self._ask_to_sign_in(environ, gate)(environ, start_response)
        elif rule.admits(identity.user, identity.roles):
            self._identify(environ, identity)
        else:
            headers = [gate.vary]
            return self.refuse(environ, "403 Forbidden", "not allowed", headers)(environ, start_response)

        def amend(response: Response) -> None:
            now: Identity | None = environ["middleware.identity"]
            if response.status[:3] == "401":
                self._complete(environ, gate, response)
            if now is not identity:  # a login or a logout in the application
                response.set("Cache-Control", "no-store")
            gate.tell_caches(response, private=now is not None or identity is not None)

        return forward(self.app, environ, start_response, amend)

    def login(self, environ: WSGIEnvironment, user: str) -> Identity:
        """See `Auth.login`."""
        identity = self._login_scheme().remember(environ, user)
        self._identify(environ, identity)
        return identity

    def logout(self, environ: WSGIEnvironment) -> None:
        """See `Auth.logout`."""
        self._login_scheme().forget(environ)
        environ["middleware.identity"] = None
        environ.pop("REMOTE_USER", None)
        environ.pop("AUTH_TYPE", None)

    def form_token(self, environ: WSGIEnvironment) -> str:
        """See `Auth.form_token`."""
        return self._login_scheme().form_token(environ)

    def refuse(
        self, environ: WSGIEnvironment, status: str, reason: str, headers: Iterable[tuple[str, str]] = ()
    ) -> Response:
        """A refusal as this layer draws it, for the pages of its schemes. `reason` is one of docs/auth.md."""
        from middleware.auth.pages import refusal

        return refusal(environ, status, reason, headers, self._page)

    def _login_scheme(self) -> LoginScheme:
        if self._login is None:
            raise RuntimeError("no scheme here keeps a login: add SessionLogin(users) to the schemes of AuthMiddleware")
        return self._login

    def _is_overridden(self, environ: WSGIEnvironment, path: str | None, rule: Rule) -> bool:
        """Whether a field names another method for this request, under which another rule decides."""
        overrides = [environ.get(name, "").strip(" \t").upper() for name in _OVERRIDES]
        return path is not None and any(
            override and self.rules.rule_for(path, override) is not rule for override in overrides
        )

    def _identify(self, environ: WSGIEnvironment, identity: Identity) -> None:
        environ["middleware.identity"] = identity
        user = identity.user
        environ["REMOTE_USER"] = user.encode("utf-8").decode("latin-1") if self._as_wsgi else user
        environ["AUTH_TYPE"] = self._auth_types.get(identity.scheme, identity.scheme)

    def _refuse_credentials(self, environ: WSGIEnvironment, gate: _Gate, refused: Refused) -> Response:
        """Bad credentials are never led to the login page: a browser would go on sending them."""
        if refused.status == 400:
            return self.refuse(environ, "400 Bad Request", "malformed credentials", [gate.vary])
        headers = [*gate.challenges(environ), gate.vary]
        return self.refuse(environ, "401 Unauthorized", "credentials refused", headers)

    def _ask_to_sign_in(self, environ: WSGIEnvironment, gate: _Gate) -> Response:
        if gate.login is not None and is_navigation(environ):
            from middleware.auth.pages import redirect

            return redirect("302 Found", gate.login.login_url(environ), [gate.vary])
        reason = "login required" if environ["REQUEST_METHOD"] in ("GET", "HEAD") else "nothing was taken"
        headers = [*gate.challenges(environ), gate.vary]
        return self.refuse(environ, "401 Unauthorized", reason, headers)

    def _complete(self, environ: WSGIEnvironment, gate: _Gate, response: Response) -> None:
        """Challenges for a 401 of the application that has none."""
        if response.get("WWW-Authenticate") is not None:
            return
        if gate.login is not None and is_navigation(environ):
            page = self._ask_to_sign_in(environ, gate)
            response.status, response.headers, response.body = page.status, page.headers, page.body
            return
        response.headers.extend(gate.challenges(environ))
        response.set("Cache-Control", "no-store")


class _Gate:
    """A rule, with the schemes that count for it."""

    __slots__ = ("_names", "_schemes", "login", "vary")

    def __init__(self, rule: Rule, schemes: Sequence[Scheme]) -> None:
        unknown = set(rule.schemes or ()) - {scheme.name for scheme in schemes}
        if unknown:
            raise ConfigurationError(f"{rule!r} names a scheme that is not there: {', '.join(sorted(unknown))}")
        self._schemes = [scheme for scheme in schemes if rule.schemes is None or scheme.name in rule.schemes]
        self._names = tuple(dict.fromkeys(field for scheme in self._schemes for field in scheme.reads))
        self.vary = ("Vary", ", ".join(self._names))
        self.login: LoginScheme | None = next((scheme for scheme in self._schemes if _keeps_logins(scheme)), None)

    def authenticate(self, environ: WSGIEnvironment) -> Identity | Refused | None:
        """What the first scheme says that finds credentials of its own."""
        for scheme in self._schemes:
            found = scheme.authenticate(environ)
            if found is not None:
                return found
        return None

    def challenges(self, environ: WSGIEnvironment) -> list[tuple[str, str]]:
        """A line for each scheme: joined, some clients cannot read them."""
        return [("WWW-Authenticate", scheme.challenge(environ)) for scheme in self._schemes]

    def tell_caches(self, response: Response, *, private: bool) -> None:
        """For whom this answer is. That of an identified request is private, whatever the application said."""
        headers = response.headers
        for name, _ in headers:
            if name.lower() in _TOLD_TO_CACHES:
                self._tell_caches_more(response, private)
                return
        headers.append(self.vary)  # nothing was said: 1 us less than with the methods of Response
        if private:
            headers.append(("Cache-Control", "private"))

    def _tell_caches_more(self, response: Response, private: bool) -> None:
        response.vary(*self._names)
        if not private:
            return
        said = members(response.get("Cache-Control") or "")
        kept = [member for member in said if member.lower().partition("=")[0] not in ("public", "s-maxage")]
        response.set("Cache-Control", restricted_to_private(", ".join(kept) or None))
        for name in ("CDN-Cache-Control", "Surrogate-Control", "X-Accel-Expires"):  # they outdo Cache-Control
            response.remove(name)


def _keeps_logins(scheme: Scheme) -> TypeGuard[LoginScheme]:
    return hasattr(scheme, "remember") and hasattr(scheme, "pages")


def _check_schemes(schemes: Sequence[Scheme]) -> None:
    if not schemes:
        raise ConfigurationError("AuthMiddleware needs a scheme: Basic(users), SessionLogin(users), or a list of them")
    for scheme in schemes:
        missing = [
            name for name in ("name", "auth_type", "reads", "authenticate", "challenge") if not hasattr(scheme, name)
        ]
        if missing or isinstance(scheme, type):
            raise ConfigurationError(
                f"{type(scheme).__name__} is no scheme: schemes= takes Basic(users), SessionLogin(users), ..."
            )
    names = [scheme.name for scheme in schemes]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"two schemes are called {name!r}: rules could not tell them apart")
    if sum(map(_keeps_logins, schemes)) > 1:
        raise ConfigurationError("only one scheme can keep logins")


def _refuse_session_inside(app: WSGIApplication) -> None:
    """A login kept in a session needs the session before it, so the session layer stands outside."""
    from middleware.sessions.middleware import SessionMiddleware

    layer: object = app
    for _ in range(100):
        if isinstance(layer, SessionMiddleware):
            raise ConfigurationError(
                "SessionMiddleware stands inside AuthMiddleware, whose SessionLogin needs it outside: move the line "
                "app = SessionMiddleware(app, ...) below the line app = AuthMiddleware(app, ...)"
            )
        layer = getattr(layer, "app", None)
        if layer is None:
            return
