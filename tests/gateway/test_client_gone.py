"""A client that leaves while its body is read: an answer that nobody awaits, and a line that says so."""

from __future__ import annotations

import pytest
from asking import call
from gateway.servers_input import Breaking, Ending, environ_of

from middleware import GatewayMiddleware, LoggingMiddleware, SessionMiddleware
from middleware.errors import ClientGone
from middleware.stores import MemoryStore

PLAIN = [("Content-Type", "text/plain")]


def reads(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", PLAIN)
    return [b"read"]


def reads_after_its_head(environ, start_response):
    start_response("200 OK", PLAIN)
    environ["wsgi.input"].read()
    return [b"read"]


def reads_late(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", PLAIN)
    yield b"read"


def gone(error=None):
    given = Breaking(b"abc", error) if error else Ending(b"abc")
    return environ_of(**{"CONTENT_LENGTH": "5", "wsgi.input": given})


@pytest.mark.parametrize("app", [reads, reads_after_its_head, reads_late])
@pytest.mark.parametrize("server", ["uWSGI", "granian"])
def test_it_is_answered_400_on_servers_that_leave_errors_to_the_layer(app, server):
    assert call(GatewayMiddleware(app), environ_of(server, b"abc", CONTENT_LENGTH="5", DOCUMENT_ROOT="/")).code == 400


@pytest.mark.parametrize("app", [reads, reads_after_its_head])
@pytest.mark.parametrize("drain", [0, 65536])
def test_it_is_answered_400(app, drain):
    assert call(GatewayMiddleware(app, drain=drain), gone()).code == 400
    assert call(GatewayMiddleware(app, drain=drain), gone(OSError("reset"))).code == 400


def test_an_application_may_make_of_it_what_it_likes():
    def app(environ, start_response):
        try:
            environ["wsgi.input"].read()
        except OSError:
            start_response("418 I'm a teapot", PLAIN)
        return [b"short and stout"]

    assert call(GatewayMiddleware(app), gone()).code == 418


def test_once_a_byte_has_left_the_error_leaves_too():
    def app(environ, start_response):
        start_response("200 OK", PLAIN)
        yield b"first"
        environ["wsgi.input"].read()

    with pytest.raises(ClientGone):
        call(GatewayMiddleware(app), gone())

    def writes(environ, start_response):
        start_response("200 OK", PLAIN)(b"first")
        environ["wsgi.input"].read()

    with pytest.raises(ClientGone):
        call(GatewayMiddleware(writes), gone())


@pytest.mark.parametrize("app", [reads, reads_after_its_head])
def test_the_log_says_that_the_client_left_and_blames_nobody(app, caplog):
    records = []
    logged = LoggingMiddleware(app, format=lambda record: records.append(record) or "", sink=print, error_log=True)
    call(GatewayMiddleware(logged), gone())
    (record,) = records
    assert (record.status, record.aborted, record.exception, record.error) == (400, True, None, None)
    assert caplog.records == []


def test_the_log_says_so_further_out_too():
    records = []
    session = SessionMiddleware(reads, store=MemoryStore())
    logged = LoggingMiddleware(session, format=lambda record: records.append(record) or "", sink=print)
    call(GatewayMiddleware(logged), gone())
    assert records[0].aborted
