"""Rules beyond paths: what an identity must have, who is denied, and how many rules cost one look-up."""

from __future__ import annotations

import pytest
from asking import Browser, ask
from auth_helpers import basic, stored, who

from middleware.auth import Account, AuthMiddleware, Basic, Identity, SessionLogin, allow, get_auth, optional, require
from middleware.auth.rules.rule import DENIED, deny
from middleware.auth.rules.table import Rules
from middleware.auth.schemes.base import Refused, Throttled, put_cookie
from middleware.errors import ConfigurationError
from middleware.sessions import SessionMiddleware
from middleware.stores.memory import MemoryStore
from middleware.testing import FakeClock

USERS = {"ann": Account(stored("apple"), roles=["admin"]), "bob": stored("banana")}
NAVIGATE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


class Token:
    """Says who it is in so many words: `X-Token: ann read,write 100`."""

    name = "token"
    auth_type = "Token"
    reads = ("X-Token",)
    explains = True
    asked = 0

    def authenticate(self, environ):
        self.asked += 1
        text = environ.get("HTTP_X_TOKEN")
        if text is None:
            return None
        if text == "malformed":
            return Refused("malformed", 400, {"error": "invalid_request"})
        if text == "bad":
            return Refused("unknown token", parameters={"error": "invalid_token"}, user="ann")
        if text == "often":
            raise Throttled(17)
        user, scopes, at = text.split(" ")
        return Identity(user, "token", scopes=scopes.split(","), authenticated_at=float(at) if at != "-" else None)

    def challenges(self, environ, refused):
        parameters = "".join(f', {name}="{value}"' for name, value in (refused.parameters if refused else {}).items())
        return [f'Token realm="x"{parameters}']


class Remembers(Token):
    """Sets a cookie for whomever it finds."""

    name = "remembers"
    sets_cookies = True

    def authenticate(self, environ):
        put_cookie(environ, "old", "old=; Max-Age=0")
        found = super().authenticate(environ)
        if isinstance(found, Identity):
            put_cookie(environ, "old", "old=new")
        return found

    def remember(self, environ, user, /, *, persistent=False, factors=("pwd",)):
        put_cookie(environ, "login", f"login={user}; persistent={persistent}")
        return Identity(user, self.name, factors=factors)

    def forget(self, environ, /, *, everywhere=False):
        put_cookie(environ, "login", "login=; Max-Age=0")

    def login_url(self, environ):
        return None


def token(user="ann", scopes="read", at="100"):
    return {"X-Token": f"{user} {scopes} {at}"}


def layer(rules, scheme=None, app=who, **options):
    return AuthMiddleware(app, Token() if scheme is None else scheme, rules=rules, clock=FakeClock(1000), **options)


# deny


def test_a_path_that_is_denied_is_403_for_everybody_and_asks_nobody():
    scheme = Token()
    app = layer([deny("/secret"), optional("/")], scheme)
    assert ask(app, "/secret/x").code == 403
    assert ask(app, "/secret", headers=token()).code == 403
    assert scheme.asked == 0
    assert ask(app, "/").code == 200


def test_deny_holds_for_every_method():
    assert ask(layer([deny("/x"), allow("/")]), "/x", "FOO").code == 403


# scope


def test_a_rule_may_want_all_of_its_scopes():
    app = layer([require("/", scope="read write")])
    assert ask(app, headers=token(scopes="read,write,more")).code == 200
    answer = ask(app, headers=token(scopes="read"))
    assert answer.code == 403
    assert answer.header("WWW-Authenticate") == 'Token realm="x", error="insufficient_scope", scope="read write"'
    assert answer.header("Cache-Control") == "no-store"


def test_a_scope_that_is_missing_where_the_scheme_explains_nothing_is_a_plain_403():
    answer = ask(AuthMiddleware(who, Basic(USERS), rules=[require("/", scope="read")]), headers=basic())
    assert answer.code == 403
    assert answer.header("WWW-Authenticate") is None


