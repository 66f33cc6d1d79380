"""Every layer of the project as tests put it round an application: used and unused, alone and stacked."""

from __future__ import annotations

import io

import pytest
from gateway.servers_input import unnoticed_gateway

from middleware import (
    AuthMiddleware,
    Basic,
    CacheMiddleware,
    ConditionalMiddleware,
    CookieMiddleware,
    LoggingMiddleware,
    MemoryStore,
    ProxyMiddleware,
    RawTargetMiddleware,
    SessionLogin,
    SessionMiddleware,
    allow,
    get_cookies,
    get_session,
    optional,
)

SECRET = "a secret that is long enough to be one"
USERS = {}


class UsesSession:
    """An application that writes its session in every request, before the application inside is called."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        session = get_session(environ)
        session["seen"] = session.get("seen", 0) + 1
        return self.app(environ, start_response)


class UsesCookies:
    """An application that reads and sets a cookie in every request."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        cookies = get_cookies(environ)
        cookies.set("seen", str(cookies.get("seen")))
        return self.app(environ, start_response)


def stored_session(app):
    return SessionMiddleware(app, store=MemoryStore())


def cookie_session(app):
    return SessionMiddleware(app, secret=SECRET)


def stored_session_used(app):
    return SessionMiddleware(UsesSession(app), store=MemoryStore())


def cookie_session_used(app):
    return SessionMiddleware(UsesSession(app), secret=SECRET)


def cookies(app):
    return CookieMiddleware(app, secret=SECRET)


def cookies_used(app):
    return CookieMiddleware(UsesCookies(app), secret=SECRET)


def cache(app):
    return CacheMiddleware(app, store=MemoryStore())


def conditional(app):
    return ConditionalMiddleware(app)


def conditional_weak(app):
    return ConditionalMiddleware(app, weak=True, max_body=10)


def auth_allowing(app):
    return AuthMiddleware(app, Basic(USERS), rules=[allow("/")])


def auth_asking(app):
    return AuthMiddleware(app, Basic(USERS), rules=[optional("/")])


def logging_combined(app):
    return LoggingMiddleware(app, sink=io.StringIO())


def logging_json(app):
    return LoggingMiddleware(app, format="json", sink=io.StringIO())


def proxy(app):
    return ProxyMiddleware(app, trust=["192.0.2.0/24", "unix"])


def raw_target(app):
    return RawTargetMiddleware(app)


def stack(app):
    store = MemoryStore()
    app = AuthMiddleware(app, [SessionLogin(USERS)], rules=[optional("/")])
    app = SessionMiddleware(app, store=store)
    app = CookieMiddleware(app, secret=SECRET)
    app = CacheMiddleware(app, store=MemoryStore())
    app = LoggingMiddleware(app, sink=io.StringIO())
    return ProxyMiddleware(app, hops=1)


def stack_used(app):
    return stack(UsesSession(UsesCookies(app)))


# Each with the fields that it may add, and those of the application that it may change.
LAYERS = [
    pytest.param(wrap, adds, changes, id=wrap.__name__, marks=[pytest.mark.slow] if wrap in (stack, stack_used) else [])
    for wrap, adds, changes in [
        (stored_session, ["Vary", "Cache-Control"], []),
        (cookie_session, ["Vary", "Cache-Control"], []),
        (stored_session_used, ["Vary", "Cache-Control", "Set-Cookie"], []),
        (cookie_session_used, ["Vary", "Cache-Control", "Set-Cookie"], []),
        (cookies, [], ["Set-Cookie"]),
        (cookies_used, ["Vary", "Cache-Control"], ["Set-Cookie"]),
        (cache, ["Age", "Cache-Status", "Date", "ETag"], []),
        (conditional, ["ETag"], []),
        (conditional_weak, ["ETag"], []),
        (auth_allowing, [], []),
        (auth_asking, ["Vary", "Cache-Control"], []),
        (logging_combined, ["X-Request-ID"], []),
        (logging_json, ["X-Request-ID"], []),
        (proxy, [], []),
        (unnoticed_gateway, [], []),
        (raw_target, [], []),
        (stack, None, ["Set-Cookie"]),
        (stack_used, None, ["Set-Cookie"]),
    ]
]
