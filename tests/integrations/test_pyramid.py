"""Pyramid on our sessions: `request.session` through Pyramid's own router, and with WebTest as its projects test."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from asking import Browser
from pyramid.authentication import SessionAuthenticationHelper
from pyramid.config import Configurator
from pyramid.i18n import TranslationString
from pyramid.interfaces import ISession
from pyramid.request import Request
from pyramid.response import Response
from sessions.kit import SECRET, SpyStore
from webtest import TestApp
from zope.interface.verify import verifyObject

from middleware import SessionMiddleware
from middleware.errors import LayerMissing
from middleware.integrations.pyramid import session_factory


class Site:
    """A Pyramid application whose view is given with each request: `site.ask(lambda request: ...)`."""

    def __init__(self, configure=None, **options):
        config = Configurator()
        config.include("middleware.integrations.pyramid")
        config.add_route("home", "/")
        config.add_view(lambda request: Response(repr(self.use(request))), route_name="home")
        if configure:
            configure(config)
        self.bare = config.make_wsgi_app()
        self.app = SessionMiddleware(self.bare, **options)
        self.browser = Browser(self.app)

    def ask(self, use, browser=None):
        self.use = use
        return (browser or self.browser).get()

    def twin(self):
        """Somebody else with the cookies that the browser has now."""
        twin = Browser(self.app)
        twin.cookies = dict(self.browser.cookies)
        return twin


@pytest.fixture
def store():
    return SpyStore()


@pytest.fixture
def site(store):
    return Site(store=store)


def put(**values):
    return lambda request: request.session.update(values)


def everything(request):
    return dict(request.session)


# ISession


def test_it_is_an_isession_to_the_letter(site):
    assert site.ask(lambda request: verifyObject(ISession, request.session)).text == "True"


def test_what_was_put_in_is_there_in_the_next_request(site):
    site.ask(put(name="Ann", tags=("a", "b")))
    assert site.ask(everything).text == "{'name': 'Ann', 'tags': ('a', 'b')}"
    assert list(site.browser.cookies) == ["id"]


def test_sessions_in_a_signed_cookie_work_too():
    site = Site(secret=SECRET)
    site.ask(put(a=1))
    assert site.ask(everything).text == "{'a': 1}"


def test_a_change_inside_of_a_value_is_kept_with_changed_and_without(site):
    site.ask(put(cart=[1]))
    site.ask(lambda request: (request.session["cart"].append(2), request.session.changed()))
    site.ask(lambda request: request.session["cart"].append(3))
    assert site.ask(everything).text == "{'cart': [1, 2, 3]}"


def test_the_methods_of_a_dict(site):
    def use(request):
        session = request.session
        session.update(a=1, b=2, c=3)
        del session["a"]
        found = session.pop("b"), session.pop("x", None), session.setdefault("d", 4), "c" in session, len(session)
        return found, sorted(session.items()), session.clear(), list(session.keys()), list(session.values())

    assert site.ask(use).text == "((2, None, 4, True, 2), [('c', 3), ('d', 4)], None, [], [])"


def test_new_and_created(site):
    assert site.ask(lambda request: (request.session.new, put(a=1)(request))).text == "(True, None)"
    assert site.ask(lambda request: (request.session.new, type(request.session.created))).text == (
        "(False, <class 'int'>)"
    )


def test_invalidate_ends_the_session_for_good(site):
    site.ask(put(a=1))
    thief = site.twin()

    def slow(request):
        request.session["seen"] = True
        site.ask(lambda request: request.session.invalidate())
        return request.session["seen"]

    assert site.ask(slow, thief).header("Set-Cookie") is None
    assert site.browser.cookies == {}
    assert site.ask(everything, thief).text == "{}"


def test_a_request_that_ignores_its_session_asks_no_store(site, store):
    site.ask(put(a=1))
    store.forget_calls()
    store.down = True
    answer = site.ask(lambda request: "fine")
    assert (answer.code, store.calls, answer.header("Vary")) == (200, [], None)


def test_requests_at_the_same_time_both_keep_what_they_put_in(site):
    site.ask(put(a=1))
    barrier = Barrier(2, timeout=60)

    def use(request):
        len(request.session)
        barrier.wait()
        request.session[request.query_string] = 1

    site.use = use
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda path: site.twin().get(path), ["/?b", "/?c"]))
    assert site.ask(lambda request: sorted(request.session)).text == "['a', 'b', 'c']"


# Messages


def test_messages_wait_in_queues_and_are_shown_once(site):
    def leave(request):
        for message, queue in (("one", ""), ("careful", "warnings"), ("two", "")):
            request.session.flash(message, queue)

    site.ask(leave)
    assert site.ask(lambda request: request.session.peek_flash()).text == "['one', 'two']"
    assert site.ask(lambda request: request.session.pop_flash()).text == "['one', 'two']"
    assert site.ask(lambda request: request.session.pop_flash()).text == "[]"
    assert site.ask(lambda request: request.session.pop_flash("warnings")).text == "['careful']"


def test_a_message_is_there_twice_unless_told_otherwise(site):
    def leave(request):
        request.session.flash("one")
        request.session.flash("one", allow_duplicate=False)
        request.session.flash("one", "other", allow_duplicate=False)
        request.session.flash("one")

    site.ask(leave)
    assert site.ask(lambda request: request.session.pop_flash()).text == "['one', 'one']"


def test_two_queues_that_are_shown_at_the_same_time_are_each_shown_once(site):
    site.ask(lambda request: (request.session.flash("a", "left"), request.session.flash("b", "right")))

    def shows_left(request):
        before = request.session.peek_flash("left")
        meanwhile = site.ask(lambda request: request.session.pop_flash("right")).text
        return before, meanwhile, request.session.pop_flash("left")

    assert site.ask(shows_left, site.twin()).text == "(['a'], \"['b']\", ['a'])"
    shown_again = site.ask(lambda request: request.session.pop_flash("left") + request.session.pop_flash("right"))
    assert shown_again.text == "[]"


def test_a_translation_string_is_text(site):
    site.ask(lambda request: request.session.flash(TranslationString("Saved", domain="shop")))
    assert site.ask(lambda request: request.session.pop_flash()).text == "['Saved']"


# Forms


def form(config):
    config.set_default_csrf_options(require_csrf=True)
    config.add_route("token", "/token")
    config.add_view(lambda request: Response(request.session.get_csrf_token()), route_name="token")
    config.add_route("new_token", "/new_token")
    config.add_view(lambda request: Response(request.session.new_csrf_token()), route_name="new_token")


def test_pyramids_default_policy_checks_the_token(store):
    site = Site(form, store=store)
    token = site.browser.get("/token").text
    assert site.browser.get("/token").text == token
    site.use = lambda request: "fine"
    assert site.browser.post("/", {"csrf_token": token}).code == 200
    assert site.browser.post("/", {"csrf_token": token[::-1]}).code == 400
    assert site.browser.post("/").code == 400
    site.browser.get("/new_token")
    assert site.browser.post("/", {"csrf_token": token}).code == 400
    assert Browser(site.app).post("/", {"csrf_token": token}).code == 400


# Who is logged in


def test_pyramids_own_login_gives_a_new_id(store):
    site = Site(store=store, rotate_on=["auth.userid"])
    helper = SessionAuthenticationHelper()
    site.ask(put(cart=[1]))
    attacker = site.twin()
    site.ask(lambda request: helper.remember(request, "ann"))
    assert site.ask(helper.authenticated_userid, attacker).text == "None"
    assert site.ask(lambda request: (helper.authenticated_userid(request), request.session["cart"])).text == (
        "('ann', [1])"
    )
    thief = site.twin()
    site.ask(helper.forget)
    assert site.ask(helper.authenticated_userid, thief).text == "None"


def test_users_log_in_are_listed_and_log_out_by_the_methods_of_our_session(site):
    site.ask(lambda request: request.session.login("ann", label="Firefox"))
    assert site.ask(lambda request: request.session.user).text == "'ann'"
    assert [one.label for one in site.app.users.sessions_of("ann")] == ["Firefox"]
    site.ask(lambda request: request.session.logout())
    assert (site.browser.cookies, site.app.users.sessions_of("ann")) == ({}, [])


# When the store is down


def test_while_the_store_is_down_a_page_that_needs_it_is_503(site, store):
    site.ask(put(a=1))
    store.down = True
    for use in (everything, put(a=2), lambda request: request.session.invalidate()):
        answer = site.ask(use)
        assert (answer.code, answer.header("Retry-After"), answer.header("Set-Cookie")) == (503, "5", None)
    store.down = False
    assert site.ask(everything).text == "{'a': 1}"


# Set-up


def test_without_the_layer_the_first_use_says_what_to_do(site):
    site.use = everything
    with pytest.raises(LayerMissing, match="SessionMiddleware"):
        Browser(site.bare).get()
    with pytest.raises(LayerMissing, match="SessionMiddleware"):
        session_factory(Request.blank("/"))


def test_webtest_shows_the_session_of_the_answer(site):
    site.use = put(a=1)
    answer = TestApp(site.app).get("/")
    assert answer.session["a"] == 1
