"""What was made by accident, in part, or for another kind of request is not what others get. S19 to S34, S37 to S43."""

from __future__ import annotations

import sys
from zlib import compress, decompress

import pytest
from asking import ask, call, make_environ
from auth_helpers import basic, stored
from cached_site import START, Site

from middleware import AuthMiddleware, Basic, CacheMiddleware, get_cache, require
from middleware.headers import http_date
from middleware.stores import MemoryStore

FRESH = "Cache-Control: max-age=60"

# Provoked errors: S19


@pytest.mark.parametrize("code", [400, 403, 404, 405, 413, 431, 500, 501, 503])
@pytest.mark.parametrize(
    "evil",
    [
        {"headers": {"X-Oversize": "x" * 20_000}},
        {"headers": {"X-HTTP-Method-Override": "NONSENSE"}},
        {"headers": {"Range": "bytes=9-1"}},
        {"headers": {"X-Metachar": "\x07"}},
        {"headers": {"Accept": "none/none"}},
    ],
    ids=["oversize", "override", "range", "metacharacter", "accept"],
)
def test_an_error_that_one_client_provoked_is_nobody_elses(code, evil):
    site = Site()
    site.answers(status=f"{code} Sorry")
    assert site.ask(**evil).code == code
    site.answers(FRESH)
    assert site.ask().code == 200
    assert site.is_hit()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"If-Match": '"x"'}, 412),
        ({"If-Unmodified-Since": http_date(START - 9)}, 412),
        ({"Range": "bytes=9-"}, 416),
        ({"Range": "bytes=9-", "If-Range": '"x"'}, 416),
        ({"Range": "lines=1-2"}, 416),
    ],
)
def test_the_error_that_a_precondition_or_a_range_met_is_not_stored_however_fresh(headers, code):
    site = Site()
    site.answers(FRESH, status=f"{code} Sorry")
    assert site.ask(headers=headers).code == code
    site.answers(FRESH)
    assert site.ask().code == 200


# A part for the whole: S21


def file_app(environ, start_response):
    """Gives ranges of ten bytes, and says that the part is fresh."""
    given = environ.get("HTTP_RANGE")
    if given is None:
        start_response("200 OK", [("Cache-Control", "max-age=60"), ("ETag", '"1"'), ("Content-Length", "10")])
        return [b"0123456789"]
    first, last = map(int, given.removeprefix("bytes=").split("-"))
    part = b"0123456789"[first : last + 1]
    fields = [("Content-Range", f"bytes {first}-{last}/10"), ("Content-Length", str(len(part)))]
    start_response("206 Partial Content", [("Cache-Control", "max-age=60"), ("ETag", '"1"'), *fields])
    return [part]


def test_a_part_is_never_taken_for_the_whole_nor_for_another_part():
    site = Site(app=file_app)

    def part(given):
        return site.ask(headers={"Range": f"bytes={given}"})

    assert part("0-3").body == b"0123"
    assert part("4-5").body == b"45"
    whole = site.ask()
    assert (whole.code, whole.body, whole.header("Content-Range")) == (200, b"0123456789", None)
    for first, last in ((0, 3), (4, 9), (0, 0)):
        answer = part(f"{first}-{last}")
        assert (answer.code, answer.body) == (206, b"0123456789"[first : last + 1])
        assert answer.header("Content-Range") == f"bytes {first}-{last}/10"
    assert site.ask().body == b"0123456789"


def test_a_part_that_nobody_asked_for_is_not_stored():
    site = Site()
    site.answers(FRESH, "Content-Range: bytes 0-3/10", status="206 Partial Content", body=b"0123")
    site.ask()
    assert not site.is_hit()


# Another method: S24


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "POST", "PUT", "QUERY", "get", "Get", "", "GET "])
def test_another_method_neither_leaves_an_answer_for_get_nor_gets_one_of_it(method):
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60"), ("Content-Location", "/a")])
        return [repr(environ["REQUEST_METHOD"]).encode()]

    site = Site(app=app)
    for _ in range(2):
        assert site.ask(method=method).text == repr(method)
        assert site.ask().text == "'GET'"
        assert site.ask(method=method).text == repr(method)


def test_every_unsafe_request_reaches_the_application_once():
    site = Site()
    site.answers(FRESH)
    for number in range(5):
        site.ask(method="POST", body=b"the same")
        assert site.calls == number + 1


# Line breaks: S29

BREAKS = ["\r\nSet-Cookie: a=1", "\n", "\r", "\0", "\r\n\r\n<html>", "\n\tfolded"]


