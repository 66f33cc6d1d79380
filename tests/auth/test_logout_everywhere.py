"""A logout everywhere: whose logins end, by whatever scheme the request was identified."""

from __future__ import annotations

import pytest
from asking import Browser, ask
from auth_helpers import basic, stored, who

from middleware.auth import AuthMiddleware, Basic, RememberMe, SessionLogin, UsersFrom, get_auth, optional
from middleware.sessions import SessionMiddleware
from middleware.stores.memory import MemoryStore

USERS = {"ann": stored("apple"), "bob": stored("banana")}
OURS = {"Sec-Fetch-Site": "same-origin"}


def door(environ, start_response):
    """Signs out everywhere, and lets people act as others."""
    auth = get_auth(environ)
    if environ["PATH_INFO"] == "/bye":
        auth.logout(everywhere=True)
    if environ["PATH_INFO"] == "/act-as-bob":
        auth.impersonate("bob")
    return who(environ, start_response)


def site(schemes, told=None):
    layer = AuthMiddleware(
        door, schemes, rules=[optional("/")], store=MemoryStore(), on_event=None if told is None else told.append
    )
    return SessionMiddleware(layer, store=MemoryStore())


def signed_in(app, user="ann", password="apple"):
    browser = Browser(app)
    form = {"username": user, "password": password, "remember": "on"}
    assert browser.post("/login", form, OURS).code == 303
    return browser


def user_of(browser):
    return browser.get().text.split()[0]


@pytest.mark.parametrize("lost", ["nothing", "remember", "session"])
def test_a_program_that_sends_a_password_ends_the_logins_of_its_user_in_browsers(lost):
    told = []
    app = site([SessionLogin(USERS, remember=RememberMe()), Basic(USERS)], told)
    ann, bob = signed_in(app), signed_in(app, "bob", "banana")
    for name in [name for name in ann.cookies if (name == "remember") == (lost == "remember") and lost != "nothing"]:
        del ann.cookies[name]
    assert ann.cookies
    assert user_of(ann) == "ann"
    ask(app, "/bye", "POST", basic())
    assert [(event.subject, event.details["reason"]) for event in told if event.name == "logout"] == [
        ("ann", "everywhere")
    ]
    assert user_of(ann) == "None"
    assert user_of(bob) == "bob"


def test_in_the_browser_of_another_user_the_logins_of_who_is_identified_end_and_that_of_the_browser():
    app = site([Basic(USERS), SessionLogin(USERS)])
    browser, elsewhere, bob = signed_in(app), signed_in(app), signed_in(app, "bob", "banana")
    browser.get("/bye", basic("bob", "banana"))
    assert user_of(bob) == "None"
    assert user_of(browser) == "None"
    assert user_of(elsewhere) == "ann"


def test_the_user_is_the_same_in_every_spelling_that_the_login_takes_for_one():
    app = site([SessionLogin(UsersFrom(USERS.get, case_map=True)), Basic({"Ann": stored("apple")})])
    browser = signed_in(app)
    ask(app, "/bye", "POST", basic("Ann"))
    assert user_of(browser) == "None"


def test_who_acts_as_another_user_ends_logins_of_their_own():
    app = site([SessionLogin(USERS)])
    ann, elsewhere, bob = signed_in(app), signed_in(app), signed_in(app, "bob", "banana")
    assert ann.get("/act-as-bob").text.startswith("bob")
    ann.get("/bye")
    assert user_of(ann) == user_of(elsewhere) == "None"
    assert user_of(bob) == "bob"
