"""What is told of one login, one refusal and one answer: neither twice, nor too early, nor to somebody else."""

from __future__ import annotations

import pytest
from asking import Browser, ask
from auth_helpers import basic, stored, who

from middleware.auth import (
    AuthMiddleware,
    AuthTkt,
    Basic,
    Bearer,
    RememberMe,
    SessionLogin,
    Throttle,
    allow,
    attempt,
    get_auth,
    optional,
    require,
)
from middleware.errors import StoreError
from middleware.integrations.repoze_who import RepozeWho
from middleware.sessions import SessionMiddleware
from middleware.stores.memory import MemoryStore

USERS = {"ann": stored("apple"), "bob": stored("banana")}
SECRET = "a secret of the tests, 32 letters"


def site(app, schemes, sessions=None, **options):
    told = []
    layer = AuthMiddleware(app, schemes, rules=[optional("/")], on_event=told.append, **options)
    return SessionMiddleware(layer, store=MemoryStore(), **(sessions or {})), told


def sign_in(app, user="ann", password="apple", **more):
    form = {"username": user, "password": password, **more}
    return Browser(app).post("/login", form, {"Sec-Fetch-Site": "same-origin"})


def names(told):
    return [(event.name, event.details.get("scheme")) for event in told]


def schemes():
    return {
        "session": SessionLogin(USERS),
        "ticket": AuthTkt(secret=SECRET, timeout=3600),
        "ticket of repoze.who": AuthTkt(secret=SECRET, timeout=3600, compat=["repoze.who"]),
    }


@pytest.mark.parametrize("kind", schemes())
def test_a_login_by_the_api_of_repoze_who_is_told_once(kind):
    def old(environ, start_response):
        found, _ = environ["repoze.who.api"].login({"login": "ann", "password": "apple"})
        assert found
        return who(environ, start_response)

    app, told = site(RepozeWho(old, users=USERS), schemes()[kind])
    ask(app)
    assert names(told) == [("login.success", "repoze.who")]


def test_a_login_of_the_application_that_tries_passwords_by_attempt_is_told_once():
    def door(environ, start_response):
        attempt(environ, "door", "ann", lambda: True)
        get_auth(environ).login("ann")
        return who(environ, start_response)

    app, told = site(door, SessionLogin(USERS))
    ask(app)
    assert names(told) == [("login.success", "door")]


def test_each_login_is_told_where_the_application_signs_in_whom_no_attempt_was_for():
    def door(environ, start_response):
        attempt(environ, "door", "ann", lambda: True)
        attempt(environ, "door", "bob", lambda: None)
        for user in ("bob", "ann"):
            get_auth(environ).login(user)
        return who(environ, start_response)

    app, told = site(door, SessionLogin(USERS))
    ask(app)
    assert names(told)[2:] == [("login.success", "session")] * 2


def test_a_session_that_begins_for_who_sends_a_password_with_the_request_is_told_beside_that():
    def door(environ, start_response):
        get_auth(environ).login("ann")
        return who(environ, start_response)

    app, told = site(door, [Basic(USERS), SessionLogin(USERS)])
    ask(app, headers=basic())
    assert names(told) == [("login.success", "basic"), ("login.success", "session")]


class Down(MemoryStore):
    """A store that does not answer."""

    def get(self, *_):
        raise StoreError("the store is down")

    add = swap = set = get


def test_a_login_that_cannot_be_remembered_is_no_success():
    remembering = SessionLogin(USERS, remember=RememberMe())
    app, told = site(who, remembering, store=Down(), throttle=Throttle(store=MemoryStore()))
    for _ in range(7):
        assert sign_in(app, remember="on").code == 503
    assert told == []
    assert sign_in(app).code == 303, "the right password was never a failure"
    assert names(told) == [("login.success", "session")]


def test_a_login_for_one_session_too_many_is_told_as_refused_and_counts_as_no_failure():
    app, told = site(who, SessionLogin(USERS), {"max_sessions": 1, "when_too_many": "refuse"})
    assert sign_in(app).code == 303
    for _ in range(7):
        assert sign_in(app).code == 403
    assert names(told) == [("login.success", "session"), *[("refused", "session")] * 7]
    assert {event.details["reason"] for event in told[1:]} == {"too many sessions"}


@pytest.mark.parametrize("user", ["ann\0", "an\nn", "\x1b[2J", ""], ids=["nul", "line end", "escape", "empty"])
def test_a_login_with_what_cannot_be_a_name_is_told(user):
    app, told = site(who, SessionLogin(USERS))
    assert sign_in(app, user).code == 401
    assert names(told) == [("login.failure", "session")]
    assert told[0].subject == (user or None)


def test_what_is_wrong_with_a_token_is_told_just_before_the_refusal():
    app, told = site(who, Bearer(verify=lambda token: None))
    ask(app, headers={"Authorization": "Bearer x"})
    assert [event.name for event in told] == ["token.invalid", "refused"]
    assert told[0].details["reason"] == told[1].details["reason"]


def test_each_of_two_layers_tells_its_own_listener_by_its_own_rule():
    def public(environ, start_response):
        start_response("200 OK", [("Cache-Control", "public")])
        return [b""]

    told_inside, told_outside = [], []
    inner = AuthMiddleware(public, Basic(USERS), rules=[allow("/")], on_event=told_inside.append)
    outer = AuthMiddleware(inner, Basic(USERS), rules=[optional("/")], on_event=told_outside.append)
    ask(outer, headers=basic())
    told_outside.clear()
    ask(outer, headers=basic())
    assert [(event.name, event.details["rule"]) for event in told_outside] == [
        ("cache.public_removed", "optional('/')")
    ]
    assert told_inside == []


def test_an_application_inside_of_two_layers_still_has_the_inner_one_once_its_head_is_out():
    def late(environ, start_response):
        start_response("200 OK", [])
        yield b"x"
        yield get_auth(environ).explain().rule.encode()

    inner = AuthMiddleware(late, Basic(USERS), rules=[require("/", user="ann")])
    outer = AuthMiddleware(inner, Basic(USERS), rules=[optional("/")])
    assert ask(outer, headers=basic()).text == "xrequire('/', user=['ann'])"
