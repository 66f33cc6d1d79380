"""`beaker.session` on our sessions: one application written for Beaker, under Beaker and under ours (S55)."""

from __future__ import annotations

import sys
from types import ModuleType
from urllib.parse import parse_qsl

import pytest
from asking import Browser, ask
from beaker.middleware import SessionMiddleware as Beaker
from sessions.kit import SECRET, SpyStore

from middleware import MemoryStore, SessionMiddleware, get_session
from middleware.errors import ConfigurationError, LayerMissing, SessionClosed
from middleware.integrations.beaker import BeakerSession, BeakerSessions
from middleware.testing import check_layer

loadapp = pytest.importorskip("paste.deploy").loadapp


def old_app(environ, start_response):
    """Written for Beaker: it knows `environ["beaker.session"]` and nothing else."""
    session = environ["beaker.session"]
    action = environ["PATH_INFO"].strip("/")
    values = dict(parse_qsl(environ["QUERY_STRING"]))
    said = ""
    if action == "put":
        for key, value in values.items():
            session[key] = value
        session.save()
    elif action == "add":
        session.setdefault("cart", []).append(values["item"])
        session.save()
    elif action == "facts":
        said = repr((session.is_new, session.accessed(), session.last_accessed is None, type(session.created).__name__))
    elif action == "lookup":
        said = repr(
            (
                session.get("a"),
                session.has_key("a"),
                "a" in session,
                session.copy()["a"],
                [k for k in session if k[0] != "_"],
            )
        )
    elif action == "id":
        session.save()
        said = session.id
    elif action == "pop":
        said = session.pop("a")
        session.save()
    elif action == "remove":
        del session["a"]
        session.save()
    elif action == "clear":
        session.clear()
        session.save()
    elif action == "revert":
        session["a"] = "changed"
        session.revert()
        session.save()
    elif action == "rotate":
        session.regenerate_id()
        session.save()
    elif action == "invalidate":
        session.invalidate()
        session["fresh"] = "yes"
        session.save()
    elif action == "delete":
        session.delete()
    content = {key: value for key, value in session.items() if key[0] != "_"}
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{said}|{content}".encode()]


def under_beaker():
    return Beaker(old_app, {"session.type": "memory", "session.key": "id"})


def under_ours(store=None):
    return SessionMiddleware(BeakerSessions(old_app), store=store or MemoryStore())


BOTH = {"Beaker": under_beaker, "ours": under_ours}


@pytest.fixture(params=BOTH)
def browser(request):
    return Browser(BOTH[request.param]())


@pytest.fixture
def store():
    return SpyStore()


@pytest.fixture
def ours(store):
    return Browser(under_ours(store))


def twin(browser):
    """Somebody else with the cookies that the browser has now."""
    other = Browser(browser.app)
    other.cookies = dict(browser.cookies)
    return other


# Under both


def test_what_was_put_in_is_there_in_the_next_request(browser):
    browser.get("/put?a=1&b=2")
    assert browser.get("/").text == "|{'a': '1', 'b': '2'}"


def test_a_value_is_changed_in_place(browser):
    browser.get("/add?item=x")
    browser.get("/add?item=y")
    assert browser.get("/").text == "|{'cart': ['x', 'y']}"


def test_looking_up(browser):
    browser.get("/put?a=1")
    assert browser.get("/lookup").text == "('1', True, True, '1', ['a'])|{'a': '1'}"


def test_what_it_knows_about_itself(browser):
    assert browser.get("/facts").text == "(True, True, True, 'float')|{}"
    browser.get("/put?a=1")
    assert browser.get("/facts").text == "(False, True, False, 'float')|{'a': '1'}"


def test_its_id_is_the_same_until_it_is_changed(browser):
    browser.get("/put?a=1")
    one = browser.get("/id").text
    assert (browser.get("/id").text, len(one) >= 32) == (one, True)
    browser.get("/rotate")
    other = browser.get("/id").text
    assert other != one
    assert other.endswith("|{'a': '1'}")


