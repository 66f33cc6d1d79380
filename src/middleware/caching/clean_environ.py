"""The request of nobody: what an application gets when the cache asks it anew for what it has already given.

The rule: of what is no header field only what is listed here goes on, of the header fields all but those that say who
asks, what the client has already, or how its connection works. Values in, values out.
"""

from __future__ import annotations

import sys
from io import BytesIO, StringIO

from middleware.headers import environ_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import WSGIEnvironment

_KEPT = frozenset(
    (
        "GATEWAY_INTERFACE",
        "HTTPS",
        "PATH_INFO",
        "QUERY_STRING",
        "RAW_URI",
        "REQUEST_SCHEME",
        "REQUEST_URI",
        "SCRIPT_NAME",
        "SERVER_ADDR",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "SERVER_SOFTWARE",
        "wsgi.multiprocess",
        "wsgi.multithread",
        "wsgi.run_once",
        "wsgi.url_scheme",
        "wsgi.version",
    )
)
# Conditions and ranges, what a client demands of a cache, a body that is not there, and the connection's own.
_LEFT_OUT = frozenset(
    f"HTTP_{name}"
    for name in (
        "CACHE_CONTROL",
        "CONNECTION",
        "EXPECT",
        "HTTP2_SETTINGS",
        "KEEP_ALIVE",
        "MAX_FORWARDS",
        "PRAGMA",
        "PROXY_CONNECTION",
        "RANGE",
        "REFERER",
        "TE",
        "TRAILER",
        "TRANSFER_ENCODING",
        "UPGRADE",
    )
)
_LEFT_OUT_BEGINNINGS = ("HTTP_IF_", "HTTP_CONTENT_", "HTTP_SEC_WEBSOCKET_")
# A field whose name has one of these words says who asks: X-Forwarded-For, X-Auth-Request-User, X-Api-Key, Client-Cert.
_WHO_ASKS = frozenset(
    (
        "ACCOUNT",
        "APIKEY",
        "ASSERTION",
        "AUTH",
        "AUTHENTICATED",
        "AUTHORIZATION",
        "BEARER",
        "CERT",
        "CERTIFICATE",
        "CLIENT",
        "COOKIE",
        "COOKIE2",
        "CREDENTIAL",
        "CREDENTIALS",
        "CSRF",
        "CSRFTOKEN",
        "DPOP",
        "EMAIL",
        "FOR",
        "FROM",
        "GROUP",
        "GROUPS",
        "ID",
        "IDENTITY",
        "IP",
        "JWT",
        "KEY",
        "LOGIN",
        "OAUTH",
        "OIDC",
        "PASSWORD",
        "PRINCIPAL",
        "ROLE",
        "ROLES",
        "SECRET",
        "SESSION",
        "SID",
        "SIGNATURE",
        "SSL",
        "SUBJECT",
        "TICKET",
        "TOKEN",
        "UID",
        "USER",
        "USERID",
        "USERNAME",
        "XSRF",
    )
)


def cleaned(environ: WSGIEnvironment, keep: Iterable[str] = ()) -> WSGIEnvironment:
    """A fresh environ for a GET of the same URL, of which nobody could tell who made the one given.

    keep: names of request fields that select the answer: those that Vary names, and those that are part of the key.
        They stay, whatever they are, and are absent where they were.

    It has no body, no condition, no range, and none of the objects that servers and layers put there: these set their
    own. `wsgi.errors` is this process's standard error, since a server's own may end with the request. REMOTE_USER,
    AUTH_TYPE, REMOTE_ADDR, REMOTE_PORT and REMOTE_HOST are absent, as PEP 3333 allows: no address would be true, and
    that of this machine opens doors. What a server was told to add (Apache's SetEnv) is absent too.
    """
    selecting = {environ_key(name) for name in keep}
    clean: WSGIEnvironment = {key: value for key, value in environ.items() if key in selecting or _goes_on(key)}
    clean["REQUEST_METHOD"] = "GET"
    clean["wsgi.input"] = BytesIO()
    clean["wsgi.errors"] = StringIO() if sys.stderr is None else sys.stderr
    return clean


def _goes_on(key: str) -> bool:
    if key in _KEPT or key == "HTTP_USER_AGENT":
        return True
    if not key.startswith("HTTP_") or key in _LEFT_OUT or key.startswith(_LEFT_OUT_BEGINNINGS):
        return False
    return _WHO_ASKS.isdisjoint(key.split("_"))
