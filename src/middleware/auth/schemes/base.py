"""What a scheme is: something that reads credentials from a request and says whose they are."""

from __future__ import annotations

from middleware.errors import MiddlewareError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol
    from wsgiref.types import WSGIApplication, WSGIEnvironment

    from middleware.auth.identity import Identity

    class Scheme(Protocol):
        """A way of saying who one is.

        `name` is what rules call it, `auth_type` what the application finds in AUTH_TYPE, `reads` the request header
        fields that it looks at.
        """

        @property
        def name(self) -> str: ...

        @property
        def auth_type(self) -> str: ...

        @property
        def reads(self) -> tuple[str, ...]: ...

        def authenticate(self, environ: WSGIEnvironment, /) -> Identity | Refused | None:
            """Whose credentials these are; Refused for bad ones; None where they are not of this scheme.

            Raises Unavailable where it cannot be told now. Any other error leaves the layer as it is.
            """

        def challenge(self, environ: WSGIEnvironment, /) -> str:
            """The value of a WWW-Authenticate line."""

    class LoginScheme(Scheme, Protocol):
        """A scheme that keeps a login from one request to the next, and has pages of its own for it."""

        @property
        def pages(self) -> Mapping[str, WSGIApplication]:
            """The paths that it serves itself, whatever the rules say."""

        def login_url(self, environ: WSGIEnvironment, /) -> str:
            """Where a person signs in, to come back to this request."""

        def remember(self, environ: WSGIEnvironment, user: str, /) -> Identity:
            """Begin a login. Raises LookupError for a user who is not in the source, or disabled."""

        def forget(self, environ: WSGIEnvironment, /) -> None:
            """End it."""

        def form_token(self, environ: WSGIEnvironment, /) -> str:
            """What a form that posts to one of the pages holds as `token`."""


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
