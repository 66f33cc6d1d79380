"""What is told of one login, one refusal and one answer: neither twice, nor too early, nor to somebody else."""

from __future__ import annotations

import pytest
from asking import ask
from auth_helpers import basic, stored, who

from middleware.auth import AuthMiddleware, AuthTkt, Basic, SessionLogin, attempt, get_auth, optional
from middleware.integrations.repoze_who import RepozeWho
from middleware.sessions import SessionMiddleware
from middleware.stores.memory import MemoryStore

USERS = {"ann": stored("apple"), "bob": stored("banana")}
SECRET = "a secret of the tests, 32 letters"


def site(app, schemes, **options):
    told = []
    layer = AuthMiddleware(app, schemes, rules=[optional("/")], on_event=told.append, **options)
    return SessionMiddleware(layer, store=MemoryStore()), told


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
