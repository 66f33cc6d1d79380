"""One line a request, in whatever way the answer ends."""

from __future__ import annotations

import gc
import json
import re
import sys
import threading
import weakref

import pytest
from access_logging.recorder import Recorder, serve
from asking import ask

from middleware.logging import LoggingMiddleware

COMBINED = re.compile(r'(\S+) - (\S+) \[[^]]+\] "(.*)" (\d{3}) (\d+|-) "(.*)" "(.*)"', re.ASCII)


BOOM = ValueError("boom")
EXIT = SystemExit(3)


def listing(environ, start_response):
    start_response("200 OK", [])
    return [b"hel", b"", b"lo"]


def generator(environ, start_response):
    start_response("200 OK", [])
    yield b"abc"
    yield b""
    yield b"def"


def empty(environ, start_response):
    start_response("200 OK", [])
    return []


def writes(environ, start_response):
    start_response("200 OK", [])(b"hello")
    return []


def writes_and_yields(environ, start_response):
    start_response("200 OK", [])(b"abc")
    return [b"de"]


def yields_and_writes(environ, start_response):
    write = start_response("200 OK", [])
    yield b""
    write(b"abc")
    yield b"de"
    write(b"f")


def raises(environ, start_response):
    raise BOOM


def raises_after_start(environ, start_response):
    start_response("200 OK", [])
    raise BOOM


def exits(environ, start_response):
    start_response("200 OK", [])
    raise EXIT


def exits_at_the_second_chunk(environ, start_response):
    start_response("200 OK", [])
    yield b"abc"
    raise EXIT


def raises_after_a_write(environ, start_response):
    start_response("200 OK", [])(b"abc")
    raise BOOM


def raises_at_the_first_chunk(environ, start_response):
    start_response("200 OK", [])
    raise BOOM
    yield b""


def raises_at_the_second_chunk(environ, start_response):
    start_response("200 OK", [])
    yield b"abc"
    raise BOOM


def raises_after_an_empty_chunk(environ, start_response):
    start_response("200 OK", [])
    yield b""
    raise BOOM


class RaisesInClose:
    def __init__(self, *chunks):
        self.chunks = chunks

    def __iter__(self):
        return iter(self.chunks)

    def close(self):
        raise BOOM


def raises_in_close(environ, start_response):
    start_response("200 OK", [])
    return RaisesInClose(b"abc")


def raises_in_close_of_nothing(environ, start_response):
    start_response("200 OK", [])
    return RaisesInClose()


def restarts(environ, start_response):
    start_response("200 OK", [])
    try:
        raise BOOM
    except ValueError:
        start_response("503 Busy", [], sys.exc_info())
    return [b"busy"]


def restarts_while_yielding(environ, start_response):
    start_response("200 OK", [])
    yield b""
    try:
        raise BOOM
    except ValueError:
        start_response("503 Busy", [], sys.exc_info())
    yield b"busy"


def restarts_too_late(environ, start_response):
    start_response("200 OK", [])
    yield b"abc"
    try:
        raise BOOM
    except ValueError:
        start_response("503 Busy", [], sys.exc_info())
    yield b"busy"


def restarts_after_a_write(environ, start_response):
    start_response("200 OK", [])(b"abc")
    try:
        raise BOOM
    except ValueError:
        start_response("503 Busy", [], sys.exc_info())
    return [b"busy"]


def restarts_twice(environ, start_response):
    start_response("200 OK", [])
    for status in ("502 Bad", "503 Busy"):
        try:
            raise BOOM
        except ValueError:
            start_response(status, [], sys.exc_info())
    yield b"busy"


def restarts_too_late_and_goes_on(environ, start_response):
    start_response("200 OK", [])
    yield b"abc"
    try:
        start_response("503 Busy", [], (ValueError, BOOM, None))
    except ValueError:
        yield b"de"


def never_starts(environ, start_response):
    return []


def never_starts_and_yields(environ, start_response):
    yield b"abc"


