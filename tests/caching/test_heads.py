"""HEAD, answered from what GET stored, or by the application, which may confirm it so (RFC 9111, section 4.3.5)."""

from __future__ import annotations

import pytest
from cached_site import Site


def stored(*fields, body=b"0123456789"):
    """A site with an answer that is stale since a second."""
    site = Site()
    site.answers("Cache-Control: max-age=60", "Y: 1", *fields, body=body)
    site.ask()
    site.now += 61
    return site


def fields_of_a_head(site, *fields, status="200 OK"):
    site.answers(*fields, status=status)
    return site.ask(method="HEAD")


def test_what_is_fresh_answers_without_its_body():
    site = Site()
    site.answers("Cache-Control: max-age=60", "X-A: 1", body=b"0123456789")
    site.ask()
    answer = site.ask(method="HEAD")
    assert (answer.code, answer.body, site.calls) == (200, b"", 1)
    assert (answer.header("Content-Length"), answer.header("X-A")) == ("10", "1")


def test_where_nothing_is_fresh_the_application_is_asked_by_head():
    site = stored('ETag: "1"')
    fields_of_a_head(site, 'ETag: "1"')
    assert site.seen[-1]["REQUEST_METHOD"] == "HEAD"
    assert "HTTP_IF_NONE_MATCH" not in site.seen[-1]


def test_the_answer_to_a_head_is_never_stored():
    site = Site()
    site.answers("Cache-Control: max-age=60")
    site.ask(method="HEAD")
    assert not site.is_hit()


@pytest.mark.parametrize("agreeing", [['ETag: "1"'], ["Content-Length: 10"], ['ETag: "1"', "Content-Length: 10"], []])
def test_a_head_that_agrees_with_what_is_stored_makes_it_fresh_again(agreeing):
    site = stored('ETag: "1"')
    fields_of_a_head(site, "Cache-Control: max-age=1000", "X: 2", *agreeing)
    assert site.is_hit(at=900)
    answer = site.ask()
    assert (answer.body, answer.header("X"), answer.header("Y")) == (b"0123456789", "2", "1")


@pytest.mark.parametrize(
    "differing", ['ETag: "2"', "Content-Length: 11", "Last-Modified: Mon, 21 Sep 2026 10:00:00 GMT"]
)
def test_a_head_that_contradicts_what_is_stored_removes_it(differing):
    site = stored('ETag: "1"', "Last-Modified: Mon, 21 Sep 2026 09:00:00 GMT")
    fields_of_a_head(site, differing)
    site.fails()
    with pytest.raises(OSError, match="down"):
        site.ask()


@pytest.mark.parametrize("status", ["403 No", "404 Gone", "304 Not Modified", "503 Down"])
def test_another_status_changes_nothing_of_what_is_stored(status):
    site = stored('ETag: "1"')
    fields_of_a_head(site, "Cache-Control: max-age=1000", "Y: 2", status=status)
    site.answers('ETag: "1"', "Cache-Control: max-age=60", status="304 Not Modified")
    assert site.ask().header("Y") == "1"


def test_a_validator_that_the_stored_answer_has_not_is_none_of_its():
    site = stored()
    fields_of_a_head(site, 'ETag: "2"', "Cache-Control: max-age=1000")
    site.answers("Cache-Control: max-age=60", 'ETag: "2"', body=b"new")
    assert site.ask(headers={"If-None-Match": '"2"'}).body == b"new"


def test_a_page_does_not_make_another_status_fresh_again():
    site = Site()
    site.answers("Cache-Control: max-age=60", status="404 Gone")
    site.ask()
    site.now += 61
    fields_of_a_head(site, "Cache-Control: max-age=1000")
    assert not site.is_hit()


def test_a_session_that_is_looked_at_late_keeps_the_fields_of_a_head_out():
    def app(environ, start_response):
        body = site.app(environ, start_response)
        if environ["REQUEST_METHOD"] == "HEAD":
            environ["middleware.identity"] = "ann"
        return body

    site = Site(app=app)
    site.answers("Cache-Control: max-age=60")
    site.ask()
    site.now += 61
    fields_of_a_head(site, "Cache-Control: max-age=1000", "X-Name: ann")
    site.answers("Cache-Control: max-age=60")
    assert site.ask().header("X-Name") is None
