"""What is stale is sent while it is refreshed, where the application allows it (RFC 5861, section 3)."""

from __future__ import annotations

import threading

import pytest
from asking import call, make_environ
from cached_site import Site

FRESH_FOR_ONE = "Cache-Control: max-age=1, stale-while-revalidate=60"


class Beside:
    """A site whose refreshes can be waited for: the application tells when it has been asked and has answered."""

    def __init__(self, *fields):
        self.answered = threading.Semaphore(0)
        self.site = Site(app=self.app)
        self.site.answers(*(fields or [FRESH_FOR_ONE]), body=b"old")
        self.ask()
        assert self.answered.acquire(timeout=30)

    def app(self, environ, start_response):
        try:
            return self.site.app(environ, start_response)
        finally:
            self.answered.release()

    def ask(self, at=None, **request):
        return self.site.ask(at=at, **{"wsgi.multithread": True, **request})

    def refreshed(self):
        """Wait until the application was asked once more, and what it said is stored."""
        assert self.answered.acquire(timeout=30)
        for _ in range(3000):
            if "; hit; ttl=" in (answer := self.ask()).header("Cache-Status") and answer.body != b"old":
                return answer
            threading.Event().wait(0.01)
        raise AssertionError("nothing new was stored")


def test_what_is_stale_is_sent_at_once_and_refreshed_beside():
    beside = Beside()
    beside.site.answers("Cache-Control: max-age=60", body=b"new")
    answer = beside.ask(at=3)
    assert (answer.body, answer.header("Age")) == (b"old", "3")
    assert answer.header("Cache-Status") == "wsgi-middleware; hit; ttl=-2"
    assert beside.refreshed().body == b"new"
    assert beside.site.calls == 2


def test_many_requests_for_what_is_stale_refresh_it_once():
    beside = Beside()
    beside.site.answers("Cache-Control: max-age=60", body=b"new")
    beside.site.now += 3
    start = threading.Barrier(20)
    bodies = []

    def ask():
        start.wait(30)
        bodies.append(beside.ask().body)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert beside.refreshed().body == b"new"
    assert set(bodies) <= {b"old", b"new"}
    assert beside.site.calls == 2


def test_after_its_time_what_is_stale_is_not_sent_first():
    beside = Beside()
    beside.site.answers("Cache-Control: max-age=60", body=b"new")
    assert beside.ask(at=62).body == b"new"


@pytest.mark.parametrize(
    "fields",
    [
        ["Cache-Control: s-maxage=1, stale-while-revalidate=60"],
        [FRESH_FOR_ONE + ", must-revalidate"],
        [FRESH_FOR_ONE + ", proxy-revalidate"],
        [FRESH_FOR_ONE + ", no-cache", 'ETag: "1"'],
        [FRESH_FOR_ONE, "Vary: Cookie"],
        [FRESH_FOR_ONE, "Vary: Authorization"],
    ],
)
def test_where_it_must_not_be_stale_or_is_for_one_client_the_application_is_asked_first(fields):
    beside = Beside(*fields)
    beside.site.answers("Cache-Control: max-age=60", body=b"new")
    assert beside.ask(at=3).body == b"new"


def test_a_request_with_credentials_waits_for_the_application():
    beside = Beside(FRESH_FOR_ONE + ", public")
    beside.site.answers("Cache-Control: max-age=60, public", body=b"new")
    assert beside.ask(at=3, headers={"Authorization": "Bearer a"}).body == b"new"


def test_the_application_does_not_see_who_asked():
    beside = Beside(FRESH_FOR_ONE, "Vary: X-Kind")
    beside.site.answers("Cache-Control: max-age=60", "Vary: X-Kind", body=b"new")
    headers = {"Cookie": "sid=1", "If-None-Match": '"x"', "Range": "bytes=0-1"}
    beside.ask(at=3, headers=headers, REMOTE_ADDR="192.0.2.7", **{"middleware.own": object()})
    beside.refreshed()
    seen = beside.site.seen[1]
    assert seen["REQUEST_METHOD"] == "GET"
    assert seen["PATH_INFO"] == "/a"
    assert seen["wsgi.input"].read() == b""
    assert {"HTTP_COOKIE", "HTTP_RANGE", "HTTP_IF_NONE_MATCH", "REMOTE_ADDR", "middleware.own"}.isdisjoint(seen)


