"""Nothing that was made for one client reaches another: cookies, credentials, deceived caches. S1 to S4, S11 to S14."""

from __future__ import annotations

from threading import Barrier, Thread
from urllib.parse import unquote_to_bytes

import pytest
from asking import ask
from cached_site import START, Site

from middleware.caching import CacheMiddleware
from middleware.headers import http_date
from middleware.stores import MemoryStore

LATER = http_date(START + 86_400)


def cookie(value):
    return {"Cookie": f"sid={value}"}


def bearer(name):
    return {"Authorization": f"Bearer {name}"}


def site_for_each(*fields, by="HTTP_COOKIE"):
    """An application that greets whoever a part of the request says is there, with fields that are the same for all."""

    def app(environ, start_response):
        site.seen.append(dict(environ))
        start_response("200 OK", [tuple(field.split(": ", 1)) for field in fields])
        return [f"hello {environ.get(by, 'nobody')}".encode()]

    site = Site(app=app)
    return site


# Cookies that are set: S1

FRESH = [
    ["Cache-Control: max-age=60"],
    ["Cache-Control: public, max-age=60"],
    ["Cache-Control: s-maxage=60"],
    [f"Expires: {LATER}"],
    ["Cache-Control: max-age=60", 'ETag: "1"'],
    ['Cache-Control: no-cache="set-cookie", max-age=60'],
    ["CDN-Cache-Control: max-age=60"],
    ["Cache-Control: no-store, must-understand, max-age=60"],
    ['ETag: "1"'],
    [f"Last-Modified: {http_date(START - 86_400)}"],
]


@pytest.mark.parametrize("fields", FRESH, ids=" ".join)
@pytest.mark.parametrize("name", ["Set-Cookie", "set-cookie", "SET-COOKIE"])
def test_a_cookie_that_an_answer_sets_reaches_the_client_that_asked_and_no_other(fields, name):
    site = Site()
    site.answers(*fields, f"{name}: sid=1")
    assert site.ask().all("Set-Cookie") == ["sid=1"]
    site.answers(*fields, f"{name}: sid=2")
    second = site.ask(at=1)
    assert (second.all("Set-Cookie"), second.text) == (["sid=2"], "answer 2")
    assert "HTTP_IF_NONE_MATCH" not in site.seen[-1]


def test_of_several_cookies_none_is_kept():
    site = Site()
    site.answers("Cache-Control: max-age=60", "Set-Cookie: a=1", "Set-Cookie: b=1")
    assert site.ask().all("Set-Cookie") == ["a=1", "b=1"]
    site.answers("Cache-Control: max-age=60")
    assert site.ask().all("Set-Cookie") == []


def test_an_answer_with_a_cookie_takes_the_place_of_what_was_stored_and_is_not_stored():
    site = Site()
    site.answers("Cache-Control: max-age=10", 'ETag: "1"')
    site.ask()
    site.answers("Cache-Control: max-age=60", "Set-Cookie: sid=1")
    assert site.ask(at=11).all("Set-Cookie") == ["sid=1"]
    assert not site.validates(at=12)
    assert site.calls == 3


def test_a_cookie_in_a_head_that_replaces_another_is_not_stored():
    import sys

    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        try:
            raise ValueError
        except ValueError:
            fields = [("Cache-Control", "max-age=60"), ("Set-Cookie", environ["HTTP_X_ME"])]
            start_response("200 OK", fields, sys.exc_info())
        return [environ["HTTP_X_ME"].encode()]

    site = Site(app=app)
    for me in ("a=1", "b=1"):
        answer = site.ask(headers={"X-Me": me})
        assert (answer.all("Set-Cookie"), answer.text) == ([me], me)


# Credentials: S3, S4

OPENING = ["public", "s-maxage=60", "must-revalidate"]


def test_of_three_clients_with_other_credentials_none_gets_the_answer_of_another():
    site = site_for_each("Cache-Control: max-age=60", by="HTTP_AUTHORIZATION")
    for headers, text in ((bearer("A"), "hello Bearer A"), ({}, "hello nobody"), (bearer("A"), None)):
        answer = site.ask(headers=headers)
        assert text is None or answer.text == text
    assert site.ask(headers=bearer("B")).text != "hello Bearer A"


@pytest.mark.parametrize("directive", OPENING)
def test_what_an_application_opens_to_all_is_given_to_all(directive):
    site = site_for_each(f"Cache-Control: max-age=60, {directive}", by="HTTP_AUTHORIZATION")
    site.ask(headers=bearer("A"))
    for headers in ({}, bearer("B")):
        assert "; hit" in site.ask(headers=headers).header("Cache-Status")