@pytest.mark.parametrize("scope", ["", [], 'a"b', "a\\b", "é", ["a b"], [7]])
def test_what_is_no_scope_is_refused(scope):
    with pytest.raises(ConfigurationError):
        require("/", scope=scope)


# check


def test_a_rule_may_ask_a_function():
    app = layer([require("/", check=lambda identity, environ: environ["QUERY_STRING"] == identity.user)])
    assert ask(app, "/?ann", headers=token()).code == 200
    assert ask(app, "/?bob", headers=token()).code == 403


@pytest.mark.parametrize("bad", ["role", 1])
def test_a_check_that_cannot_be_asked_is_refused(bad):
    with pytest.raises(ConfigurationError, match="check="):
        require("/", check=bad)


# fresh


@pytest.mark.parametrize(("at", "code"), [("1000", 200), ("400", 200), ("399", 401), ("-", 401)])
def test_a_rule_may_want_a_proof_of_the_last_minutes(at, code):
    answer = ask(layer([require("/", fresh=600)]), headers=token(at=at))
    assert answer.code == code
    if code == 401:
        told = 'Token realm="x", error="insufficient_user_authentication", max_age="600"'
        assert answer.header("WWW-Authenticate") == told


def test_credentials_that_come_with_every_request_are_always_fresh():
    clock = FakeClock(1000)
    app = AuthMiddleware(who, Basic(USERS, clock=clock), rules=[require("/", fresh=1)], clock=clock)
    assert ask(app, headers=basic()).code == 200
    clock.advance(59)  # still remembered
    assert ask(app, headers=basic()).code == 200


def test_who_signed_in_too_long_ago_is_led_to_the_login_page():
    clock = FakeClock()
    rules = [require("/", fresh=600)]
    inner = AuthMiddleware(who, SessionLogin(USERS, clock=clock), rules=rules, clock=clock)
    browser = Browser(SessionMiddleware(inner, store=MemoryStore(), clock=clock))
    form = {"username": "ann", "password": "apple"}
    assert browser.post("/login", form, {"Sec-Fetch-Site": "same-origin"}).code == 303
    assert browser.get("/money", NAVIGATE).code == 200
    clock.advance(601)
    answer = browser.get("/money", NAVIGATE)
    assert (answer.code, answer.header("Location")) == (302, "/login?next=/money&again=1")
    assert browser.get("/money", {"Accept": "application/json"}).code == 401


@pytest.mark.parametrize("fresh", [0, -1, "10m", True])
def test_a_time_that_is_no_number_of_seconds_is_refused(fresh):
    with pytest.raises(ConfigurationError, match="fresh="):
        require("/", fresh=fresh)


def test_a_fresh_proof_that_no_scheme_can_give_is_refused():
    class Stale(Token):
        freshness = "never"

    with pytest.raises(ConfigurationError, match="prove anew"):
        layer([require("/", fresh=60)], Stale())


async def not_now(identity, environ):
    return False


@pytest.mark.parametrize(
    "check", [lambda identity, environ: get_auth(environ).require(role="editor"), not_now], ids=["refusal", "async"]
)
@pytest.mark.filterwarnings("ignore:coroutine 'not_now' was never awaited")
def test_what_a_check_gives_by_mistake_lets_nobody_in(check):
    app = layer([require("/", check=check)])
    with pytest.raises(TypeError, match="check= says True or False"):
        ask(app, "/", headers={"X-Token": "ann - -"})


# optional, preflight, shared


def test_bad_credentials_may_count_as_none():
    app = layer([optional("/public", ignore_bad=True), optional("/")])
    assert ask(app, "/public", headers={"X-Token": "bad"}).text == "None None None"
    assert ask(app, "/", headers={"X-Token": "bad"}).code == 401


PREFLIGHT = {"Origin": "https://example.net", "Access-Control-Request-Method": "PUT"}


