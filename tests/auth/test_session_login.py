"""A login with a form: the page, the post, the session that holds it, and how it ends."""

from __future__ import annotations

import re

import pytest
from asking import Browser, ask, make_environ
from auth_helpers import basic, stored, who

from middleware.auth import (
    Account,
    AuthMiddleware,
    Basic,
    SessionLogin,
    allow,
    get_auth,
    get_identity,
    optional,
    require,
    verification,
)
from middleware.errors import ConfigurationError, LayerMissing
from middleware.sessions import SessionMiddleware, get_session
from middleware.stores.memory import MemoryStore

USERS = {"ann": stored("apple"), "bob": stored("banana")}
OURS = {"Sec-Fetch-Site": "same-origin"}
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
SECRET = "a secret of the tests, 32 letters"


def notes(environ, start_response):
    """Keeps what is posted in the session, and shows who asks and what is kept."""
    session = get_session(environ)
    if environ["REQUEST_METHOD"] == "POST":
        session["note"] = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
    identity = get_identity(environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{identity.user if identity else None}: {session.get('note')}".encode()]


def site(app=notes, users=USERS, rules=None, session=None, **options):
    rules = [allow("/cart"), optional("/open"), require("/")] if rules is None else rules
    layer = AuthMiddleware(app, [SessionLogin(users, **options), Basic(users)], rules=rules)
    return SessionMiddleware(layer, **(session or {"store": MemoryStore()}))


def sign_in(browser, user="ann", password="apple", headers=OURS, **more):
    return browser.post("/login", {"username": user, "password": password, **more}, headers)


@pytest.fixture(params=[{"store": None}, {"secret": SECRET}], ids=["stored", "signed"])
def browser(request):
    session = dict(request.param)
    if "store" in session:
        session["store"] = MemoryStore()
    return Browser(site(session=session))


def test_a_person_is_led_to_the_login_page_and_back(browser):
    answer = browser.get("/notes?a=1&b=%20", NAVIGATION)
    assert answer.status == "302 Found"
    assert answer.header("Location") == "/login?next=/notes%3Fa%3D1%26b%3D%2520"
    assert answer.header("Cache-Control") == "no-store"
    page = browser.get(answer.header("Location"), NAVIGATION)
    assert page.code == 200
    assert 'name="next" value="/notes?a=1&amp;b=%20"' in page.text
    answer = sign_in(browser, next="/notes?a=1&b=%20")
    assert (answer.status, answer.header("Location")) == ("303 See Other", "/notes?a=1&b=%20")
    assert "no-store" in answer.header("Cache-Control")
    assert browser.get("/notes").text == "ann: None"


def test_the_page_of_a_stranger_is_theirs_alone_though_there_is_no_session_to_open(browser):
    answer = ask(browser.app, "/open")
    assert answer.text == "None: None"
    assert "Cookie" in answer.header("Vary")
    assert answer.header("Cache-Control") == "private"


def test_a_program_gets_a_401_that_names_every_way_in():
    answer = ask(site(), "/notes", headers={"Accept": "application/json"})
    assert answer.code == 401
    assert answer.all("WWW-Authenticate") == ['Session login="/login"', 'Basic realm="Login", charset="UTF-8"']
    assert answer.header("Content-Type") == "application/problem+json"


def test_the_login_page_works_under_default_deny_and_does_not_lead_to_itself():
    app = site(rules=[])
    assert ask(app, "/login", headers=NAVIGATION).code == 200
    assert ask(app, "/elsewhere", headers=NAVIGATION).header("Location") == "/login?next=/elsewhere"
    page = ask(app, "/login?next=/login", headers=NAVIGATION)
    assert 'name="next"' not in page.text
    assert sign_in(Browser(app), next="/logout?x").header("Location") == "/"


def test_the_login_page_says_what_is_wrong_and_keeps_the_way_back(browser):
    answer = sign_in(browser, password="wrong", next="/notes")
    assert answer.code == 401
    assert answer.header("WWW-Authenticate") == 'Session login="/login"'
    assert 'role="alert"' in answer.text
    assert 'value="/notes"' in answer.text
    assert browser.get("/notes").code == 401


def test_wrong_and_unknown_are_told_apart_by_nothing():
    app = site()
    wrong, unknown = sign_in(Browser(app), "ann", "x"), sign_in(Browser(app), "eve", "x")
    assert (wrong.status, wrong.body) == (unknown.status, unknown.body)


@pytest.mark.parametrize("data", [{}, {"username": "ann"}, {"username": "a\nnn", "password": "apple"}])
def test_a_form_without_a_name_or_a_password_is_shown_again(data):
    assert Browser(site()).post("/login", data, OURS).code == 401


def test_a_field_that_is_sent_twice_is_none():
    body = b"username=ann&username=bob&password=apple"
    headers = {"Content-Type": "application/x-www-form-urlencoded", **OURS}
    assert ask(site(), "/login", "POST", headers, body).code == 401
    twice = b"username=ann&password=apple&next=/a&next=/b"
    assert ask(site(), "/login", "POST", headers, twice).header("Location") == "/"
    assert "hidden" not in ask(site(), "/login?next=/a&next=/b", headers=NAVIGATION).text


def test_what_the_page_shows_is_escaped():
    page = ask(site(), "/login?next=/%22%3E%3Cscript%3E", headers=NAVIGATION)
    assert "<script" not in page.text
    assert '"><' not in page.text.partition("<form")[2].partition("</form>")[0].replace('">\n<', "")


def test_the_page_keeps_scripts_and_frames_out():
    page = ask(site(), "/login", headers=NAVIGATION)
    assert "default-src 'none'" in page.header("Content-Security-Policy")
    assert "frame-ancestors 'none'" in page.header("Content-Security-Policy")
    assert page.header("Cache-Control") == "no-store"


@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_head_gets_the_head_of_the_page(path):
    get, head = ask(site(), path, headers=NAVIGATION), ask(site(), path, "HEAD", NAVIGATION)
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


@pytest.mark.parametrize("path", ["/login", "/logout"])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "get"])
def test_other_methods_are_refused(path, method):
    answer = ask(site(), path, method)
    assert answer.code == 405
    assert answer.header("Allow") == "GET, HEAD, POST"


