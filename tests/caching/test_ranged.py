"""Ranges out of a complete stored answer (RFC 9110, section 14), and what a request for one may leave behind."""

from __future__ import annotations

import pytest
from cached_site import START, Site

from middleware.caching import CachePolicy
from middleware.headers import http_date

FRESH = "Cache-Control: max-age=60"
AN_HOUR_AGO = http_date(START - 3600)


def stored(*fields, body=b"0123456789", **options):
    site = Site(**options)
    site.answers(FRESH, *fields, body=body)
    site.ask()
    return site


@pytest.mark.parametrize(
    ("asked", "given", "where"),
    [
        ("bytes=0-1", b"01", "0-1"),
        ("bytes=7-", b"789", "7-9"),
        ("bytes=-1", b"9", "9-9"),
        ("bytes=8-99", b"89", "8-9"),
        ("bytes=-99", b"0123456789", "0-9"),
    ],
)
def test_a_range_is_cut_out_of_what_is_stored(asked, given, where):
    site = stored("X-A: 1", 'ETag: "1"')
    answer = site.ask(at=5, headers={"Range": asked})
    assert (answer.code, answer.body, site.calls) == (206, given, 1)
    assert answer.header("Content-Range") == f"bytes {where}/10"
    assert answer.header("Content-Length") == str(len(given))
    assert (answer.header("Age"), answer.header("X-A"), answer.header("ETag")) == ("5", "1", '"1"')
    assert "; hit" in answer.header("Cache-Status")


@pytest.mark.parametrize(("asked", "body"), [("bytes=10-", b"0123456789"), ("bytes=-0", b"01"), ("bytes=0-", b"")])
def test_a_range_that_there_is_not_is_416(asked, body):
    answer = stored(body=body).ask(headers={"Range": asked})
    assert (answer.code, answer.body) == (416, b"")
    assert answer.header("Content-Range") == f"bytes */{len(body)}"


@pytest.mark.parametrize("asked", ["lines=0-1", "bytes=5-2", "bytes=a-b", "bytes=", "", "bytes=0-1,3-4"])
def test_what_is_no_single_range_of_bytes_gets_everything(asked):
    answer = stored().ask(headers={"Range": asked})
    assert (answer.code, answer.body) == (200, b"0123456789")


def test_a_head_and_an_application_without_ranges_get_no_part():
    assert stored().ask(method="HEAD", headers={"Range": "bytes=0-1"}).code == 200
    assert stored("Accept-Ranges: none").ask(headers={"Range": "bytes=0-1"}).code == 200


@pytest.mark.parametrize(
    ("condition", "code"),
    [('"1"', 206), ('"2"', 200), ('W/"1"', 200), (AN_HOUR_AGO, 206), (http_date(START), 200), ("yesterday", 200)],
)
def test_a_range_on_a_condition_is_cut_where_the_condition_holds(condition, code):
    site = stored('ETag: "1"', f"Last-Modified: {AN_HOUR_AGO}")
    assert site.ask(headers={"Range": "bytes=0-1", "If-Range": condition}).code == code


def test_a_client_that_has_it_all_gets_no_part():
    site = stored('ETag: "1"')
    assert site.ask(headers={"Range": "bytes=0-1", "If-None-Match": '"1"'}).code == 304


def test_what_is_stale_is_validated_as_a_whole_and_then_cut():
    site = stored('ETag: "1"')
    site.answers('ETag: "1"', FRESH, status="304 Not Modified")
    answer = site.ask(at=61, headers={"Range": "bytes=0-1"})
    assert (answer.code, answer.body) == (206, b"01")
    assert "HTTP_RANGE" not in site.seen[-1]


def test_a_range_of_what_is_not_stored_is_for_the_application():
    site = Site()
    site.answers(FRESH, "Content-Range: bytes 0-1/10", status="206 Partial Content", body=b"01")
    assert site.ask(headers={"Range": "bytes=0-1"}).body == b"01"
    assert site.seen[-1]["HTTP_RANGE"] == "bytes=0-1"
    assert not site.is_hit()


def test_an_application_that_answers_a_range_with_everything_fills_the_cache():
    site = Site()
    site.answers(FRESH, body=b"0123456789")
    site.ask(headers={"Range": "bytes=0-1"})
    assert site.is_hit()


PARTS = CachePolicy(store_partial=True)


def part_of(site, content_range, body):
    site.answers(FRESH, f"Content-Range: {content_range}", status="206 Partial Content", body=body)
    site.ask(headers={"Range": "bytes=2-7"})


def test_where_a_site_wants_it_a_part_is_stored_for_the_range_it_is_of():
    site = Site(policy=PARTS)
    part_of(site, "bytes 2-7/10", b"234567")
    answer = site.ask(headers={"Range": "bytes=2-7"})
    assert (answer.code, answer.body, site.calls) == (206, b"234567", 1)
    for headers in ({}, {"Range": "bytes=0-1"}, {"Range": "bytes=2-8"}):
        assert not site.is_hit(headers=headers)


def test_a_part_that_is_not_what_it_says_is_not_stored():
    site = Site(policy=PARTS)
    part_of(site, "bytes 2-7/10", b"23456")
    assert not site.is_hit(headers={"Range": "bytes=2-7"})
