"""Conditional requests, and asking the application whether what is stored still holds (RFC 9111, section 4.3)."""

from __future__ import annotations

from contextlib import suppress
from wsgiref.util import shift_path_info

import pytest
from asking import call, make_environ
from cached_site import START, Site

from middleware.headers import http_date

HOUR_AGO = http_date(START - 3600)


def stored(*fields, at=None):
    site = Site()
    site.answers("Cache-Control: max-age=60", *fields)
    site.ask(at=at)
    return site


@pytest.mark.parametrize("given", ['"b"', 'W/"b"', '"b", "x", "y"', '"x","b","y"', '"x", "y", "b"', '"a,b", "b"', "*"])
def test_a_client_that_has_it_gets_304(given):
    site = stored('ETag: "b"')
    answer = site.ask(headers={"If-None-Match": given})
    assert (answer.code, answer.body, site.calls) == (304, b"", 1)


@pytest.mark.parametrize("given", ['"x"', "b", '"b', '"a,b"', "", ",", '"' * 5000, "," * 70_000])
def test_a_client_that_has_another_gets_200(given):
    site = stored('ETag: "b"')
    assert site.ask(headers={"If-None-Match": given}).code == 200
    assert site.calls == 1


def test_a_tag_with_a_comma_matches():
    assert stored('ETag: "a,b"').ask(headers={"If-None-Match": '"x", "a,b"'}).code == 304


def test_a_date_alone_is_compared_with_last_modified_else_with_date():
    site = stored(f"Last-Modified: {HOUR_AGO}")
    for since, code in [
        (HOUR_AGO, 304),
        (http_date(START - 3599), 304),
        (http_date(START - 3601), 200),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 200),
        ("Friday, 06-Nov-37 08:49:37 GMT", 304),
        ("yesterday", 200),
    ]:
        assert site.ask(headers={"If-Modified-Since": since}).code == code
    dated = stored()
    assert dated.ask(headers={"If-Modified-Since": http_date(START)}).code == 304
    assert dated.ask(headers={"If-Modified-Since": HOUR_AGO}).code == 200


def test_a_tag_counts_more_than_a_date():
    site = stored('ETag: "b"', f"Last-Modified: {HOUR_AGO}")
    assert site.ask(headers={"If-None-Match": '"x"', "If-Modified-Since": HOUR_AGO}).code == 200


def test_only_a_stored_200_becomes_a_304():
    site = Site()
    site.answers("Cache-Control: max-age=60", 'ETag: "b"', status="404 Not Found")
    site.ask()
    assert site.ask(headers={"If-None-Match": '"b"'}).code == 404


def test_a_304_from_the_store_says_what_the_200_would_except_of_the_body():
    fields = [
        'ETag: "b"',
        "Content-Location: /x",
        "Expires: 0",
        "Vary: X",
        "Content-Type: a/b",
        "Content-Encoding: gzip",
    ]
    answer = stored(*fields).ask(headers={"If-None-Match": '"b"'})
    names = {name.lower() for name, _ in answer.headers}
    assert {"etag", "cache-control", "content-location", "date", "expires", "vary", "age", "cache-status"} == names


def test_the_clients_conditions_reach_the_application_on_a_miss_and_its_304_is_not_stored():
    site = Site()
    site.answers("Cache-Control: max-age=60", status="304 Not Modified")
    assert site.ask(headers={"If-None-Match": '"z"'}).code == 304
    assert site.seen[0]["HTTP_IF_NONE_MATCH"] == '"z"'
    site.answers("Cache-Control: max-age=60")
    assert site.ask().code == 200


def test_the_application_is_asked_with_the_stored_validators_and_nothing_of_the_client_s():
    site = stored('ETag: W/"1"', f"Last-Modified: {HOUR_AGO}")
    site.answers(status="304 Not Modified")
    conditions = {"If-None-Match": '"9"', "If-Modified-Since": "x", "If-Range": '"9"', "X": "y"}
    environ = make_environ("/a", headers=conditions)
    before = dict(environ)
    site.now += 61
    call(site.cache, environ)
    assert site.seen[-1]["HTTP_IF_NONE_MATCH"] == 'W/"1"'
    assert site.seen[-1]["HTTP_IF_MODIFIED_SINCE"] == HOUR_AGO
    assert "HTTP_IF_RANGE" not in site.seen[-1]
    assert site.seen[-1]["HTTP_X"] == "y"
    del environ["middleware.cache"]
    assert environ == before


