"""What a scheme is: something that reads credentials from a request and says whose they are."""

from __future__ import annotations

from middleware.errors import MiddlewareError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Literal, Protocol, TypeGuard
    from wsgiref.types import WSGIApplication, WSGIEnvironment

    from middleware.auth.identity import Identity
    from middleware.auth.middleware import AuthMiddleware

    Freshness = Literal["always", "login", "never"]

    class Scheme(Protocol):
        """A way of saying who one is.

        `name` is what rules call it, `auth_type` what the application finds in AUTH_TYPE, `reads` the request header
        fields that it looks at.

        `authenticate` says whose credentials a request has: an Identity, Refused for bad ones, None where they are not
        of this scheme. It raises Unavailable where that cannot be told now, Throttled where too many attempts failed;
        any other error leaves the layer as it is. `challenges` gives the values of the WWW-Authenticate lines, one a
        challenge; `refused` is what this scheme has just answered, where that is why.
        """

        @property
        def name(self) -> str: ...

        @property
        def auth_type(self) -> str: ...

        @property
        def reads(self) -> tuple[str, ...]: ...

        def authenticate(self, environ: WSGIEnvironment, /) -> Identity | Refused | None: ...
        def challenges(self, environ: WSGIEnvironment, refused: Refused | None, /) -> Sequence[str]: ...

    class ReceivingScheme(Scheme, Protocol):
        """A scheme that takes something out of every request before the rules are looked at.

        `receive` sees each request, also where a rule lets everybody in. What it takes out never reaches the
        application; it keeps it under `middleware.auth.` and the name of the scheme.
        """

        def receive(self, environ: WSGIEnvironment, /) -> None: ...

    class CheckingScheme(Scheme, Protocol):
        """A scheme that judges the layer it is given to: `check_layer` raises ConfigurationError."""

        def check_layer(self, layer: AuthMiddleware, /) -> None: ...

    class LoginScheme(Scheme, Protocol):
        """A scheme that keeps a login from one request to the next, and may have pages of its own for it.

        `pages` are the paths that it serves itself, whatever the rules say. `login_url` is where a person signs in, to
        come back to this request; None where there is no such place. `remember` begins a login, and raises LookupError
        for a user who is not in the source or is disabled; `persistent` asks for one that outlives the browser's
        session, `factors` is what was proved. `forget` ends it, `everywhere` all logins of the user. `form_token` is
        what a form that posts to one of the pages holds as `token`.
        """

        @property
        def pages(self) -> Mapping[str, WSGIApplication]: ...

        def login_url(self, environ: WSGIEnvironment, /) -> str | None: ...
        def remember(
            self, environ: WSGIEnvironment, user: str, /, *, persistent: bool = False, factors: Iterable[str] = ("pwd",)
        ) -> Identity: ...
        def forget(self, environ: WSGIEnvironment, /, *, everywhere: bool = False) -> None: ...
        def form_token(self, environ: WSGIEnvironment, /) -> str: ...

    class ImpersonatingScheme(LoginScheme, Protocol):
        """A scheme by which one user can act as another: `impersonate` begins it, `stop_impersonating` ends it.

        `impersonate` raises LookupError for a user who is not in the source or is disabled; both raise RuntimeError
        where there is nothing to begin or to end.
        """

        def impersonate(self, environ: WSGIEnvironment, user: str, /) -> Identity: ...
        def stop_impersonating(self, environ: WSGIEnvironment, /) -> Identity: ...


def keeps_logins(scheme: Scheme) -> TypeGuard[LoginScheme]:
    """Whether a scheme is a LoginScheme."""
    return hasattr(scheme, "remember") and hasattr(scheme, "forget")


def receives(scheme: Scheme) -> TypeGuard[ReceivingScheme]:
    """Whether a scheme is a ReceivingScheme."""
    return hasattr(scheme, "receive")


def checks_layer(scheme: Scheme) -> TypeGuard[CheckingScheme]:
    """Whether a scheme is a CheckingScheme."""
    return hasattr(scheme, "check_layer")


def impersonates(scheme: LoginScheme) -> TypeGuard[ImpersonatingScheme]:
    """Whether a scheme is an ImpersonatingScheme."""
    return hasattr(scheme, "impersonate") and hasattr(scheme, "stop_impersonating")


def freshness_of(scheme: Scheme) -> Freshness:
    """How fresh the proof of a scheme is: `freshness`, where it says so.

    `"always"`: every request proves it anew. `"login"`, the default: since `Identity.authenticated_at`. `"never"`.
    """
    freshness: Freshness = getattr(scheme, "freshness", "login")
    return freshness


def explains(scheme: Scheme) -> bool:
    """Whether the challenges of a scheme also say what was wrong with a request: they go with 400 and 403 too."""
    return bool(getattr(scheme, "explains", False))


def sets_cookies(scheme: Scheme) -> bool:
    """Whether a scheme leaves cookies with `put_cookie`."""
    return bool(getattr(scheme, "sets_cookies", False))


class Refused:
    """Credentials that are present and bad: no other scheme is asked.

    `reason` is a fixed word for operators, never shown to clients; WRONG is that of an attempt that failed and was told
    as such. `status` is 401, or 400 where the request itself is malformed. `parameters` go into the challenge of the
    scheme (RFC 9110, section 11.2), where it has any. `user` is the name that was tried.
    """

    __slots__ = ("parameters", "reason", "status", "user")

    WRONG = "wrong"

    def __init__(
        self,
        reason: str,
        status: int = 401,
        parameters: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        self.reason = reason
        self.status = status
        self.parameters = parameters or {}
        self.user = user

    def __repr__(self) -> str:
        return f"<Refused {self.status}: {self.reason}>"


class Unavailable(MiddlewareError):
    """Nobody can be identified just now: the answer is 503, with Retry-After in whole seconds."""

    def __init__(self, retry_after: int = 5) -> None:
        super().__init__("users cannot be identified just now")
        self.retry_after = retry_after


class Throttled(MiddlewareError):
    """Too many attempts failed before this one: the answer is 429, with Retry-After in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many attempts failed: the next one counts in {retry_after} s")
        self.retry_after = retry_after


class PendingCookies(dict[str, str]):
    """Set-Cookie lines by the name of the cookie, for the answer to one request; `sent` once its head has left."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = False


COOKIES_KEY = "middleware.auth.cookies"


def put_cookie(environ: WSGIEnvironment, name: str, line: str) -> None:
    """Set a cookie with the answer to this request. `line` is the value of Set-Cookie; the last for a name wins.

    For schemes with `sets_cookies`. Raises RuntimeError where the head of the answer has left, and without a layer.
    """
    pending: PendingCookies | None = environ.get(COOKIES_KEY)
    if pending is None:
        raise RuntimeError("no layer here sets this cookie: wrap the app in AuthMiddleware")
    if pending.sent:
        raise RuntimeError("the head of the answer has left: log in and out before the body")
    pending[name] = line
