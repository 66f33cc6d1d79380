"""Sessions outside of a request, in other libraries' keys, and under odd servers. S55 and S56 of the catalogue."""

from __future__ import annotations

import sys
from http.cookies import SimpleCookie
from wsgiref.validate import validator

import pytest
from asking import ask, call, make_environ
from sessions.kit import HTTPS, SECRET, Clock, Site, SpyStore, everything, put
from webtest import TestApp

from middleware.cookies import CookieOptions
from middleware.errors import ConfigurationError, SessionTooLarge, StoreError
from middleware.sessions import Session, SessionMiddleware, Timeouts, get_session

KINDS = {
    "stored": lambda: {"store": SpyStore()},
    "signed": lambda: {"secret": SECRET},
    "sealed in chunks": lambda: {"secret": SECRET, "seal": True, "chunks": 4},
}


@pytest.fixture(params=KINDS)
def options(request):
    return KINDS[request.param]()


@pytest.fixture
def store():
    return SpyStore()


def field_of(lines):
    """The Cookie field of a browser that was sent these lines."""
    return "; ".join(line.partition(";")[0] for line in lines if "Max-Age=0" not in line)


# Opened without a request


@pytest.mark.parametrize("https", [False, True])
def test_what_is_saved_without_a_request_is_there_in_the_next_one_and_back(options, https):
    size = 2000 if "secret" in options and "chunks" not in options else 6144
    site = Site(**options)
    environ = HTTPS if https else {}
    session = site.app.open(https=https)
    assert (session.is_new, session.id, dict(session)) == (True, None, {})
    session["text"] = "x" * size
    session.login("ann")
    lines = session.save()
    assert all(line.startswith("__Host-id" if https else "id") for line in lines)
    assert all("; Secure" in line for line in lines) is https
    cookie = field_of(lines)
    assert site.ask(lambda session: (session.user, len(session["text"])), cookie, **environ).text == f"('ann', {size})"
    answer = site.ask(put(text="y"), cookie, **environ)
    cookie = field_of(answer.all("Set-Cookie")) or cookie
    again = site.app.open(cookie, https=https)
    assert (again.user, again["text"], again.is_new, again.id) == ("ann", "y", False, again.id)
    assert again.save() == []


def test_nothing_is_kept_before_it_is_saved_and_all_of_it_then(options):
    site = Site(**options)
    session = site.app.open()
    assert session.save() == []
    session["a"] = 1
    cookie = field_of(session.save())
    session["b"] = 2
    session["a"] = 3
    assert site.ask(everything, cookie).text == "{'a': 1}"
    cookie = field_of(session.save()) or cookie
    assert site.ask(everything, cookie).text == "{'a': 3, 'b': 2}"


def test_an_opened_session_can_do_all_that_one_of_a_request_can(options):
    events = []
    site = Site(on_event=events.append, **options)
    session = site.app.open()
    session.login("ann")
    session.flash("Welcome.")
    token = session.csrf_token
    session.remember(30)
    lines = session.save()
    assert all("; Max-Age=" in line for line in lines)
    opened = site.app.open(field_of(lines))
    assert opened.check_csrf_token(token)
    assert opened.pop_flash() == [("message", "Welcome.")]
    opened.logout()
    assert all("Max-Age=0" in line for line in opened.save())
    assert {event.client for event in events} == {None}


def test_a_session_is_opened_by_the_whole_field_of_a_browser(store):
    site = Site(store=store)
    visitor = site.visitor()
    visitor(put(a=1))
    for field in (visitor.cookie, f"x=1; {visitor.cookie}; y=2", f"id=zzz; {visitor.cookie}"):
        assert dict(site.app.open(field)) == {"a": 1}
    for field in ("", "id=", "id=" + "0" * 64, visitor.cookie.partition("=")[2], "\x00", "id=\xff"):
        assert dict(site.app.open(field)) == {}
    assert dict(site.app.open(visitor.cookie, https=True)) == {}


def test_opened_twice_at_once_both_keep_what_they_change(store):
    site = Site(store=store)
    first = site.app.open()
    first["a"] = 1
    cookie = field_of(first.save())
    one, other = site.app.open(cookie), site.app.open(cookie)
    one["b"] = one["a"]
    other["c"] = other["a"]
    assert one.save() == other.save() == []
    assert dict(site.app.open(cookie)) == {"a": 1, "b": 1, "c": 1}


def test_errors_are_those_of_a_request(store):
    site = Site(store=store, max_bytes=200)
    session = site.app.open()
    with pytest.raises(SessionTooLarge, match="'a'"):
        session["a"] = "x" * 200
    with pytest.raises(TypeError, match=r"session\['a'\]"):
        session["a"] = object()
    store.down = True
    assert dict(site.app.open()) == {}
    with pytest.raises(StoreError):
        dict(site.app.open("id=" + "0" * 64))
    session["a"] = 1
    with pytest.raises(StoreError):
        session.save()
    store.down = False
    assert len(session.save()) == 1  # what was not kept is still there to be


def test_a_cookie_for_https_alone_is_opened_with_https(store):
    site = Site(store=store, cookie=CookieOptions("__Host-sid"))
    with pytest.raises(ConfigurationError, match="secure=True"):
        dict(site.app.open())
    session = site.app.open(https=True)
    session["a"] = 1
    [line] = session.save()
    assert line.startswith("__Host-sid=")


def test_to_open_costs_nothing_until_it_is_used(store):
    site = Site(store=store, clock=lambda: pytest.fail("the clock was read"))
    store.down = True
    session = site.app.open("id=" + "0" * 64)
    assert isinstance(session, Session)
    assert repr(session) == "<Session>"
    assert store.calls == []