@pytest.mark.parametrize(
    ("app", "status", "sent", "escapes"),
    [
        (listing, 200, 5, None),
        (generator, 200, 6, None),
        (empty, 200, 0, None),
        (writes, 200, 5, None),
        (writes_and_yields, 200, 5, None),
        (yields_and_writes, 200, 6, None),
        (raises, 500, 0, BOOM),
        (raises_after_start, 500, 0, BOOM),
        (exits, 500, 0, EXIT),
        (exits_at_the_second_chunk, 200, 3, EXIT),
        (raises_after_a_write, 200, 3, BOOM),
        (raises_at_the_first_chunk, 500, 0, BOOM),
        (raises_at_the_second_chunk, 200, 3, BOOM),
        (raises_after_an_empty_chunk, 500, 0, BOOM),
        (raises_in_close, 200, 3, BOOM),
        (raises_in_close_of_nothing, 500, 0, BOOM),
        (restarts, 503, 4, None),
        (restarts_while_yielding, 503, 4, None),
        (restarts_too_late, 200, 3, BOOM),
        (restarts_too_late_and_goes_on, 200, 5, None),
        (restarts_after_a_write, 200, 3, BOOM),
        (restarts_twice, 503, 4, None),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_every_ending_writes_one_line_and_lets_the_error_out(app, status, sent, escapes):
    log = Recorder(app)
    escaped, _ = serve(log.layer, closes=2)
    assert escaped is escapes
    assert (log.record.status, log.record.sent, log.record.aborted) == (status, sent, False)
    assert log.record.error == (type(escapes).__name__ if escapes else None)


@pytest.mark.parametrize("app", [never_starts, never_starts_and_yields], ids=lambda app: app.__name__)
def test_an_application_that_never_starts_is_a_500_with_the_error_named(app):
    log = Recorder(app)
    escaped, _ = serve(log.layer)
    assert isinstance(escaped, RuntimeError)
    assert (log.record.status, log.record.error) == (500, "RuntimeError")


def test_the_line_is_written_at_close_and_not_before():
    lines = []
    seen = []

    def app(environ, start_response):
        start_response("200 OK", [])
        seen.append(len(lines))
        yield b"a"
        seen.append(len(lines))
        yield b"b"

    ask(LoggingMiddleware(app, sink=lines.append))
    assert seen == [0, 0]
    assert len(lines) == 1


def test_the_line_comes_after_the_applications_own_close():
    events = []

    class Body:
        def __iter__(self):
            return iter([b"x"])

        def close(self):
            events.append("close")

    def app(environ, start_response):
        start_response("200 OK", [])
        return Body()

    ask(LoggingMiddleware(app, sink=lambda line: events.append("line")))
    assert events == ["close", "line"]


def nine_chunks(headers):
    def app(environ, start_response):
        start_response("200 OK", headers)
        for _ in range(9):
            yield b"0123456789"

    return app


@pytest.mark.parametrize(
    ("length", "aborted"), [("90", True), ("20", False), ("020", False), ("9" * 5000, True), ("x", True), ("", True)]
)
def test_a_client_that_leaves_is_marked_unless_it_has_all_that_was_promised(length, aborted):
    log = Recorder(nine_chunks([("Content-Length", length)] if length else []))
    serve(log.layer, take=2)
    assert (log.record.status, log.record.sent, log.record.aborted) == (200, 20, aborted)


def test_a_lazy_application_that_nobody_iterated_is_a_500_and_aborted():
    log = Recorder(generator)
    serve(log.layer, take=0)
    assert (log.record.status, log.record.aborted, log.record.error) == (500, True, None)


def test_an_empty_answer_that_says_so_is_not_aborted_when_nobody_iterates():
    log = Recorder(lambda environ, start_response: start_response("200 OK", [("Content-Length", "0")]) and [])
    serve(log.layer, take=0)
    assert (log.record.status, log.record.aborted) == (200, False)


def test_a_list_that_nobody_iterated_is_aborted():
    log = Recorder(listing)
    serve(log.layer, take=0)
    assert (log.record.status, log.record.sent, log.record.aborted) == (200, 0, True)


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Same")])
def test_an_answer_without_a_body_is_not_aborted_when_nobody_iterates(method, status):
    def app(environ, start_response):
        start_response(status, [])
        return []

    log = Recorder(app)
    serve(log.layer, take=0, method=method)
    assert (log.record.status, log.record.aborted) == (int(status[:3]), False)


def test_a_write_that_the_server_refuses_is_an_abort_and_counts_nothing():
    gone = ConnectionResetError("gone")
    taken = []

    def write(data):
        if taken:
            raise gone
        taken.append(data)

    def app(environ, start_response):
        write = start_response("200 OK", [])
        write(b"abc")
        write(b"defgh")
        return []

    log = Recorder(app)
    escaped, _ = serve(log.layer, write=write)
    assert escaped is gone
    assert (log.record.status, log.record.sent, log.record.aborted, log.record.error) == (200, 3, True, None)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_client_that_is_gone_is_marked_also_where_the_application_takes_it_well(lazy):
    def write(data):
        raise ConnectionResetError("gone")

    def app(environ, start_response):
        write = start_response("200 OK", [])
        with pytest.raises(ConnectionResetError):
            write(b"abc")
        return [b"de"]

    def lazily(environ, start_response):
        yield from app(environ, start_response)

    log = Recorder(lazily if lazy else app)
    escaped, _ = serve(log.layer, write=write)
    assert escaped is None
    assert (log.record.sent, log.record.aborted, log.record.error) == (2, True, None)


def test_a_client_that_is_gone_and_an_application_that_fails_of_it_are_both_told():
    def write(data):
        raise ConnectionResetError("gone")

    def app(environ, start_response):
        write = start_response("200 OK", [])
        try:
            write(b"abc")
        except ConnectionResetError:
            raise BOOM from None

    log = Recorder(app)
    escaped, _ = serve(log.layer, write=write)
    assert escaped is BOOM
    assert (log.record.status, log.record.aborted, log.record.error) == (500, True, "ValueError")


def test_an_error_in_close_after_the_client_has_left_is_told():
    def app(environ, start_response):
        start_response("200 OK", [])
        return RaisesInClose(b"abc", b"def")

    log = Recorder(app)
    escaped, _ = serve(log.layer, take=1)
    assert escaped is BOOM
    assert (log.record.status, log.record.sent, log.record.error) == (200, 3, "ValueError")


@pytest.mark.parametrize(
    ("take", "headers", "flag"), [(2, [], True), (2, [("Content-Length", "20")], False), (None, [], False)]
)
def test_json_says_who_left(take, headers, flag):
    lines = []
    serve(LoggingMiddleware(nine_chunks(headers), format="json", sink=lines.append), take=take)
    assert json.loads(lines[0])["aborted"] is flag


def test_a_status_that_the_server_refused_is_not_the_status():
    """As by a server that has sent the head before the first byte of the body."""
    refused = ValueError("too late")

    def start(status):
        if status.startswith("503"):
            raise refused

    def app(environ, start_response):
        start_response("200 OK", [])
        yield b""
        try:
            raise BOOM
        except ValueError:
            with pytest.raises(ValueError, match="too late"):
                start_response("503 Busy", [], sys.exc_info())
        yield b"hello"

    log = Recorder(app)
    serve(log.layer, start=start)
    assert (log.record.status, log.record.sent) == (200, 5)


def test_content_length_is_never_taken_for_the_size():
    log = Recorder(lambda environ, start_response: start_response("200 OK", [("Content-Length", "90")]) and [b"abc"])
    serve(log.layer)
    assert log.record.sent == 3


def test_head_of_a_lazy_application_that_nobody_iterated_is_not_aborted():
    log = Recorder(generator)
    serve(log.layer, take=0, method="HEAD")
    assert (log.record.status, log.record.aborted) == (500, False)


def test_the_request_is_logged_as_it_came_and_the_user_as_it_ended():
    def app(environ, start_response):
        environ["REMOTE_USER"] = "alice"
        environ["REQUEST_METHOD"] = "POST"
        for key in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_URI"):
            environ[key] = "changed"
        environ.pop("HTTP_REFERER")
        environ.pop("HTTP_USER_AGENT")
        return listing(environ, start_response)

    lines = []
    headers = {"Referer": "http://from.test/", "User-Agent": "Browser"}
    ask(LoggingMiddleware(app, sink=lines.append), "/a?b=c", headers=headers)
    fields = COMBINED.fullmatch(lines[0]).groups()
    assert fields == ("127.0.0.1", "alice", "GET /a?b=c HTTP/1.0", "200", "5", "http://from.test/", "Browser")


def test_the_user_may_be_a_note_of_the_application():
    def app(environ, start_response):
        environ["middleware.notes"]["user"] = "bob"
        return listing(environ, start_response)

    log = Recorder(app)
    serve(log.layer)
    assert log.record.user == "bob"


def test_a_name_that_nobody_verified_is_not_a_user():
    lines = []
    ask(LoggingMiddleware(listing, sink=lines.append), headers={"Authorization": "Basic Ym9iOnNlY3JldA=="})
    assert COMBINED.fullmatch(lines[0])[2] == "-"


def test_two_layers_write_a_line_each_with_one_request_id():
    inner = Recorder(listing)
    outer = Recorder(inner.layer)
    serve(outer.layer)
    assert inner.record.request_id == outer.record.request_id


def test_a_request_inside_a_request_has_its_own_line_and_the_same_request_id():
    def app(environ, start_response):
        if environ["PATH_INFO"] == "/inner":
            return listing(environ, start_response)
        ask(log.layer, "/inner", **{"middleware.request_id": environ["middleware.request_id"]})
        return listing(environ, start_response)

    log = Recorder(app)
    serve(log.layer, path="/outer")
    assert [record.target for record in log.records] == ["/inner", "/outer"]
    assert len({record.request_id for record in log.records}) == 1


@pytest.mark.slow
def test_each_of_many_requests_at_once_has_its_own_size():
    def app(environ, start_response):
        size = int(environ["QUERY_STRING"])
        start_response("200 OK", [])
        return [b"x"] * size if size % 2 else (b"x" for _ in range(size))

    log = Recorder(app)
    ready = threading.Barrier(8)

    def client(number):
        ready.wait()
        for index in range(40):
            ask(log.layer, f"/?{number * 40 + index}")

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert sorted(record.sent for record in log.records) == list(range(320))
    assert all(record.target == f"/?{record.sent}" for record in log.records)
    assert len({record.request_id for record in log.records}) == 320


def test_durations_are_those_of_the_timer_to_the_close_and_to_the_first_byte():
    now = [100.0]

    class Body:
        def __iter__(self):
            for chunk in (b"", b"a", b"b"):
                now[0] += 0.05
                yield chunk

        def close(self):
            now[0] += 0.25

    def app(environ, start_response):
        start_response("200 OK", [])
        return Body()

    log = Recorder(app, clock=lambda: 1795236976.5, timer=lambda: now[0])
    serve(log.layer)
    assert log.record.began == 1795236976.5
    assert log.record.first_byte == pytest.approx(0.1)
    assert log.record.duration == pytest.approx(0.4)


def test_a_wall_clock_that_is_set_back_changes_no_duration():
    clock = iter([5000.0, 1000.0])
    timer = iter([1.0, 1.5, 2.0])
    log = Recorder(listing, clock=lambda: next(clock), timer=lambda: next(timer))
    serve(log.layer)
    assert (log.record.began, log.record.duration) == (5000.0, 1.0)


class Traced:
    """Something a request holds, whose end can be seen."""


@pytest.mark.parametrize("app", [listing, generator, writes], ids=lambda app: app.__name__)
def test_a_request_is_given_up_at_its_end_without_the_garbage_collector(app):
    held = Traced()
    end = weakref.ref(held)
    layer = LoggingMiddleware(app, sink=lambda line: None)
    gc.disable()
    try:
        serve(layer, held=held)
        del held
        assert end() is None
    finally:
        gc.enable()
