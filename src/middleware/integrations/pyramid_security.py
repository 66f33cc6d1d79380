"""Pyramid on our logins: `config.include("middleware.integrations.pyramid_security")`, and it knows who is asking.

AuthMiddleware stands round the application that `make_wsgi_app()` gives. Its rules close whole paths; permissions close
what they cannot see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyramid.authorization import ACLHelper, Authenticated, Everyone
from pyramid.interfaces import ISecurityPolicy
from zope.interface import implementer

from middleware.auth import get_auth, get_identity

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.request import Request

    from middleware.auth import Identity


def includeme(config: Configurator) -> None:
    """Make our logins those of the application."""
    config.set_security_policy(SecurityPolicy())


@implementer(ISecurityPolicy)
class SecurityPolicy:
    """`request.identity` is our Identity, `request.authenticated_userid` its name.

    In an `__acl__` its principals are `user:ann`, `role:editor` for each of the roles, and Pyramid's own. Everything
    raises LayerMissing where the request passed no AuthMiddleware.
    """

    def __init__(self) -> None:
        self._lists = ACLHelper()

    def identity(self, request: Request) -> Identity | None:
        """Who is asking, None where nobody is identified."""
        return get_identity(request.environ)

    def authenticated_userid(self, request: Request) -> str | None:
        """The user's name."""
        identity = self.identity(request)
        return None if identity is None else identity.user

    def permits(self, request: Request, context: object, permission: str) -> Any:
        """Whether the `__acl__` of the context, or of what it is in, says so."""
        return self._lists.permits(context, principals_of(self.identity(request)), permission)

    def remember(self, request: Request, userid: str, **options: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Sign `userid` in, as `get_auth(environ).login` does. The layer sets the fields, so these are none."""
        get_auth(request.environ).login(userid)
        return []

    def forget(self, request: Request, **options: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Sign the user out, as `get_auth(environ).logout` does."""
        get_auth(request.environ).logout()
        return []


def principals_of(identity: Identity | None) -> list[str]:
    """What an `__acl__` calls somebody. A user and a role of the same name are told apart."""
    if identity is None:
        return [Everyone]
    return [Everyone, Authenticated, f"user:{identity.user}", *sorted(f"role:{role}" for role in identity.roles)]
