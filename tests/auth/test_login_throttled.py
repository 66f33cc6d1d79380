"""Guessing by the form of SessionLogin: a page that says how long to wait, and how long that is."""

from __future__ import annotations

import pytest
from asking import Browser
from auth_helpers import stored, who

from middleware.auth import AuthMiddleware, SessionLogin
from middleware.auth.login.login_pages import _slow_down
from middleware.auth.schemes.base import Throttled
from middleware.auth.throttle.throttle import Throttle
from middleware.sessions import SessionMiddleware
from middleware.stores.memory import MemoryStore
from middleware.testing import FakeClock

USERS = {"ann": stored("apple"), "bob": stored("banana")}
OURS = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def told():
    return []


@pytest.fixture
def browser(clock, told):
    layer = AuthMiddleware(
        who,
        SessionLogin(USERS, clock=clock),
        throttle=Throttle(free_failures=3, first_delay=60, clock=clock),
        on_event=told.append,
    )
    return Browser(SessionMiddleware(layer, store=MemoryStore()), REMOTE_ADDR="192.0.2.7")


def sign_in(browser, user="ann", password="apple", **more):
    return browser.post("/login", {"username": user, "password": password, **more}, OURS)


def test_who_guesses_is_told_on_the_page_how_long_to_wait(browser, clock, told):
    for _ in range(3):
        assert sign_in(browser, password="wrong").code == 401
    answer = sign_in(browser, next="/notes")
    assert (answer.status, answer.header("Retry-After")) == ("429 Too Many Requests", "60")
    assert "Please wait 60 seconds" in answer.text
    assert 'name="next" value="/notes"' in answer.text
    assert answer.header("Cache-Control") == "no-store"
    assert answer.all("WWW-Authenticate") == []
    assert sign_in(browser, "bob", "banana").code == 303, "another name does not wait"
    assert [event.name for event in told] == ["login.failure"] * 3 + ["login.throttled", "login.success"]
    assert {event.details["scheme"] for event in told} == {"session"}
    clock.advance(60)
    assert sign_in(browser).code == 303


def test_an_unknown_user_waits_alike(browser):
    for user in ("ann", "eve"):
        answers = [sign_in(browser, user, "wrong") for _ in range(4)]
        assert [answer.code for answer in answers] == [401, 401, 401, 429]


def test_forms_that_name_nobody_do_not_count(browser):
    for _ in range(5):
        assert sign_in(browser, user="").code == 401
        assert sign_in(browser, user="a\nb").code == 401


def test_a_page_of_the_applications_own_is_given_the_sentence(clock):
    layer = AuthMiddleware(
        who,
        SessionLogin(USERS, page=lambda environ, error, next_url: f"<p>{error}"),
        throttle=Throttle(free_failures=1, first_delay=7, clock=clock),
    )
    browser = Browser(SessionMiddleware(layer, store=MemoryStore()), REMOTE_ADDR="192.0.2.7")
    sign_in(browser, password="wrong")
    answer = sign_in(browser)
    assert (answer.code, answer.header("Retry-After")) == (429, "7")
    assert answer.text == "<p>Too many attempts to sign in failed. Please wait 7 seconds before the next one."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 second "), (2, "2 seconds "), (90, "90 seconds "), (91, "2 minutes "), (900, "15 minutes ")],
)
def test_a_wait_is_told_in_words(seconds, words):
    assert words in _slow_down(Throttled(seconds).retry_after) + " "