def test_a_login_is_bound_to_the_password_that_was_checked(monkeypatch):
    users = dict(USERS)
    verify = verification.verify

    def change_meanwhile(password, hash_then):
        users["ann"] = stored("pear")
        return verify(password, hash_then)

    monkeypatch.setattr(verification, "verify", change_meanwhile)
    browser = Browser(site(users=users))
    assert sign_in(browser).code == 303
    assert browser.get("/notes").code == 401


def test_a_user_who_is_deleted_while_signing_in_is_no_error(monkeypatch):
    users = dict(USERS)
    verify = verification.verify

    def delete_meanwhile(password, hash_then):
        users.clear()
        return verify(password, hash_then)

    monkeypatch.setattr(verification, "verify", delete_meanwhile)
    browser = Browser(site(users=users))
    sign_in(browser)
    assert browser.get("/notes").code == 401


def test_a_login_page_is_503_while_nobody_can_be_identified():
    def broken(user):
        raise OSError("the directory is down")

    app = SessionMiddleware(AuthMiddleware(notes, SessionLogin(broken)), store=MemoryStore())
    answer = sign_in(Browser(app))
    assert (answer.code, answer.header("Retry-After")) == (503, "5")


@pytest.mark.parametrize("written", ["j\u00e4s\u00f8n", "ja\u0308s\u00f8n", "\uff4a\u00e4s\u00f8n"])
def test_a_name_has_one_spelling(browser, written):
    app = site(users={"j\u00e4s\u00f8n": stored("apple")})
    browser = Browser(app)
    assert sign_in(browser, written).code == 303
    assert browser.get("/notes").text == "j\u00e4s\u00f8n: None"
    own = Browser(site(own_login, users={"j\u00e4s\u00f8n": stored("apple")}))
    answer = own.get("/open/in", QUERY_STRING=written)
    assert answer.text == "j\u00e4s\u00f8n session"


@pytest.mark.parametrize("name", ["\ufb01sh", "a b", "\u202eann", "a\u00adnn", "\u200bann"])
def test_what_is_no_name_is_wrong(name):
    assert sign_in(Browser(site()), name).code == 401
    with pytest.raises(LookupError):
        ask(site(own_login), "/open/in", QUERY_STRING=name)


