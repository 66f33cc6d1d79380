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

__all__ = [
    "Account",
    "Auth",
    "AuthMiddleware",
    "Basic",
    "ClientCertificate",
    "Htpasswd",
    "Identity",
    "Outer",
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
    "hash_password",
    "optional",
    "require",
    "safe_next",
]
