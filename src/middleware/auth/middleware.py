"""The layer: finds the rule of a request, asks the schemes who it is, and lets it in, or says how to get in."""

from __future__ import annotations

import time

from middleware.auth.answers.caches import keep_out_of_caches
from middleware.auth.gate import Gate
from middleware.auth.layer_checks import check_options, check_schemes, environ_keys
from middleware.auth.rules.paths import request_path
from middleware.auth.rules.rule import AMBIGUOUS, DENIED, Rule, allow, require
from middleware.auth.rules.table import Rules
from middleware.auth.schemes.base import (
    COOKIES_KEY,
    PendingCookies,
    Refused,
    Throttled,
    Unavailable,
    checks_layer,
    keeps_logins,
    receives,
    sets_cookies,
)
from middleware.auth.telling import cut, note_for_the_access_log, request_facts, tell
from middleware.made_once import made_once
from middleware.options import a_switch, check_clock
from middleware.timings import TIMINGS, timed
from middleware.wsgi import Response, forward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Literal
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.auth.answers.answers import Answers
    from middleware.auth.answers.pages import Page
    from middleware.auth.explain import Explanation
    from middleware.auth.identity import Identity
    from middleware.auth.schemes.base import LoginScheme, Scheme
    from middleware.auth.throttle.throttle import Throttle
    from middleware.events import Event
    from middleware.stores.base import Store

# Fields that frameworks read as the method of a POST.
_OVERRIDES = ("HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_HTTP_METHOD", "HTTP_X_METHOD_OVERRIDE")

GATE_KEY = "middleware.auth.gate"  # where this request has to pass,

MOST_KEPT = 1024  # decisions
LONGEST_KEPT = 128  # characters of a path and a method


