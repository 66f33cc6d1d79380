"""What is stale is sent where the application fails, in the call or before its first bytes (RFC 5861, section 4)."""

from __future__ import annotations

import logging

import pytest
from asking import call, make_environ
from cached_site import Site

from middleware.caching import CachePolicy


def stale(*fields, **options):
    """A site with an answer that was fresh for two seconds, a second after that."""
    site = Site(**options)
    site.answers("Cache-Control: max-age=2", *fields, body=b"old")
    site.ask()
    site.now += 3
    return site


def test_an_application_that_raises_is_covered_by_what_is_stale():
    site = stale()
    site.fails()
    answer = site.ask()
    assert (answer.code, answer.body, answer.header("Age")) == (200, b"old", "3")
    assert answer.header("Cache-Status") == "wsgi-middleware; fwd=stale; detail=failure"


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad", "503 Down", "504 Late"])
def test_an_application_that_answers_with_a_failure_is_covered(status):
    site = stale()
    site.answers(status=status, body=b"failed")
    answer = site.ask()
    assert (answer.code, answer.body) == (200, b"old")
    assert f"fwd-status={status[:3]}" in answer.header("Cache-Status")


@pytest.mark.parametrize("status", ["400 Bad", "404 Gone", "501 What", "505 Old"])
def test_an_answer_that_is_no_failure_is_sent(status):
    site = stale()
    site.answers(status=status, body=b"new")
    assert site.ask().body == b"new"


class Chunks:
    """A body that breaks, and counts its close()."""

    def __init__(self, *chunks):
        self.chunks = iter(chunks)
        self.closed = 0

    def __iter__(self):
        return self

    def __next__(self):
        chunk = next(self.chunks)
        if isinstance(chunk, BaseException):
            raise chunk
        return chunk

    def close(self):
        self.closed += 1


def breaking(*chunks):
    bodies = []

    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=2")])
        bodies.append([b"old"] if not bodies else Chunks(*chunks))
        return bodies[-1]

    site = Site(app=app)
    site.ask()
    site.now += 3
    return site, bodies


def test_a_body_that_breaks_before_its_first_bytes_is_covered_and_closed_once():
    site, bodies = breaking(b"", b"", OSError("broken"))
    assert site.ask().body == b"old"
    assert bodies[1].closed == 1


def test_a_body_that_breaks_later_is_not_covered():
    site, bodies = breaking(b"new", OSError("broken"))
    with pytest.raises(OSError, match="broken"):
        site.ask()
    assert bodies[1].closed == 1


def test_a_body_that_does_not_break_passes_whole():
    site, bodies = breaking(b"", b"a", b"", b"b")
    assert site.ask().body == b"ab"
    assert bodies[1].closed == 1
    assert site.ask().body == b"ab"


def test_a_head_that_is_replaced_by_a_failure_before_the_first_bytes_is_covered():
    calls = []

    def app(environ, start_response):
        calls.append(1)
        start_response("200 OK", [("Cache-Control", "max-age=2")])
        if len(calls) == 1:
            yield b"old"
            return
        yield b""
        try:
            raise OSError("down")
        except OSError as error:
            start_response("500 Oops", [], (OSError, error, error.__traceback__))
        yield b"oops"

    site = Site(app=app)
    site.ask()
    assert site.ask(at=3).body == b"old"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_a_program_is_no_failure_of_the_application(error):
    site = stale()
    site.error = error()
    with pytest.raises(error):
        site.ask()
    site.answers("Cache-Control: max-age=60", body=b"new")
    assert site.ask().body == b"new"


def test_without_anything_stale_the_very_error_leaves():
    site = Site()
    site.fails()
    with pytest.raises(OSError, match="down") as raised:
        site.ask()
    assert raised.value is site.error


@pytest.mark.parametrize(
    "fields",
    [
        ["Cache-Control: must-revalidate"],
        ["Cache-Control: proxy-revalidate"],
        ["Cache-Control: s-maxage=2"],
        ["Cache-Control: no-cache", 'ETag: "1"'],
        ["Cache-Control: stale-if-error=0"],
    ],
)
def test_an_answer_that_must_not_be_stale_covers_no_failure(fields):
    site = stale(*fields)
    site.fails()
    with pytest.raises(OSError, match="down"):
        site.ask()


def test_what_is_stale_covers_failures_for_ten_minutes_unless_told_otherwise():
    for options, fields, good, late in [
        ({}, [], 601, 603),
        ({}, ["Cache-Control: stale-if-error=60"], 61, 63),
        ({"policy": CachePolicy(stale_on_failure=10)}, [], 11, 13),
        ({"policy": CachePolicy(stale_on_failure=10)}, ["Cache-Control: stale-if-error=60"], 61, 63),
    ]:
        site = stale(*fields, **options)
        site.fails()
        assert site.ask(at=good).body == b"old"
        with pytest.raises(OSError, match="down"):
            site.ask(at=late)


def test_a_site_may_have_every_failure_told():
    site = stale(policy=CachePolicy(stale_on_failure=0))
    site.fails()
    with pytest.raises(OSError, match="down"):
        site.ask()


def test_a_failure_that_was_covered_is_logged_once_with_its_traceback(caplog):
    site = stale()
    site.fails()
    with caplog.at_level(logging.ERROR, logger="middleware.caching"):
        site.ask()
    (record,) = caplog.records
    assert record.exc_info[1] is site.error


def test_a_failure_that_was_covered_is_an_event():
    heard = []
    site = stale(on_event=heard.append)
    site.answers(status="503 Down")
    site.ask(REMOTE_ADDR="192.0.2.7")
    (event,) = heard
    assert (event.layer, event.name, event.client) == ("cache", "stale_on_failure", "192.0.2.7")
    assert event.subject.endswith("/a")
    assert event.details == {"status": "503", "age": 3}


def test_the_conditions_of_the_client_are_back_when_a_failure_was_covered():
    site = stale('ETag: "1"')
    site.fails()
    environ = make_environ("/a", headers={"If-None-Match": '"9"', "Range": "bytes=0-0"})
    assert call(site.cache, environ).code in (200, 206)
    assert site.seen[-1]["HTTP_IF_NONE_MATCH"] == '"1"'
    assert "HTTP_RANGE" not in site.seen[-1]
    assert (environ["HTTP_IF_NONE_MATCH"], environ["HTTP_RANGE"]) == ('"9"', "bytes=0-0")


def test_a_range_is_cut_out_of_what_covers_a_failure():
    site = stale()
    site.fails()
    answer = site.ask(headers={"Range": "bytes=1-1"})
    assert (answer.code, answer.body) == (206, b"l")
