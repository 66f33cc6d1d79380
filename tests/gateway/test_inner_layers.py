"""What the other layers make of a request behind proxies: cookies, logins, the cache and the log know the client."""

from __future__ import annotations

import pytest
from asking import ask
from auth_helpers import basic, stored, who
from digest_client import Client, protected

from middleware import (
    AuthMiddleware,
    Basic,
    CacheMiddleware,
    CookieMiddleware,
    LoggingMiddleware,
    MemoryStore,
    ProxyMiddleware,
    SessionMiddleware,
    TrustedHeader,
    allow,
    get_cookies,
    get_session,
    optional,
    require,
)
from middleware.auth import Throttle

PROXY = "10.0.0.1"
FIELDS = {"host": "X-Forwarded-Host", "prefix": "X-Forwarded-Prefix"}


def behind(app, **options):
    return ProxyMiddleware(app, trust=[PROXY], **options)


def fields(client="203.0.113.9", **more):
    return {"X-Forwarded-For": client, **more}


def counter(environ, start_response):
    session = get_session(environ)
    session["count"] = session.get("count", 0) + 1
    get_cookies(environ).set("theme", "dark")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(session["count"]).encode()]


def lines(app, proto, peer=PROXY):
    return ask(app, headers=fields(**{"X-Forwarded-Proto": proto}), REMOTE_ADDR=peer).all("Set-Cookie")


def test_cookies_are_secure_behind_https_and_only_there():
    app = behind(CookieMiddleware(SessionMiddleware(counter, store=MemoryStore()), secret="s" * 32))
    assert all("; Secure" in line for line in lines(app, "https"))
    assert any(line.startswith("__Host-id=") for line in lines(app, "https"))
    for proto, peer in (("http", PROXY), ("https", "203.0.113.5")):
        assert len(lines(app, proto, peer)) == 2
        assert not any("; Secure" in line or "__Host-" in line for line in lines(app, proto, peer))


def test_who_guesses_behind_a_proxy_waits_alone():
    app = AuthMiddleware(
        who, Basic({"ann": stored("apple")}), rules=[require("/")], throttle=Throttle(), on_event=lambda event: None
    )
    app = behind(app)

    def code(client, password, peer=PROXY):
        return ask(app, headers={**fields(client), **basic("ann", password)}, REMOTE_ADDR=peer).code

    assert [code(f"7.7.7.{n}, 198.51.100.1", "wrong") for n in range(6)] == [401] * 5 + [429]
    assert code("198.51.100.1", "apple") == 429
    assert code("203.0.113.9", "apple") == 200
    assert code("203.0.113.9", "apple", peer="198.51.100.1") == 429  # who claims another address


def test_events_name_the_client():
    told = []
    app = AuthMiddleware(who, Basic({"ann": stored("apple")}), rules=[require("/")], on_event=told.append)
    ask(behind(app), headers={**fields(), **basic("ann", "wrong")}, REMOTE_ADDR=PROXY)
    assert {event.client for event in told} == {"203.0.113.9"}


@pytest.mark.parametrize(
    ("peer", "client", "user"),
    [
        (PROXY, "203.0.113.9", "ann"),
        ("203.0.113.9", PROXY, None),
        ("203.0.113.9", "203.0.113.9", None),
    ],
)
def test_whom_a_proxy_names_is_judged_by_the_peer_and_not_by_the_client(peer, client, user):
    app = AuthMiddleware(who, TrustedHeader("Xuser", peers=[PROXY]), rules=[optional("/")], on_event=lambda event: None)
    for layer in (behind(app), ProxyMiddleware(app, trust=["unix", PROXY])):
        answer = ask(layer, headers={**fields(client), "Xuser": "ann"}, REMOTE_ADDR=peer)
        assert answer.text.startswith(f"{user} ")
    hops = ProxyMiddleware(app, hops=1)  # believes every peer's word on the client, and is not asked who the peer is
    assert ask(hops, headers={**fields(client), "Xuser": "ann"}, REMOTE_ADDR=peer).text.startswith(f"{user} ")