class AuthMiddleware:
    """Let in whom the rules let in.

    `schemes`: one scheme, or a list of them in the order in which they are asked: the first that finds credentials of
    its own decides. `rules`: a list of `allow`, `optional`, `require` and `deny`; the first that matches wins, and what
    none matches is denied. Without `rules` everything requires a login.

    `store`: what schemes keep between requests and share between processes. `throttle`: slows down guessing; None does
    not. `on_event`: is given an `Event` for all that happens (docs/auth.md lists them); None writes them to the logger
    `middleware.auth`. `page(environ, status, reason)`: gives the HTML of a refusal, where the client wants HTML.
    `extra_methods`: methods beyond GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS that `allow` and `optional` may
    match. `mounted`: rules and pages know PATH_INFO alone, not where the application is mounted. `case_insensitive`:
    paths are compared as disks do that do not tell upper case from lower. `scrub`: request fields that never reach the
    application, in which others hand on identities. `remote_user_encoding`: `"text"`, or `"wsgi"` for the latin-1 form
    of PEP 3333. `clock`: seconds since 1970.

    In environ it leaves `middleware.identity` (an Identity or None), and REMOTE_USER and AUTH_TYPE where somebody is
    identified; what a server or an outer layer had set there is removed. Raises ConfigurationError.
    """

    def __init__(
        self,
        app: WSGIApplication,
        schemes: Scheme | Sequence[Scheme],
        *,
        rules: Iterable[Rule] | None = None,
        store: Store | None = None,
        throttle: Throttle | Literal["default"] | None = "default",
        on_event: Callable[[Event], object] | None = None,
        page: Page | None = None,
        extra_methods: Iterable[str] = (),
        mounted: bool = False,
        case_insensitive: bool = False,
        scrub: Iterable[str] = ("Remote-User", "X-Forwarded-User"),
        remote_user_encoding: Literal["text", "wsgi"] = "text",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.app = app
        asked: list[Scheme] = list(schemes) if isinstance(schemes, (list, tuple)) else [schemes]  # type: ignore[list-item]
        check_schemes(asked)
        check_options(rules, store, throttle, on_event, page, remote_user_encoding)
        check_clock(clock)
        self.schemes = tuple(asked)
        self.rules = Rules(
            [require("/")] if rules is None else list(rules),
            extra_methods,
            case_insensitive=a_switch("case_insensitive", case_insensitive),
        )
        self.store = store
        self._throttle = throttle
        self.mounted = a_switch("mounted", mounted)
        self._by_method = self.rules.by_method
        self._auth_types = {scheme.name: scheme.auth_type for scheme in asked}
        self._login = next((scheme for scheme in asked if keeps_logins(scheme)), None)
        self._receivers = [scheme.receive for scheme in asked if receives(scheme)]
        self._scrubbed = ("REMOTE_USER", "AUTH_TYPE", *environ_keys(scrub))
        self._as_wsgi = remote_user_encoding == "wsgi"
        self.clock = clock
        self._listener = on_event
        self._page = page
        self._sets_cookies = any(map(sets_cookies, asked)) or _has_devices(throttle)
        self._gates = {rule: self._gate(rule) for rule in self.rules}
        self._gates[DENIED] = Gate(DENIED, asked)
        self._ambiguous = self._gates[AMBIGUOUS] = Gate(AMBIGUOUS, (), self._refuse_ambiguous)
        pages = getattr(self._login, "pages", {})
        self._pages = {path: Gate(allow(path), (), self._serving(served)) for path, served in pages.items()}
        self._decided: dict[tuple[str, str, str], Gate] = {}  # what was asked for lately
        for scheme in asked:
            if checks_layer(scheme):
                scheme.check_layer(self)

    @made_once
    def throttle(self) -> Throttle | None:
        """The throttle, or None. `"default"` is made when a password is first tried."""
        if not isinstance(self._throttle, str):
            return self._throttle
        from middleware.auth.throttle.throttle import Throttle

        return Throttle(clock=self.clock)

    @made_once
    def answers(self) -> Answers:
        """The refusals of this layer."""
        from middleware.auth.answers.answers import Answers

        return Answers(self._page)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["middleware.auth"] = self
        asked = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        gate = self._decided.get(asked) or self._decide_anew(environ, asked)  # 0.1 us in place of 1.3
        environ[GATE_KEY] = gate
        for receive in self._receivers:
            receive(environ)
        environ["middleware.identity"] = None
        for key in self._scrubbed:
            environ.pop(key, None)
        if self._sets_cookies:
            environ[COOKIES_KEY] = PendingCookies()
        if self._by_method and self._is_overridden(environ, gate):
            gate = environ[GATE_KEY] = self._ambiguous
        if gate.leads_to is not None:
            return gate.leads_to(environ, start_response)
        admit = timed(self._admit, environ, "auth") if TIMINGS in environ else self._admit
        identity = admit(environ, gate)
        if isinstance(identity, Response):
            return self._with_cookies(identity)(environ, start_response)
        if identity is not None:
            self.identify(environ, identity)
        cookies: PendingCookies | None = environ.get(COOKIES_KEY) if self._sets_cookies else None

        def amend(response: Response) -> None:
            private = identity is not None
            inside, inner_gate = environ["middleware.auth"], environ[GATE_KEY]
            if inside is not self:  # what follows is done, and told, by this layer
                environ["middleware.auth"], environ[GATE_KEY] = self, gate
            if response.status[:3] == "401":
                self.answers.complete(environ, gate, response)
            if environ["middleware.identity"] is not identity and inside is self:
                keep_out_of_caches(response)  # a login or a logout in the application
                private = True
            if gate.tell_caches(response, private):
                tell(environ, "cache.public_removed")
            if inside is not self:
                environ["middleware.auth"], environ[GATE_KEY] = inside, inner_gate
            if cookies is not None:
                _send(cookies, response)

        return forward(self.app, environ, start_response, amend)

    def explain(self, method: str, path: str, environ: WSGIEnvironment | None = None) -> Explanation:
        """Which rule decides such a request, and why. `path` is that of the site, as rules have it.

        With the environ of a request also what becomes of whoever sent it. Nothing is changed, nobody is asked.
        """
        from middleware.auth import explain

        gate = self._pages.get(path)
        if gate is not None:
            return explain.Explanation(
                method, path, kind="page", rule=None, index=None, readings={}, schemes=(), result=explain.page_result()
            )
        rule = AMBIGUOUS if path[:1] != "/" else self.rules.rule_for(path, method)
        gate = self._gates[rule]
        identity: Identity | None = None if environ is None else environ.get("middleware.identity")
        index = self.rules.index(rule)
        return explain.Explanation(
            method,
            path,
            kind=rule.kind,
            rule=None if index is None else repr(rule),
            index=index,
            readings={
                reading: repr(one) if self.rules.index(one) else "no rule"
                for reading, one in self.rules.decisions(path, method).items()
            },
            schemes=explain.asked_schemes(gate, environ),
            result=explain.ambiguous_result(method, path)
            if rule is AMBIGUOUS
            else explain.result_of(gate, identity, environ, self.clock()),
        )

    def login_scheme(self) -> LoginScheme:
        """The scheme that keeps logins. Raises RuntimeError where there is none."""
        if self._login is None:
            raise RuntimeError("no scheme here keeps a login: add SessionLogin(users) to the schemes of AuthMiddleware")
        return self._login

    def identify(self, environ: WSGIEnvironment, identity: Identity) -> None:
        """Say in environ who is asking."""
        environ["middleware.identity"] = identity
        user = identity.user
        environ["REMOTE_USER"] = user.encode("utf-8").decode("latin-1") if self._as_wsgi else user
        auth_type = self._auth_types.get(identity.scheme)
        if auth_type:
            environ["AUTH_TYPE"] = auth_type
        else:  # the scheme has set it, or has not
            environ.setdefault("AUTH_TYPE", identity.scheme)

    def refuse(
        self, environ: WSGIEnvironment, status: str, reason: str, headers: Iterable[tuple[str, str]] = ()
    ) -> Response:
        """A refusal as this layer draws it, for the pages of its schemes. `reason` is one of docs/auth.md."""
        return self.answers.refuse(environ, status, reason, headers)

    def not_now(self, environ: WSGIEnvironment, error: Unavailable | Throttled) -> Response:
        """The 503 or the 429 for an application that has nothing to say to this error."""
        return self.answers.not_now(environ, error)

    def tell(self, environ: WSGIEnvironment, name: str, user: str | None, details: Mapping[str, object]) -> None:
        """See `telling.tell`."""
        from middleware.auth.event_log import log
        from middleware.events import Event, emit

        note_for_the_access_log(environ, name, details.get("reason"))
        facts = {**request_facts(environ), "rule": repr(environ[GATE_KEY].rule)}
        subject = None if user is None else cut(user)
        client = environ.get("REMOTE_ADDR") or None
        emit(self._listener or log, Event("auth", name, self.clock(), subject, client, {**facts, **details}))

    def _admit(self, environ: WSGIEnvironment, gate: Gate) -> Identity | Response | None:
        """Who comes through this gate, or the answer for who does not."""
        try:
            found = gate.authenticate(environ)
        except (Unavailable, Throttled) as error:
            return self.answers.not_now(environ, error)
        if isinstance(found, Refused):
            if found.reason != Refused.WRONG:  # the attempt has told it
                tell(environ, "refused", user=found.user, scheme=gate.who_refused(found).name, reason=found.reason)
            if not gate.rule.ignore_bad:
                return self.answers.refuse_credentials(environ, gate, found)
            found = None
        if found is None:
            is_free = gate.rule.kind == "optional" or (gate.rule.preflight and _is_preflight(environ))
            return None if is_free else self.answers.ask_to_sign_in(environ, gate)
        lack = gate.lack(found, environ, self.clock()) if gate.is_choosy else None
        return found if lack is None else self.answers.turn_away(environ, gate, found, lack)

    def _gate(self, rule: Rule) -> Gate:
        if rule.kind == "allow":
            return Gate(rule, self.schemes, self._with_cookies(self.app))
        if rule.kind == "deny":
            return Gate(rule, self.schemes, self._refuse_everybody)
        return Gate(rule, self.schemes)

    def _decide_anew(self, environ: WSGIEnvironment, asked: tuple[str, str, str]) -> Gate:
        (gate,) = self._decide(environ, [environ["REQUEST_METHOD"]])
        if sum(map(len, asked)) <= LONGEST_KEPT:
            if len(self._decided) >= MOST_KEPT:
                self._decided.clear()
            self._decided[asked] = gate
        return gate

    def _is_overridden(self, environ: WSGIEnvironment, gate: Gate) -> bool:
        """Whether a field names another method for this request, which leads to another gate."""
        methods = [override.strip(" \t").upper() for field in _OVERRIDES if (override := environ.get(field))]
        return bool(methods) and self._decide(environ, methods) != {gate}

    def _decide(self, environ: WSGIEnvironment, methods: list[str]) -> set[Gate]:
        """The gates that this request has to pass, if these are its method."""
        path = request_path(environ, mounted=self.mounted)
        if path is None:
            return {self._ambiguous}
        page = self._pages.get(path)
        return {page} if page is not None else {self._gates[rule] for rule in self.rules.rules_for(path, methods)}

    def _serving(self, page: WSGIApplication) -> WSGIApplication:
        """A page of a scheme, which may find that nobody can sign in just now."""

        def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            try:
                return page(environ, start_response)
            except (Unavailable, Throttled) as error:
                return self.answers.not_now(environ, error)(environ, start_response)

        return self._with_cookies(serve)

    def _with_cookies(self, app: WSGIApplication) -> WSGIApplication:
        """`app`, and the cookies of the schemes with its answers; `app` itself where no scheme has any."""
        if not self._sets_cookies:
            return app

        def passing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            cookies: PendingCookies = environ[COOKIES_KEY]
            return forward(app, environ, start_response, lambda response: _send(cookies, response))

        return passing

    def _refuse_ambiguous(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.answers.refuse_ambiguous(environ)(environ, start_response)

    def _refuse_everybody(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        tell(environ, "forbidden", reason="deny")
        return self.answers.refuse(environ, "403 Forbidden", "not allowed")(environ, start_response)


def _has_devices(throttle: Throttle | str | None) -> bool:
    """Whether it sets the cookies of devices, which that of `"default"` does not."""
    return throttle is not None and not isinstance(throttle, str) and throttle.sets_cookies


def _send(cookies: PendingCookies, response: Response) -> None:
    cookies.sent = True
    if cookies:
        own = {_cookie_name(line) for name, line in response.headers if name.lower() == "set-cookie"}
        lines = [line for line in cookies.values() if _cookie_name(line) not in own]  # the application knows better
        response.headers.extend(("Set-Cookie", line) for line in lines)
        keep_out_of_caches(response)


def _cookie_name(line: str) -> str:
    return line.partition("=")[0].strip(" \t")


def _is_preflight(environ: WSGIEnvironment) -> bool:
    """What browsers ask before a request to another origin (Fetch, section 3.3.2). None names another method."""
    return (
        environ["REQUEST_METHOD"] == "OPTIONS"
        and not any(map(environ.get, _OVERRIDES))
        and "HTTP_ORIGIN" in environ
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    )
