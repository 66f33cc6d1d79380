"""CCH-5: whatever caches stand before and behind the layer, a page for one user reaches nobody else."""

from __future__ import annotations

from itertools import permutations

import pytest
import requests
from asking import ask
from auth_helpers import basic, stored
from conftest import program
from over_http import served
from servers.nginx import nginx
from servers.programs import free_port

from middleware.auth import ApiKey, AuthMiddleware, Basic, Bearer, new_api_key, optional, require
from middleware.caching import CacheMiddleware
from middleware.stores.memory import MemoryStore

USERS = {"ann": stored("apple"), "bob": stored("banana")}
KEYS = {}
HEADERS = {"nobody": {}, "bad": basic("ann", "wrong")}
for user, password in (("ann", "apple"), ("bob", "banana")):
    HEADERS[f"{user} by password"] = basic(user, password)
    HEADERS[f"{user} by token"] = {"Authorization": f"Bearer token-of-{user}"}
    key, record = new_api_key(user=user)
    KEYS[record.id] = record
    HEADERS[f"{user} by key"] = {"X-API-Key": key}

NGINX = """
proxy_cache_path {folder}/cache keys_zone=pages:1m;
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass http://127.0.0.1:{behind};
        proxy_cache pages;
        proxy_cache_valid any 10m;
        add_header X-Cache $upstream_cache_status always;
    }}
}}
"""


def page(environ, start_response):
    """Says who asked, and that everybody may keep it."""
    identity = environ["middleware.identity"]
    fields = [("Content-Type", "text/plain"), ("Cache-Control", "public, max-age=600, s-maxage=600"), ("ETag", '"x"')]
    start_response("200 OK", fields)
    return [f"for {identity.user if identity else 'nobody'}".encode()]


def guarded(rule, app=page):
    schemes = [Bearer(verify=lambda token: {"user": token.removeprefix("token-of-")}), Basic(USERS), ApiKey(KEYS)]
    return AuthMiddleware(app, schemes, rules=[rule], throttle=None, on_event=lambda event: None)


def expected(who, rule):
    if who == "bad" or (who == "nobody" and rule.kind == "require"):
        return 401, None
    return 200, f"for {who.partition(' ')[0]}"


@pytest.mark.parametrize("rule", [optional("/"), require("/")], ids=["optional", "require"])
@pytest.mark.parametrize("place", ["outside", "inside", "both"])
def test_our_cache_gives_nobody_the_page_of_another(rule, place):
    app = page if place == "outside" else CacheMiddleware(page, store=MemoryStore())
    app = guarded(rule, app)
    app = app if place == "inside" else CacheMiddleware(app, store=MemoryStore())
    for order in list(permutations(HEADERS))[::1117]:
        for who in order:
            answer = ask(app, headers=HEADERS[who])
            code, text = expected(who, rule)
            assert answer.code == code, (order, who)
            assert text is None or answer.text == text, (order, who)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [optional("/"), require("/")], ids=["optional", "require"])
def test_a_caching_nginx_gives_nobody_the_page_of_another(rule, tmp_path):
    port = free_port()
    with served(guarded(rule)) as behind:
        servers = NGINX.format(folder=tmp_path, port=port, behind=behind)
        with nginx(program("nginx"), tmp_path, servers, port):
            hits = 0
            for number, order in enumerate(list(permutations(HEADERS))[::2503]):
                for who in (*order, *order):
                    answer = requests.get(f"http://127.0.0.1:{port}/{number}", headers=HEADERS[who], timeout=30)
                    code, text = expected(who, rule)
                    assert answer.status_code == code, (order, who)
                    assert text is None or answer.text == text, (order, who)
                    hits += answer.headers["X-Cache"] == "HIT"
            assert hits if rule.kind == "optional" else not hits  # what nobody is identified for is kept


@pytest.mark.parametrize("field", [{"If-None-Match": '"x"'}, {"Range": "bytes=0-1"}, {"If-None-Match": "*"}])
def test_no_validator_and_no_range_is_answered_before_it_is_allowed(field):
    app = CacheMiddleware(guarded(require("/"), CacheMiddleware(page, store=MemoryStore())), store=MemoryStore())
    assert ask(app, headers=HEADERS["ann by password"]).code == 200
    assert ask(app, headers=field).code == 401
    assert ask(app, headers={**field, **HEADERS["bad"]}).code == 401
