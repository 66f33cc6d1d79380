"""`Response.from_app`: an application's answer in hand, the head first, the body unread."""

from __future__ import annotations

import gc
import sys

import pytest
from asking import ask, make_environ
from wsgi_layers import PLAIN, Body, Takes, answering, no_garbage

from middleware.testing import serve
from middleware.wsgi import Response

MEGABYTE = 1 << 20


def take(app, **environ):
    return Response.from_app(app, make_environ(**environ))


def restart(start_response):
    try:
        raise ValueError("of the application")
    except ValueError:
        start_response("500 Failed", [*PLAIN, ("X-Failed", "yes")], sys.exc_info())


def test_the_head_is_known_and_the_body_unread():
    body = Body()
    response = take(answering(body, "404 Not Found", [("X", "1")]))
    assert (response.status, response.headers) == ("404 Not Found", [("X", "1")])
    assert body.pulled == 0
    response.close()
    assert body.closed == 1


@pytest.mark.parametrize("body", [[b"one"], [], (b"one", b"two")])
def test_a_list_stays_the_list_that_it_is(body):
    assert take(answering(body)).body is body


def test_a_late_starter_is_run_to_its_first_chunk():
    pulled = []

    def app(environ, start_response):
        start_response("404 Not Found", list(PLAIN))
        for chunk in (b"", b"", b"one", b"two"):
            pulled.append(chunk)
            yield chunk

    response = take(app)
    assert response.status == "404 Not Found"
    assert pulled == [b"", b"", b"one"]
    assert b"".join(response.body) == b"onetwo"


def test_a_late_starter_without_a_chunk_has_a_head():
    def app(environ, start_response):
        start_response("404 Not Found", list(PLAIN))
        yield from ()

    response = take(app)
    assert (response.status, list(response.body)) == ("404 Not Found", [])


def test_the_headers_can_be_changed_before_it_is_returned():
    def layer(environ, start_response):
        response = Response.from_app(answering([b"one"]), environ)
        response.set("X-Mine", "1")
        return response(environ, start_response)

    assert ask(layer).header("X-Mine") == "1"


def test_the_application_keeps_its_header_list():
    headers = list(PLAIN)

    def app(environ, start_response):
        start_response("200 OK", headers)
        return []

    take(app).add("X", "1")
    assert headers == PLAIN


@pytest.mark.parametrize("size", [3, MEGABYTE, MEGABYTE + 1, 3 * MEGABYTE])
def test_what_is_written_before_the_application_returns_comes_first(size):
    def app(environ, start_response):
        write = start_response("200 OK", list(PLAIN))
        for _ in range(3):
            write(b"w" * (size // 3))
        return [b"the end"]

    response = take(app)
    chunks = list(response.body)
    response.close()
    assert b"".join(chunks) == b"w" * (size // 3 * 3) + b"the end"


def test_each_byte_keeps_its_place():
    def app(environ, start_response):
        write = start_response("200 OK", list(PLAIN))
        write(b"1")
        yield b"2"
        write(b"3")
        write(b"4")
        yield b"5"
        yield b"6"
        write(b"7")

    assert b"".join(take(app).body) == b"1234567"


def test_much_that_is_written_in_mid_body_is_not_joined_in_memory():
    def app(environ, start_response):
        write = start_response("200 OK", list(PLAIN))
        yield b"1"
        for _ in range(4):
            write(b"w" * MEGABYTE)
        yield b"2"

    response = take(app)
    chunks = list(response.body)
    response.close()
    assert b"".join(chunks) == b"1" + b"w" * 4 * MEGABYTE + b"2"
    assert max(map(len, chunks)) <= MEGABYTE


def test_a_file_of_written_data_is_closed_where_nobody_reads_it():
    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))(b"w" * (MEGABYTE + 1))
        return []

    take(app).close()
    gc.collect()  # an open file would be a ResourceWarning


@pytest.mark.parametrize("leave_after", [0, 1, None])
def test_the_body_is_closed_once(leave_after):
    body = Body()
    serve(Takes(answering(body)), leave_after=leave_after)
    assert body.closed == 1


def test_an_application_that_fails_leaves_its_error():
    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))
        raise ValueError("bug")

    with pytest.raises(ValueError, match="bug"):
        take(app)