@pytest.mark.parametrize("ending", ["answers", "raises", "raises while iterated", "changed its mind"])
def test_the_clients_conditions_are_back_whatever_the_application_does(ending):
    def app(environ, start_response):
        if environ.get("HTTP_IF_NONE_MATCH") != '"1"':
            start_response("200 OK", [("Cache-Control", "max-age=1"), ("ETag", '"1"')])
            return [b"first"]
        if ending == "raises":
            raise OSError
        start_response("304 OK" if ending == "changed its mind" else "200 OK", [("ETag", '"2"')])
        return iter([b"second", *([1 / 0] if ending == "raises while iterated" else [])])

    site = Site(app=app)
    site.ask()
    environ = make_environ("/a", headers={"If-None-Match": '"9"'})
    site.now += 5
    with suppress(OSError, ZeroDivisionError):
        call(site.cache, environ)
    assert environ["HTTP_IF_NONE_MATCH"] == '"9"'


def test_after_a_304_the_client_gets_the_stored_body():
    site = stored('ETag: "1"')
    site.answers('ETag: "1"', status="304 Not Modified")
    answer = site.ask(at=61)
    assert (answer.code, answer.body, site.calls) == (200, b"answer 1", 2)
    assert answer.all("Age") == ["0"]


def test_after_a_304_a_client_whose_own_condition_holds_gets_304():
    site = stored('ETag: "1"')
    site.answers('ETag: "1"', status="304 Not Modified")
    assert site.ask(at=61, headers={"If-None-Match": '"1"'}).code == 304


def test_a_304_updates_what_is_stored():
    site = Site()
    site.answers('ETag: "1"', "Cache-Control: max-age=1", "X: a", "X: a2", "Y: a", "Content-Type: a/b")
    site.ask()
    fields = ['ETag: "1"', "Cache-Control: max-age=60", "X: b", "Content-Length: 10", "Content-Encoding: x", "TE: y"]
    fields += ["Connection: x-one", "X-One: 1"]
    site.answers(*fields, status="304 Not Modified")
    for at in (2, 32):
        answer = site.ask(at=at)
        assert answer.all("X") == ["b"]
        assert (answer.header("Y"), answer.header("Content-Length")) == ("a", "8")
        assert [answer.header(name) for name in ("Content-Encoding", "TE", "X-One")] == [None, None, None]
        assert answer.header("Age") == str(at - 2)
    assert site.calls == 2


def test_a_304_may_change_what_selects_the_answer():
    site = stored('ETag: "1"')
    site.answers('ETag: "1"', "Cache-Control: max-age=60", "Vary: X", status="304 Not Modified")
    site.ask(at=61)
    assert site.ask(at=62).body == b"answer 1"
    assert site.calls == 2


def test_the_body_of_an_entry_lives_as_long_as_304s_renew_it():
    site = stored('ETag: "1"')
    site.answers('ETag: "1"', "Cache-Control: max-age=60", status="304 Not Modified")
    for day in range(1, 10):
        assert site.ask(at=day * 80_000).body == b"answer 1"
    assert site.is_hit()


def test_a_304_of_another_tag_updates_nothing_and_the_application_is_asked_again():
    def app(environ, start_response):
        if site.calls == 2:
            site.answers('ETag: "2"', "Cache-Control: max-age=60")
        return site.app(environ, start_response)

    site = Site(app=app)
    site.answers("Cache-Control: max-age=60", 'ETag: "1"')
    site.ask()
    site.answers('ETag: "2"', status="304 Not Modified")
    answer = site.ask(at=61, headers={"If-None-Match": '"9"'})
    assert (answer.code, answer.body, site.calls) == (200, b"answer 3", 3)
    assert "HTTP_IF_NONE_MATCH" not in site.seen[-1]
    assert site.ask().body == b"answer 3"


@pytest.mark.parametrize("field", ["Cache-Control: no-store", "Cache-Control: private", "Vary: *"])
def test_a_304_that_forbids_storing_answers_and_removes_the_entry(field):
    site = stored('ETag: "1"')
    site.answers(field, status="304 Not Modified")
    assert site.ask(at=61).body == b"answer 1"
    assert not site.validates()