def test_a_session_that_is_saved_with_nothing_in_it_has_an_id_to_come_back_to(browser):
    one = browser.get("/id").text
    assert len(one) >= 32
    assert browser.get("/id").text == one


def test_taking_out(browser):
    browser.get("/put?a=1&b=2&c=3")
    assert browser.get("/pop").text == "1|{'b': '2', 'c': '3'}"
    assert browser.get("/").text == "|{'b': '2', 'c': '3'}"
    browser.get("/put?a=1")
    browser.get("/remove")
    assert browser.get("/").text == "|{'b': '2', 'c': '3'}"
    browser.get("/clear")
    assert browser.get("/").text == "|{}"


def test_reverting(browser):
    browser.get("/put?a=1")
    assert browser.get("/revert").text == "|{'a': '1'}"
    assert browser.get("/").text == "|{'a': '1'}"


def test_a_new_id_keeps_the_content(browser):
    browser.get("/put?a=1")
    before = dict(browser.cookies)
    browser.get("/rotate")
    assert browser.cookies != before
    assert browser.get("/").text == "|{'a': '1'}"


def test_starting_afresh(browser):
    browser.get("/put?a=1")
    before = dict(browser.cookies)
    assert browser.get("/invalidate").text == "|{'fresh': 'yes'}"
    assert browser.cookies != before
    assert browser.get("/").text == "|{'fresh': 'yes'}"


def test_deleting(browser):
    browser.get("/put?a=1")
    assert browser.get("/delete").text == "|{}"
    assert browser.get("/").text == "|{}"


# Under ours, which promise more


@pytest.mark.parametrize("end", ["delete", "invalidate", "rotate"])
def test_the_old_id_opens_nothing_any_more(ours, end):
    ours.get("/put?a=1")
    thief = twin(ours)
    ours.get(f"/{end}")
    assert thief.get("/").text == "|{}"


