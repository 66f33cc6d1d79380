"""The layer: finds the rule of a request, asks the schemes who it is, and lets it in, or says how to get in."""

from __future__ import annotations

from middleware.auth.gate import Gate, keep_out_of_caches
from middleware.auth.negotiation import is_navigation
from middleware.auth.paths import request_path
from middleware.auth.rules import AMBIGUOUS, DENIED, Rule, Rules, allow, require
from middleware.auth.schemes.base import Refused, Unavailable, keeps_logins
from middleware.auth.schemes.session_login import SessionLogin
from middleware.errors import ConfigurationError
from middleware.wsgi import Response, forward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Literal
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.auth.identity import Identity
    from middleware.auth.pages import Page
    from middleware.auth.schemes.base import LoginScheme, Scheme

# Fields that frameworks read as the method of a POST.
_OVERRIDES = ("HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_HTTP_METHOD", "HTTP_X_METHOD_OVERRIDE")

MOST_KEPT = 1024  # decisions
LONGEST_KEPT = 128  # characters of a path and a method


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
        if page is not None and not callable(page):
            raise ConfigurationError(f"page= is a callable that gives HTML, not {page!r}")
        self.rules = Rules([require("/")] if rules is None else list(rules), extra_methods)
        self._by_method = self.rules.by_method
        self._auth_types = {scheme.name: scheme.auth_type for scheme in asked}
        self._login = next((scheme for scheme in asked if keeps_logins(scheme)), None)
        self._as_wsgi = remote_user_encoding == "wsgi"
        self._page = page
        self._gates = {rule: Gate(rule, asked, app if rule.kind == "allow" else None) for rule in self.rules}
        self._gates[DENIED] = Gate(DENIED, asked)
        self._ambiguous = self._gates[AMBIGUOUS] = Gate(AMBIGUOUS, (), self._refuse_ambiguous)
        pages = self._login.pages if self._login is not None else {}
        self._pages = {path: Gate(allow(path), (), self._serving(served)) for path, served in pages.items()}
        self._decided: dict[tuple[str, str, str], Gate] = {}  # what was asked for lately
        if any(isinstance(scheme, SessionLogin) for scheme in asked):
            _refuse_session_inside(app)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["middleware.auth"] = self
        environ["middleware.identity"] = None
        environ.pop("REMOTE_USER", None)
        environ.pop("AUTH_TYPE", None)
        asked = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        gate = self._decided.get(asked) or self._decide_anew(environ, asked)  # 0.1 us in place of 1.3
        if self._by_method and self._is_overridden(environ, gate):
            gate = self._ambiguous
        if gate.leads_to is not None:
            return gate.leads_to(environ, start_response)
        try:
            found = gate.authenticate(environ)
        except Unavailable as error:
            return self._refuse_for_now(environ, error)(environ, start_response)
        if isinstance(found, Refused):
            return self._refuse_credentials(environ, gate, found)(environ, start_response)
        identity = found
        if identity is not None:
            if gate.is_choosy and not gate.rule.admits(identity.user, identity.roles):
                return self.refuse(environ, "403 Forbidden", "not allowed", [gate.vary])(environ, start_response)
            self._identify(environ, identity)
        elif gate.rule.kind != "optional":
            return self._ask_to_sign_in(environ, gate)(environ, start_response)

        def amend(response: Response) -> None:
            private = identity is not None
            if response.status[:3] == "401":
                self._complete(environ, gate, response)
            if environ["middleware.identity"] is not identity:  # a login or a logout in the application
                keep_out_of_caches(response)
                private = True
            gate.tell_caches(response, private)

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

    def _decide_anew(self, environ: WSGIEnvironment, asked: tuple[str, str, str]) -> Gate:
        gate = self._decide(environ, environ["REQUEST_METHOD"])
        if sum(map(len, asked)) <= LONGEST_KEPT:
            if len(self._decided) >= MOST_KEPT:
                self._decided.clear()
            self._decided[asked] = gate
        return gate

    def _is_overridden(self, environ: WSGIEnvironment, gate: Gate) -> bool:
        """Whether a field names another method for this request, which leads to another gate."""
        for field in _OVERRIDES:
            override = environ.get(field)
            if override and self._decide(environ, override.strip(" \t").upper()) is not gate:
                return True
        return False

    def _decide(self, environ: WSGIEnvironment, method: str) -> Gate:
        """The gate that this request has to pass, if this is its method."""
        path = request_path(environ)
        if path is None:
            return self._ambiguous
        return self._pages.get(path) or self._gates[self.rules.rule_for(path, method)]

    def _serving(self, page: WSGIApplication) -> WSGIApplication:
        """A page of a scheme, which may find that nobody can sign in just now."""

        def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            try:
                return page(environ, start_response)
            except Unavailable as error:
                return self._refuse_for_now(environ, error)(environ, start_response)

        return serve

    def _refuse_ambiguous(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.refuse(environ, "400 Bad Request", "ambiguous request")(environ, start_response)

    def _refuse_for_now(self, environ: WSGIEnvironment, error: Unavailable) -> Response:
        headers = [("Retry-After", str(error.retry_after))]
        return self.refuse(environ, "503 Service Unavailable", "unavailable", headers)

    def _login_scheme(self) -> LoginScheme:
        if self._login is None:
            raise RuntimeError("no scheme here keeps a login: add SessionLogin(users) to the schemes of AuthMiddleware")
        return self._login

    def _identify(self, environ: WSGIEnvironment, identity: Identity) -> None:
        environ["middleware.identity"] = identity
        user = identity.user
        environ["REMOTE_USER"] = user.encode("utf-8").decode("latin-1") if self._as_wsgi else user
        environ["AUTH_TYPE"] = self._auth_types.get(identity.scheme, identity.scheme)

    def _refuse_credentials(self, environ: WSGIEnvironment, gate: Gate, refused: Refused) -> Response:
        """Bad credentials are never led to the login page: a browser would go on sending them."""
        if refused.status == 400:
            return self.refuse(environ, "400 Bad Request", "malformed credentials", [gate.vary])
        headers = [*gate.challenges(environ), gate.vary]
        return self.refuse(environ, "401 Unauthorized", "credentials refused", headers)

    def _ask_to_sign_in(self, environ: WSGIEnvironment, gate: Gate) -> Response:
        if gate.login is not None and is_navigation(environ):
            from middleware.auth.pages import redirect

            return redirect("302 Found", gate.login.login_url(environ), [gate.vary])
        reason = "login required" if environ["REQUEST_METHOD"] in ("GET", "HEAD") else "nothing was taken"
        headers = [*gate.challenges(environ), gate.vary]
        return self.refuse(environ, "401 Unauthorized", reason, headers)

    def _complete(self, environ: WSGIEnvironment, gate: Gate, response: Response) -> None:
        """Challenges for a 401 of the application that has none."""
        if response.get("WWW-Authenticate") is not None:
            return
        if gate.login is not None and is_navigation(environ):
            page = self._ask_to_sign_in(environ, gate)
            cookies = [line for line in response.headers if line[0].lower() == "set-cookie"]
            response.status, response.headers, response.body = page.status, [*page.headers, *cookies], page.body
            return
        response.headers.extend(gate.challenges(environ))
        keep_out_of_caches(response)


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
        if isinstance(scheme.reads, str):
            raise ConfigurationError(f"reads of {type(scheme).__name__} is a tuple of fields: ({scheme.reads!r},)")
    names = [scheme.name for scheme in schemes]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"two schemes are called {name!r}: rules could not tell them apart")
    if sum(map(keeps_logins, schemes)) > 1:
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
