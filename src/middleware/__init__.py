"""Composable WSGI middleware: sessions, cookies, HTTP caching, authentication and access logging.

Each layer wraps any WSGI application and is one itself: `app = SessionMiddleware(app, store=MemoryStore())`.
The names below are loaded when they are first asked for, so `import middleware` costs next to nothing.
"""

from middleware.front_door import later

__version__ = "0.1.0"

__all__ = [
    "UNWATCHED",
    "AccessRecord",
    "Account",
    "ApacheFormat",
    "ApiKey",
    "ApiKeyRecord",
    "ApiKeys",
    "AuthMiddleware",
    "AuthTkt",
    "Basic",
    "Bearer",
    "CacheKeys",
    "CacheMiddleware",
    "CachePolicy",
    "CachePurger",
    "Choice",
    "ClientCertificate",
    "ConditionalMiddleware",
    "CookieMiddleware",
    "CookieOptions",
    "Digest",
    "Ending",
    "Event",
    "FileSink",
    "GatewayMiddleware",
    "Htdigest",
    "Htpasswd",
    "Identity",
    "JsonFormat",
    "LoggingMiddleware",
    "MemcachedStore",
    "MemoryStore",
    "Metrics",
    "Outer",
    "PlainPasswords",
    "Privacy",
    "ProxyMiddleware",
    "QueueSink",
    "RawTargetMiddleware",
    "RedisStore",
    "RememberMe",
    "RequestIdFilter",
    "RequestIds",
    "Response",
    "SQLStore",
    "SQLiteStore",
    "ServerUser",
    "SessionInfo",
    "SessionLogin",
    "SessionMiddleware",
    "Store",
    "StreamSink",
    "Throttle",
    "Timeouts",
    "TrustedHeader",
    "UsersFrom",
    "__version__",
    "allow",
    "check_csrf",
    "csrf_input",
    "deny",
    "forward",
    "get_auth",
    "get_cache",
    "get_cookies",
    "get_identity",
    "get_request_id",
    "get_session",
    "ha1",
    "hash_password",
    "name_all_records",
    "new_api_key",
    "open_store",
    "optional",
    "require",
    "trace_headers",
]

TYPE_CHECKING = False  # what type checkers read as True, without importing typing
if TYPE_CHECKING:
    from middleware.auth import (
        Account,
        ApiKey,
        ApiKeyRecord,
        ApiKeys,
        AuthMiddleware,
        AuthTkt,
        Basic,
        Bearer,
        ClientCertificate,
        Digest,
        Htdigest,
        Htpasswd,
        Identity,
        Outer,
        PlainPasswords,
        RememberMe,
        ServerUser,
        SessionLogin,
        Throttle,
        TrustedHeader,
        UsersFrom,
        allow,
        deny,
        get_auth,
        get_identity,
        ha1,
        hash_password,
        new_api_key,
        optional,
        require,
    )
    from middleware.caching import CacheKeys, CacheMiddleware, CachePolicy, CachePurger, get_cache
    from middleware.caching.conditional import ConditionalMiddleware
    from middleware.cookies import CookieMiddleware, CookieOptions, get_cookies
    from middleware.events import Event
    from middleware.gateway import GatewayMiddleware, ProxyMiddleware, RawTargetMiddleware
    from middleware.logging import (
        AccessRecord,
        ApacheFormat,
        Choice,
        FileSink,
        JsonFormat,
        LoggingMiddleware,
        Metrics,
        Privacy,
        RequestIdFilter,
        RequestIds,
        StreamSink,
        get_request_id,
        name_all_records,
        trace_headers,
    )
    from middleware.logging.sinks.queue import QueueSink
    from middleware.sessions import SessionMiddleware, Timeouts, get_session
    from middleware.sessions.forms import check_csrf, csrf_input
    from middleware.sessions.in_store.users import SessionInfo
    from middleware.stores import MemcachedStore, MemoryStore, RedisStore, SQLiteStore, SQLStore, Store, open_store
    from middleware.wsgi import UNWATCHED, Ending, Response, forward

__getattr__, __dir__ = later(
    __name__,
    {
        "auth": (
            "Account", "ApiKey", "ApiKeyRecord", "ApiKeys", "AuthMiddleware", "AuthTkt", "Basic", "Bearer",
            "ClientCertificate", "Digest", "Htdigest", "Htpasswd", "Identity", "Outer", "PlainPasswords", "RememberMe",
            "ServerUser", "SessionLogin", "Throttle", "TrustedHeader", "UsersFrom", "allow", "deny", "get_auth",
            "get_identity", "ha1", "hash_password", "new_api_key", "optional", "require",
        ),
        "caching": ("CacheKeys", "CacheMiddleware", "CachePolicy", "CachePurger", "get_cache"),
        "caching.conditional": ("ConditionalMiddleware",),
        "cookies": ("CookieMiddleware", "CookieOptions", "get_cookies"),
        "events": ("Event",),
        "gateway": ("GatewayMiddleware", "ProxyMiddleware", "RawTargetMiddleware"),
        "logging": (
            "AccessRecord", "ApacheFormat", "Choice", "FileSink", "JsonFormat", "LoggingMiddleware", "Metrics",
            "Privacy", "RequestIdFilter", "RequestIds", "StreamSink", "get_request_id", "name_all_records",
            "trace_headers",
        ),
        "logging.sinks.queue": ("QueueSink",),
        "sessions": ("SessionMiddleware", "Timeouts", "get_session"),
        "sessions.forms": ("check_csrf", "csrf_input"),
        "sessions.in_store.users": ("SessionInfo",),
        "stores": ("MemcachedStore", "MemoryStore", "RedisStore", "SQLStore", "SQLiteStore", "Store", "open_store"),
        "wsgi": ("Ending", "Response", "UNWATCHED", "forward"),
    },
)  # fmt: skip
