"""The identity that another AuthMiddleware, outside of this one, has found."""

from __future__ import annotations

from middleware.auth.identity import Identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.schemes.base import Refused

_KEPT = "middleware.auth.outer"


class Outer:
    """Whom an AuthMiddleware outside of this one has identified: for an application that brings rules of its own.

    It takes the Identity that the layer outside left in environ, never the name in REMOTE_USER, which anybody could
    have put there. Who signs in, and how, is for the layer outside to say.
    """

    name = "outer"
    auth_type = ""  # that of the layer outside
    reads: tuple[str, ...] = ()  # the layer outside tells caches what it has looked at

    def receive(self, environ: WSGIEnvironment, /) -> None:
        """Keep what the layer outside has found, which the one inside replaces by its own answer."""
        identity = environ.get("middleware.identity")
        if isinstance(identity, Identity):
            environ[_KEPT] = (identity, environ.get("AUTH_TYPE") or identity.scheme)
        else:
            environ.pop(_KEPT, None)

    def authenticate(self, environ: WSGIEnvironment, /) -> Identity | None:
        """The identity of the layer outside, as it is."""
        kept: tuple[Identity, str] | None = environ.get(_KEPT)
        if kept is None:
            return None
        identity, environ["AUTH_TYPE"] = kept
        return identity

    def challenges(self, environ: WSGIEnvironment, refused: Refused | None, /) -> Sequence[str]:  # noqa: ARG002
        """None: the layer outside has those."""
        return ()