@pytest.mark.parametrize(
    "fields", [['ETag: "1"'], [f"Last-Modified: {LATER}"], ['ETag: "1"', "Cache-Control: no-cache"]]
)
@pytest.mark.parametrize("known", [{"headers": bearer("A")}, {"REMOTE_USER": "ann"}, {"AUTH_TYPE": "Basic"}])
def test_an_answer_to_credentials_is_not_kept_for_validation_by_others_either(fields, known):
    site = Site()
    site.answers(*fields)
    site.ask(**known)
    for request in ({}, {"headers": bearer("B")}, {"REMOTE_USER": "bob"}):
        assert not site.validates(**request)


@pytest.mark.parametrize("value", ["", " ", "Basic", "Negotiate x"])
def test_credentials_of_any_kind_are_credentials(value):
    site = Site()
    site.answers("Cache-Control: max-age=60")
    site.ask(headers={"Authorization": value})
    assert not site.is_hit()


@pytest.mark.parametrize("gateway", [{"REMOTE_USER": "ann"}, {"REMOTE_USER": "ann", "AUTH_TYPE": "Basic"}])
def test_a_user_whom_the_server_knows_is_greeted_alone(gateway):
    site = site_for_each("Cache-Control: max-age=60", by="REMOTE_USER")
    assert site.ask(**gateway).text == "hello ann"
    assert site.ask().text == "hello nobody"


# An address that looks like a file's: S11, S12

DECEPTIVE = [
    "/me/x.css",
    "/me%2Fx.css",
    "/me;x.js",
    "/me%00.css",
    "/me%23.css",
    "/me%3Fx.css",
    "/me.png",
    "/me/.well-known",
]


def target(raw):
    return {"REQUEST_URI": raw, "PATH_INFO": unquote_to_bytes(raw).decode("latin-1")}


@pytest.mark.parametrize("raw", DECEPTIVE)
@pytest.mark.parametrize(
    "fields", [[], ["Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT"], ['ETag: "1"']], ids=["nothing", "a date", "a tag"]
)
@pytest.mark.parametrize("content_type", ["text/html", "text/css", "image/png"])
def test_what_an_address_looks_like_makes_nothing_fresh(raw, fields, content_type):
    site = site_for_each(*fields, f"Content-Type: {content_type}")
    assert site.ask(headers=cookie("ann"), **target(raw)).text == "hello sid=ann"
    assert site.ask(at=1, **target(raw)).text == "hello nobody"
    assert "HTTP_IF_NONE_MATCH" not in site.seen[-1]
    assert "HTTP_IF_MODIFIED_SINCE" not in site.seen[-1]


@pytest.mark.parametrize("raw", DECEPTIVE)
def test_a_page_of_one_user_does_not_become_fresh_by_its_address_with_credentials_either(raw):
    site = site_for_each("Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT", by="HTTP_AUTHORIZATION")
    assert site.ask(headers=bearer("A"), **target(raw)).text == "hello Bearer A"
    assert site.ask(at=1, **target(raw)).text == "hello nobody"


# Vary: Cookie: S14


@pytest.mark.parametrize("vary", ["Cookie", "cookie", "Accept, COOKIE", ",Cookie,"])
def test_users_who_are_told_apart_by_their_cookie_get_answers_of_their_own(vary):
    site = site_for_each("Cache-Control: max-age=60", f"Vary: {vary}")
    for _ in range(2):
        for who in ("ann", "bob", "ann; theme=dark"):
            assert site.ask(headers=cookie(who)).text == f"hello sid={who}"
        assert site.ask().text == "hello nobody"
        assert site.ask(headers={"Cookie": ""}).text == "hello "


# At the same time: S36


@pytest.mark.parametrize(
    "control", ["private", "private, max-age=60", "no-store", "max-age=60, no-cache", "max-age=0", "must-revalidate"]
)
def test_two_clients_that_ask_at_the_same_time_each_get_their_own_answer(control):
    inside = Barrier(2, timeout=10)
    got = {}

    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", control)])
        if environ["HTTP_COOKIE"] != "sid=warm":
            inside.wait()
        return [environ["HTTP_COOKIE"].encode()]

    cache = CacheMiddleware(app, store=MemoryStore())
    ask(cache, "/a", headers=cookie("warm"))  # what is known of this address by now must not make them wait in line

    def visit(who):
        got[who] = ask(cache, "/a", headers=cookie(who)).text

    threads = [Thread(target=visit, args=(who,)) for who in ("ann", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {"ann": "sid=ann", "bob": "sid=bob"}


@pytest.mark.slow
@pytest.mark.parametrize("vary", ["Cookie", "X, Cookie"])
def test_two_variants_that_are_made_at_the_same_time_are_not_mixed(vary):
    together = Barrier(8, timeout=10)
    got = []

    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60"), ("Vary", vary)])
        return [environ["HTTP_COOKIE"].encode()]

    cache = CacheMiddleware(app, store=MemoryStore())

    def visit(who):
        together.wait()
        got.extend((who, ask(cache, f"/{number}", headers=cookie(who)).text) for number in range(20))

    threads = [Thread(target=visit, args=(who,)) for who in ("ann", "bob", "eve", "dan") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 160
    assert all(text == f"sid={who}" for who, text in got)
