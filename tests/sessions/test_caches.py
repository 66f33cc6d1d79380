"""What an answer tells caches about a session, in every case. S45, S46 and S49 of the catalogue."""

from __future__ import annotations

import sys

import pytest
from asking import Browser, ask
from sessions.kit import HTTPS, SECRET, Clock, Site, SpyStore, everything, put

from middleware.caching import CacheMiddleware
from middleware.sessions import SessionMiddleware, Timeouts, get_session
from middleware.stores.memory import MemoryStore

KINDS = {"stored": lambda: {"store": SpyStore()}, "signed": lambda: {"secret": SECRET}}
STATUSES = ["200 OK", "204 No Content", "303 See Other", "304 Not Modified", "404 Not Found"]


@pytest.fixture(params=KINDS)
def options(request):
    return KINDS[request.param]()


# Cache-Control: what the application says, by what becomes of the session

SAYS = {  # -> (the cookie is set, the session is accessed); untouched, it stays as it is
    "": ("no-store", "private"),
    "no-store": ("no-store", "no-store"),
    "NO-STORE": ("NO-STORE", "NO-STORE"),
    "Private": ("Private", "Private"),
    "private, max-age=60": ("private, max-age=60", "private, max-age=60"),
    "max-age=60": ("max-age=60, private", "max-age=60"),
    "public, max-age=60": ("max-age=60, private", "public, max-age=60"),
    "PUBLIC": ("private", "PUBLIC"),
    "s-maxage=60": ("private", "s-maxage=60"),
    "S-MaxAge=60, must-revalidate": ("must-revalidate, private", "S-MaxAge=60, must-revalidate"),
    'private="Set-Cookie"': ("private", 'private="Set-Cookie"'),
    "no-cache": ("no-cache, private", "no-cache"),
    'ext="public, s-maxage=1"': ('ext="public, s-maxage=1", private', 'ext="public, s-maxage=1"'),
    'ext="open': ("no-store", 'ext="open'),
}


@pytest.mark.parametrize("says", SAYS)
@pytest.mark.parametrize("status", STATUSES)
def test_cache_control_in_every_case(options, says, status):
    events = []
    site = Site(headers=[("Cache-Control", says)] if says else [], on_event=events.append, **options)
    site.status = status
    visitor = site.visitor()
    set_, accessed = SAYS[says]
    assert visitor(lambda session: None).header("Cache-Control") == (says or None)
    assert visitor(put(a=1)).header("Cache-Control") == set_
    restricted = [event.details for event in events if event.name == "made_private"]
    assert restricted == ([] if says in ("", set_) else [{"said": says}])
    assert visitor(everything).header("Cache-Control") == accessed
    assert visitor(lambda session: session.logout()).header("Cache-Control") == set_  # it deletes the cookie
    assert visitor(lambda session: None).header("Cache-Control") == (says or None)


def test_several_lines_of_cache_control_are_one(options):
    site = Site(headers=[("Cache-Control", "public"), ("cache-control", "max-age=60")], **options)
    visitor = site.visitor()
    assert visitor(put(a=1)).all("Cache-Control") == ["max-age=60, private"]
    assert visitor(everything).all("Cache-Control") == ["public", "max-age=60"]


# Vary

VARIES = {
    "Accept": "Accept, Cookie",
    "Accept, Origin": "Accept, Origin, Cookie",
    "*": "*",
    "Accept, *": "Accept, *",
    "cookie": "cookie",
    "COOKIE": "COOKIE",
    " Cookie ": " Cookie ",
    "Accept,Cookie": "Accept,Cookie",
    "X-Cookie": "X-Cookie, Cookie",
    "": "Cookie",
}


@pytest.mark.parametrize("says", VARIES)
@pytest.mark.parametrize("status", ["200 OK", "304 Not Modified", "302 Found", "500 Sorry"])
def test_vary_is_merged(options, says, status):
    site = Site(headers=[("Vary", says)], **options)
    site.status = status
    for use in (everything, put(a=1), lambda session: session.logout(), lambda session: session.peek_flash()):
        assert site.ask(use).all("Vary") == [VARIES[says]]
    assert site.ask(lambda session: None).all("Vary") == [says]


def test_several_lines_of_vary_become_one_that_names_the_cookie(options):
    site = Site(headers=[("Vary", "Accept"), ("vary", "Origin")], **options)
    assert site.ask(everything).header("Vary") == "Accept, Origin, Cookie"
    site = Site(headers=[("Vary", "Accept"), ("VARY", "Cookie")], **options)
    assert site.ask(everything).all("Vary") == ["Accept", "Cookie"]


# Every kind of answer


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_an_answer_of_any_kind_that_sets_the_cookie_is_for_one_visitor(options, status, method):
    site = Site(**options)
    site.status = status
    answer = site.ask(put(a=1), REQUEST_METHOD=method)
    assert len(answer.all("Set-Cookie")) == 1
    assert (answer.header("Vary"), answer.header("Cache-Control")) == ("Cookie", "no-store")