def test_a_late_starter_that_fails_is_closed():
    body = Body([], ValueError("bug"))
    with pytest.raises(ValueError, match="bug"):
        take(lambda environ, start_response: body)
    assert body.closed == 1


def test_an_error_in_close_becomes_a_note_of_the_first():
    body = Body([], ValueError("bug"), OSError("disk"))
    with pytest.raises(ValueError, match="bug") as caught:
        take(lambda environ, start_response: body)
    assert "disk" in "".join(caught.value.__notes__)


@pytest.mark.parametrize("lazy", [False, True])
def test_the_body_is_closed_where_the_server_refuses_the_head(lazy):
    body = Body()

    def late(environ, start_response):
        try:
            start_response("200 OK", list(PLAIN))
            yield b"one"
        finally:
            body.close()

    def refuse(*_):
        raise OSError("the client is gone")

    with pytest.raises(OSError, match="gone"):
        Takes(late if lazy else answering(body))(make_environ(), refuse)
    assert body.closed == 1


def test_an_application_that_never_starts_is_named():
    body = Body([b"one"])

    def forgetful(environ, start_response):
        return body

    with pytest.raises(RuntimeError, match="forgetful gave a body without calling start_response"):
        take(forgetful)
    assert body.closed == 1


def test_an_application_that_starts_twice_is_named():
    def hasty(environ, start_response):
        start_response("200 OK", list(PLAIN))
        start_response("200 OK", list(PLAIN))

    with pytest.raises(RuntimeError, match="hasty called start_response twice"):
        take(hasty)


# Heads that replace others


def test_a_head_replaced_before_it_was_taken_is_the_one():
    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))
        restart(start_response)
        return [b"failed"]

    response = take(app)
    assert (response.status, response.get("X-Failed"), response.restarted) == ("500 Failed", "yes", False)
    assert ask(response).code == 500


def test_data_written_for_a_head_that_is_void_is_void():
    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))(b"half a page")
        restart(start_response)
        return [b"failed"]

    answer = ask(Takes(app))
    assert (answer.code, answer.body) == (500, b"failed")


def restarting_after(*chunks):
    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))

        def body():
            yield from chunks
            restart(start_response)
            yield b"failed"

        return body()

    return app


def test_a_head_replaced_while_the_body_is_read_is_told_where_it_was_not_handed_on():
    response = take(restarting_after(b""))
    assert (response.status, response.restarted) == ("200 OK", False)
    assert b"".join(response.body) == b"failed"
    assert (response.status, response.restarted) == ("500 Failed", True)
    response.close()


def test_a_head_replaced_after_it_was_handed_on_goes_to_the_server():
    answer = ask(Takes(restarting_after(b"")))
    assert (answer.code, answer.header("X-Failed"), answer.body) == (500, "yes", b"failed")


def test_a_head_replaced_after_a_byte_has_left_raises_its_error():
    received = serve(Takes(restarting_after(b"one")))
    assert isinstance(received.error, ValueError)
    assert (received.status, received.body) == ("200 OK", b"one")


# The body belongs to the application


def test_the_body_is_not_cut_for_head():
    assert ask(Takes(answering([b"one"])), method="HEAD").body == b"one"
    assert ask(Takes(answering(Body([b"one"]))), method="HEAD").body == b"one"


def test_the_body_can_be_replaced():
    body = Body()

    def layer(environ, start_response):
        response = Response.from_app(answering(body), environ)
        response.close()
        response.body = [b"instead"]
        return response(environ, start_response)

    assert ask(layer).body == b"instead"
    assert (body.pulled, body.closed) == (0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("app", [answering(Body()), restarting_after(b""), answering([b"one"])])
def test_an_answer_in_hand_leaves_no_cycle(app):
    def once():
        result = Takes(app)(make_environ(), lambda *_: None)
        for _ in result:
            pass
        if hasattr(result, "close"):
            result.close()

    once()
    with no_garbage():
        once()


def test_an_answer_in_hand_that_is_thrown_away_leaves_no_cycle():
    def app(environ, start_response):
        restart(start_response)
        return Body()

    with no_garbage():
        take(app).close()
