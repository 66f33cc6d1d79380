"""Several clients at once, an application that fails, and one that is slow, behind a real server."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest
from over_http import FRESH, PATIENCE, Origin, Wire, exchange, keep, site

pytestmark = pytest.mark.slow

CROWD = 6


class Together:
    """Lets requests into the cache when a crowd of them is there."""

    def __init__(self, cache):
        self.cache = cache
        self.arrived = threading.Barrier(CROWD, timeout=PATIENCE)

    def __call__(self, environ, start_response):
        self.arrived.wait()
        return self.cache(environ, start_response)


class Announces:
    """Sets `came` when a request of the second kind is there."""

    def __init__(self, came):
        self.came = came

    def __call__(self, cache):
        def front(environ, start_response):
            if "HTTP_X_SECOND" in environ:
                self.came.set()
            return cache(environ, start_response)

        return front


@pytest.fixture
def origin():
    return Origin()


@pytest.fixture
def port(origin):
    with site(origin) as port:
        yield port


def crowd(port, *fields):
    """What each of a crowd gets for the same target; `fields(number)` are those of one."""
    with ThreadPoolExecutor(CROWD) as pool:
        asked = [
            pool.submit(exchange, port, "/a", *(field.format(number) for field in fields)) for number in range(CROWD)
        ]
        return [future.result(PATIENCE) for future in asked]


def waits_until(holds):
    until = monotonic() + PATIENCE
    while not holds():
        assert monotonic() < until


def test_a_crowd_that_misses_makes_one_call(origin):
    with site(origin, outside=Together) as port:
        replies = crowd(port)
    assert origin.calls == 1
    assert {(reply.status, reply.body) for reply in replies} == {(200, b"answer 1")}


def test_each_of_a_crowd_gets_its_own_private_answer(origin):
    def greet(environ, start_response):
        start_response("200 OK", [("Cache-Control", "private")])
        return [environ["HTTP_COOKIE"].encode()]

    origin.respond = greet
    with site(origin, outside=Together) as port:
        replies = crowd(port, "Cookie: user={}")
    assert [reply.body for reply in replies] == [f"user={number}".encode() for number in range(CROWD)]


def test_a_client_that_leaves_does_not_take_with_it_who_waits_for_its_answer(origin):
    left, second_came = threading.Event(), threading.Event()

    def respond(environ, start_response):
        start_response("200 OK", [FRESH])
        if origin.calls > 1:
            yield b"whole"
            return
        yield b"first"
        assert left.wait(PATIENCE)
        while True:  # the server notices when it writes
            yield b"more" * 1000

    origin.respond = respond
    with site(origin, outside=Announces(second_came)) as port, ThreadPoolExecutor(1) as pool:
        with Wire(port) as wire:
            wire.send("GET /a HTTP/1.1")
            assert wire.head().read1() == b"first"
            second = pool.submit(exchange, port, "/a", "X-Second: yes")
            assert second_came.wait(PATIENCE)
        left.set()
        assert second.result(PATIENCE).body == b"whole"
    assert origin.calls == 2


def test_a_range_of_an_answer_that_is_under_way_is_cut_out_of_it_when_it_is_there(origin):
    second_came = threading.Event()

    def respond(environ, start_response):
        start_response("200 OK", [FRESH])
        if "HTTP_RANGE" in environ:
            return
        yield b"01234"
        assert second_came.wait(PATIENCE)
        yield b"56789"

    origin.respond = respond
    with site(origin, outside=Announces(second_came)) as port, ThreadPoolExecutor(1) as pool, Wire(port) as wire:
        wire.send("GET /a HTTP/1.1")
        assert wire.head().read1() == b"01234"
        part = pool.submit(exchange, port, "/a", "X-Second: yes", "Range: bytes=4-5").result(PATIENCE)
    assert (part.status, part.body) == (206, b"45")
    assert origin.calls == 1


def test_a_client_that_does_not_read_holds_nobody_up(origin):
    chunk = b"x" * (1 << 20)

    def stream(environ, start_response):
        start_response("200 OK", [FRESH])
        return (chunk for _ in range(24))

    origin.respond = stream
    with site(origin, max_object=32 << 20, flight_timeout=0.2) as port, Wire(port) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.send("GET /a HTTP/1.1")
        wire.head()
        assert len(exchange(port, "/a").body) == 24 << 20
    assert origin.calls == 2


def test_an_old_answer_goes_out_at_once_while_a_new_one_is_made(origin, port):
    origin.answers(("Cache-Control", "max-age=1, stale-while-revalidate=60"))
    keep(port, "/a")
    released = threading.Event()

    def slow(environ, start_response):
        assert released.wait(PATIENCE)
        start_response("200 OK", [FRESH])
        return [b"new"]

    origin.respond = slow
    origin.now += 3
    assert exchange(port, "/a", "Cookie: user=ann").body == b"answer 1"
    released.set()
    waits_until(lambda: exchange(port, "/a").body == b"new")
    assert origin.calls == 2
    assert "HTTP_COOKIE" not in origin.seen[1]


def fails(environ, start_response):
    raise OSError("the application is down")


def test_an_old_answer_goes_out_where_the_application_fails(origin, port):
    keep(port, "/a")
    origin.respond = fails
    origin.now += 70
    reply = exchange(port, "/a")
    assert (reply.status, reply.body, reply.field("Age")) == (200, b"answer 1", "70")


def test_a_failure_goes_out_where_the_old_answer_may_not(origin, port):
    origin.answers(("Cache-Control", "max-age=60, must-revalidate"))
    keep(port, "/a")
    origin.respond = fails
    origin.now += 70
    assert exchange(port, "/a").status == 500
    origin.answers(FRESH)
    assert exchange(port, "/a").body == b"answer 3"


def test_a_client_that_wants_only_what_is_stored_does_not_reach_the_application(origin, port):
    assert exchange(port, "/a", "Cache-Control: only-if-cached").status == 504
    assert origin.calls == 0
    keep(port, "/a")
    assert exchange(port, "/a", "Cache-Control: only-if-cached").body == b"answer 1"