@pytest.mark.parametrize(
    ("preflight", "method", "headers", "code"),
    [
        (True, "OPTIONS", PREFLIGHT, 200),
        (True, "OPTIONS", {"Origin": "https://example.net"}, 401),
        (True, "PUT", PREFLIGHT, 401),
        (True, "OPTIONS", {**PREFLIGHT, "X-Token": "bad"}, 401),
        (True, "OPTIONS", {**PREFLIGHT, "X-HTTP-Method-Override": "DELETE"}, 401),
        (True, "OPTIONS", {**PREFLIGHT, "X-HTTP-Method": "PUT"}, 401),
        (True, "OPTIONS", {**PREFLIGHT, "X-Method-Override": "options"}, 401),
        (False, "OPTIONS", PREFLIGHT, 401),
    ],
)
def test_a_preflight_passes_without_credentials_only_where_the_rule_says_so(preflight, method, headers, code):
    assert ask(layer([require("/", preflight=preflight)]), "/", method, headers).code == code


@pytest.mark.parametrize("said", ["public", "max-age=60, s-maxage=60", "must-revalidate"])
def test_what_the_application_shares_stays_shared_where_the_rule_says_so(said):
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", said)])
        return [b"for everybody"]

    rules = [require("/shared", shared=True), require("/")]
    assert ask(layer(rules, app=app), "/shared", headers=token()).header("Cache-Control") == said
    assert "private" in ask(layer(rules, app=app), "/", headers=token()).header("Cache-Control")


def test_a_shared_rule_makes_private_what_nobody_called_public():
    assert ask(layer([require("/", shared=True)]), headers=token()).header("Cache-Control") == "private"


# 400 and 429


def test_a_malformed_request_is_told_so_by_a_scheme_that_explains():
    answer = ask(layer([require("/")]), headers={"X-Token": "malformed"})
    assert answer.code == 400
    assert answer.header("WWW-Authenticate") == 'Token realm="x", error="invalid_request"'


def test_a_bad_token_is_told_so_in_its_own_challenge_only():
    answer = ask(AuthMiddleware(who, [Token(), Basic(USERS)]), headers={"X-Token": "bad"})
    assert answer.code == 401
    assert answer.all("WWW-Authenticate") == [
        'Token realm="x", error="invalid_token"',
        'Basic realm="Login", charset="UTF-8"',
    ]


def test_too_many_attempts_are_429_with_the_time_to_wait():
    answer = ask(layer([require("/")]), headers={"X-Token": "often", "Accept": "text/html"})
    assert (answer.code, answer.header("Retry-After")) == (429, "17")
    assert "wait" in answer.text


# The look-up


def test_a_thousand_rules_cost_as_many_looks_as_the_path_has_segments():
    class Counting(dict):
        looks = 0

        def get(self, key, default=None):
            self.looks += 1
            return super().get(key, default)

    rules = Rules([allow(f"/{number}/a") for number in range(1000)] + [require("/")])
    rules._below = table = Counting(rules._below)
    assert rules.rule_for("/999/a/b", "GET").kind == "allow"
    assert table.looks <= 4
    assert rules.rule_for("/999/b", "GET").kind == "require"


def test_of_two_rules_that_match_the_first_wins_whichever_is_narrower():
    rules = [allow("/a", methods=["GET"]), deny("/a/b"), allow("=/c"), deny("/")]
    table = Rules(rules)
    assert table.rule_for("/a/b", "GET") is rules[0]
    assert table.rule_for("/a/b", "POST") is rules[1]
    assert table.rule_for("/c", "GET") is rules[2]
    assert table.rule_for("/c/d", "GET") is rules[3]


@pytest.mark.parametrize(("insensitive", "code"), [(False, 200), (True, 401)])
@pytest.mark.parametrize("path", ["/ADMIN", "/Admin/x.txt", "/adMin/"])
def test_case_counts_unless_the_disk_does_not_tell(path, insensitive, code):
    app = layer([require("/admin"), allow("/")], case_insensitive=insensitive)
    assert ask(app, path).code == code


