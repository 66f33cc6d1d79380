"""What a scheme is: something that reads credentials from a request and says whose they are."""

from __future__ import annotations

from middleware.errors import MiddlewareError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol, TypeGuard
    from wsgiref.types import WSGIApplication, WSGIEnvironment

    from middleware.auth.identity import Identity

    class Scheme(Protocol):
        """A way of saying who one is.

        `name` is what rules call it, `auth_type` what the application finds in AUTH_TYPE, `reads` the request header
        fields that it looks at.

        `authenticate` says whose credentials a request has: an Identity, Refused for bad ones, None where they are not
        of this scheme. It raises Unavailable where that cannot be told now; any other error leaves the layer as it is.
        `challenge` gives the value of a WWW-Authenticate line.
        """

        @property
        def name(self) -> str: ...

        @property
        def auth_type(self) -> str: ...

        @property
        def reads(self) -> tuple[str, ...]: ...

        def authenticate(self, environ: WSGIEnvironment, /) -> Identity | Refused | None: ...
        def challenge(self, environ: WSGIEnvironment, /) -> str: ...

    class LoginScheme(Scheme, Protocol):
        """A scheme that keeps a login from one request to the next, and has pages of its own for it.

        `pages` are the paths that it serves itself, whatever the rules say. `login_url` is where a person signs in, to
        come back to this request. `remember` begins a login, and raises LookupError for a user who is not in the source
        or is disabled; `forget` ends it. `form_token` is what a form that posts to one of the pages holds as `token`.
        """

        @property
        def pages(self) -> Mapping[str, WSGIApplication]: ...

        def login_url(self, environ: WSGIEnvironment, /) -> str: ...
        def remember(self, environ: WSGIEnvironment, user: str, /) -> Identity: ...
        def forget(self, environ: WSGIEnvironment, /) -> None: ...
        def form_token(self, environ: WSGIEnvironment, /) -> str: ...


def keeps_logins(scheme: Scheme) -> TypeGuard[LoginScheme]:
    """Whether a scheme is a LoginScheme."""
    return hasattr(scheme, "remember") and hasattr(scheme, "pages")


class Refused:
    """Credentials that are present and bad: no other scheme is asked.

    `reason` is a fixed word for operators, never shown to clients. `status` is 401, or 400 where the request itself is
    malformed.
    """

    __slots__ = ("reason", "status")

    def __init__(self, reason: str, status: int = 401) -> None:
        self.reason = reason
        self.status = status

    def __repr__(self) -> str:
        return f"<Refused {self.status}: {self.reason}>"


class Unavailable(MiddlewareError):
    """Nobody can be identified just now: the answer is 503, with Retry-After in whole seconds."""

    def __init__(self, retry_after: int = 5) -> None:
        super().__init__("users cannot be identified just now")
        self.retry_after = retry_after