@pytest.mark.parametrize("evil", BREAKS, ids=ascii)
@pytest.mark.parametrize("field", ["X", "ETag", "Last-Modified", "Content-Type", "Location", "Expires", "Cache-Tag"])
def test_a_line_break_in_a_field_of_the_application_is_never_sent_from_the_store(field, evil):
    site = Site()
    site.given = ("200 OK", [("Cache-Control", "max-age=60"), (field, f"a{evil}")], None)
    site.ask()
    assert not site.is_hit()
    assert "HTTP_IF_NONE_MATCH" not in site.seen[-1]
    assert "HTTP_IF_MODIFIED_SINCE" not in site.seen[-1]


@pytest.mark.parametrize("evil", BREAKS, ids=ascii)
def test_a_line_break_in_the_name_of_a_field_is_never_sent_from_the_store(evil):
    site = Site()
    site.given = ("200 OK", [("Cache-Control", "max-age=60"), (f"X{evil}", "a")], None)
    site.ask()
    assert not site.is_hit()


@pytest.mark.parametrize("evil", BREAKS, ids=ascii)
def test_a_line_break_in_a_304_does_not_enter_what_is_stored(evil):
    site = Site()
    site.answers("Cache-Control: max-age=10", 'ETag: "1"')
    site.ask()
    site.given = ("304 Not Modified", [("Cache-Control", "max-age=60"), ("X", f"a{evil}")], None)
    site.ask(at=11)
    site.answers("Cache-Control: max-age=60", status="304 Not Modified")
    assert "\n" not in str(site.ask(at=12).headers[-1])
    assert site.ask(at=13).header("X") is None


@pytest.mark.parametrize("evil", BREAKS, ids=ascii)
@pytest.mark.parametrize("place", ["//victim.example{}/v", "//victim{}.example/v", "{}//victim.example/v"])
def test_a_line_break_in_a_location_is_no_way_to_another_host(evil, place):
    site = Site()
    site.answers(FRESH)
    victim = {"HTTP_HOST": "victim.example"}
    site.ask("/v", **victim)
    site.given = ("303 See Other", [("Location", place.format(evil))], None)
    assert site.ask("/a", method="POST").code == 303
    assert site.is_hit("/v", **victim)


@pytest.mark.parametrize("evil", ["%0d%0aSet-Cookie:%20a=1", "%00", "%0a"])
def test_nothing_of_the_key_is_built_into_an_answer(evil):
    site = Site()
    site.answers(FRESH)
    for _ in range(2):
        answer = site.ask(f"/a{evil}", PATH_INFO="/a\r\nSet-Cookie: a=1", HTTP_COOKIE="b\r\nc")
        names = {name for name, _ in answer.headers}
        assert names <= {"Cache-Control", "Date", "Content-Length", "Age", "Cache-Status"}
        assert "/a" not in str(answer.headers)


# Strangers who would empty the cache, or the application: S30 to S32


@pytest.mark.parametrize("field", ["Location", "Content-Location"])
@pytest.mark.parametrize(
    "url",
    [
        "http://victim.example/v",
        "//victim.example/v",
        "http://victim.example:80/v",
        "HTTP://VICTIM.example/v",
        "http://victim.example./v",
        "/\\victim.example/v",
        "http:victim.example/v",
        "http://127.0.0.1@victim.example/v",
    ],
)
def test_an_answer_names_no_urls_of_another_host_to_be_forgotten(field, url):
    site = Site()
    site.answers(FRESH)
    victim = {"HTTP_HOST": "victim.example"}
    site.ask("/v", **victim)
    site.answers(f"{field}: {url}", status="201 Created")
    site.ask("/a", method="POST")
    assert site.is_hit("/v", **victim)


@pytest.mark.parametrize("method", ["PURGE", "BAN", "REFRESH", "PURGEKEYS"])
@pytest.mark.parametrize(
    "headers", [{}, {"Cache-Tag": "a"}, {"Surrogate-Key": "a"}, {"X-Purge": "1"}, {"Fastly-Soft-Purge": "1"}]
)
def test_a_purge_by_a_stranger_goes_to_the_application_and_removes_nothing(method, headers):
    site = Site()
    site.answers(FRESH, "Cache-Tag: a", "Surrogate-Key: a")
    site.ask()
    site.answers(status="405 Method Not Allowed")
    assert site.ask(method=method, headers=headers).code == 405
    assert site.seen[-1]["REQUEST_METHOD"] == method
    assert site.is_hit()


