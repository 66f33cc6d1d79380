"""Errors and heads on servers that would send no answer, or a wrong one, in the application's stead."""

from __future__ import annotations

import io
import sys

import pytest
from asking import call
from gateway.servers_input import INPUTS, SOFTWARE, environ_of

from middleware import GatewayMiddleware
from middleware.testing import SHAPES, check_shape, check_together

PLAIN = [("Content-Type", "text/plain")]
QUIET = ["uWSGI", "granian", "flup, AJP", "cheroot"]
ANSWER = sorted({*INPUTS, *SOFTWARE, "unknown"} - {*QUIET})
BODIES = {"without a body": {"CONTENT_LENGTH": None}, "with a body": {"CONTENT_LENGTH": "5"}}

with_and_without_a_body = pytest.mark.parametrize("entries", BODIES.values(), ids=BODIES)


def fails(environ, start_response):
    raise LookupError("of the application")


def fails_after_its_head(environ, start_response):
    start_response("200 OK", PLAIN)
    raise LookupError("of the application")


def fails_when_iterated(environ, start_response):
    raise LookupError("of the application")
    yield b""


def never_starts(environ, start_response):
    return [b"a body without a head"]


def ask_at(server, app, **entries):
    errors = io.StringIO()
    environ = environ_of(server, b"hello", **{"wsgi.errors": errors, "DOCUMENT_ROOT": "/", **entries})
    return call(GatewayMiddleware(app), environ), errors.getvalue()


@with_and_without_a_body
@pytest.mark.parametrize("app", [fails, fails_after_its_head, fails_when_iterated])
@pytest.mark.parametrize("server", QUIET)
def test_an_error_is_answered_and_told_where_the_server_does_not(server, app, entries):
    answer, told = ask_at(server, app, **entries)
    assert (answer.code, answer.text) == (500, "The server made a mistake.\n")
    assert "LookupError: of the application" in told
    assert app.__name__ in told


@pytest.mark.parametrize("server", QUIET)
def test_a_body_without_a_head_is_such_an_error(server):
    answer, told = ask_at(server, never_starts, CONTENT_LENGTH=None)
    assert answer.code == 500
    assert "never_starts" in told


@with_and_without_a_body
@pytest.mark.parametrize("app", [fails, fails_after_its_head, fails_when_iterated])
@pytest.mark.parametrize("server", ANSWER)
def test_an_error_leaves_where_the_server_answers_it(server, app, entries):
    with pytest.raises(LookupError, match="of the application"):
        ask_at(server, app, **entries)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("server", QUIET)
def test_what_ends_the_process_leaves_everywhere(server, error):
    def app(environ, start_response):
        raise error

    with pytest.raises(error):
        ask_at(server, app)


@pytest.mark.parametrize("server", QUIET)
def test_an_error_leaves_once_a_head_is_out(server):
    def app(environ, start_response):
        start_response("200 OK", PLAIN)
        yield b"first"
        raise LookupError("of the application")

    with pytest.raises(LookupError):
        ask_at(server, app)


class Heads:
    """A server's `start_response` that notes what it was given."""

    def __init__(self, write):
        self.calls = []
        self.write = write

    def __call__(self, *arguments):
        self.calls.append(arguments)
        return self.write


@with_and_without_a_body
def test_uwsgi_which_sends_no_body_after_exc_info_gets_the_last_head_without_it(entries):
    def app(environ, start_response):
        start_response("200 OK", PLAIN)
        try:
            raise LookupError
        except LookupError:
            start_response("503 Service Unavailable", PLAIN, sys.exc_info())
        return [b"replaced"]

    heads = Heads(lambda data: None)
    body = GatewayMiddleware(app)(environ_of("uWSGI", b"hello", **{"DOCUMENT_ROOT": "/", **entries}), heads)
    assert heads.calls == [("503 Service Unavailable", PLAIN)]
    assert [*body] == [b"replaced"]


@with_and_without_a_body
def test_on_granian_whose_start_response_gives_none_an_application_can_write(entries):
    def app(environ, start_response):
        write = start_response("200 OK", PLAIN)
        write(b"one,")
        write(b"two,")
        return [b"three"]

    heads = Heads(None)
    body = GatewayMiddleware(app)(environ_of("granian", b"hello", **entries), heads)
    assert (len(heads.calls), b"".join(body)) == (1, b"one,two,three")


@with_and_without_a_body
def test_uwsgi_gets_the_very_file_that_it_made(entries):
    def wrapper(file):
        return file

    def app(environ, start_response):
        start_response("200 OK", PLAIN)
        return environ["wsgi.file_wrapper"](file)

    file = io.BytesIO(b"content")
    environ = environ_of("uWSGI", b"hello", **{"DOCUMENT_ROOT": "/", "wsgi.file_wrapper": wrapper, **entries})
    body = GatewayMiddleware(app, drain=0)(environ, Heads(lambda data: None))
    assert body is file


def on(server):
    def wrap(app):
        """The layer as this server meets it, round what puts back the one entry that it is there to replace."""

        def put_back(environ, start_response):
            environ["wsgi.input_terminated"] = environ.pop("test.input_terminated")
            return app(environ, start_response)

        layer = GatewayMiddleware(put_back)

        def serve(environ, start_response):
            given = environ_of(server)
            environ["test.input_terminated"] = environ.get("wsgi.input_terminated")
            environ["HTTP_EXPECT"] = "100-continue"
            environ["wsgi.input"] = given["wsgi.input"]
            return layer(environ, start_response)

        return serve

    return wrap


@pytest.mark.slow
@pytest.mark.parametrize("server", QUIET)
def test_pep_3333_is_kept_round_every_shape_on_such_servers(server):
    for shape in SHAPES:
        check_shape(shape, on(server), reads_ahead=True)


@pytest.mark.slow
@pytest.mark.parametrize("server", QUIET)
def test_requests_do_not_disturb_each_other_on_such_servers(server):
    check_together(on(server))