@pytest.mark.parametrize(("mounted", "code"), [(False, 401), (True, 200)])
def test_a_mounted_layer_knows_the_path_below_its_mount_alone(mounted, code):
    app = layer([allow("/pub"), require("/")], mounted=mounted)
    assert ask(app, "/pub", SCRIPT_NAME="/app").code == code
    assert ask(app, "pub", SCRIPT_NAME="/app").code == 400


# Cookies of schemes


def test_cookies_of_a_scheme_leave_with_every_answer_and_the_last_of_a_name_wins():
    app = layer([require("/")], Remembers())
    refused = ask(app)
    assert (refused.code, refused.all("Set-Cookie")) == (401, ["old=; Max-Age=0"])
    passed = ask(app, headers=token())
    assert passed.all("Set-Cookie") == ["old=new"]
    assert passed.header("Cache-Control") == "no-store"


@pytest.mark.parametrize("rule", [allow("/"), optional("/")])
def test_an_application_signs_in_by_a_scheme_with_cookies_wherever_it_stands(rule):
    def app(environ, start_response):
        identity = get_auth(environ).login("eve", remember=True)
        start_response("200 OK", [])
        return [f"{identity.user} {environ['REMOTE_USER']}".encode()]

    answer = ask(layer([rule], Remembers(), app=app))
    assert answer.text == "eve eve"
    assert "login=eve; persistent=True" in answer.all("Set-Cookie")
    assert answer.header("Cache-Control") == "no-store"


def test_a_login_after_the_head_has_left_is_an_error():
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"hello"
        with pytest.raises(RuntimeError, match="has left"):
            get_auth(environ).login("eve")
        yield b" there"

    assert ask(layer([allow("/")], Remembers(), app=app)).text == "hello there"


# What the application asks by itself


def test_an_application_asks_for_what_a_rule_cannot_know():
    def app(environ, start_response):
        if refusal := get_auth(environ).require(role="admin"):
            return refusal(environ, start_response)
        return who(environ, start_response)

    app = AuthMiddleware(app, Basic(USERS), rules=[allow("/open"), optional("/")])
    assert ask(app, "/", headers=basic()).code == 200
    assert ask(app, "/", headers=basic("bob", "banana")).code == 403
    stranger = ask(app, "/")
    assert (stranger.code, stranger.header("WWW-Authenticate")) == (401, 'Basic realm="Login", charset="UTF-8"')
    assert ask(app, "/open", headers=basic()).code == 401  # nobody is identified under allow


# Fields that hand on identities


@pytest.mark.parametrize("rule", [allow("/"), optional("/")])
@pytest.mark.parametrize("field", ["Remote-User", "Remote_User", "REMOTE_USER", "X-Forwarded-User"])
def test_a_field_of_the_client_never_reaches_the_application_as_an_identity(field, rule):
    seen = []

    def app(environ, start_response):
        seen.extend(key for key, value in environ.items() if value == "root")
        return who(environ, start_response)

    assert ask(layer([rule], app=app), headers={field: "root"}).text == "None None None"
    assert seen == []


def test_further_fields_can_be_scrubbed():
    def app(environ, start_response):
        assert "HTTP_X_AUTH_EMAIL" not in environ
        return who(environ, start_response)

    assert ask(layer([allow("/")], app=app, scrub=["X-Auth-Email"]), headers={"X-Auth-Email": "root"}).code == 200


@pytest.mark.parametrize("scrub", ["Remote-User", ["Remote User"], [""], [7]])
def test_what_is_no_name_of_a_field_is_refused(scrub):
    with pytest.raises(ConfigurationError, match="scrub="):
        layer([allow("/")], scrub=scrub)


def test_what_no_rule_decides_is_denied():
    assert Rules([]).rule_for("/", "GET") is DENIED