# SES-2: forms come from our own pages.


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8080"},
        {"Origin": "https://127.0.0.1"},
        {},
    ],
)
@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_a_form_of_another_site_is_refused_and_sets_no_cookie(headers, path, caplog):
    browser = Browser(site(), HTTP_HOST="127.0.0.1")
    answer = browser.post(path, {"username": "ann", "password": "apple"}, headers)
    assert answer.code == 403
    assert answer.all("Set-Cookie") == []
    told = caplog.messages
    assert len(told) == 1
    assert told[0].startswith("auth.refused ")
    assert told[0].endswith("scheme='session' reason='cross-site'")


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://127.0.0.1:80"}],
)
def test_a_form_of_our_own_is_taken(headers):
    assert sign_in(Browser(site(), HTTP_HOST="127.0.0.1"), headers=headers).code == 303


def token_of(page):
    return re.search(r'name="token" value="(\w+)"', page.text)[1]


def test_a_browser_that_says_nothing_needs_the_token_of_its_form(browser):
    token = token_of(browser.get("/login"))
    assert sign_in(browser, headers={}, token="x").code == 403
    assert sign_in(browser, headers={}, token=token).code == 303
    assert browser.post("/logout", {"token": token}).code == 403, "a login begins with a new token"
    assert browser.post("/logout", {"token": token_of(browser.get("/logout"))}).code == 303
    assert browser.get("/notes").code == 401


def test_who_only_looks_at_a_form_leaves_nothing_in_the_store():
    store = MemoryStore(max_bytes=1 << 16, when_full="refuse")
    app = SessionMiddleware(AuthMiddleware(who, SessionLogin(USERS), rules=[optional("/")]), store=store)
    for path in ("/login", "/logout"):
        for _ in range(300):
            answer = ask(app, path)
            assert answer.code == 200
            assert all(line.startswith("login-form=") for line in answer.all("Set-Cookie"))
    browser = Browser(app)
    assert sign_in(browser, headers={}, token=token_of(browser.get("/login"))).code == 303


def test_a_strangers_token_is_in_a_cookie_that_only_this_host_can_set():
    line = ask(site(), "/login", **{"wsgi.url_scheme": "https"}).all("Set-Cookie")[0]
    assert line.startswith("__Host-login-form=")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in line.split(";")}


@pytest.mark.parametrize("cookie", ["login-form=", "login-form=x", "login-form={0}; login-form={1}", "other={0}"])
def test_a_token_without_its_cookie_opens_nothing(cookie):
    one, other = "0" * 32, "1" * 32
    form = {"username": "ann", "password": "apple", "token": one}
    answer = Browser(site()).post("/login", form, {"Cookie": cookie.format(one, other)})
    assert answer.code == 403


def test_forms_in_several_tabs_have_one_token(browser):
    token = token_of(browser.get("/login"))
    assert token_of(browser.get("/login")) == token
    assert sign_in(browser, password="wrong", headers={}, token=token).code == 401
    assert sign_in(browser, headers={}, token=token).code == 303


def test_the_token_of_another_browser_opens_nothing():
    app = site()
    token = token_of(Browser(app).get("/login"))
    assert sign_in(Browser(app), headers={}, token=token).code == 403


def test_a_browser_that_tells_gets_no_session_for_looking_at_the_page():
    assert ask(site(), "/login", headers=NAVIGATION).all("Set-Cookie") == []


# The body of the form.


@pytest.mark.parametrize(
    ("headers", "body", "environ", "code"),
    [
        ({"Content-Type": "application/json"}, b"{}", {}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--", {}, 415),
        ({}, b"username=ann&password=apple", {"CONTENT_TYPE": ""}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"username=" + b"a" * (64 << 10), {}, 413),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a", {"CONTENT_LENGTH": "9" * 5000}, 413),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a", {"CONTENT_LENGTH": "-1"}, 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a", {"CONTENT_LENGTH": "9"}, 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"username=%ff&password=%ff", {}, 401),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"\xff\xff=1", {}, 401),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"", {}, 401),
        ({"Content-Type": "Application/X-WWW-Form-URLEncoded; charset=x"}, b"username=ann&password=apple", {}, 303),
    ],
)
def test_a_body_that_is_no_small_form_is_refused(headers, body, environ, code):
    assert ask(site(), "/login", "POST", {**OURS, **headers}, body, **environ).code == code


def test_nothing_past_the_length_is_read():
    class Endless:
        def read(self, size):
            assert size <= 27
            return b"username=ann&password=apple"[:size]

    headers = {"Content-Type": "application/x-www-form-urlencoded", **OURS}
    answer = ask(site(), "/login", "POST", headers, CONTENT_LENGTH="27", **{"wsgi.input": Endless()})
    assert answer.code == 303


def test_a_body_that_arrives_in_pieces_is_read_whole():
    class Slow:
        left = b"username=ann&password=apple"

        def read(self, size):
            piece, self.left = self.left[:5], self.left[5:]
            return piece

    headers = {"Content-Type": "application/x-www-form-urlencoded", **OURS}
    assert ask(site(), "/login", "POST", headers, CONTENT_LENGTH="27", **{"wsgi.input": Slow()}).code == 303


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "/\\evil", "javascript:x", "/a\nb", ""])
def test_a_way_back_that_leaves_the_site_is_forgotten(target):
    assert sign_in(Browser(site(default_next="/home")), next=target).header("Location") == "/home"
    assert Browser(site(default_next="/home")).post("/logout", {"next": target}, OURS).header("Location") == "/home"


