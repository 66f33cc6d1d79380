"""Who is asking, and may they: the layer, its schemes, its rules and its sources of users.

Each name is loaded when it is first asked for: a site has two schemes, not ten.
"""

from middleware.front_door import later

__all__ = [
    "Account",
    "ApiKey",
    "ApiKeyRecord",
    "ApiKeys",
    "Auth",
    "AuthMiddleware",
    "AuthTkt",
    "Basic",
    "Bearer",
    "ClientCertificate",
    "Digest",
    "Explanation",
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
    "UsersFrom",
    "allow",
    "attempt",
    "deny",
    "get_auth",
    "get_identity",
    "ha1",
    "hash_password",
    "new_api_key",
    "optional",
    "put_cookie",
    "require",
    "safe_next",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.auth.api_keys import ApiKeyRecord, new_api_key
    from middleware.auth.digest.response import ha1
    from middleware.auth.digest.sources import PlainPasswords
    from middleware.auth.explain import Explanation
    from middleware.auth.handle import Auth, get_auth
    from middleware.auth.identity import Identity, get_identity
    from middleware.auth.key_file import ApiKeys
    from middleware.auth.login.next_url import safe_next
    from middleware.auth.login.remember_me import RememberMe
    from middleware.auth.middleware import AuthMiddleware
    from middleware.auth.passwords import hash_password
    from middleware.auth.rules.rule import Rule, allow, deny, optional, require
    from middleware.auth.schemes.api_key import ApiKey
    from middleware.auth.schemes.auth_tkt import AuthTkt
    from middleware.auth.schemes.base import Refused, Throttled, Unavailable, put_cookie
    from middleware.auth.schemes.basic import Basic
    from middleware.auth.schemes.bearer import Bearer
    from middleware.auth.schemes.client_certificate import ClientCertificate
    from middleware.auth.schemes.digest import Digest
    from middleware.auth.schemes.outer import Outer
    from middleware.auth.schemes.server_user import ServerUser
    from middleware.auth.schemes.session_login import SessionLogin
    from middleware.auth.schemes.trusted_header import TrustedHeader
    from middleware.auth.throttle.attempts import attempt
    from middleware.auth.throttle.throttle import Throttle
    from middleware.auth.users import Account, Htpasswd, UsersFrom
    from middleware.auth.users.htdigest import Htdigest

__getattr__, __dir__ = later(
    __name__,
    {
        "api_keys": ("ApiKeyRecord", "new_api_key"),
        "throttle.attempts": ("attempt",),
        "digest.response": ("ha1",),
        "digest.sources": ("PlainPasswords",),
        "explain": ("Explanation",),
        "handle": ("Auth", "get_auth"),
        "identity": ("Identity", "get_identity"),
        "key_file": ("ApiKeys",),
        "middleware": ("AuthMiddleware",),
        "login.next_url": ("safe_next",),
        "passwords": ("hash_password",),
        "rules.rule": ("Rule", "allow", "deny", "optional", "require"),
        "schemes.api_key": ("ApiKey",),
        "schemes.auth_tkt": ("AuthTkt",),
        "schemes.base": ("Refused", "Throttled", "Unavailable", "put_cookie"),
        "schemes.basic": ("Basic",),
        "schemes.bearer": ("Bearer",),
        "schemes.client_certificate": ("ClientCertificate",),
        "schemes.digest": ("Digest",),
        "schemes.outer": ("Outer",),
        "login.remember_me": ("RememberMe",),
        "schemes.server_user": ("ServerUser",),
        "schemes.session_login": ("SessionLogin",),
        "schemes.trusted_header": ("TrustedHeader",),
        "throttle.throttle": ("Throttle",),
        "users": ("Account", "Htpasswd", "UsersFrom"),
        "users.htdigest": ("Htdigest",),
    },
)
