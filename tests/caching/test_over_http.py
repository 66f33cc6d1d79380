"""The cache behind a real server: what differs where bytes go over a wire, and not from function to function."""

from __future__ import annotations

import threading

import pytest
from over_http import FRESH, PATIENCE, Origin, Reply, Wire, exchange, keep, keep_part, site

from middleware.caching import CachePolicy

pytestmark = pytest.mark.slow

DIGITS = b"0123456789"


@pytest.fixture
def origin():
    return Origin()


@pytest.fixture
def port(origin):
    with site(origin) as port:
        yield port


# What a request asks for


def test_targets_that_the_server_decodes_to_the_same_path_have_answers_of_their_own(origin, port):
    targets = ["/x%2Fb", "/x/b", "/x%3Fz=1", "/x?z=1", "/x", "/X", "//x", "/./x", "/x?", "/x;p=1", "/%C3%A9", "/%c3%a9"]
    first = [exchange(port, target).body for target in targets]
    again = [exchange(port, target) for target in targets]
    assert len(set(first)) == len(targets)
    assert [reply.body for reply in again] == first
    assert origin.calls == len(targets)


def test_a_target_with_an_authority_other_than_host_is_neither_answered_nor_stored(origin, port):
    exchange(port, "http://evil.example/a")
    assert exchange(port, "/a").body == b"answer 2"
    assert exchange(port, "http://evil.example/a").body == b"answer 3"
    assert exchange(port, "/a").body == b"answer 2"


@pytest.mark.parametrize("host", ["A.example", "a.example:80", "", None])
def test_a_host_that_is_written_otherwise_leaves_nothing_behind(origin, port, host):
    exchange(port, "/a", host=host)
    assert exchange(port, "/a", host="a.example").body == b"answer 2"


def test_two_hosts_in_one_request_are_neither_answered_nor_stored(origin, port):
    exchange(port, "/a", host="a.example")
    exchange(port, "/a", "Host: b.example", host="a.example")
    assert origin.calls == 2
    assert exchange(port, "/a", host="b.example").body == b"answer 3"


def test_a_repeated_field_selects_what_its_lines_joined_select(origin, port):
    origin.answers(FRESH, ("Vary", "X-Kind"))
    exchange(port, "/a", "X-Kind: a, b")
    assert exchange(port, "/a", "X-Kind: a", "X-Kind: b").body == b"answer 1"
    assert exchange(port, "/a", "X-Kind: a").body == b"answer 2"


def test_an_empty_field_is_not_an_absent_one(origin, port):
    origin.answers(FRESH, ("Vary", "X-Kind"))
    exchange(port, "/a")
    assert exchange(port, "/a", "X-Kind:").body == b"answer 2"


@pytest.mark.parametrize(
    ("field", "body"),
    [("Content-Length: 6", b"x=evil"), ("Transfer-Encoding: chunked", b"6\r\nx=evil\r\n0\r\n\r\n")],
    ids=["with a length", "chunked"],
)
def test_a_get_that_brings_a_body_is_neither_answered_nor_stored(origin, port, field, body):
    def echo(environ, start_response):
        start_response("200 OK", [FRESH])
        return [environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"nothing"]

    origin.respond = echo
    assert exchange(port, "/a", field, body=body).body == b"x=evil"
    assert exchange(port, "/a").body == b"nothing"
    assert exchange(port, "/a", field, body=body).body == b"x=evil"


def test_purge_is_a_method_like_any_other(origin, port):
    exchange(port, "/a")
    origin.answers(status="405 Method Not Allowed")
    assert exchange(port, "/a", method="PURGE").status == 405
    assert exchange(port, "/a").body == b"answer 1"


# What an answer looks like


def test_a_hit_has_the_lines_of_the_answer_it_repeats_in_their_order(origin, port):
    origin.answers(FRESH, ("Link", "</b>"), ("Link", "</a>"), ("X-One", "1"))
    first = exchange(port, "/a")
    hit = exchange(port, "/a")
    assert origin.calls == 1
    assert hit.fields("Link") == first.fields("Link") == ["</b>", "</a>"]
    assert hit.field("X-One") == "1"


def test_all_hits_carry_one_date_and_one_age(origin, port):
    exchange(port, "/a")
    origin.now += 20
    first = exchange(port, "/a")
    origin.now += 10
    second = exchange(port, "/a")
    assert first.field("Date") == second.field("Date") == "Mon, 21 Sep 2026 14:13:20 GMT"
    assert (first.field("Age"), second.field("Age")) == ("20", "30")


def test_the_date_of_the_application_is_sent_as_it_was(origin, port):
    date = "Mon, 21 Sep 2026 14:13:10 GMT"
    origin.answers(FRESH, ("Date", date))
    assert exchange(port, "/a").field("Date") == date
    hit = exchange(port, "/a")
    assert (hit.field("Date"), hit.field("Age")) == (date, "10")