def test_a_path_that_looks_like_a_host_is_not_made_a_way_back():
    answer = ask(site(rules=[require("/")]), headers=NAVIGATION, PATH_INFO="//evil.example/x")
    assert answer.header("Location") == "/login"


# SES-3: fixation.


def test_a_login_gives_the_session_a_new_id_and_keeps_what_it_held(browser):
    browser.post("/cart", {"item": "tea"}, OURS)
    before = dict(browser.cookies)
    sign_in(browser)
    assert browser.cookies != before
    assert browser.get("/notes").text == "ann: item=tea"


def test_the_id_from_before_the_login_opens_nothing():
    app = site()
    victim, attacker = Browser(app), Browser(app)
    victim.post("/cart", {"item": "tea"}, OURS)
    attacker.cookies.update(victim.cookies)
    sign_in(victim)
    assert attacker.get("/notes").code == 401
    assert attacker.get("/cart").text == "None: None"


def test_what_another_user_held_is_dropped(browser):
    sign_in(browser)
    browser.post("/notes", {"of": "ann"}, OURS)
    sign_in(browser, "bob", "banana")
    assert browser.get("/notes").text == "bob: None"


@pytest.mark.parametrize("headers", [OURS, {}], ids=["a browser that tells", "a browser with a token"])
def test_one_place_too_many_is_told_on_the_page_and_ends_nothing(headers):
    app = site(session={"store": MemoryStore(), "max_sessions": 1, "when_too_many": "refuse"})
    first, second = Browser(app), Browser(app)
    sign_in(first)
    second.post("/cart", {"item": "tea"}, OURS)

    def second_signs_in():
        token = {} if headers else {"token": token_of(second.get("/login"))}
        return sign_in(second, headers=headers, next="/notes", **token)

    for _ in range(2):
        answer = second_signs_in()
        assert answer.code == 403
        assert "as many places as this site allows" in answer.text
        assert 'name="next" value="/notes"' in answer.text
        assert second.get("/cart").text == "None: item=tea"
        assert second.get("/notes").code == 401
        assert first.get("/notes").text == "ann: None"
    first.post("/logout", {}, OURS)
    assert second_signs_in().code == 303
    assert second.get("/notes").text == "ann: item=tea"


def test_who_signs_in_again_keeps_what_the_session_held(browser):
    sign_in(browser)
    browser.post("/notes", {"of": "ann"}, OURS)
    sign_in(browser)
    assert browser.get("/notes").text == "ann: of=ann"


# SES-4: the password that the login was made with.


@pytest.mark.parametrize(
    "change",
    [
        lambda users: users.update(ann=stored("pear")),
        lambda users: users.pop("ann"),
        lambda users: users.update(ann=Account(stored("apple"), disabled=True)),
    ],
    ids=["changed", "deleted", "disabled"],
)
def test_a_login_ends_with_the_password_it_was_made_with(change):
    users = dict(USERS)
    browser = Browser(site(users=users))
    sign_in(browser)
    browser.post("/notes", {"of": "ann"}, OURS)
    old = dict(browser.cookies)
    change(users)
    assert browser.get("/open").text == "None: None", "no refusal: it is as if nobody had signed in"
    browser.cookies.update(old)
    assert browser.get("/notes").code == 401
    assert browser.get("/cart").text == "None: None", "what the session held is gone with the login"


def test_the_stored_password_cannot_be_read_from_the_session():
    users = {"ann": stored("apple")}
    store = MemoryStore()
    browser = Browser(site(users=users, session={"store": store}))
    sign_in(browser)
    assert users["ann"].rpartition("$")[2] not in repr(vars(store))


