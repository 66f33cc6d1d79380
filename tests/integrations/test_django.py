"""Django on our sessions: `request.session`, logins, messages and CSRF tokens, through Django itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from asgiref.sync import sync_to_async
from asking import Browser
from integrations import django_site

from middleware import CookieOptions, MemoryStore, SessionMiddleware, Timeouts, get_session
from middleware.errors import StoreError, TooManySessions

from django.contrib import messages  # isort: skip - the settings come first
from django.contrib.auth import alogin, alogout, login, logout, update_session_auth_hash
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory, override_settings
from django.utils import timezone
from sessions.kit import SECRET, Clock

DAY = 86400
PASSWORD = "correct horse battery"
COOKIE = "id"


@pytest.fixture(scope="module", autouse=True)
def database():
    call_command("migrate", verbosity=0)
    User.objects.create_user("ann", password=PASSWORD)
    User.objects.create_user("bob", password=PASSWORD)
    yield
    User.objects.all().delete()  # files that share a process share the database


@pytest.fixture
def store(monkeypatch):
    store = django_site.store
    store.inner = MemoryStore()
    store.forget_calls()
    store.down = False
    return store


@pytest.fixture
def ann():
    return User.objects.get(username="ann")


@pytest.fixture
def bob():
    return User.objects.get(username="bob")


class Site:
    """The project, its view given with each request: `site.ask(lambda request: ...)`."""

    def __init__(self, app):
        self.app = app
        self.browser = Browser(app, HTTP_HOST="127.0.0.1")

    def ask(self, use, browser=None):
        django_site.uses["view"] = use
        return (browser or self.browser).get()

    def aask(self, use, browser=None):
        django_site.uses["async"] = use
        return (browser or self.browser).get("/async")

    def twin(self):
        """Somebody else with the cookies that the browser has now."""
        twin = Browser(self.app, **self.browser.environ)
        twin.cookies = dict(self.browser.cookies)
        return twin


@pytest.fixture
def site(store):
    return Site(django_site.application)


def put(**values):
    return lambda request: request.session.update(values)


def failing(request):
    request.session["a"] = 2
    raise ZeroDivisionError


def everything(request):
    return dict(request.session.items())


def who(request):
    return request.user.username


# A session of Django's


def test_what_was_put_in_is_there_in_the_next_request(site):
    site.ask(put(name="Ann", tags=("a", "b")))
    assert site.ask(everything).text == "{'name': 'Ann', 'tags': ('a', 'b')}"
    assert list(site.browser.cookies) == [COOKIE]


def test_a_change_inside_of_a_value_is_kept_with_modified_and_without(site):
    def with_flag(request):
        request.session["cart"].append(2)
        request.session.modified = True

    site.ask(put(cart=[1]))
    site.ask(with_flag)
    site.ask(lambda request: request.session["cart"].append(3))
    assert site.ask(everything).text == "{'cart': [1, 2, 3]}"


def test_the_methods_of_djangos_session(site):
    def use(request):
        session = request.session
        session["a"], session["b"], session["c"] = 1, 2, 3
        del session["a"]
        found = session.pop("b"), session.pop("x", None), session.setdefault("d", 4), session.setdefault("d", 5)
        return found, "c" in session, session.has_key("x"), session.get("x"), list(session.keys()), session.modified

    assert site.ask(use).text == "((2, None, 4, 4), True, False, None, ['c', 'd'], True)"
    assert site.ask(lambda request: list(request.session.values())).text == "[3, 4]"
    assert site.ask(lambda request: (request.session.clear(), request.session.load())).text == "(None, {})"
    assert site.ask(everything).text == "{}"


def test_the_test_cookie(site):
    site.ask(lambda request: request.session.set_test_cookie())
    assert site.ask(lambda request: request.session.test_cookie_worked()).text == "True"
    site.ask(lambda request: request.session.delete_test_cookie())
    assert site.ask(lambda request: request.session.test_cookie_worked()).text == "False"


def test_sessions_in_a_signed_cookie_work_too(store, ann):
    site = Site(SessionMiddleware(django_site.bare, secret=SECRET))
    site.ask(lambda request: (login(request, ann), put(a=1)(request)))
    assert site.ask(lambda request: (who(request), request.session["a"])).text == "('ann', 1)"
    assert store.calls == []


def test_a_request_that_ignores_its_session_asks_no_store(site, store):
    site.ask(put(a=1))
    store.forget_calls()
    store.down = True
    answer = site.ask(lambda request: "fine")
    assert (answer.code, store.calls) == (200, [])
    assert answer.header("Vary") is answer.header("Set-Cookie") is answer.header("Cache-Control") is None


def test_reading_varies_by_cookie_and_writes_nothing(site, store):
    site.ask(put(a=1))
    store.forget_calls()
    answer = site.ask(lambda request: request.session.get("a"))
    assert (answer.header("Vary"), answer.header("Set-Cookie"), store.calls) == ("Cookie", None, ["get"])


def test_a_view_that_fails_keeps_nothing(site):
    site.ask(put(a=1))
    assert site.ask(failing).code == 500
    assert site.ask(everything).text == "{'a': 1}"


def test_get_session_gives_what_ours_has_besides(site):
    def use(request):
        assert get_session(request.META) is get_session(request.environ)
        return get_session(request.META).increment("visits"), request.session["visits"]

    assert site.ask(use).text == "(1, 1)"


def test_a_streamed_body_may_read_the_session_that_was_used_before(site):
    def use(request):
        request.session["a"] = 1
        return StreamingHttpResponse(repr(request.session["a"]) for _ in "ab")

    assert site.ask(use).text == "11"
    assert site.ask(everything).text == "{'a': 1}"


# Its id


def test_the_key_is_no_secret_and_stays_the_same(site):
    site.ask(put(a=1))
    key = site.ask(lambda request: request.session.session_key).text
    assert site.browser.cookies[COOKIE] not in key
    assert site.ask(lambda request: request.session.session_key).text == key
    thief = Browser(site.app, HTTP_HOST="127.0.0.1")
    thief.cookies = {COOKIE: key.strip("'")}
    assert site.ask(everything, thief).text == "{}"


@pytest.mark.parametrize("make", ["create", "save"])
def test_a_session_without_content_has_a_key_where_it_is_asked_for(site, make):
    def use(request):
        before = request.session.session_key, request.session.is_empty()
        getattr(request.session, make)()
        return before, request.session.session_key

    (nothing, empty), key = eval(site.ask(use).text)
    assert (nothing, empty, len(key)) == (None, True, 64)
    assert site.ask(lambda request: request.session.session_key).text == repr(key)
    assert site.ask(lambda request: (request.session.is_empty(), everything(request))).text == "(False, {})"


RENEWALS = {
    "cycle_key": lambda request: request.session.cycle_key(),
    "create": lambda request: request.session.create(),
    "save": lambda request: request.session.save(must_create=True),
}


@pytest.mark.parametrize("renew", RENEWALS.values(), ids=RENEWALS)
def test_a_new_id_keeps_the_content_and_the_old_one_opens_nothing(site, renew):
    site.ask(put(a=1))
    attacker = site.twin()
    site.ask(renew)
    assert site.ask(everything, attacker).text == "{}"
    assert site.ask(everything).text == "{'a': 1}"


@pytest.mark.parametrize("end", ["flush", "delete"])
def test_flush_is_final(site, end):
    site.ask(put(a=1))
    thief = site.twin()

    def slow(request):
        request.session["late"] = True
        site.ask(lambda request: getattr(request.session, end)())
        return "slow"

    answer = site.ask(slow, thief)
    assert (answer.code, answer.header("Set-Cookie")) == (200, None)
    assert site.browser.cookies == {}
    assert site.ask(everything, thief).text == "{}"


def test_another_session_is_not_found_by_its_key(site):
    def use(request):
        key = request.session.session_key
        assert request.session.exists(key)
        for act in (request.session.exists, request.session.delete):
            with pytest.raises(NotImplementedError, match="users"):
                act("another")
        request.session.delete(key)
        return everything(request)

    site.ask(put(a=1))
    assert site.ask(use).text == "{}"


def test_clearing_what_has_expired_is_the_stores_own_business():
    call_command("check")
    from middleware.integrations.django import SessionStore

    assert SessionStore.clear_expired() is None


# contrib.auth


def test_a_login_gives_a_new_id_keeps_the_cart_and_names_the_user(site, ann):
    site.ask(put(cart=[1]))
    attacker = site.twin()
    site.browser.environ["HTTP_USER_AGENT"] = "Firefox"
    site.ask(lambda request: login(request, ann))
    assert site.ask(who).text == "'ann'"
    assert site.ask(lambda request: request.session["cart"]).text == "[1]"
    assert site.ask(lambda request: (who(request), "cart" in request.session), attacker).text == "('', False)"
    assert site.ask(lambda request: get_session(request.META).user).text == repr(str(ann.pk))
    assert [one.label for one in site.app.users.sessions_of(str(ann.pk))] == ["Firefox"]


def test_a_log_out_is_final(site, ann):
    site.ask(lambda request: login(request, ann))
    thief = site.twin()

    def slow(request):
        request.session["late"] = True
        site.ask(logout)
        return "slow"

    answer = site.ask(slow, thief)
    assert (answer.code, answer.header("Set-Cookie")) == (200, None)
    assert site.ask(who, thief).text == "''"
    assert COOKIE not in site.browser.cookies
    assert site.app.users.sessions_of(str(ann.pk)) == []


def test_another_user_gets_nothing_of_the_first_ones_session(site, ann, bob):
    site.ask(lambda request: (login(request, ann), put(secret="ann's")(request)))
    site.ask(lambda request: login(request, bob))
    assert site.ask(lambda request: (who(request), "secret" in request.session)).text == "('bob', False)"
    assert site.app.users.sessions_of(str(ann.pk)) == []


def test_a_login_counts_where_our_session_had_another_user(site, ann):
    site.ask(lambda request: (get_session(request.META).login("somebody else"), put(a=1)(request)))
    site.ask(lambda request: login(request, ann))
    assert site.ask(lambda request: (who(request), "a" in request.session)).text == "('ann', False)"


def test_a_login_counts_where_the_anonymous_session_was_ended_meanwhile(site, ann):
    site.ask(put(cart=[1]))
    late = site.twin()

    def slow(request):
        len(request.session.keys())
        site.ask(lambda request: request.session.flush())
        login(request, ann)

    site.ask(slow, late)
    assert site.ask(lambda request: (who(request), "cart" in request.session), late).text == "('ann', False)"


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(site, bob):
    other = site.twin()
    for browser in (site.browser, other):
        site.ask(lambda request: login(request, bob), browser)

    def change(request):
        request.user.set_password(PASSWORD)
        request.user.save()
        update_session_auth_hash(request, request.user)

    site.ask(change)
    assert site.ask(who).text == "'bob'"
    assert site.ask(who, other).text == "''"


def test_a_user_ends_the_sessions_everywhere_else(site, ann):
    other = site.twin()
    for browser in (site.browser, other):
        site.ask(lambda request: login(request, ann), browser)

    def end_others(request):
        session = get_session(request.META)
        return session.users.end_all(str(request.user.pk), but=session.id)

    assert site.ask(end_others).text == "1"
    assert (site.ask(who).text, site.ask(who, other).text) == ("'ann'", "''")


def test_a_login_that_is_one_too_many_raises(store, ann):
    site = Site(SessionMiddleware(django_site.bare, store=store, max_sessions=1, when_too_many="refuse"))
    site.ask(lambda request: login(request, ann))

    def one_more(request):
        with pytest.raises(TooManySessions):
            login(request, ann)
        return "refused"

    other = Browser(site.app, HTTP_HOST="127.0.0.1")
    assert site.ask(one_more, other).text == "'refused'"
    assert site.ask(who, other).text == "''"


def test_djangos_own_pages_log_in_and_out(site):
    assert site.browser.get("/admin/").code == 302
    page = site.browser.get("/admin/login/").text
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page)[1]
    User.objects.update_or_create(username="root", defaults={"is_staff": True, "is_superuser": True})
    root = User.objects.get(username="root")
    root.set_password(PASSWORD)
    root.save()
    data = {"username": "root", "password": PASSWORD, "csrfmiddlewaretoken": token, "next": "/admin/"}
    assert site.browser.post("/admin/login/", data).code == 302
    page = site.browser.get("/admin/")
    assert (page.code, "Log out" in page.text) == (200, True)
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
    site.browser.post("/logout/", {"csrfmiddlewaretoken": token})
    assert site.browser.get("/admin/").code == 302


# Messages, and tokens for forms


@pytest.fixture
def csrf_in_sessions():
    with override_settings(CSRF_USE_SESSIONS=True):
        yield


def test_a_message_is_shown_once_after_a_redirect(site):
    site.ask(lambda request: messages.success(request, "Saved."))
    assert "[success: Saved.]" in site.browser.get("/form").text
    assert "Saved." not in site.browser.get("/form").text


@pytest.mark.usefixtures("csrf_in_sessions")
def test_a_form_needs_the_token_of_its_session(site):
    token = re.search(r'value="(\w+)"', site.browser.get("/form").text)[1]
    django_site.uses["view"] = lambda request: "fine"
    assert site.browser.post("/", {"csrfmiddlewaretoken": token}).code == 200
    assert site.browser.post("/", {"csrfmiddlewaretoken": token[::-1]}).code == 403
    assert site.browser.post("/").code == 403
    assert site.twin().post("/", {"csrfmiddlewaretoken": token}).code == 200
    assert Browser(site.app, HTTP_HOST="127.0.0.1").post("/", {"csrfmiddlewaretoken": token}).code == 403
    assert list(site.browser.cookies) == [COOKIE]


# How long it lives


@pytest.fixture
def timed(store):
    """A site whose layer has a clock of its own."""
    site = Site(None)
    site.clock = Clock(time.time())
    site.app = SessionMiddleware(django_site.bare, store=store, clock=site.clock)
    site.browser.app = site.app
    return site


def test_what_was_not_told_lives_as_the_layer_says_and_ends_with_the_browser(timed):
    answer = timed.ask(put(a=1))
    assert "Max-Age" not in answer.header("Set-Cookie")
    found = timed.ask(lambda request: (request.session.get_expiry_age(), request.session.get_expire_at_browser_close()))
    age, at_close = eval(found.text)
    assert (1790 < age <= 1800, at_close) == (True, True)


EXPIRIES = {
    "seconds": (lambda: 7 * DAY, 7 * DAY),
    "timedelta": (lambda: timedelta(days=7), 7 * DAY),
    "date": (lambda: timezone.now() + timedelta(days=7), 7 * DAY),
    "longer than browsers allow": (lambda: 1000 * DAY, 400 * DAY),
}


@pytest.mark.parametrize(("value", "seconds"), EXPIRIES.values(), ids=EXPIRIES)
def test_set_expiry_gives_the_session_and_its_cookie_a_time(timed, value, seconds):
    def use(request):
        request.session.set_expiry(value())
        return request.session.get_expiry_age(), request.session.get_expire_at_browser_close()

    answer = timed.ask(use)
    max_age = int(re.search(r"Max-Age=(\d+)", answer.header("Set-Cookie"))[1])
    assert seconds - 5 <= max_age <= seconds
    assert answer.text.endswith("False)")
    timed.clock.now += 2 * DAY  # far beyond the idle timeout
    assert timed.ask(lambda request: request.session.get_expire_at_browser_close()).text == "False"
    timed.clock.now += 400 * DAY
    assert timed.ask(everything).text == "{}"


@pytest.mark.parametrize("value", [0, None])
def test_set_expiry_goes_back_to_a_session_that_ends_with_the_browser(timed, value):
    timed.ask(lambda request: request.session.set_expiry(7 * DAY))
    answer = timed.ask(lambda request: request.session.set_expiry(value))
    assert "Max-Age" not in answer.header("Set-Cookie")
    assert timed.ask(lambda request: request.session.get_expire_at_browser_close()).text == "True"


def test_a_date_that_is_past_ends_the_session(timed):
    timed.ask(lambda request: put(a=1)(request) or request.session.set_expiry(timedelta(days=-1)))
    timed.clock.now += 2
    assert timed.ask(everything).text == "{}"


def test_seconds_count_from_the_last_use(timed, store):
    timed.clock.now -= 2 * DAY
    timed.ask(lambda request: request.session.set_expiry(10 * DAY))
    timed.clock.now += 2 * DAY
    assert f"Max-Age={10 * DAY}" in timed.ask(everything).header("Set-Cookie")
    store.forget_calls()
    assert timed.ask(everything).header("Set-Cookie") is None
    assert store.calls == ["get"]


# async views


def test_an_async_view_has_the_same_session(site):
    async def use(request):
        session = request.session
        await session.aset("a", [1])
        await session.aupdate({"b": 2, "c": 3})
        popped = await session.apop("c")
        default = await session.asetdefault("d", 4)
        return popped, default, await session.aget("a"), await session.ahas_key("c"), list(await session.akeys())

    assert site.aask(use).text == "(3, 4, [1], False, ['a', 'b', 'd'])"
    assert site.ask(everything).text == "{'a': [1], 'b': 2, 'd': 4}"


def test_the_rest_of_the_async_methods(site):
    async def begin(request):
        session = request.session
        await session.aset_test_cookie()
        await session.aset_expiry(DAY)
        facts = (
            await session.atest_cookie_worked(),
            await session.aget_expiry_age(),
            await session.aget_expire_at_browser_close(),
        )
        await session.adelete_test_cookie()
        await session.asave()
        key = session.session_key
        return facts, await session.aexists(key), await session.aload(), len(await session.aitems())

    assert site.aask(begin).text == f"((True, {DAY}, False), True, {{'_session_expiry': {DAY}}}, 1)"


ENDINGS = {"acycle_key": True, "acreate": True, "aflush": False, "adelete": False}


@pytest.mark.parametrize(("act", "stays"), ENDINGS.items(), ids=ENDINGS)
def test_async_methods_that_end_the_old_id(site, act, stays):
    async def use(request):
        await getattr(request.session, act)()

    site.ask(put(a=1))
    thief = site.twin()
    site.aask(use)
    assert site.ask(everything, thief).text == "{}"
    assert (COOKIE in site.browser.cookies) is stays


def test_an_async_view_logs_in_and_out(site, ann):
    async def comes(request):
        await alogin(request, ann)
        return (await request.auser()).username

    async def goes(request):
        await alogout(request)

    site.ask(put(a=1))
    attacker = site.twin()
    assert site.aask(comes).text == "'ann'"
    assert (site.ask(who).text, site.ask(who, attacker).text) == ("'ann'", "''")
    assert len(site.app.users.sessions_of(str(ann.pk))) == 1
    site.aask(goes)
    assert COOKIE not in site.browser.cookies


def test_an_async_view_that_fails_because_the_store_is_down_is_503(site, store):
    async def use(request):
        return await request.session.aget("a")

    site.ask(put(a=1))
    store.down = True
    assert site.aask(use).code == 503


# At the same time


def test_requests_at_the_same_time_both_keep_what_they_put_in(site):
    site.ask(put(a=1))
    barrier = Barrier(2, timeout=10)

    def use(request):
        len(request.session.keys())
        barrier.wait()
        request.session[request.GET["key"]] = 1

    django_site.uses["view"] = use
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda path: site.twin().get(path), ["/?key=b", "/?key=c"]))
    assert site.ask(lambda request: sorted(request.session.keys())).text == "['a', 'b', 'c']"


# When the store is down


@pytest.mark.usefixtures("csrf_in_sessions")
@pytest.mark.parametrize("settings", [{}, {"DEBUG": True}, {"DEBUG_PROPAGATE_EXCEPTIONS": True}], ids=str)
def test_while_the_store_is_down_a_page_that_needs_it_is_503(site, store, settings):
    site.ask(put(a=1))
    store.down = True
    with override_settings(**settings):
        for use in (everything, put(a=2), lambda request: request.session.flush(), who):
            answer = site.ask(use)
            assert (answer.code, answer.header("Retry-After"), answer.header("Set-Cookie")) == (503, "5", None)
        assert site.browser.get("/form").code == 503
        assert site.browser.post("/").code == 503  # the middleware that checks tokens asks for the session
        assert site.ask(lambda request: messages.success(request, "Saved.")).code == 503
    store.down = False
    assert site.ask(everything).text == "{'a': 1}"


def test_an_outage_that_begins_with_the_commit_is_503_too(site, store):
    def use(request):
        request.session["a"] = 2
        store.down = True

    site.ask(put(a=1))
    assert site.ask(use).code == 503
    store.down = False
    store.forget_calls()
    store.before["add"] = lambda: setattr(store, "down", True)
    assert site.ask(put(a=1), Browser(site.app, HTTP_HOST="127.0.0.1")).code == 503


def test_other_errors_stay_djangos_own(site, store):
    def fails(request):
        raise StoreError("of another store")

    assert site.ask(fails).code == 500


def test_an_anonymous_session_in_an_outage_can_be_read_and_a_change_is_503(store):
    site = Site(SessionMiddleware(django_site.bare, store=store, on_outage="anonymous"))
    site.ask(put(a=1))
    store.down = True
    assert site.ask(lambda request: (everything(request), who(request))).text == "({}, '')"
    assert site.ask(put(a=2)).code == 503
    assert site.ask(lambda request: request.session.get("a") or 1 / 0).code == 500


# Django's caches

CACHED = [
    "django.middleware.cache.UpdateCacheMiddleware",
    *django_site.MIDDLEWARE,
    "django.middleware.cache.FetchFromCacheMiddleware",
]


@pytest.fixture
def cached(store):
    from django.core.cache import cache
    from django.core.wsgi import get_wsgi_application

    cache.clear()
    with override_settings(MIDDLEWARE=CACHED):
        yield Site(SessionMiddleware(get_wsgi_application(), store=store))


@pytest.mark.usefixtures("csrf_in_sessions")
def test_djangos_cache_gives_nobody_the_page_of_a_session_that_began_with_it(cached):
    token = re.compile(r'value="(\w+)"')
    pages = [Browser(cached.app, HTTP_HOST="127.0.0.1").get("/form") for _ in range(2)]
    assert all(page.header("Cache-Control") == "private, no-store" for page in pages)
    assert len({token.search(page.text)[1] for page in pages}) == 2
    assert len({page.header("Set-Cookie") for page in pages}) == 2


def test_djangos_cache_keeps_a_page_that_only_looked(cached):
    numbers = iter(range(9))
    django_site.uses["view"] = lambda request: (request.user.is_authenticated, next(numbers))
    pages = [Browser(cached.app, HTTP_HOST="127.0.0.1").get("/").text for _ in range(2)]
    assert pages == ["(False, 0)", "(False, 0)"]


# Django's own test client, which does not come through wsgi.py


def test_the_test_client_has_sessions(store):
    client = Client()
    django_site.uses["view"] = put(a=1)
    answer = client.get("/")
    assert list(answer.cookies) == ["sessionid"]
    assert (answer.headers["Vary"], answer.headers["Cache-Control"]) == ("Cookie", "private, no-store")
    django_site.uses["view"] = lambda request: (everything(request), get_session(request.META)["a"])
    assert client.get("/").content == b"({'a': 1}, 1)"
    assert client.session["a"] == 1
    django_site.uses["view"] = lambda request: request.session.flush()
    assert client.get("/").cookies["sessionid"].value == ""
    assert dict(client.session.items()) == {}


def test_the_test_client_logs_in_and_out(store, ann):
    client = Client()
    django_site.uses["view"] = who
    assert client.login(username="ann", password=PASSWORD)
    assert client.get("/").content == b"'ann'"
    assert client.get("/", secure=True).content == b"'ann'"
    client.logout()
    assert client.get("/").content == b"''"
    client.force_login(ann)
    assert client.get("/").content == b"'ann'"
    assert client.session.session_key == client.cookies["sessionid"].value


def test_a_test_puts_something_into_the_session_of_its_client(store):
    client = Client()
    session = client.session
    session["a"] = 1
    session.save()
    django_site.uses["view"] = lambda request: put(b=request.session["a"] + 1)(request)
    client.get("/")
    assert dict(client.session.items()) == {"a": 1, "b": 2}
    key = client.session.session_key
    django_site.uses["view"] = lambda request: request.session.session_key
    assert client.get("/").content.decode() == repr(key)


def test_a_forged_id_of_a_test_client_opens_nothing(store):
    client = Client()
    client.cookies["sessionid"] = "a" * 64
    django_site.uses["view"] = put(a=1)
    client.get("/")
    assert client.cookies["sessionid"].value != "a" * 64


def test_the_test_client_sees_how_long_the_cookie_lives(store):
    client = Client()
    django_site.uses["view"] = lambda request: request.session.set_expiry(DAY)
    cookie = client.get("/").cookies["sessionid"]
    assert DAY - 5 <= cookie["max-age"] <= DAY
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "Lax", "/", "")
    assert Client().get("/", secure=True).cookies["sessionid"]["secure"] is True


@pytest.mark.usefixtures("csrf_in_sessions")
def test_the_test_client_sees_an_outage_as_503(store):
    client = Client()
    django_site.uses["view"] = put(a=1)
    client.get("/")
    store.down = True
    assert client.get("/").status_code == 503


def test_a_view_that_fails_keeps_nothing_for_the_test_client(store):
    client = Client(raise_request_exception=False)
    django_site.uses["view"] = failing
    assert client.get("/").status_code == 500
    assert client.cookies == {}


def test_the_test_client_and_async_views(store, ann):
    async def use(request):
        await request.session.aset("a", 1)
        return await sync_to_async(who)(request)

    client = Client()
    client.force_login(ann)
    django_site.uses["async"] = use
    assert client.get("/async").content == b"'ann'"
    assert client.session["a"] == 1


# Set-up


def test_the_system_checks_are_clean():
    from django.core import checks

    assert checks.run_checks(include_deployment_checks=False) == []
    about_sessions = {f"security.W0{number}" for number in (10, 11, 12, 13, 14, 15)}
    assert not {one.id for one in checks.run_checks(include_deployment_checks=True)} & about_sessions


def test_another_session_engine_is_an_error_at_once():
    from middleware.integrations.django import SessionMiddleware as Ours

    with (
        override_settings(SESSION_ENGINE="django.contrib.sessions.backends.cache"),
        pytest.raises(ImproperlyConfigured, match=r"say SESSION_ENGINE = 'middleware.integrations.django'"),
    ):
        Ours(lambda request: HttpResponse())


@pytest.mark.parametrize("name", [None, f"{django_site.__name__}.bare"])
def test_without_a_layer_the_first_request_says_what_to_do(store, name):
    with (
        override_settings(WSGI_APPLICATION=name),
        pytest.raises(ImproperlyConfigured, match=r"SessionMiddleware\(get_wsgi_application\(\), store=...\)"),
    ):
        Client().get("/")


def test_the_layer_is_found_inside_of_others(store):
    class WhiteNoise:
        def __init__(self, application):
            self.application = application

    django_site.wrapped = WhiteNoise(django_site.application)
    with override_settings(WSGI_APPLICATION=f"{django_site.__name__}.wrapped"):
        django_site.uses["view"] = put(a=1)
        client = Client()
        client.get("/")
        assert client.session["a"] == 1


def test_a_request_without_a_handler_has_no_session():
    assert not hasattr(RequestFactory().get("/"), "session")


def test_the_options_are_those_of_the_layer(store):
    layer = SessionMiddleware(
        django_site.bare, store=store, cookie=CookieOptions("shop"), timeouts=Timeouts(idle=60), aliases=["my.session"]
    )
    site = Site(layer)
    answer = site.ask(lambda request: put(a=1)(request) or request.META["my.session"]["a"])
    assert answer.text == "1"
    assert list(site.browser.cookies) == ["shop"]


# The page


PAGE = Path(__file__).parents[2] / "docs" / "django.md"
SETTINGS = """
SECRET_KEY = "a key of the test"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.messages"]
"""
URLS = """
from django.http import HttpResponse
from django.urls import path