@pytest.mark.parametrize(
    "headers",
    [
        {"Cache-Control": "no-cache"},
        {"Cache-Control": "max-age=0"},
        {"Cache-Control": "no-cache, max-age=0, must-revalidate"},
        {"Cache-Control": "no-store"},
        {"Pragma": "no-cache"},
        {"Cache-Control": "no-cache", "Pragma": "no-cache"},
        {"Cache-Tag": "a"},
        {"Surrogate-Key": "a", "Surrogate-Control": "no-store"},
    ],
)
@pytest.mark.parametrize("fields", [[FRESH], [FRESH, 'ETag: "1"'], [f"{FRESH}, immutable"]])
def test_a_hundred_reloads_do_not_reach_the_application(headers, fields):
    site = Site()
    site.answers(*fields)
    site.ask()
    for _ in range(100):
        assert site.is_hit(headers=headers)


# What an answer tells of the cache: S33


def test_cache_status_never_tells_the_key():
    site = Site()
    site.answers(FRESH, "Vary: Cookie", 'ETag: "1"')
    secret = {"headers": {"Cookie": "sid=SECRET", "X-Forwarded-Host": "SECRET"}}
    told = [site.ask("/a?token=SECRET", at=at, **secret).all("Cache-Status") for at in (0, 1, 61)]
    told += [site.ask("/a?token=SECRET", method="POST", **secret).all("Cache-Status")]
    assert all(len(lines) == 1 for lines in told)
    assert not any("key" in line or "SECRET" in line for lines in told for line in lines)


def test_without_a_name_nothing_but_age_tells_that_a_page_was_visited_before():
    site = Site(name=None)
    site.answers(FRESH, "Date: " + http_date(START), "Content-Length: 2", body=b"ok")
    first, second = site.ask(), site.ask()
    assert [*first.headers, ("Age", "0")] == second.headers


# What went before is over: S34, S41


@pytest.mark.parametrize("directive", ["must-revalidate", "proxy-revalidate", "s-maxage=10", "no-cache"])
def test_what_must_be_validated_is_not_given_when_the_application_fails(directive):
    site = Site()
    site.answers(f"Cache-Control: max-age=10, {directive}", 'ETag: "1"')
    site.ask()
    site.fails()
    with pytest.raises(OSError, match="down"):
        site.ask(at=11)
    site.answers(status="503 Down")
    assert site.ask(at=12).code == 503


@pytest.mark.parametrize("more", ["", ", stale-if-error=600", ", stale-while-revalidate=600"])
def test_a_page_that_was_changed_or_purged_is_not_given_when_the_application_fails(more):
    def app(environ, start_response):
        if environ["REQUEST_METHOD"] == "POST":
            get_cache(environ).purge("/b")
            start_response("200 OK", [])
            return []
        return site.app(environ, start_response)

    site = Site(app=app)
    site.answers(f"Cache-Control: max-age=10{more}")
    for path in ("/a", "/b"):
        site.ask(path)
    site.ask("/a", method="POST")
    site.fails()
    for at in (0, 11):
        for path in ("/a", "/b"):
            with pytest.raises(OSError, match="down"):
                site.ask(path, at=at)


def test_a_page_that_became_private_is_not_given_when_the_application_fails():
    site = Site()
    site.answers("Cache-Control: max-age=10", 'ETag: "1"')
    site.ask()
    site.answers("Cache-Control: private, max-age=10")
    site.ask(at=11)
    site.fails()
    with pytest.raises(OSError, match="down"):
        site.ask(at=12)


def test_an_answer_of_before_a_change_does_not_come_back_when_its_last_byte_is_late():
    value = [b"old"]

    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        if environ["REQUEST_METHOD"] == "POST":
            value[0] = b"new"
            return []
        return (chunk for chunk in [value[0], b" page"])

    site = Site(app=app)
    late = site.cache(make_environ("/a"), lambda *head: None)
    chunks = iter(late)
    assert next(chunks) == b"old"
    site.ask(method="POST")
    assert site.ask().body == b"new page"
    assert list(chunks) == [b" page"]
    late.close()
    assert site.ask().body == b"new page"


# What layers and servers do to a stored answer: S37, S43


def test_what_outer_layers_do_to_a_304_or_an_answer_to_head_does_not_stay():
    site = Site()
    site.answers(FRESH, 'ETag: "1"', "X: 1")
    site.ask()

    def spoiling(status, headers, exc_info=None):
        headers.append(("Set-Cookie", "sid=1"))
        headers[:] = [(name, "spoilt") for name, _ in headers]

    for request in ({}, {"method": "HEAD"}, {"headers": {"If-None-Match": '"1"'}}):
        for _ in range(2):
            site.cache(make_environ("/a", **request), spoiling)
            answer = site.ask(**request)
            assert answer.header("X") == "1"
            assert "spoilt" not in str(answer.headers)
            assert answer.header("Set-Cookie") is None


