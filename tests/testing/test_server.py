"""`serve` does what PEP 3333 asks of a server, and notes what it forbids an application."""

from __future__ import annotations

import sys
import tempfile

import pytest

from middleware.testing import FakeClock, make_environ, serve

PLAIN = [("Content-Type", "text/plain")]


def answering(body, status="200 OK", headers=PLAIN):
    def app(environ, start_response):
        start_response(status, list(headers))
        return body

    return app


def test_a_right_answer_breaks_nothing():
    received = serve(answering([b"one,", b"", b"two"]))
    assert (received.status, received.code, received.headers) == ("200 OK", 200, PLAIN)
    assert (received.body, received.chunks, received.yielded) == (b"one,two", [b"one,", b"two"], 3)
    assert (received.completed, received.error, received.broken) == (True, None, [])
    assert received.header("content-type") == "text/plain"
    assert received.header("Age") is None


@pytest.mark.parametrize(
    ("app", "what"),
    [
        (answering(["text"]), "the body is bytes"),
        (answering([b"one"], status="200"), "a status"),
        (answering([b"one"], status="OK 200"), "a status"),
        (answering([b"one"], status="200 O\nK"), "control characters"),
        (answering([b"one"], status="200 \u2603"), "no latin-1"),
        (answering([b"one"], headers=[*PLAIN, ("X Y", "1")]), "a token"),
        (answering([b"one"], headers=[*PLAIN, ("", "1")]), "a token"),
        (answering([b"one"], headers=[*PLAIN, ("X", "a\r\nb")]), "control characters"),
        (answering([b"one"], headers=[*PLAIN, ("X", "\u2603")]), "no latin-1"),
        (answering([b"one"], headers=[*PLAIN, ["X", "1"]]), "a tuple of two str"),
        (answering([b"one"], headers=[*PLAIN, ("X", 1)]), "a tuple of two str"),
        (answering([b"one"], headers=[*PLAIN, ("Status", "200")]), "Status is no header"),
        (answering([b"one"], headers=[*PLAIN, ("Transfer-Encoding", "chunked")]), "hop-by-hop"),
        (answering([b"one"], headers=[*PLAIN, *PLAIN]), "more than one Content-Type"),
        (answering([b"one"], headers=[("Content-Length", "2")]), "3 bytes with Content-Length 2"),
        (answering([b"one"], headers=[("Content-Length", "4")]), "3 bytes with Content-Length 4"),
        (answering([b"one"], headers=[("Content-Length", "3")] * 2), "more than one Content-Length"),
        (answering([b"one"], headers=[("Content-Length", "three")]), "is one number"),
        (answering([b"one"], "304 Not Modified", []), "a body with 304"),
        (answering([], "204 No Content"), "a Content-Type with 204"),
        (lambda environ, start_response: [b"one"], "a value before start_response"),
        (lambda environ, start_response: [], "start_response was never called"),
    ],
)
def test_what_is_forbidden_is_noted(app, what):
    assert what in "; ".join(serve(app).broken)


def test_a_return_that_is_missing_is_noted():
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])

    received = serve(app)
    assert "is a `return` missing?" in received.broken[0]
    assert isinstance(received.error, TypeError)


def test_a_second_start_without_exc_info_is_noted():
    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))
        start_response("200 OK", list(PLAIN))
        return []

    assert serve(app).broken == ["start_response was called twice without exc_info"]


@pytest.mark.parametrize("chunk", [b"", b"one"])
def test_a_head_can_be_replaced_until_a_byte_has_left(chunk):
    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))
        yield chunk
        try:
            raise ValueError
        except ValueError:
            start_response("500 Failed", list(PLAIN), sys.exc_info())

    received = serve(app)
    assert received.broken == []
    assert (received.code, type(received.error)) == ((200, ValueError) if chunk else (500, type(None)))


def test_a_content_length_is_not_compared_with_what_a_client_did_not_wait_for():
    app = answering(iter([b"one,", b"two"]), headers=[("Content-Length", "7")])
    received = serve(app, leave_after=1)
    assert (received.body, received.completed, received.broken) == (b"one,", False, [])
    assert serve(answering([], headers=[("Content-Length", "7")]), make_environ(method="HEAD")).broken == []


@pytest.mark.parametrize("leave_after", [0, 1, None])
def test_the_answer_is_always_closed(leave_after):
    closed = []

    class Body(list):
        def close(self):
            closed.append(True)

    serve(answering(Body([b"one", b"two"])), leave_after=leave_after)
    assert closed == [True]


def test_an_error_is_reported():
    def app(environ, start_response):
        raise SystemExit(3)

    assert isinstance(serve(app).error, SystemExit)


def test_an_interrupt_leaves():
    def app(environ, start_response):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        serve(app)


@pytest.mark.parametrize("write", [True, False])
def test_write_can_be_missing(write):
    given = []

    def app(environ, start_response):
        given.append(start_response("200 OK", list(PLAIN)))
        return []

    serve(app, write=write)
    assert callable(given[0]) == write


@pytest.mark.parametrize("files", ["class", "function", "descriptor"])
def test_files_go_out_in_three_ways(files):
    with tempfile.TemporaryFile() as file:
        file.write(b"content")
        file.seek(0)

        def app(environ, start_response):
            start_response("200 OK", list(PLAIN))
            return environ["wsgi.file_wrapper"](file, 3)

        received = serve(app, files=files)
        assert (received.body, received.completed) == (b"content", True)
        assert received.yielded == (0 if files == "descriptor" else 3)


def test_the_file_wrapper_can_be_missing():
    environ = make_environ()
    serve(answering([]), environ, files="none")
    assert "wsgi.file_wrapper" not in environ


def test_an_environ_has_what_is_asked_for():
    environ = make_environ("/a/b?c=d", "POST", b"body", HTTP_COOKIE="a=1", REMOTE_ADDR="10.0.0.1")
    assert (environ["PATH_INFO"], environ["QUERY_STRING"], environ["CONTENT_LENGTH"]) == ("/a/b", "c=d", "4")
    assert (environ["HTTP_COOKIE"], environ["REMOTE_ADDR"]) == ("a=1", "10.0.0.1")
    assert environ["wsgi.input"].read() == b"body"


def test_a_clock_moves_when_it_is_told_to():
    clock = FakeClock(100)
    clock.advance(2.5)
    assert clock() == 102.5