def test_a_miss_carries_no_age(port):
    assert exchange(port, "/a").field("Age") is None


def test_an_answer_without_a_length_has_one_when_it_is_a_hit(origin, port):
    def stream(environ, start_response):
        start_response("200 OK", [FRESH])
        yield b"one, "
        yield b"two"

    origin.respond = stream
    miss = exchange(port, "/a")
    hit = exchange(port, "/a")
    assert (miss.field("Transfer-Encoding"), miss.body) == ("chunked", b"one, two")
    assert (hit.field("Content-Length"), hit.field("Transfer-Encoding"), hit.body) == ("8", None, b"one, two")


def test_a_megabyte_arrives_byte_for_byte(origin, port):
    body = bytes(range(256)) * 4096
    origin.answers(FRESH, body=body)
    assert exchange(port, "/a").body == body
    assert exchange(port, "/a").body == body
    assert origin.calls == 1


def test_head_is_answered_from_what_get_left_and_the_connection_goes_on(origin, port):
    origin.answers(FRESH, body=DIGITS)
    keep(port, "/a")
    with Wire(port) as wire:
        wire.send("HEAD /a HTTP/1.1")
        answer = Reply(wire.head("HEAD"))
        wire.send("GET /a HTTP/1.1")
        next_answer = Reply(wire.head())
    assert (answer.field("Content-Length"), answer.body) == ("10", b"")
    assert next_answer.body == DIGITS
    assert origin.calls == 1


def test_head_leaves_nothing_that_get_could_take(origin, port):
    exchange(port, "/a", method="HEAD")
    assert exchange(port, "/a").body == b"answer 2"


def test_a_304_ends_with_its_fields(origin, port):
    origin.answers(FRESH, ("ETag", '"1"'), ("Content-Type", "text/plain"))
    exchange(port, "/a")
    with Wire(port) as wire:
        wire.send("GET /a HTTP/1.1", 'If-None-Match: "1"', "Connection: close")
        head, _, rest = wire.everything().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert b'Etag: "1"' in head
    assert b"Content-Length" not in head
    assert b"Content-Type" not in head
    assert rest == b""


def test_an_old_client_gets_a_hit_too(origin, port):
    exchange(port, "/a")
    with Wire(port) as wire:
        wire.send("GET /a HTTP/1.0")
        head, _, body = wire.everything().partition(b"\r\n\r\n")
    assert b"Content-Length: 8" in head
    assert body == b"answer 1"


def test_a_field_for_caches_such_as_this_goes_on_to_the_client(origin, port):
    origin.answers(("CDN-Cache-Control", "max-age=60"), ("Cache-Control", "no-store"))
    exchange(port, "/a")
    hit = exchange(port, "/a")
    assert origin.calls == 1
    assert (hit.field("CDN-Cache-Control"), hit.field("Cache-Control")) == ("max-age=60", "no-store")


# Parts


@pytest.mark.parametrize(
    ("asked", "content_range", "body"),
    [
        ("bytes=0-1", "bytes 0-1/10", b"01"),
        ("bytes=7-", "bytes 7-9/10", b"789"),
        ("bytes=-1", "bytes 9-9/10", b"9"),
        ("bytes=-99", "bytes 0-9/10", DIGITS),
    ],
)
def test_a_range_of_a_stored_answer_is_cut_out_of_it(origin, port, asked, content_range, body):
    origin.answers(FRESH, ("X-Kind", "digits"), body=DIGITS)
    keep(port, "/a")
    part = exchange(port, "/a", f"Range: {asked}")
    assert (part.status, part.body, part.field("Content-Range")) == (206, body, content_range)
    assert part.field("Content-Length") == str(len(body))
    assert part.field("X-Kind") == "digits"
    assert origin.calls == 1


def test_a_range_past_the_end_is_refused_without_a_body(origin, port):
    origin.answers(FRESH, body=DIGITS)
    keep(port, "/a")
    refusal = exchange(port, "/a", "Range: bytes=10-")
    assert (refusal.status, refusal.field("Content-Range"), refusal.body) == (416, "bytes */10", b"")
    assert origin.calls == 1


def test_a_range_is_cut_only_where_the_validator_it_came_with_holds(origin, port):
    origin.answers(FRESH, ("ETag", '"1"'), body=DIGITS)
    keep(port, "/a")
    assert exchange(port, "/a", "Range: bytes=0-1", 'If-Range: "1"').body == b"01"
    assert exchange(port, "/a", "Range: bytes=0-1", 'If-Range: "2"').body == DIGITS
    assert exchange(port, "/a", "Range: bytes=0-1", 'If-None-Match: "1"').status == 304
    assert origin.calls == 1


