"""Who is asking, and may they: the layer, its schemes, its rules and its sources of users."""

from middleware.auth.attempts import attempt
from middleware.auth.handle import Auth, get_auth
from middleware.auth.identity import Identity, get_identity
from middleware.auth.middleware import AuthMiddleware
from middleware.auth.next_url import safe_next
from middleware.auth.passwords import hash_password
from middleware.auth.rules import Rule, allow, deny, optional, require
from middleware.auth.schemes.base import Refused, Throttled, Unavailable
from middleware.auth.schemes.basic import Basic
from middleware.auth.schemes.client_certificate import ClientCertificate
from middleware.auth.schemes.outer import Outer
from middleware.auth.schemes.remember_me import RememberMe
from middleware.auth.schemes.server_user import ServerUser
from middleware.auth.schemes.session_login import SessionLogin
from middleware.auth.schemes.trusted_header import TrustedHeader
from middleware.auth.throttle import Throttle
from middleware.auth.users import Account, Htpasswd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.auth.digest.response import ha1
    from middleware.auth.digest.sources import PlainPasswords
    from middleware.auth.schemes.digest import Digest
    from middleware.auth.users.htdigest import Htdigest

__all__ = [
    "Account",
    "Auth",
    "AuthMiddleware",
    "Basic",
    "ClientCertificate",
    "Digest",
    "Htdigest",
    "Htpasswd",
    "Identity",
    "Outer",
    "PlainPasswords",
    "Refused",
    "RememberMe",
    "Rule",
    "ServerUser",
    "SessionLogin",
    "Throttle",
    "Throttled",
    "TrustedHeader",
    "Unavailable",
    "allow",
    "attempt",
    "deny",
    "get_auth",
    "get_identity",
    "ha1",
    "hash_password",
    "optional",
    "require",
    "safe_next",
]

# Loaded when they are first asked for: few sites need them.
_LATE = {
    "Digest": "schemes.digest",
    "Htdigest": "users.htdigest",
    "PlainPasswords": "digest.sources",
    "ha1": "digest.response",
}


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module 'middleware.auth' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"middleware.auth.{_LATE[name]}"), name)
    globals()[name] = value
    return value
