"""Every layer of the project keeps PEP 3333 round every shape of application, used and unused, alone and stacked."""

from __future__ import annotations

import io

import pytest

from middleware import (
    AuthMiddleware,
    Basic,
    CacheMiddleware,
    ConditionalMiddleware,
    CookieMiddleware,
    GatewayMiddleware,
    LoggingMiddleware,
    MemoryStore,
    RawTargetMiddleware,
    SessionLogin,
    SessionMiddleware,
    SQLiteStore,
    allow,
    get_cookies,
    get_session,
    optional,
)
from middleware.gateway import ProxyMiddleware
from middleware.testing import SHAPES, check_requests, check_shape, check_together, make_environ, serve

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


def gateway(app):
    """Round what puts back the one entry that it is there to replace, and a client whose body nobody may read."""

    def put_back(environ, start_response):
        environ["wsgi.input_terminated"] = environ.pop("test.input_terminated")
        return app(environ, start_response)

    layer = GatewayMiddleware(put_back)

    def server(environ, start_response):
        environ["test.input_terminated"] = environ.get("wsgi.input_terminated")
        environ["HTTP_EXPECT"] = "100-continue"
        return layer(environ, start_response)

    return server


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
        (gateway, [], []),
        (raw_target, [], []),
        (stack, None, ["Set-Cookie"]),
        (stack_used, None, ["Set-Cookie"]),
    ]
]

every_layer = pytest.mark.parametrize(("wrap", "adds", "changes"), LAYERS)


@pytest.mark.slow
@every_layer
def test_a_layer_keeps_pep_3333_round_every_shape(wrap, adds, changes):
    for shape in SHAPES:
        check_shape(shape, wrap, adds=adds, changes=changes, starts_late=wrap in (conditional, conditional_weak))


@pytest.mark.slow
@every_layer
def test_requests_do_not_disturb_each_other(wrap, adds, changes):
    check_together(wrap)


@pytest.mark.slow
@every_layer
def test_requests_overlap_though_the_server_denies_it(wrap, adds, changes):
    check_together(wrap, **{"wsgi.multithread": False})


@pytest.mark.parametrize(
    ("wrap", "adds", "changes"), [layer for layer in LAYERS if layer.values[0] is not gateway]
)  # which repairs them: tests/gateway/test_gateway.py
def test_odd_requests_are_answered(wrap, adds, changes):
    refuses_paths_of_two_readings = wrap in (auth_allowing, auth_asking, stack, stack_used)
    check_requests(wrap, answers=refuses_paths_of_two_readings)


@pytest.mark.slow
def test_sessions_in_sqlite_do_not_disturb_each_other(tmp_path):
    with SQLiteStore(tmp_path / "sessions.db") as store:
        check_together(lambda app: SessionMiddleware(UsesSession(app), store=store))


@pytest.mark.parametrize("wrap", [stored_session, cookie_session, stack], ids=lambda wrap: wrap.__name__)
def test_what_a_head_promises_is_kept_though_the_server_drops_the_body(wrap):
    """A server under CGI may never close what it was given."""

    def counter(environ, start_response):
        session = get_session(environ)
        session["count"] = session.get("count", 0) + 1
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(session["count"]).encode()]

    layer = wrap(counter)
    heads = []
    layer(make_environ(), lambda status, headers, exc_info=None: heads.append(headers))
    (line,) = [value for name, value in heads[0] if name == "Set-Cookie"]
    assert serve(layer, make_environ(HTTP_COOKIE=line.partition(";")[0])).body == b"2"