# For tests of applications


def test_webtest_finds_the_session_of_a_request_at_the_response(options):
    def app(environ, start_response):
        session = get_session(environ)
        session["n"] = session.get("n", 0) + 1
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    browser = TestApp(SessionMiddleware(app, **options))
    assert browser.get("/").session["n"] == 1
    assert browser.get("/").session["n"] == 2


def test_a_test_may_begin_with_a_session_that_it_made(options):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(get_session(environ).user).encode()]

    layer = SessionMiddleware(app, **options)
    session = layer.open()
    session.login("ann")
    browser = TestApp(layer)
    for line in session.save():
        for name, morsel in SimpleCookie(line).items():
            browser.set_cookie(name, morsel.value)
    assert browser.get("/").text == "ann"


def test_without_testing_variables_none_are_made(options):
    def app(environ, start_response):
        assert "paste.testing_variables" not in environ
        start_response("200 OK", [])
        return []

    assert ask(SessionMiddleware(app, **options)).code == 200


# Keys of other libraries


def test_every_alias_is_the_same_session_and_an_outer_one_gives_way(options):
    def app(environ, start_response):
        sessions = {id(environ[key]) for key in ("middleware.session", "beaker.session", "paste.session")}
        assert len(sessions) == 1
        environ["beaker.session"]["a"] = 1
        start_response("200 OK", [])
        return [repr(dict(get_session(environ))).encode()]

    layer = SessionMiddleware(app, aliases=("beaker.session", "paste.session"), **options)
    outer = {"beaker.session": "another's", "middleware.session": "another's"}
    assert ask(layer, **outer).text == "{'a': 1}"


def test_of_two_layers_the_inner_one_is_the_applications(store):
    outer_store = SpyStore()
    inner = Site(store=store, cookie=CookieOptions("inner"))
    stack = SessionMiddleware(inner.app, store=outer_store, cookie=CookieOptions("outer"))
    inner.use = put(a=1)
    lines = ask(stack).all("Set-Cookie")
    assert [line.partition("=")[0] for line in lines] == ["inner"]
    assert outer_store.calls == []


# Odd servers and applications


@pytest.mark.parametrize(
    "made", [tuple, list, iter, lambda pairs: (pair for pair in pairs), lambda pairs: map(tuple, pairs)]
)
def test_headers_of_any_iterable_are_taken(options, made):
    def app(environ, start_response):
        get_session(environ)["a"] = 1
        start_response(
            "200 OK", made([("Content-Type", "text/plain"), ("Cache-Control", "public"), ("Vary", "Accept")])
        )
        return [b"ok"]

    answer = ask(SessionMiddleware(app, **options))
    assert answer.text == "ok"
    assert answer.all("Content-Type") == ["text/plain"]
    assert len(answer.all("Set-Cookie")) >= 1
    assert answer.all("Vary") == ["Accept, Cookie"]
    assert answer.all("Cache-Control") == ["private"]


def test_the_applications_own_list_of_headers_is_left_as_it_is(options):
    headers = [("Content-Type", "text/plain"), ("Vary", "Accept"), ("Cache-Control", "public")]

    def app(environ, start_response):
        get_session(environ)["a"] = 1
        start_response("200 OK", headers)
        return [b"ok"]

    layer = SessionMiddleware(app, **options)
    for _ in range(2):
        assert ask(layer).code == 200
    assert headers == [("Content-Type", "text/plain"), ("Vary", "Accept"), ("Cache-Control", "public")]


def test_a_head_that_replaces_another_has_the_sessions_fields_once(options):
    def app(environ, start_response):
        get_session(environ)["a"] = 1
        start_response("200 OK", [("Content-Type", "text/html")])
        try:
            raise ValueError
        except ValueError:
            start_response("404 Not Found", [("Content-Type", "text/plain")], sys.exc_info())
        return [b"sorry"]

    answer = ask(SessionMiddleware(app, **options))
    assert answer.code == 404
    assert len(answer.all("Set-Cookie")) == len(answer.all("Vary")) == len(answer.all("Cache-Control")) == 1


def test_between_two_validators_a_session_is_used_changed_refreshed_and_ended(options):
    clock = Clock()

    def app(environ, start_response):
        session = get_session(environ)
        path = environ["PATH_INFO"]
        if path == "/write":
            session["a"] = 1
        elif path == "/out":
            session.logout()
        else:
            len(session)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    layer = validator(
        SessionMiddleware(validator(app), clock=clock, timeouts=Timeouts(renew_every=600), on_event=print, **options)
    )
    cookie = ""
    for path in ("/", "/write", "/", "/write", "/out", "/"):
        clock.now += 300
        answer = call(layer, make_environ(path, headers={"Cookie": cookie} if cookie else None, SCRIPT_NAME=""))
        assert answer.text == "ok"
        cookie = field_of(answer.all("Set-Cookie")) or cookie


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_COOKIE": ""},
        {"REMOTE_ADDR": ""},
        {"SCRIPT_NAME": "/app", "PATH_INFO": ""},
        {"wsgi.multithread": False, "wsgi.run_once": False},
    ],
)
def test_an_environ_with_little_in_it_is_enough(options, environ):
    events = []
    site = Site(on_event=events.append, **options)
    environ = {**make_environ(), **environ}
    del environ["REMOTE_ADDR"]
    site.use = put(a=1)
    assert call(site.app, environ).code == 200
    assert events[0].client is None