def view(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(str(request.session["visits"]))

urlpatterns = [path("", view)]
"""
VISITS = """
import os
import django
from django.core.servers.basehttp import get_internal_wsgi_application
from asking import Browser

os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
django.setup()
browser = Browser(get_internal_wsgi_application(), HTTP_HOST="127.0.0.1")  # what runserver serves
print(browser.get().text, browser.get().text, *browser.cookies)
"""


@pytest.mark.slow
def test_a_project_that_is_set_up_as_the_page_says_has_our_sessions(tmp_path):
    """Its blocks are files of the project, so they run here and not with those of the other pages."""
    settings, wsgi = blocks_of_the_page()
    assert visits_of_a_project(tmp_path, SETTINGS + settings, wsgi) == ["1", "2", "id"]
    assert (tmp_path / "sessions.db").exists()


@pytest.mark.slow
def test_sessions_need_no_application_in_installed_apps(tmp_path):
    _, wsgi = blocks_of_the_page()
    alone = """
INSTALLED_APPS = []
MIDDLEWARE = ["middleware.integrations.django.SessionMiddleware"]
SESSION_ENGINE = "middleware.integrations.django"
"""
    assert visits_of_a_project(tmp_path, SETTINGS + alone, wsgi) == ["1", "2", "id"]


def blocks_of_the_page():
    """The settings and the wsgi.py in it."""
    return re.findall(r"```\w+\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[:2]


def visits_of_a_project(folder, settings, wsgi):
    """What two visits are told, and the names of the cookies that they get."""
    project = folder / "project"
    project.mkdir()
    (project / "settings.py").write_text(settings)
    (project / "wsgi.py").write_text(wsgi)
    (project / "urls.py").write_text(URLS)
    root = PAGE.parents[1]
    path = os.pathsep.join([str(folder), str(root / "src"), str(root / "tests")])
    ran = subprocess.run(
        [sys.executable, "-c", VISITS],
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stderr == ""
    return ran.stdout.split()