def test_a_part_that_the_application_sent_is_no_answer_to_a_plain_get(origin, port):
    origin.answers(FRESH, ("Content-Range", "bytes 0-3/10"), status="206 Partial Content", body=DIGITS[:4])
    assert exchange(port, "/a", "Range: bytes=0-3").body == b"0123"
    origin.answers(FRESH, body=DIGITS)
    assert exchange(port, "/a").body == DIGITS


@pytest.fixture
def port_that_stores_parts(origin):
    with site(origin, policy=CachePolicy(store_partial=True)) as port:
        yield port


def test_a_stored_part_answers_whoever_asks_for_it_and_nobody_else(origin, port_that_stores_parts):
    port = port_that_stores_parts

    def stream(environ, start_response):
        start_response("206 Partial Content", [FRESH, ("Content-Range", "bytes 0-3/10")])
        yield b"01"
        yield b"23"

    origin.respond = stream
    keep_part(origin, port, "/a", "Range: bytes=0-3")
    calls = origin.calls
    origin.answers(("Cache-Control", "no-store"), body=DIGITS)
    part = exchange(port, "/a", "Range: bytes=0-3")
    assert (part.status, part.body, part.field("Content-Range")) == (206, b"0123", "bytes 0-3/10")
    assert origin.calls == calls
    for fields in ([], ["Range: bytes=4-5"], ["Range: bytes=0-3", 'If-Range: "1"']):
        assert exchange(port, "/a", *fields).body == DIGITS
    assert origin.calls == calls + 3


@pytest.mark.parametrize(
    ("content_range", "fields"),
    [("bytes 4-9/10", ["Range: bytes=-5"]), ("bytes 0-4/*", ["Range: bytes=0-4"]), ("bytes 0-4/10", [])],
    ids=["not as long as it says", "of an unknown whole", "nobody asked for"],
)
def test_a_part_is_not_stored_where_it_is_in_doubt_which(origin, port_that_stores_parts, content_range, fields):
    origin.answers(FRESH, ("Content-Range", content_range), status="206 Partial Content", body=b"01234")
    exchange(port_that_stores_parts, "/a", *fields)
    exchange(port_that_stores_parts, "/a", *fields)
    assert origin.calls == 2


# On the way


def test_a_miss_reaches_the_client_before_it_is_complete(origin, port):
    received = threading.Event()

    def stream(environ, start_response):
        start_response("200 OK", [FRESH])
        yield b"first"
        assert received.wait(PATIENCE)
        yield b"second"

    origin.respond = stream
    with Wire(port) as wire:
        wire.send("GET /a HTTP/1.1", "Connection: close")
        answer = wire.head()
        assert answer.read1() == b"first"
        received.set()
        assert answer.read() == b"second"
    assert exchange(port, "/a").body == b"firstsecond"
    assert origin.calls == 1


def test_what_a_client_did_not_wait_for_is_not_stored(origin, port):
    left, closed = threading.Event(), threading.Event()

    def stream(environ, start_response):
        start_response("200 OK", [FRESH])
        try:
            yield b"first"
            assert left.wait(PATIENCE)
            while True:  # the server notices when it writes
                yield b"more" * 1000
        finally:
            closed.set()

    origin.respond = stream
    with Wire(port) as wire:
        wire.send("GET /a HTTP/1.1")
        assert wire.head().read1() == b"first"
    left.set()
    assert closed.wait(PATIENCE)
    origin.answers(FRESH)
    assert exchange(port, "/a").body == b"answer 2"


def test_a_body_shorter_than_its_length_is_not_stored(origin, port):
    origin.answers(FRESH, ("Content-Length", "20"), body=b"x" * 10)
    with Wire(port) as wire:
        wire.send("GET /a HTTP/1.1", "Connection: close")
        assert wire.everything().endswith(b"\r\n\r\n" + b"x" * 10)
    origin.answers(FRESH)
    assert exchange(port, "/a").body == b"answer 2"


def test_a_cookie_is_set_for_the_client_it_was_meant_for(origin, port):
    origin.answers(FRESH, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))
    assert exchange(port, "/a").fields("Set-Cookie") == ["a=1", "b=2"]
    origin.answers(FRESH)
    assert exchange(port, "/a").fields("Set-Cookie") == []


def test_a_post_makes_what_was_stored_of_its_target_and_of_its_location_old(origin, port):
    exchange(port, "/a")
    exchange(port, "/b")
    origin.answers(("Location", "/b"), status="303 See Other")
    exchange(port, "/a", "Content-Length: 0", method="POST")
    origin.answers(FRESH)
    assert [exchange(port, target).body for target in ("/a", "/b")] == [b"answer 4", b"answer 5"]