@pytest.mark.parametrize("kept", [7, "x", "a b c d", "1.0 zz zz ann", ["1.0"], "nan x y z"])
def test_a_login_that_cannot_be_read_is_nobody(kept):
    def plant(environ, start_response):
        get_session(environ)["middleware.auth"] = kept
        start_response("200 OK", [])
        return []

    store = MemoryStore()
    browser = Browser(SessionMiddleware(plant, store=store))
    browser.get("/")
    browser.app = site(session={"store": store})
    assert browser.get("/open").text == "None: None"


# Logout.


def test_a_logout_ends_the_session_also_for_who_kept_the_cookie():
    app = site()
    browser = Browser(app)
    sign_in(browser)
    browser.post("/notes", {"of": "ann"}, OURS)
    thief = Browser(app)
    thief.cookies.update(browser.cookies)
    answer = browser.post("/logout", {"next": "/bye"}, OURS)
    assert (answer.status, answer.header("Location")) == ("303 See Other", "/bye")
    assert "no-store" in answer.header("Cache-Control")
    assert browser.cookies == {}
    assert thief.get("/notes").code == 401
    assert thief.get("/cart").text == "None: None"


def test_a_logout_needs_no_body(browser):
    sign_in(browser)
    assert browser.request("/logout", "POST", OURS).code == 303
    assert browser.get("/notes").code == 401


def test_a_logout_does_not_wait_for_a_source_of_users_that_is_down():
    found = {**USERS}

    def users(user):
        if not found:
            raise OSError("the directory is down")
        return found.get(user)

    browser = Browser(site(users=users))
    sign_in(browser)
    found.clear()
    assert browser.get("/notes").code == 503
    assert browser.post("/logout", {}, OURS).code == 303
    found.update(USERS)
    assert browser.get("/notes").code == 401


def test_a_link_to_the_logout_path_signs_nobody_out(browser):
    sign_in(browser)
    page = browser.get("/logout", NAVIGATION)
    assert "<button>Sign out</button>" in page.text
    assert browser.get("/notes").code == 200


# The handle.


def own_login(environ, start_response):
    auth = get_auth(environ)
    path = environ["PATH_INFO"]
    if path == "/open/in":
        auth.login(environ["QUERY_STRING"])
    elif path == "/open/out":
        auth.logout()
    assert auth.identity is get_identity(environ)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Cache-Control", "public, max-age=60")])
    return [f"{environ.get('REMOTE_USER')} {environ.get('AUTH_TYPE')}".encode()]


def test_an_application_signs_users_in_and_out_by_itself():
    browser = Browser(site(own_login))
    before = browser.get("/open")
    assert before.text == "None None"
    answer = browser.get("/open/in?ann")
    assert answer.text == "ann session"
    assert answer.header("Cache-Control") == "no-store"
    assert browser.get("/notes").text == "ann session"
    answer = browser.get("/open/out")
    assert answer.text == "None None"
    assert answer.header("Cache-Control") == "no-store"
    assert browser.get("/notes").code == 401


def test_nobody_signs_in_a_user_who_is_unknown():
    with pytest.raises(LookupError, match="eve"):
        ask(site(own_login), "/open/in?eve")


def test_a_login_needs_a_scheme_that_keeps_it():
    app = AuthMiddleware(own_login, Basic(USERS), rules=[optional("/")])
    with pytest.raises(RuntimeError, match="SessionLogin"):
        ask(app, "/open/in?ann")


@pytest.mark.parametrize("late", ["login", "logout", "impersonate"])
def test_what_comes_after_the_head_of_the_answer_is_an_error_and_changes_nothing(browser, late):
    errors = []

    def streaming(environ, start_response):
        start_response("200 OK", [])
        yield b"the head leaves with this"
        auth = get_auth(environ)
        act = {
            "login": lambda: auth.login("bob"),
            "logout": auth.logout,
            "impersonate": lambda: auth.impersonate("bob"),
        }
        with pytest.raises(RuntimeError) as caught:
            act[late]()
        errors.append(caught.value)

    sign_in(browser)
    layer = browser.app.app
    layer.app = streaming
    browser.get("/notes")
    layer.app = notes
    assert len(errors) == 1
    assert browser.get("/notes").text == "ann: None"


def test_the_handle_needs_the_layer():
    with pytest.raises(LayerMissing, match="AuthMiddleware"):
        get_auth(make_environ())


# Order and options.


