"""Signing in again where a page asks for a login of just now (SES-9), and what the form says about it."""

from __future__ import annotations

import re

import pytest
from asking import Browser
from auth_helpers import stored

from middleware.auth import AuthMiddleware, SessionLogin, get_auth, get_identity, optional, require
from middleware.sessions import SessionMiddleware, get_session
from middleware.stores.memory import MemoryStore
from middleware.testing import FakeClock

USERS = {"ann": stored("apple"), "bob": stored("banana")}
OURS = {"Sec-Fetch-Site": "same-origin"}
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
SECRET = "a secret of the tests, 32 letters"
AGAIN = "/login?next=/money&again=1"


def notes(environ, start_response):
    """Keeps what is posted in the session; shows who asks, when that was proved, and what is kept."""
    session = get_session(environ)
    if environ["REQUEST_METHOD"] == "POST":
        session["note"] = "noted"
    identity = get_identity(environ)
    if environ["PATH_INFO"] == "/transfer":
        refusal = get_auth(environ).require(fresh=600)
        if refusal is not None:
            return refusal(environ, start_response)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{identity and identity.user} {identity and identity.authenticated_at} {session.get('note')}".encode()]


class Site:
    def __init__(self, app=notes, session=None, rules=None, **options):
        self.clock = FakeClock(1_790_000_000.0)
        self.users = dict(USERS)
        self.told = []
        rules = [require("/money", fresh=600), optional("/open"), require("/")] if rules is None else rules
        scheme = SessionLogin(self.users, clock=self.clock, **options)
        layer = AuthMiddleware(app, scheme, rules=rules, clock=self.clock, on_event=self.told.append)
        self.app = SessionMiddleware(layer, clock=self.clock, **(session or {"store": MemoryStore(clock=self.clock)}))

    def browser(self):
        return Browser(self.app)


@pytest.fixture(params=["stored", "signed"])
def site(request):
    return Site(session=None if request.param == "stored" else {"secret": SECRET})


def sign_in(browser, user="ann", password="apple", headers=OURS, **more):
    return browser.post("/login", {"username": user, "password": password, **more}, headers)


def signed_in_long_ago(site):
    browser = site.browser()
    sign_in(browser)
    browser.post("/notes", {}, OURS)
    site.clock.advance(601)
    return browser


@pytest.mark.parametrize("path", ["/money", "/transfer"])
def test_who_signed_in_long_ago_is_asked_again_and_led_back(site, path):
    browser = signed_in_long_ago(site)
    answer = browser.get(path, NAVIGATION)
    assert (answer.code, answer.header("Location")) == (302, f"/login?next={path}&again=1")
    page = browser.get(answer.header("Location"), NAVIGATION)
    assert "Please sign in again" in page.text
    assert f'name="next" value="{path}"' in page.text
    answer = sign_in(browser, next=path)
    assert (answer.code, answer.header("Location")) == (303, path)
    assert browser.get(path).text == "ann 1790000601.0 noted"


def test_a_stranger_is_asked_for_the_first_time(site):
    browser = site.browser()
    assert browser.get("/money", NAVIGATION).header("Location") == "/login?next=/money"
    assert "again" not in browser.get(AGAIN, NAVIGATION).text, "whoever says so"


def test_the_form_names_who_is_signed_in_and_nothing_secret(site):
    page = signed_in_long_ago(site).get(AGAIN, NAVIGATION)
    fields = re.findall(r"<input[^>]*>", page.text)
    assert [re.search(r'name="(\w+)"', field)[1] for field in fields] == ["next", "username", "password"]
    assert 'value="ann" readonly' in fields[1]
    assert "value" not in fields[2]
    assert '<a href="/logout">Sign out</a>' in page.text


def test_a_new_session_id_comes_with_the_new_proof():
    site = Site()
    browser = signed_in_long_ago(site)
    old = dict(browser.cookies)
    browser.get(AGAIN, NAVIGATION)
    sign_in(browser)
    assert browser.cookies != old
    thief = site.browser()
    thief.cookies = old
    assert thief.get("/notes").code == 401