def test_early_hints_are_the_servers_and_never_stored():
    hinted = []

    def app(environ, start_response):
        environ["wsgi.early_hints"]([("Link", "</style.css>; rel=preload"), ("X-Hint", "\r\nSet-Cookie: a=1")])
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        return [b"page"]

    site = Site(app=app)
    site.ask(**{"wsgi.early_hints": hinted.append})
    hit = site.ask(**{"wsgi.early_hints": hinted.append})
    assert len(hinted) == 1
    assert (hit.body, hit.header("Link"), hit.header("X-Hint")) == (b"page", None, None)


# The order of layers: S42


def compressing(app):
    """A layer that compresses for those who take it, and says so."""

    def layer(environ, start_response):
        takes = "deflate" in environ.get("HTTP_ACCEPT_ENCODING", "")

        def start(status, headers, exc_info=None):
            headers = [pair for pair in headers if pair[0] != "Content-Length"]
            coded = [("Content-Encoding", "deflate")] if takes else []
            start_response(status, [*headers, ("Vary", "Accept-Encoding"), *coded])

        body = b"".join(app(environ, start))
        return [compress(body)] if takes else [body]

    return layer


@pytest.mark.parametrize(
    "asks", [["deflate", None, "gzip"], [None, "deflate", "identity"], ["deflate, gzip", "deflate"]]
)
def test_a_layer_inside_that_compresses_does_so_for_those_alone_who_take_it(asks):
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60"), ("ETag", '"1"'), ("Content-Length", "4")])
        return [b"page"]

    cache = CacheMiddleware(compressing(app), store=MemoryStore())
    for _ in range(2):
        for takes in asks:
            answer = ask(cache, headers={} if takes is None else {"Accept-Encoding": takes})
            coded = answer.header("Content-Encoding") == "deflate"
            assert coded == ("deflate" in (takes or ""))
            assert (decompress(answer.body) if coded else answer.body) == b"page"


def guarded(environ, start_response):
    """Somebody's own Basic authentication, with the same fields for everybody."""
    headers = [("Cache-Control", "max-age=60"), ("ETag", '"1"')]
    if "HTTP_AUTHORIZATION" not in environ:
        start_response("401 Unauthorized", [*headers, ("WWW-Authenticate", 'Basic realm="a"')])
        return [b"who are you?"]
    start_response("200 OK", headers)
    return [environ["HTTP_AUTHORIZATION"].encode()]


def test_the_pages_of_an_application_that_authenticates_by_itself_reach_nobody_else():
    site = Site(app=guarded)
    ann, bob = ({"Authorization": f"Basic {name}"} for name in ("ann", "bob"))
    for _ in range(2):
        assert site.ask(headers=ann).text == "Basic ann"
        assert site.ask(headers=bob).text == "Basic bob"
        assert site.ask().code == 401


def test_our_authentication_inside_lets_nothing_of_a_user_out():
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "public, max-age=60")])
        return [environ["REMOTE_USER"].encode()]

    users = {name: stored(f"{name}-password") for name in ("ann", "bob")}
    cache = CacheMiddleware(AuthMiddleware(app, [Basic(users)], rules=[require("/")]), store=MemoryStore())
    for _ in range(2):
        assert ask(cache).code == 401
        for name in users:
            assert ask(cache, headers=basic(name, f"{name}-password")).text == name


def test_a_layer_outside_that_sets_cookies_sets_them_for_each_client():
    def tracking(environ, start_response):
        def start(status, headers, exc_info=None):
            headers.append(("Set-Cookie", f"visitor={environ['HTTP_X_ME']}"))
            return start_response(status, headers)

        return site.cache(environ, start)

    site = Site()
    site.answers(FRESH)
    for me in "ab":
        for _ in range(2):
            assert ask(tracking, "/a", headers={"X-Me": me}).all("Set-Cookie") == [f"visitor={me}"]
    assert site.calls == 1


def test_a_head_that_is_replaced_too_late_is_not_stored():
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        yield b"begun"
        try:
            raise ValueError("late")
        except ValueError:
            start_response("500 Sorry", [("Cache-Control", "max-age=60")], sys.exc_info())
        yield b"never"

    site = Site(app=app)
    for _ in range(2):
        with pytest.raises(ValueError, match="late"):
            call(site.cache, make_environ("/a"))
