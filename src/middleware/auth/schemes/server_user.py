"""The user whom the web server itself has identified: REMOTE_USER of Apache, IIS, uWSGI and others."""

from __future__ import annotations

from middleware.auth.identity import Identity
from middleware.auth.names import normal_name
from middleware.auth.option_checks import check_roles
from middleware.auth.schemes.base import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from wsgiref.types import WSGIEnvironment

    RolesOfUser = Mapping[str, str | Iterable[str]] | Callable[[str], str | Iterable[str]]
    from middleware.auth.schemes.base import Freshness

_KEPT = "middleware.auth.server"


class ServerUser:
    """The user whom the web server has identified by its own means: Kerberos, LDAP, a smart card, Shibboleth.

    REMOTE_USER counts where AUTH_TYPE says by which means; alone it may come from a field that nobody has checked. The
    server's AUTH_TYPE is what the application finds. `roles`: a mapping of names to roles, or a callable that
    takes a name and gives its roles.

    Nothing is remembered: a request without REMOTE_USER is one of a stranger. Raises ConfigurationError.
    """

    name = "server"
    auth_type = ""  # the server's own
    reads = ("Authorization", "Cookie")  # what servers look at
    freshness: Freshness = "never"

    def __init__(self, *, roles: RolesOfUser | None = None) -> None:
        check_roles(roles)
        self._roles_of: Callable[[str], str | Iterable[str] | None] = (
            _no_roles if roles is None else roles if callable(roles) else roles.get
        )

    def receive(self, environ: WSGIEnvironment, /) -> None:
        """Keep what the server says, which the layer removes from where an application would look for it."""
        user, auth_type = environ.get("REMOTE_USER"), environ.get("AUTH_TYPE")
        if user and auth_type:
            environ[_KEPT] = (user, auth_type)
        else:
            environ.pop(_KEPT, None)

    def authenticate(self, environ: WSGIEnvironment, /) -> Identity | Refused | None:
        """Whom the server names."""
        kept: tuple[str, str] | None = environ.get(_KEPT)
        if kept is None:
            return None
        given, auth_type = _text(kept[0]), kept[1]
        user = normal_name(given)
        if user is None:
            return Refused("bad name", user=given)
        roles = self._roles_of(user) or ()
        environ["AUTH_TYPE"] = auth_type
        return Identity(user, self.name, roles=(roles,) if isinstance(roles, str) else roles)

    def challenges(self, environ: WSGIEnvironment, refused: Refused | None, /) -> Sequence[str]:  # noqa: ARG002
        """None: to ask for credentials is the server's part."""
        return ()


def _no_roles(user: str) -> None:  # noqa: ARG001
    return None


def _text(user: str) -> str:
    """The name as real text: WSGI has the server's bytes as latin-1, UTF-8 from most clients, latin-1 from some."""
    if user.isascii():
        return user
    try:
        return user.encode("latin-1").decode()
    except UnicodeError:
        return user