@pytest.mark.parametrize("status", [*STATUSES, "500 Sorry"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_an_answer_of_any_kind_that_looked_at_the_session_is_for_one_visitor(options, status, method):
    site = Site(**options)
    site.status = status
    answer = site.ask(everything, REQUEST_METHOD=method)
    assert answer.all("Set-Cookie") == []
    assert (answer.header("Vary"), answer.header("Cache-Control")) == ("Cookie", "private")


def test_an_error_page_of_an_application_that_used_its_session_is_for_one_visitor(options):
    def app(environ, start_response):
        get_session(environ)["a"] = 1
        start_response("200 OK", [("Cache-Control", "public")])
        try:
            raise ValueError
        except ValueError:
            start_response("500 Sorry", [("Cache-Control", "public, max-age=9")], sys.exc_info())
        return [b"sorry"]

    answer = ask(SessionMiddleware(app, **options))
    assert (answer.code, answer.all("Set-Cookie")) == (500, [])
    assert (answer.header("Vary"), answer.header("Cache-Control")) == ("Cookie", "public, max-age=9")


def test_an_answer_that_only_notes_that_the_session_was_used_tells_caches(options):
    clock = Clock()
    visitor = Site(clock=clock, **options).visitor()
    visitor(put(a=1))
    clock.now += 180
    answer = visitor(everything)
    assert answer.header("Vary") == "Cookie"
    assert answer.header("Cache-Control") == ("private" if "store" in options else "no-store")


@pytest.mark.parametrize("says", [None, "public, max-age=600"])
def test_an_answer_that_sets_the_cookie_for_no_other_reason_than_a_refresh_or_a_new_id_is_for_one_visitor(
    options, says
):
    clock = Clock()
    site = Site(
        headers=[("Cache-Control", says)] if says else [], clock=clock, timeouts=Timeouts(renew_every=600), **options
    )
    visitor = site.visitor()
    visitor(put(a=1))
    for _ in range(3):
        clock.now += 600
        answer = visitor(everything)
        assert len(answer.all("Set-Cookie")) == 1
        assert answer.header("Vary") == "Cookie"
        assert answer.header("Cache-Control") == ("max-age=600, private" if says else "no-store")


# With the cache of ours outside


@pytest.mark.parametrize("says", ["public, max-age=600", "Public, S-MaxAge=600", "max-age=600"])
def test_no_answer_of_a_session_is_stored_by_the_cache_outside(options, says):
    visits = []

    def app(environ, start_response):
        visits.append(environ["PATH_INFO"])
        session = get_session(environ)
        if environ["PATH_INFO"] == "/write":
            session["a"] = session.get("a", 0) + 1
        elif environ["PATH_INFO"] == "/read":
            len(session)
        start_response("200 OK", [("Cache-Control", says), ("Vary", "Accept")])
        return [b"page"]

    browser = Browser(CacheMiddleware(SessionMiddleware(app, **options), store=MemoryStore()))
    for path in ("/write", "/read", "/untouched"):
        for _ in range(3):
            assert browser.get(path).code == 200
    assert visits == ["/write"] * 3 + ["/read"] * 3 + ["/untouched"]


# Clear-Site-Data


@pytest.mark.parametrize(
    ("kinds", "field"), [(("cache",), '"cache"'), (["cache", "storage"], '"cache", "storage"'), (("*",), '"*"')]
)
def test_clear_site_data_is_sent_at_a_log_out_where_it_is_asked_for(options, kinds, field):
    visitor = Site(clear_site_data=kinds, **options).visitor(**HTTPS)
    for use in (put(a=1), everything, lambda session: session.login("ann"), lambda session: session.rotate()):
        assert visitor(use).header("Clear-Site-Data") is None
    assert visitor(lambda session: session.logout()).all("Clear-Site-Data") == [field]
    assert visitor(everything).header("Clear-Site-Data") is None


def test_without_the_option_no_clear_site_data_is_sent(options):
    visitor = Site(**options).visitor(**HTTPS)
    visitor(put(a=1))
    assert visitor(lambda session: session.logout()).header("Clear-Site-Data") is None


def test_a_clear_site_data_of_the_application_is_left_alone(options):
    site = Site(headers=[("clear-site-data", '"storage"')], clear_site_data=["cache"], **options)
    assert site.ask(lambda session: session.logout()).all("Clear-Site-Data") == ['"storage"']


def test_another_users_login_clears_too_for_the_first_session_ends(options):
    visitor = Site(clear_site_data=["cache"], **options).visitor(**HTTPS)
    visitor(lambda session: session.login("ann"))
    assert visitor(lambda session: session.login("bob")).header("Clear-Site-Data") == '"cache"'
