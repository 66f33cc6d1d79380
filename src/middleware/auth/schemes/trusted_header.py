"""The user whom a proxy of the site has signed in, named in a header field. Believed only with a proof."""

from __future__ import annotations

from middleware.auth.identity import Identity
from middleware.auth.names import normal_name
from middleware.auth.proof import Field, Proof, warn_of_twins
from middleware.auth.schemes.base import Refused
from middleware.auth.telling import tell
from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.schemes.base import Freshness
    from middleware.signing import Secret

_KEPT = "middleware.auth.proxy"


class TrustedHeader:
    """The user whom a proxy has signed in (oauth2-proxy, Authelia, Apache, nginx), from a header field that it sends.

    `user`: the field with the name. `groups`: one with the user's groups, separated by commas, which become roles.
    `name`: one with what to call the user on a page. All are UTF-8.

    They are believed with a proof only. `peers`: the networks of the proxies, judged by the direct peer, REMOTE_ADDR.
    `secret`: a secret that the proxy sends in the field `secret_header`, at least 16 bytes; of a list all count. With
    both, both must hold; a peer on a Unix socket has no address, and the secret decides. Without its proof a request
    goes on as if the fields had not been sent, and `proxy.untrusted` is told.

    All these fields are removed from environ on every request, so that the application never reads one that a client
    has sent. Raises ConfigurationError.
    """

    name = "proxy"
    auth_type = "proxy"
    freshness: Freshness = "never"

    def __init__(
        self,
        user: str,
        *,
        groups: str | None = None,
        name: str | None = None,
        peers: Sequence[str] | None = None,
        secret: Secret | None = None,
        secret_header: str = "X-Proxy-Secret",  # noqa: S107 - the name of a field
    ) -> None:
        self._proof = Proof("TrustedHeader", peers, secret, secret_header)
        self._user = Field(user, "user")
        self._groups = None if groups is None else Field(groups, "groups")
        self._name = None if name is None else Field(name, "name")
        named = [field for field in (self._user, self._groups, self._name) if field is not None]
        self.reads = (*(field.name for field in named), *self._proof.fields)
        if len({field.lower() for field in self.reads}) != len(self.reads):
            raise ConfigurationError(f"TrustedHeader needs a field for each: {', '.join(self.reads)}")
        warn_of_twins(named, "TrustedHeader")

    def receive(self, environ: WSGIEnvironment, /) -> None:
        """Take the fields out of environ, and keep what they say where it is proved."""
        missing = self._proof.missing(environ)
        user = self._user.take(environ)
        groups = self._groups.take(environ) if self._groups is not None else None
        name = self._name.take(environ) if self._name is not None else None
        environ.pop(_KEPT, None)  # of a layer outside of this one
        if user is None and groups is None and name is None:
            return
        if missing is not None:
            tell(environ, "proxy.untrusted", scheme=self.name, reason=missing)
        elif user is not None:
            environ[_KEPT] = (user, groups or "", name or "")

    def authenticate(self, environ: WSGIEnvironment, /) -> Identity | Refused | None:
        """Whom the proxy names. What it says must be one name: two lines arrive joined by a comma."""
        kept: tuple[str, str, str] | None = environ.get(_KEPT)
        if kept is None:
            return None
        given, groups, name = map(_text, kept)
        user = None if given is None or "," in given else normal_name(given)
        if user is None:
            return Refused("bad name", 400, user=given)
        if groups is None or not groups.replace("\t", " ").isprintable():
            return Refused("bad groups", 400, user=user)
        roles = [role for group in groups.split(",") if (role := group.strip(" \t"))]
        return Identity(user, self.name, name=name or None, roles=roles)

    def challenges(self, environ: WSGIEnvironment, refused: Refused | None, /) -> Sequence[str]:  # noqa: ARG002
        """None: who comes past the proxy is not asked for anything."""
        return ()


def _text(value: str) -> str | None:
    """The text of a field, which WSGI has as latin-1; None where it is no UTF-8."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return None