def test_a_socket_stays_a_socket_for_whom_a_proxy_names():
    app = AuthMiddleware(
        who, TrustedHeader("Xuser", peers=["203.0.113.9"]), rules=[optional("/")], on_event=lambda event: None
    )
    answer = ask(
        ProxyMiddleware(app, trust=["unix"]), headers={**fields("203.0.113.9"), "Xuser": "ann"}, REMOTE_ADDR=""
    )
    assert answer.text.startswith("None ")


def test_rules_are_for_the_path_that_clients_ask_for():
    app = AuthMiddleware(who, Basic({}), rules=[require("/shop/admin"), allow("/")], on_event=lambda event: None)
    app = behind(app, prefix="X-Forwarded-Prefix")
    assert ask(app, "/admin", headers=fields(**{"X-Forwarded-Prefix": "/shop"}), REMOTE_ADDR=PROXY).code == 401
    assert ask(app, "/admin", headers=fields(**{"X-Forwarded-Prefix": "/shop"}), REMOTE_ADDR="203.0.113.5").code == 200


def test_digest_is_for_the_path_that_clients_ask_for():
    app = behind(protected(rules=[require("/shop")]), prefix="X-Forwarded-Prefix")
    entries = {"REMOTE_ADDR": PROXY, "HTTP_X_FORWARDED_PREFIX": "/shop"}
    field = Client(app, **entries).field(uri="/shop/cart")
    assert ask(app, "/cart", HTTP_AUTHORIZATION=field, **entries).code == 200


class Pages:
    """Says where it takes itself to be."""

    def __init__(self):
        self.calls = 0

    def __call__(self, environ, start_response):
        self.calls += 1
        start_response("200 OK", [("Content-Type", "text/plain"), ("Cache-Control", "max-age=60")])
        host = environ.get("HTTP_X_FORWARDED_HOST") or environ["HTTP_HOST"]
        path = environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"]
        return [f"{environ['wsgi.url_scheme']}://{host}{path}".encode()]


def test_the_cache_keeps_one_answer_for_all_clients_and_one_for_each_site():
    pages = Pages()
    app = behind(CacheMiddleware(pages, store=MemoryStore()), **FIELDS)

    def page(client, host, proto="https", peer=PROXY, prefix="/shop"):
        told = {"X-Forwarded-Host": host, "X-Forwarded-Proto": proto, "X-Forwarded-Prefix": prefix}
        return ask(app, "/p", headers=fields(client, **told), REMOTE_ADDR=peer, HTTP_HOST="inner.example").text

    for client in ("203.0.113.9", "203.0.113.10"):
        assert page(client, "shop.example") == "https://shop.example/shop/p"
    assert pages.calls == 1
    assert page("203.0.113.9", "other.example") == "https://other.example/shop/p"
    assert page("203.0.113.9", "shop.example", "http") == "http://shop.example/shop/p"
    assert page("203.0.113.9", "shop.example", prefix="/b") == "https://shop.example/b/p"
    assert pages.calls == 4
    assert page("203.0.113.9", "evil.example", peer="203.0.113.5") == "http://inner.example/p"
    assert page("203.0.113.9", "shop.example") == "https://shop.example/shop/p"
    assert pages.calls == 5


def test_a_log_inside_shows_the_client_and_one_outside_the_proxy():
    inside, outside = [], []
    app = LoggingMiddleware(behind(LoggingMiddleware(Pages(), sink=inside.append), **FIELDS), sink=outside.append)
    told = {"X-Forwarded-Host": "shop.example", "X-Forwarded-Prefix": "/shop"}
    ask(app, "/p", headers=fields(**told), REMOTE_ADDR=PROXY)
    assert inside[0].startswith("203.0.113.9 - - ")
    assert '"GET /shop/p HTTP/' in inside[0]
    assert outside[0].startswith(f"{PROXY} - - ")
