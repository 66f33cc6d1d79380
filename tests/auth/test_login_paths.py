"""Where the login is: on a page of the application's own, below a mount; and what of a session goes along with it."""

from __future__ import annotations

import pytest
from asking import Browser, ask
from auth_helpers import stored

from middleware.auth import AuthMiddleware, SessionLogin, allow, get_auth, get_identity, optional, require
from middleware.errors import ConfigurationError
from middleware.sessions import SessionMiddleware, get_session
from middleware.stores.memory import MemoryStore

USERS = {"ann": stored("apple"), "bob": stored("banana")}
OURS = {"Sec-Fetch-Site": "same-origin"}
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
SECRET = "a secret of the tests, 32 letters"


def shop(environ, start_response):
    """Has a login page of its own at /in, and a cart."""
    session = get_session(environ)
    if environ["PATH_INFO"] == "/in" and environ["REQUEST_METHOD"] == "POST":
        get_auth(environ).login(environ["QUERY_STRING"] or "ann")
        start_response("303 See Other", [("Location", "/")])
        return []
    if environ["PATH_INFO"] == "/cart":
        session.update(cart="tea", coupon="secret", lang="de")
    identity = get_identity(environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{identity and identity.user} {sorted(key for key in session if key[:10] != 'middleware')}".encode()]


def site(rules=None, session=None, *, mounted=False, **options):
    rules = [optional("/in", "/cart"), require("/")] if rules is None else rules
    layer = AuthMiddleware(shop, SessionLogin(USERS, **options), rules=rules, mounted=mounted)
    return SessionMiddleware(layer, **(session or {"store": MemoryStore()}))


def sign_in(browser, user="ann", password="apple", path="/login", headers=OURS, **more):
    return browser.post(path, {"username": user, "password": password, **more}, headers)


# The application's own page.


def test_a_page_of_the_application_signs_people_in():
    browser = Browser(site(login_path="/in", form=False))
    assert browser.get("/x", NAVIGATION).header("Location") == "/in?next=/x"
    assert browser.get("/in?next=/x", NAVIGATION).text == "None []"
    assert browser.post("/in").code == 303
    assert browser.get("/x").text == "ann []"
    assert browser.post("/logout", {}, OURS).code == 303
    assert browser.get("/x").code == 401


def test_a_program_is_told_where_that_page_is():
    answer = ask(site(login_path="/in", form=False), "/x", headers={"Accept": "application/json"})
    assert answer.all("WWW-Authenticate") == ['Session login="/in"']


@pytest.mark.parametrize("rules", [None, [require("/")], [optional("/other"), require("/")], [require("/in")]])
def test_a_page_that_nobody_could_come_to_is_refused(rules):
    with pytest.raises(ConfigurationError, match=r"optional\('/in'\)"):
        AuthMiddleware(shop, SessionLogin(USERS, login_path="/in", form=False), rules=rules)


def test_a_page_may_be_for_everybody():
    browser = Browser(site([allow("/in"), require("/")], login_path="/in", form=False))
    assert browser.post("/in").code == 303
    assert browser.get("/x").text == "ann []"


@pytest.mark.parametrize("options", [{"form": False, "page": lambda environ, error, next_url: ""}, {"form": None}])
def test_a_page_is_of_one_kind(options):
    with pytest.raises(ConfigurationError, match="form="):
        SessionLogin(USERS, **options)


# What a login keeps.


@pytest.fixture(params=["stored", "signed"])
def session(request):
    return {"store": MemoryStore()} if request.param == "stored" else {"secret": SECRET}


def test_only_the_keys_that_are_to_be_kept_go_along(session):
    browser = Browser(site(session=session, keep=["cart", "lang"]))
    browser.get("/cart")
    sign_in(browser)
    assert browser.get("/").text == "ann ['cart', 'lang']"


def test_who_signs_in_again_keeps_all(session):
    browser = Browser(site(session=session, keep=[]))
    sign_in(browser)
    browser.get("/cart")
    sign_in(browser)
    assert browser.get("/").text == "ann ['cart', 'coupon', 'lang']"
    sign_in(browser, "bob", "banana")
    assert browser.get("/").text == "bob []"


def test_a_login_by_the_application_keeps_the_same_keys(session):
    browser = Browser(site(session=session, keep={"lang"}, login_path="/in", form=False))
    browser.get("/cart")
    browser.post("/in")
    assert browser.get("/").text == "ann ['lang']"


@pytest.mark.parametrize("keep", ["cart", [7], [None]])
def test_keys_to_keep_are_a_list_of_texts(keep):
    with pytest.raises(ConfigurationError, match="keep="):
        SessionLogin(USERS, keep=keep)


# Below a mount.


def test_a_mounted_layer_knows_its_pages_from_there_on():
    browser = Browser(site([require("/")], mounted=True), SCRIPT_NAME="/app")
    answer = browser.get("/x?a=b", NAVIGATION)
    assert answer.header("Location") == "/app/login?next=/app/x%3Fa%3Db"
    page = browser.get("/login?next=/app/x%3Fa%3Db", NAVIGATION)
    assert '<form method="post" action="/app/login">' in page.text
    assert 'name="next" value="/app/x?a=b"' in page.text
    assert sign_in(browser, next="/app/x?a=b").header("Location") == "/app/x?a=b"
    assert browser.get("/x").text == "ann []"
    assert sign_in(browser).header("Location") == "/app/"
    assert sign_in(browser, next="/app/login").header("Location") == "/app/"
    assert '<form method="post" action="/app/logout">' in browser.get("/logout", NAVIGATION).text
    assert browser.post("/logout", {}, OURS).header("Location") == "/app/"


def test_a_layer_that_is_not_told_knows_them_as_the_browser_does():
    app = site([require("/app")], login_path="/app/login", logout_path="/app/logout", default_next="/app/")
    browser = Browser(app, SCRIPT_NAME="/app")
    assert browser.get("/x", NAVIGATION).header("Location") == "/app/login?next=/app/x"
    assert sign_in(browser).header("Location") == "/app/"
    assert browser.get("/x").text == "ann []"


def test_a_mount_is_written_as_browsers_write_it():
    environ = {"SCRIPT_NAME": "/caf\u00e9 1".encode().decode("latin-1")}
    answer = ask(site([require("/")], mounted=True), "/x", headers=NAVIGATION, **environ)
    assert answer.header("Location") == "/caf%C3%A9%201/login?next=/caf%25C3%25A9%25201/x"


@pytest.mark.parametrize("mount", ["//evil.example", "/\\evil.example", "/a//b", "evil"])
def test_a_mount_that_could_be_a_host_leads_nowhere_else(mount):
    answer = ask(site([require("/")], mounted=True), "/x", headers=NAVIGATION, SCRIPT_NAME=mount)
    location = answer.header("Location")
    assert location is None or location.startswith("/login")


def test_an_absolute_way_back_to_the_login_page_is_forgotten_too():
    browser = Browser(site(), HTTP_HOST="our.example")
    assert sign_in(browser, next="http://our.example/login").header("Location") == "/"
    assert sign_in(browser, next="http://our.example/x").header("Location") == "http://our.example/x"
