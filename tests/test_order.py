"""The five layers in all 120 orders: refused with the line to move, or nothing private reaches another client."""

from __future__ import annotations

from itertools import permutations

import pytest
from asking import Browser, ask
from auth_helpers import basic, stored

from middleware import (
    AuthMiddleware,
    Basic,
    CacheMiddleware,
    ConditionalMiddleware,
    CookieMiddleware,
    GatewayMiddleware,
    LoggingMiddleware,
    MemoryStore,
    SessionLogin,
    SessionMiddleware,
    allow,
    get_cookies,
    get_identity,
    get_session,
    optional,
    require,
)
from middleware.errors import ConfigurationError

PUBLIC_LONG = [("Cache-Control", "max-age=60")]
USERS = ("ann", "bob")


def site(environ, start_response):
    """Pages that say `max-age=60` whatever they hold: the layers have to know better than the application."""
    path = environ["PATH_INFO"]
    text = f"page {path}"
    if path == "/session":
        session = get_session(environ)
        text = f"session of {session.setdefault('owner', environ['HTTP_X_ME'])}"
    elif path == "/session-read":
        text = f"read of {get_session(environ).get('owner')}"
    elif path == "/cookies":
        text = f"cookies of {get_cookies(environ).get('me')}"
    elif path == "/cookies-set":
        get_cookies(environ).set("me", environ["HTTP_X_ME"])
    elif path == "/signed":
        text = f"signed for {get_cookies(environ).get_signed('me')}"
    elif path == "/signed-set":
        get_cookies(environ).set_signed("me", environ["HTTP_X_ME"])
    elif path in ("/private", "/optional", "/api"):
        identity = get_identity(environ)
        text = f"identity {identity.user if identity else None}, {environ.get('REMOTE_USER')}"
    start_response("200 OK", [("Content-Type", "text/plain"), *PUBLIC_LONG])
    return [text.encode()]


def layers(hashes):
    users = {user: hashes[user] for user in USERS}
    rules = [
        allow("/public", "/session", "/session-read", "/cookies", "/cookies-set", "/signed", "/signed-set"),
        require("/api", schemes=["basic"]),
        require("/private"),
        optional("/optional"),
    ]
    return {
        "sessions": lambda app: SessionMiddleware(app, store=MemoryStore()),
        "cookies": lambda app: CookieMiddleware(app, secret="s" * 32),
        "cache": lambda app: CacheMiddleware(app, store=MemoryStore()),
        "conditional": ConditionalMiddleware,
        "auth": lambda app: AuthMiddleware(app, [Basic(users), SessionLogin(users)], rules=rules),
        "gateway": GatewayMiddleware,
        "logging": lambda app: LoggingMiddleware(app, sink=lambda line: None),
    }


@pytest.fixture(scope="module")
def hashes():
    return {user: stored(f"{user}-password") for user in USERS}


def stack(order, hashes):
    app = site
    for name in order:  # innermost first
        app = layers(hashes)[name](app)
    return app


def works(order):
    return order.index("auth") < order.index("sessions")


ORDERS = list(permutations(("sessions", "cookies", "cache", "auth", "logging")))


@pytest.mark.parametrize("order", [order for order in ORDERS if not works(order)], ids="-".join)
def test_an_order_that_cannot_work_is_refused_with_the_line_to_move(order, hashes):
    with pytest.raises(ConfigurationError, match=r"SessionMiddleware.*AuthMiddleware"):
        stack(order, hashes)


RECOMMENDED = ("auth", "sessions", "cookies", "cache", "logging")
WITH_ETAGS = [(*RECOMMENDED[:place], "conditional", *RECOMMENDED[place:]) for place in range(6)]


WITH_GATEWAY = [(*RECOMMENDED, "gateway"), ("gateway", *RECOMMENDED)]
WORKING = [*(order for order in ORDERS if works(order)), *WITH_ETAGS, *WITH_GATEWAY]


@pytest.mark.slow
@pytest.mark.parametrize("order", WORKING, ids="-".join)
def test_nothing_private_reaches_another_client_in_any_order(order, hashes):
    everyone = visitors(stack(order, hashes))
    for _ in range(2):  # the second round meets whatever the first has stored
        for me, browser in everyone.items():
            check(browser, me, signed_in=me in USERS)
    for me, browser in reversed(everyone.items()):
        check(browser, me, signed_in=me in USERS)


@pytest.mark.parametrize("order", WITH_ETAGS, ids="-".join)
def test_the_etag_of_one_page_is_no_answer_to_whoever_gets_another(order, hashes):
    everyone = visitors(stack(order, hashes))
    for me, browser in everyone.items():
        browser.get("/cookies-set", {"X-Me": me})
    for path in ("/session", "/session-read", "/cookies", "/optional", "/private"):
        etags = {}
        for me, browser in everyone.items():
            seen = {other: browser.get(path, {"X-Me": me, "If-None-Match": etag}).code for other, etag in etags.items()}
            assert 304 not in seen.values(), f"{path}: {me} was told to keep the page of another: {seen}"
            if etag := browser.get(path, {"X-Me": me}).header("ETag"):
                etags[me] = etag
        assert etags or path == "/session"


def visitors(app):
    """Two who have logged in, and one who has not."""
    browsers = {user: Browser(app) for user in USERS}
    for user, browser in browsers.items():
        page = browser.get("/login", {"Sec-Fetch-Site": "none"})
        assert page.code == 200
        form = {"username": user, "password": f"{user}-password"}
        assert browser.post("/login", form, {"Sec-Fetch-Site": "same-origin"}).code == 303
    return {**browsers, "eve": Browser(app)}


def check(browser, me, *, signed_in):
    headers = {"X-Me": me, "Accept": "*/*"}

    def text(path, **more):
        answer = browser.get(path, {**headers, **more})
        own = f"{me}" if signed_in else None
        for line in answer.all("Set-Cookie"):
            assert not any(other in line for other in USERS if other != me), "another user's cookie"
        return answer.code, answer.text, own

    assert text("/public")[:2] == (200, "page /public")
    assert text("/session")[1] == f"session of {me}"
    assert text("/session-read")[1] == f"read of {me}"
    text("/cookies-set")
    assert text("/cookies")[1] == f"cookies of {me}"
    text("/signed-set")
    assert text("/signed")[1] == f"signed for {me}"
    code, body, own = text("/optional")
    assert (code, body) == (200, f"identity {own}, {own}")
    code, body, own = text("/private")
    assert (code, body) == (200, f"identity {own}, {own}") if signed_in else code == 401
    assert text("/api")[0] == 401, "a form login is not for the API"
    if signed_in:
        answer = ask(browser.app, "/api", headers={**headers, **basic(me, f"{me}-password")})
        assert answer.text == f"identity {me}, {me}"
    assert ask(browser.app, "/private", headers=headers).code == 401
    assert ask(browser.app, "/api", headers=headers).code == 401