def test_a_stored_answer_that_still_holds_is_fresh_again_after_a_refresh():
    beside = Beside(FRESH_FOR_ONE, 'ETag: "1"')
    beside.site.answers('ETag: "1"', "Cache-Control: max-age=60", "X-Now: 2", status="304 Not Modified")
    assert beside.ask(at=3).body == b"old"
    assert beside.answered.acquire(timeout=30)
    for _ in range(3000):
        if beside.ask().header("X-Now"):
            break
        threading.Event().wait(0.01)
    assert beside.site.is_hit()
    assert beside.site.seen[1]["HTTP_IF_NONE_MATCH"] == '"1"'


def test_a_refresh_that_fails_changes_nothing_and_is_tried_again():
    beside = Beside()
    beside.site.fails()
    assert beside.ask(at=3).body == b"old"
    assert beside.answered.acquire(timeout=30)
    beside.site.answers("Cache-Control: max-age=60", body=b"new")
    for _ in range(3000):
        assert beside.ask().body in (b"old", b"new")
        if beside.answered.acquire(blocking=False):
            break
        threading.Event().wait(0.01)
    beside.answered.release()
    assert beside.refreshed().body == b"new"


@pytest.mark.parametrize("environ", [{"wsgi.run_once": True, "wsgi.multithread": True}, {"wsgi.multithread": False}])
def test_where_no_thread_may_run_beside_it_the_refresh_comes_after_the_answer(environ):
    site = Site()
    site.answers(FRESH_FOR_ONE, body=b"old")
    site.ask()
    site.answers("Cache-Control: max-age=60", body=b"new")
    site.now += 3
    answer = site.cache(make_environ("/a", **environ), lambda status, fields: None)
    assert (list(answer), site.calls) == ([b"old"], 1)
    answer.close()
    assert site.calls == 2
    assert site.ask().body == b"new"


def test_a_head_gets_what_is_stale_and_refreshes_it_by_a_get():
    site = Site()
    site.answers(FRESH_FOR_ONE, body=b"old")
    site.ask()
    site.answers("Cache-Control: max-age=60", body=b"new")
    site.now += 3
    environ = make_environ("/a", method="HEAD", **{"wsgi.multithread": False})
    assert call(site.cache, environ).header("Content-Length") == "3"
    assert site.seen[1]["REQUEST_METHOD"] == "GET"
    assert site.ask().body == b"new"


@pytest.mark.parametrize("status", [None, "503 Down"])
def test_a_refresh_that_fails_is_an_event_and_no_stale_answer_is_told_of(status):
    heard = []
    site = Site(on_event=heard.append)
    site.answers(FRESH_FOR_ONE, body=b"old")
    site.ask()
    site.now += 3
    site.answers(status=status) if status else site.fails()
    call(site.cache, make_environ("/a", **{"wsgi.multithread": False}))
    (event,) = heard
    assert event.name == "refresh_failed"
    assert event.details == {"status": status and "503", "error": None if status else repr(site.error)}
    assert site.ask().body == b"old"


@pytest.mark.parametrize("close_first", [True, False])
def test_a_cache_that_is_closed_refreshes_nothing_whatever_it_had_to_do_before(close_first):
    site = Site()
    if close_first:
        site.cache.close()
    site.answers(FRESH_FOR_ONE, body=b"old")
    site.ask()
    if not close_first:
        site.cache.close()
    before = set(threading.enumerate())
    assert site.ask(at=3, **{"wsgi.multithread": True}).body == b"old"
    assert (site.calls, set(threading.enumerate()) - before) == (1, set())
