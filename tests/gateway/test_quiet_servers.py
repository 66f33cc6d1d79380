"""Errors and heads on servers that would send no answer, or a wrong one, in the application's stead."""

from __future__ import annotations

import io
import sys

import pytest
from asking import call
from gateway.servers_input import INPUTS, SOFTWARE, environ_of, unnoticed_gateway

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


def fails_when_iterated_after_its_head(environ, start_response):
    start_response("200 OK", PLAIN)

    def chunks():
        raise LookupError("of the application")
        yield b""

    return chunks()


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


@with_and_without_a_body
@pytest.mark.parametrize("server", sorted({*QUIET} - {"granian"}))  # which asks for the head before the first value
def test_an_error_behind_the_head_and_before_the_first_value_is_answered(server, entries):
    answer, told = ask_at(server, fails_when_iterated_after_its_head, **entries)
    assert (answer.code, answer.text) == (500, "The server made a mistake.\n")
    assert "LookupError: of the application" in told


class Strict(io.StringIO):
    def write(self, text):
        text.encode("ascii")
        return super().write(text)


@pytest.mark.parametrize("server", QUIET)
def test_an_error_that_not_every_stream_can_take_is_told_in_ascii(server):
    def app(environ, start_response):
        raise ValueError("caf\udce9 €")

    errors = Strict()
    answer = call(GatewayMiddleware(app), environ_of(server, CONTENT_LENGTH=None, **{"wsgi.errors": errors}))
    assert answer.code == 500
    assert r"caf\udce9 \u20ac" in errors.getvalue()


@pytest.mark.parametrize("server", QUIET)
def test_a_stream_for_errors_that_fails_costs_no_answer(server):
    errors = io.StringIO()
    errors.close()
    environ = environ_of(server, CONTENT_LENGTH=None, **{"wsgi.errors": errors})
    assert call(GatewayMiddleware(fails), environ).code == 500


@pytest.mark.parametrize("server", QUIET)
def test_a_close_that_fails_too_costs_no_answer(server):
    class Body:
        def __init__(self, start_response):
            self._start_response = start_response

        def __iter__(self):
            return self

        def __next__(self):
            raise LookupError("of the application")

        def close(self):
            raise RuntimeError("of close()")

    answer, told = ask_at(server, lambda environ, start_response: Body(start_response), CONTENT_LENGTH=None)
    assert answer.code == 500
    assert "LookupError" in told
    assert "RuntimeError" in told


@pytest.mark.parametrize("server", sorted({*QUIET} - {"granian"}))
@pytest.mark.parametrize("body", [list, iter], ids=["whole", "made as it goes"])
def test_a_head_that_the_server_does_not_take_is_answered(server, body):
    heads = []

    def start_response(status, headers, exc_info=None):
        heads.append(status)
        if len(heads) == 1:
            raise ValueError("no status")

    def app(environ, start):
        start("abc", PLAIN)
        return body([b"never"])

    environ = environ_of(server, CONTENT_LENGTH=None, **{"wsgi.errors": io.StringIO()})
    assert b"".join(GatewayMiddleware(app)(environ, start_response)) == b"The server made a mistake.\n"
    assert heads == ["abc", "500 Internal Server Error"]


@pytest.mark.parametrize("server", QUIET)
def test_a_body_without_a_head_is_such_an_error(server):
    answer, told = ask_at(server, never_starts, CONTENT_LENGTH=None)
    assert answer.code == 500
    assert "never_starts" in told


@with_and_without_a_body
@pytest.mark.parametrize("app", [fails, fails_after_its_head, fails_when_iterated, fails_when_iterated_after_its_head])
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
    """How a layer is put round an application where this server meets it."""

    def wrap(app):
        layer = unnoticed_gateway(app)

        def serve(environ, start_response):
            environ["wsgi.input"] = environ_of(server)["wsgi.input"]
            return layer(environ, start_response)

        return serve

    return wrap


@pytest.mark.slow
@pytest.mark.parametrize("server", QUIET)
def test_pep_3333_is_kept_round_every_shape_on_such_servers(server):
    for shape in SHAPES:
        check_shape(shape, on(server), reads_ahead=server == "granian", starts_late=server != "granian")


@pytest.mark.slow
@pytest.mark.parametrize("server", QUIET)
def test_requests_do_not_disturb_each_other_on_such_servers(server):
    check_together(on(server))