def test_the_cookie_of_a_304_goes_to_its_client_alone():
    site = stored('ETag: "1"')
    site.answers("Cache-Control: max-age=60", "Set-Cookie: a=1", status="304 Not Modified")
    assert site.ask(at=61).header("Set-Cookie") == "a=1"
    site.answers("Cache-Control: max-age=60", status="304 Not Modified")
    assert site.ask().header("Set-Cookie") is None
    assert site.ask().header("Set-Cookie") is None


@pytest.mark.parametrize("fields", [["Cache-Control: max-age=60"], []])
def test_another_answer_replaces_or_removes_the_entry(fields):
    site = stored('ETag: "1"')
    site.answers(*fields, status="404 Not Found")
    assert site.ask(at=61).code == 404
    site.fails()
    if fields:
        assert site.ask().code == 404
    else:
        with pytest.raises(OSError, match="down"):
            site.ask()
        assert "HTTP_IF_NONE_MATCH" not in site.seen[-1]


def test_a_failure_leaves_the_entry_to_be_validated_later():
    site = stored('ETag: "1"', "Cache-Control: must-revalidate")
    site.answers(status="503 Down")
    assert site.ask(at=61).code == 503
    site.answers('ETag: "1"', "Cache-Control: max-age=60", status="304 Not Modified")
    assert site.ask().body == b"answer 1"


def test_an_answer_without_freshness_is_validated_each_time():
    site = Site()
    site.answers('ETag: "1"')
    site.ask()
    site.answers(status="304 Not Modified")
    for _ in range(3):
        assert site.ask().body == b"answer 1"
    assert site.calls == 4


def test_head_is_answered_by_a_stored_get():
    site = stored()
    answer = site.ask(method="HEAD")
    assert (answer.code, answer.body, answer.header("Content-Length"), site.calls) == (200, b"", "8", 1)


def test_head_of_what_is_stale_or_unknown_reaches_the_application_as_head():
    site = stored('ETag: "1"')
    site.ask(at=61, method="HEAD")
    assert site.seen[-1]["REQUEST_METHOD"] == "HEAD"
    assert "HTTP_IF_NONE_MATCH" not in site.seen[-1]
    site.ask("/b", method="HEAD")
    assert site.ask("/b").body == b"answer 4"


def test_an_application_that_starts_late_can_be_validated():
    def app(environ, start_response):
        if environ.get("HTTP_IF_NONE_MATCH") == '"1"':
            start_response("304 Not Modified", [("ETag", '"1"')])
            return
        start_response("200 OK", [("Cache-Control", "max-age=1"), ("ETag", '"1"')])
        yield b"late"

    site = Site(app=app)
    site.ask()
    answer = site.ask(at=5)
    assert (answer.code, answer.body) == (200, b"late")
    assert "fwd=stale; fwd-status=304" in answer.header("Cache-Status")


def test_the_second_call_gets_the_request_as_it_came():
    def app(environ, start_response):
        page = shift_path_info(environ)
        etag = environ.get("HTTP_IF_NONE_MATCH")
        if etag:
            start_response("304 Not Modified", [("ETag", '"2"')])
            return []
        start_response("200 OK", [("Cache-Control", "max-age=60"), ("ETag", '"1"')])
        return [f"page {page}".encode()]

    site = Site(app=app)
    assert site.ask("/x/y").body == b"page x"
    site.now += 61
    assert site.ask("/x/y").body == b"page x"
    assert site.ask("/x/y").body == b"page x"


def test_the_conditions_are_back_where_a_confirmation_cannot_be_closed():
    class Unclosable(list):
        def close(self):
            raise OSError("not closed")

    def app(environ, start_response):
        if environ.get("HTTP_IF_NONE_MATCH") == '"1"':
            start_response("304 Not Modified", [("ETag", '"1"')])
            return Unclosable()
        return site.app(environ, start_response)

    site = Site(app=app)
    site.answers("Cache-Control: max-age=60, must-revalidate", 'ETag: "1"')
    site.ask()
    site.now += 61
    environ = make_environ("/a", headers={"If-None-Match": '"9"'})
    with pytest.raises(OSError, match="not closed"):
        call(site.cache, environ)
    assert environ["HTTP_IF_NONE_MATCH"] == '"9"'