def test_another_user_is_refused_and_the_old_session_stays(site):
    browser = signed_in_long_ago(site)
    browser.get(AGAIN, NAVIGATION)
    for password in ("banana", "wrong"):
        answer = sign_in(browser, "bob", password, next="/money")
        assert answer.code == 403
        assert "signed in as somebody else" in answer.text
        assert 'name="next" value="/money"' in answer.text
    assert browser.get("/notes").text == "ann 1790000000.0 noted"
    assert browser.get("/money").code == 401
    assert [event.name for event in site.told if event.subject == "bob"] == []
    assert sign_in(browser, next="/money").code == 303
    assert browser.get("/money").text == "ann 1790000601.0 noted"


def test_the_wrong_password_makes_nothing_fresh_and_ends_nothing(site):
    browser = signed_in_long_ago(site)
    browser.get(AGAIN, NAVIGATION)
    answer = sign_in(browser, password="wrong", next="/money")
    assert answer.code == 401
    assert "Please sign in again" in answer.text
    assert browser.get("/money").code == 401
    assert browser.get("/notes").text == "ann 1790000000.0 noted"


def test_who_opens_the_plain_login_page_may_be_somebody_else(site):
    browser = signed_in_long_ago(site)
    browser.get(AGAIN, NAVIGATION)
    assert "again" not in browser.get("/login", NAVIGATION).text
    assert sign_in(browser, "bob", "banana").code == 303
    assert browser.get("/notes").text == "bob 1790000601.0 None"


def test_once_signed_in_again_the_next_form_is_for_anybody(site):
    browser = signed_in_long_ago(site)
    browser.get(AGAIN, NAVIGATION)
    sign_in(browser)
    assert sign_in(browser, "bob", "banana").code == 303


def test_a_login_that_has_ended_meanwhile_asks_anybody(site):
    browser = signed_in_long_ago(site)
    browser.get(AGAIN, NAVIGATION)
    site.users["ann"] = stored("pear")
    assert sign_in(browser, "bob", "banana").code == 303


def test_a_page_of_the_applications_own_says_why_too():
    def page(environ, error, next_url):
        return f"<p>{error}</p>"

    site = Site(page=page)
    browser = signed_in_long_ago(site)
    assert "Please sign in again" in browser.get(AGAIN, NAVIGATION).text
    assert "signed in as somebody else" in sign_in(browser, "bob", "banana").text
    assert "not right" in sign_in(browser, password="wrong").text


def test_a_program_is_told_how_old_the_login_may_be(site):
    answer = signed_in_long_ago(site).get("/money", {"Accept": "application/json"})
    assert answer.code == 401
    assert answer.all("WWW-Authenticate") == ['Session login="/login"']
    assert b"Please sign in again" in answer.body


def test_a_login_by_the_application_is_as_fresh_as_what_it_says_was_proved(site):
    def by_itself(environ, start_response):
        get_auth(environ).login("ann", factors=["pwd", "otp"])
        identity = get_identity(environ)
        start_response("200 OK", [])
        return [f"{identity.factors} {identity.authenticated_at}".encode()]

    browser = Site(by_itself).browser()
    assert browser.get("/open").text == "('pwd', 'otp') 1790000000.0"


@pytest.mark.parametrize("factors", [["pwd otp"], ["a,b"], [""], [7], ["p\u00e9"]])
def test_a_factor_is_a_word(factors):
    def by_itself(environ, start_response):
        with pytest.raises(ValueError, match="word of letters and digits"):
            get_auth(environ).login("ann", factors=factors)
        assert get_session(environ).user is None
        start_response("200 OK", [])
        return []

    Site(by_itself).browser().get("/open")


def test_the_identity_has_the_session_it_comes_from():
    def session_id(environ, start_response):
        start_response("200 OK", [])
        return [f"{get_identity(environ).session == get_session(environ).id} {get_identity(environ).session}".encode()]

    browser = Site(session_id).browser()
    sign_in(browser)
    told = browser.get("/").text
    assert re.fullmatch("True [0-9a-f]{64}", told)
    assert browser.get("/").text == told