@pytest.mark.parametrize("end", ["delete", "invalidate", "rotate"])
def test_no_request_that_is_still_running_brings_the_old_one_back(store, end):
    def app(environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            environ["beaker.session"]["late"] = "yes"
            browser.get(f"/{end}")
        return old_app(environ, start_response)

    browser = Browser(SessionMiddleware(BeakerSessions(app), store=store))
    browser.get("/put?a=1")
    slow = twin(browser)
    assert slow.get("/slow").header("Set-Cookie") is None
    assert slow.get("/").text == "|{}"


def test_deleting_deletes_the_cookie_too(ours):
    ours.get("/put?a=1")
    ours.get("/delete")
    assert ours.cookies == {}


def test_a_change_is_kept_without_save(store):
    def app(environ, start_response):
        environ["beaker.session"].setdefault("seen", []).append(environ["QUERY_STRING"])
        return old_app(environ, start_response)

    browser = Browser(SessionMiddleware(BeakerSessions(app), store=store))
    browser.get("/?a")
    assert browser.get("/?b").text == "|{'seen': ['a', 'b']}"


def test_two_requests_at_the_same_time_both_keep_what_they_put_in(store):
    def app(environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            environ["beaker.session"]["slow"] = "yes"
            twin(browser).get("/put?quick=yes")
        return old_app(environ, start_response)

    browser = Browser(SessionMiddleware(BeakerSessions(app), store=store))
    browser.get("/put?a=1")
    browser.get("/slow")
    assert browser.get("/").text == "|{'a': '1', 'quick': 'yes', 'slow': 'yes'}"


def test_a_request_that_ignores_its_session_asks_no_store(store):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [repr(environ["beaker.session"].accessed()).encode()]

    store.down = True
    browser = Browser(SessionMiddleware(BeakerSessions(app), store=store))
    browser.cookies = {"id": "a" * 64}
    assert (browser.get("/").text, store.calls) == ("False", [])


def test_while_the_store_is_down_a_page_that_needs_it_is_503(ours, store):
    ours.get("/put?a=1")
    store.down = True
    answer = ours.get("/put?a=2")
    assert (answer.code, answer.header("Retry-After"), answer.header("Set-Cookie")) == (503, "5", None)
    store.down = False
    assert ours.get("/").text == "|{'a': '1'}"


def test_sessions_in_a_signed_cookie_work_too():
    browser = Browser(SessionMiddleware(BeakerSessions(old_app), secret=SECRET))
    browser.get("/put?a=1")
    assert browser.get("/").text == "|{'a': '1'}"


def under_lock(session):
    session.lock()
    try:
        session["count"] = session.get("count", 0) + 1
    finally:
        session.unlock()
    session.unlock()


def test_between_lock_and_unlock_is_one_request_at_a_time(store):
    layer = SessionMiddleware(BeakerSessions(old_app), store=store)
    browser = Browser(layer)
    browser.get("/put?a=1")
    field = f"id={browser.cookies['id']}"
    one, other = BeakerSession(layer.open(field)), BeakerSession(layer.open(field))
    assert (dict(one), dict(other)) == ({"a": "1"}, {"a": "1"})
    under_lock(one)
    under_lock(other)
    assert layer.open(field)["count"] == 2


def test_what_a_session_of_ours_can_do_besides(store):
    def app(environ, start_response):
        session = environ["beaker.session"]
        session.login("ann")
        assert session.user == get_session(environ).user == "ann"
        return old_app(environ, start_response)

    layer = SessionMiddleware(BeakerSessions(app), store=store)
    Browser(layer).get("/")
    assert len(layer.users.sessions_of("ann")) == 1


def test_what_beaker_sets_on_the_session_to_change_its_cookie_is_an_error_here(ours):
    session = BeakerSession(ours.app.open())
    for name in ("path", "domain", "cookie_expires"):
        with pytest.raises(AttributeError):
            setattr(session, name, "x")
    with pytest.raises(AttributeError):
        session._set_cookie_expires(None)


def test_too_late_says_so(store):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"begun"
        with pytest.raises(SessionClosed):
            environ["beaker.session"].save()

    assert Browser(SessionMiddleware(BeakerSessions(app), store=store)).get().text == "begun"


# Set-up


def test_another_key(store):
    def app(environ, start_response):
        environ["beaker.session"] = environ["the.session"]
        return old_app(environ, start_response)

    browser = Browser(SessionMiddleware(BeakerSessions(app, environ_key="the.session"), store=store))
    assert browser.get("/put?a=1").text == "|{'a': '1'}"


def test_the_wrong_order_is_an_error_at_once(store):
    with pytest.raises(ConfigurationError, match="below the line"):
        BeakerSessions(SessionMiddleware(old_app, store=store))


def test_without_the_session_layer_the_first_request_says_what_to_do():
    with pytest.raises(LayerMissing, match="SessionMiddleware"):
        Browser(BeakerSessions(old_app)).get()


@pytest.mark.slow
def test_it_is_a_layer_as_pep_3333_wants_it():
    check_layer(lambda app: SessionMiddleware(BeakerSessions(app), store=MemoryStore()))


PIPELINE = """
[pipeline:main]
pipeline = session beaker site

[filter:session]
use = egg:wsgi-middleware#session
store = memory://

[filter:beaker]
use = egg:wsgi-middleware#beaker

[app:site]
paste.app_factory = old_site_of_the_test:factory
"""


def test_in_a_pipeline_of_pastedeploy(tmp_path, monkeypatch):
    module = ModuleType("old_site_of_the_test")
    module.factory = lambda global_conf: old_app
    monkeypatch.setitem(sys.modules, module.__name__, module)
    file = tmp_path / "site.ini"
    file.write_text(PIPELINE)
    browser = Browser(loadapp(f"config:{file}"))
    browser.get("/put?a=1")
    assert browser.get("/").text == "|{'a': '1'}"


def test_beaker_s_getter_and_its_habits_find_the_same_session():
    def app(environ, start_response):
        session = environ["beaker.get_session"]()
        session.load()
        session["a"] = 1
        session.persist()
        start_response("200 OK", [])
        return [str(session is environ["beaker.session"]).encode()]

    layer = SessionMiddleware(BeakerSessions(app), store=MemoryStore())
    assert ask(layer).text == "True"
