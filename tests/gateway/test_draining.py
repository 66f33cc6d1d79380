"""What GatewayMiddleware reads of a body that the application has left unread, and when."""

from __future__ import annotations

import io

import pytest
from asking import call, make_environ
from gateway.servers_input import Breaking, Ending, Input, environ_of

from middleware import GatewayMiddleware

PLAIN = [("Content-Type", "text/plain")]
BODY = b"x" * 1000


def post(given, length="1000", **entries):
    return environ_of(**{"CONTENT_LENGTH": length, "wsgi.input": given, **entries})


def refuses(environ, start_response):
    start_response("401 Unauthorized", PLAIN)
    return [b"no"]


def refuses_in_a_tuple(environ, start_response):
    start_response("401 Unauthorized", PLAIN)
    return b"n", b"o"


def refuses_by_yielding(environ, start_response):
    start_response("401 Unauthorized", PLAIN)
    yield b"no"


def refuses_by_writing(environ, start_response):
    start_response("401 Unauthorized", PLAIN)(b"no")
    return []


def refuses_after_a_part(environ, start_response):
    assert environ["wsgi.input"].read(10) == b"x" * 10
    return refuses(environ, start_response)


REFUSE = [refuses, refuses_in_a_tuple, refuses_by_yielding, refuses_by_writing, refuses_after_a_part]
every_way = pytest.mark.parametrize("app", REFUSE)


@every_way
def test_what_was_left_unread_is_read(app):
    given = Input(BODY)
    answer = call(GatewayMiddleware(app), post(given))
    assert (answer.code, answer.body, given.left) == (401, b"no", 0)


@every_way
def test_no_more_is_read_than_was_allowed(app):
    given = Input(BODY)
    call(GatewayMiddleware(app, drain=100), post(given))
    assert given.left in (900, 890)


@every_way
def test_nothing_is_read_where_draining_is_off(app):
    given = Input(BODY)
    call(GatewayMiddleware(app, drain=0), post(given))
    assert given.left in (1000, 990)


@pytest.mark.parametrize("app", [app for app in REFUSE if app is not refuses_after_a_part])
@pytest.mark.parametrize("expect", ["100-continue", "100-Continue"])
def test_a_client_that_waits_for_leave_to_send_is_not_waited_for(app, expect):
    given = Input(BODY)
    assert call(GatewayMiddleware(app), post(given, HTTP_EXPECT=expect)).code == 401
    assert given.reads == 0


def test_a_client_that_was_given_leave_is_drained():
    given = Input(BODY)
    call(GatewayMiddleware(refuses_after_a_part), post(given, HTTP_EXPECT="100-continue"))
    assert given.left == 0


def test_a_chunked_body_is_drained_to_its_end():
    given = Ending(BODY)
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": None, "wsgi.input_terminated": True}
    call(GatewayMiddleware(refuses), post(given, **chunked))
    assert given.left == 0


def test_without_a_body_nothing_is_read():
    for length in ("", "0"):
        given = Input()
        call(GatewayMiddleware(refuses), post(given, length))
        assert given.reads == 0


@pytest.mark.parametrize("app", [refuses, refuses_in_a_tuple, refuses_by_writing])
def test_a_list_is_drained_before_it_is_handed_on(app):
    """As gateways want it that take no answer before they have sent all."""
    given = Input(BODY)
    body = GatewayMiddleware(app)(post(given), lambda *_: lambda data: None)
    assert given.left == 0
    body.close()


def test_a_file_is_drained_before_it_is_handed_on_as_the_servers_own_object():
    class Wrapper:
        def __init__(self, file, size=8192):
            self.file = file
            self.close = file.close

        def __iter__(self):
            return iter(self.file.readlines())

    def app(environ, start_response):
        start_response("200 OK", PLAIN)
        return environ["wsgi.file_wrapper"](io.BytesIO(b"a\nb\n"))

    given = Input(BODY)
    body = GatewayMiddleware(app)(post(given, **{"wsgi.file_wrapper": Wrapper}), lambda *_: None)
    assert (type(body), given.left) == (Wrapper, 0)
    body.close()


@pytest.mark.parametrize("server", ["uWSGI", "granian", "waitress"])
@pytest.mark.parametrize("late", [True, False])
def test_an_application_that_answers_while_it_reads_keeps_its_body(late, server):
    def echo(environ, start_response):
        def chunks():
            while part := environ["wsgi.input"].read(300):
                if late and not started:
                    started.append(start_response("200 OK", PLAIN))
                yield part

        started = []
        if not late:
            start_response("200 OK", PLAIN)
        return chunks()

    environ = environ_of(server, BODY, CONTENT_LENGTH="1000", DOCUMENT_ROOT="/")
    assert call(GatewayMiddleware(echo), environ).body == BODY


def test_what_a_client_left_unread_that_stopped_listening_is_read_when_the_server_closes():
    given = Input(BODY)
    body = GatewayMiddleware(refuses_by_yielding)(post(given), lambda *_: None)
    assert given.left == len(BODY)
    body.close()
    body.close()
    assert given.left == 0


def test_what_an_error_left_unread_is_read_before_the_server_answers_it():
    def fails(environ, start_response):
        raise LookupError("of the application")

    given = Input(BODY)
    with pytest.raises(LookupError, match="of the application"):
        GatewayMiddleware(fails)(post(given), None)
    assert given.left == 0


@pytest.mark.parametrize("error", [OSError("gone"), ValueError("bad chunk"), RuntimeError("of the server")])
@every_way
def test_a_client_that_leaves_while_nobody_needs_its_body_disturbs_nobody(app, error):
    assert call(GatewayMiddleware(app), post(Breaking(BODY[:500], error))).body == b"no"
    assert call(GatewayMiddleware(app), post(Ending(BODY[:500]))).body == b"no"


def test_a_get_with_a_body_is_drained_as_any_other():
    given = Input(BODY)
    environ = make_environ(**{"CONTENT_LENGTH": str(len(BODY)), "wsgi.input": given})
    call(GatewayMiddleware(refuses), environ)
    assert given.left == 0