def test_a_session_layer_inside_is_refused_with_the_line_to_move():
    inside = SessionMiddleware(who, store=MemoryStore())
    with pytest.raises(ConfigurationError, match=r"SessionMiddleware.*AuthMiddleware.*move the line"):
        AuthMiddleware(inside, SessionLogin(USERS))
    AuthMiddleware(inside, Basic(USERS))


def test_a_session_layer_deep_inside_is_found():
    class Layer:
        def __init__(self, app):
            self.app = app

        def __call__(self, environ, start_response):
            return self.app(environ, start_response)

    with pytest.raises(ConfigurationError, match="move the line"):
        AuthMiddleware(Layer(Layer(SessionMiddleware(who, store=MemoryStore()))), SessionLogin(USERS))


def test_a_missing_session_layer_is_named_at_the_first_request():
    with pytest.raises(LayerMissing, match=r"SessionMiddleware\(app, ...\) below"):
        ask(AuthMiddleware(who, SessionLogin(USERS)))


@pytest.mark.parametrize(
    "options",
    [
        {"login_path": "login"},
        {"login_path": "/a/../b"},
        {"logout_path": "/login"},
        {"default_next": "https://example.com/"},
        {"default_next": "//example.com"},
        {"default_next": "home"},
        {"default_next": "/login"},
    ],
)
def test_a_wrong_path_is_refused_at_construction(options):
    with pytest.raises(ConfigurationError):
        SessionLogin(USERS, **options)


def test_the_page_can_be_the_applications_own():
    def page(environ, error, next_url):
        return f"<p>{error}</p><input name=token value={get_auth(environ).form_token()}> to {next_url}"

    browser = Browser(site(page=page))
    shown = browser.get("/login?next=/x")
    assert shown.header("Content-Security-Policy") == "frame-ancestors 'none'"
    token = re.search(r"value=(\w+)", shown.text)[1]
    answer = sign_in(browser, password="wrong", headers={}, token=token, next="/y")
    assert answer.code == 401
    assert "not right" in answer.text
    assert answer.text.endswith("to /y")
    assert sign_in(browser, headers={}, token=token).code == 303


def test_bad_credentials_of_an_earlier_scheme_are_not_outdone_by_a_login():
    layer = AuthMiddleware(who, [Basic(USERS), SessionLogin(USERS)], rules=[optional("/")])
    browser = Browser(SessionMiddleware(layer, store=MemoryStore()))
    sign_in(browser)
    assert browser.get("/").text == "ann ann session"
    assert browser.get("/", basic("ann", "wrong")).code == 401
    assert browser.get("/", basic("bob", "banana")).text == "bob bob Basic"


def test_a_rule_asks_only_the_schemes_it_names():
    layer = AuthMiddleware(
        who,
        [SessionLogin(USERS), Basic(USERS)],
        rules=[require("/api", schemes=["basic"]), require("/", schemes=["session"])],
    )
    browser = Browser(SessionMiddleware(layer, store=MemoryStore()))
    sign_in(browser)
    assert browser.get("/api", NAVIGATION).all("WWW-Authenticate") == ['Basic realm="Login", charset="UTF-8"']
    assert browser.get("/api", basic()).text == "ann ann Basic"
    assert browser.get("/", basic("bob", "banana")).text == "ann ann session"


def test_the_time_of_the_login_is_kept():
    now = [1000.0]
    seen = []

    def app(environ, start_response):
        seen.append(get_identity(environ).authenticated_at)
        return who(environ, start_response)

    layer = AuthMiddleware(app, SessionLogin(USERS, clock=lambda: now[0]))
    browser = Browser(SessionMiddleware(layer, store=MemoryStore()))
    sign_in(browser)
    now[0] = 1500.0
    browser.get("/")
    assert seen == [1000.0]


@pytest.mark.parametrize("value", ["ab" * 32, "x", ""], ids=["unknown", "malformed", "empty"])
def test_API_3_a_session_cookie_that_names_nothing_is_nobodys_and_is_left_alone(value):
    answer = ask(site(), "/open", headers={"Cookie": f"id={value}"})
    assert (answer.text, answer.header("Set-Cookie")) == ("None: None", None)


def test_the_session_of_a_login_that_is_over_is_ended_under_optional_and_not_under_allow():
    users = dict(USERS)
    browser = Browser(site(users=users))
    sign_in(browser)
    browser.request("/cart", "POST", body=b"milk")
    users["ann"] = stored("pear")
    assert browser.get("/cart").text == "None: milk"
    assert browser.get("/open").text == "None: None"
    assert browser.get("/cart").text == "None: None"
