"""`end` is told once, in every ending, how it ended; `watch` sees what was handed on."""

from __future__ import annotations

import contextlib
import sys

import pytest
from asking import make_environ
from wsgi_layers import PLAIN, AmendsAndWatches, Body, Ends, Watches, answering

from middleware.testing import serve
from middleware.testing.witness import Timeout
from middleware.wsgi import forward


def ended(app, layer=Watches, **how):
    """(completed, gone, error) and what was seen, for one request."""
    environ = make_environ(method=how.pop("method", "GET"))
    watches = layer(app)
    received = serve(watches, environ, **how)
    return watches.ending, watches.seen, received


def generator(environ, start_response):
    start_response("200 OK", list(PLAIN))
    yield b"one,"
    yield b"two"


def writer(environ, start_response):
    start_response("200 OK", list(PLAIN))(b"one,")
    return [b"two"]


BODIES = {
    "list": answering([b"one,", b"two"]),
    "tuple": answering((b"one,", b"two")),
    "keys": answering({b"one,": 1, b"two": 2}.keys()),
    "generator": generator,
    "writer": writer,
}
every_body = pytest.mark.parametrize("name", [*BODIES, "iterator"])


def app_of(name):
    return answering(Body()) if name == "iterator" else BODIES[name]


@every_body
@pytest.mark.parametrize("layer", [Watches, Ends, AmendsAndWatches])
def test_an_answer_that_was_taken_whole_is_completed(name, layer):
    ending, seen, received = ended(app_of(name), layer)
    assert (ending.completed, ending.gone, ending.error, ending.by_descriptor) == (True, False, None, 0)
    assert received.body == b"one,two"
    assert b"".join(seen) == (b"" if layer is Ends else b"one,two")


@every_body
def test_a_client_that_leaves_is_gone(name):
    ending, seen, _ = ended(app_of(name), leave_after=1)
    assert (ending.completed, ending.gone, ending.error) == (False, True, None)
    assert b"".join(seen) == (b"one,two" if name == "writer" else b"one,")


@every_body
def test_a_body_that_nobody_iterated_is_gone(name):
    ending, seen, _ = ended(app_of(name), leave_after=0)
    assert (ending.completed, ending.gone, ending.error) == (False, True, None)
    assert seen == ([b"one,"] if name == "writer" else [])


@pytest.mark.parametrize(
    ("method", "status", "body"),
    [("HEAD", "200 OK", [b"one"]), ("GET", "204 No Content", []), ("GET", "304 Not Modified", Body([]))],
)
def test_an_answer_that_has_no_body_is_completed_though_nobody_iterates(method, status, body):
    ending, _, _ = ended(answering(body, status), method=method, leave_after=0)
    assert (ending.completed, ending.gone, ending.error) == (True, False, None)


def test_an_error_in_the_call_ends_it():
    error = ValueError("bug")

    def app(environ, start_response):
        raise error

    ending, seen, received = ended(app)
    assert (ending.completed, ending.gone, ending.error) == (False, False, error)
    assert received.error is error
    assert seen == []


@pytest.mark.parametrize("error", [ValueError("bug"), SystemExit(1), Timeout()])
def test_an_error_in_the_body_ends_it(error):
    body = Body([b"one"], error)
    ending, seen, received = ended(answering(body))
    assert (ending.completed, ending.gone, ending.error) == (False, False, error)
    assert received.error is error
    assert (seen, body.closed) == ([b"one"], 1)


def test_an_error_in_close_ends_what_was_completed():
    error = OSError("disk")
    ending, _, received = ended(answering(Body(close_error=error)))
    assert (ending.completed, ending.gone, ending.error) == (True, False, error)
    assert received.error is error


def test_the_first_error_is_the_one_that_is_told():
    error = ValueError("bug")
    ending, _, _ = ended(answering(Body(error=error, close_error=OSError("disk"))))
    assert ending.error is error


def test_the_end_comes_after_close():
    order = []

    class Closing(Body):
        def close(self):
            order.append("closed")

    def layer(environ, start_response):
        return forward(answering(Closing()), environ, start_response, end=lambda _: order.append("ended"))

    serve(layer)
    assert order == ["closed", "ended"]


def test_the_end_comes_once_however_often_the_server_closes():
    layer = Watches(answering(Body()))
    result = layer(make_environ(), lambda *_: None)
    result.close()
    result.close()
    assert len(layer.endings) == 1


@pytest.mark.parametrize("name", ["list", "generator", "iterator"])
def test_nothing_is_seen_after_the_end(name):
    layer = Watches(app_of(name))
    result = layer(make_environ(), lambda *_: None)
    result.close()
    assert list(result) == []
    assert layer.seen == []


def test_a_write_that_fails_counts_nothing_and_means_that_the_client_is_gone():
    def app(environ, start_response):
        write = start_response("200 OK", list(PLAIN))
        write(b"one")
        write(b"two")

    sent = []

    def start_response(status, headers, exc_info=None):
        def write(data):
            if sent:
                raise BrokenPipeError
            sent.append(data)

        return write

    layer = Watches(app)
    with pytest.raises(BrokenPipeError):
        layer(make_environ(), start_response)
    assert layer.seen == [b"one"]
    assert layer.ending.gone
    assert isinstance(layer.ending.error, BrokenPipeError)


def test_an_answer_that_lost_a_write_is_never_complete():
    def app(environ, start_response):
        write = start_response("200 OK", list(PLAIN))
        with contextlib.suppress(BrokenPipeError):
            write(b"one")
        return [b"two"]

    def start_response(status, headers, exc_info=None):
        def write(data):
            raise BrokenPipeError

        return write

    layer = Watches(app)
    body = layer(make_environ(), start_response)
    assert list(body) == [b"two"]
    body.close()
    ending = layer.ending
    assert (ending.completed, ending.gone, ending.error) == (False, True, None)
    assert isinstance(ending.server_error, BrokenPipeError)


def test_empty_chunks_are_handed_on_and_not_watched():
    ending, seen, received = ended(answering([b"", b"one", b"", b"two", b""]))
    assert seen == [b"one", b"two"]
    assert received.yielded == 5
    assert ending.completed


@every_body
def test_an_error_of_watch_is_the_error_of_the_answer(name):
    endings = []

    def watch(chunk):
        raise KeyError("watch")

    def layer(environ, start_response):
        return forward(app_of(name), environ, start_response, watch=watch, end=endings.append)

    received = serve(layer)
    assert isinstance(received.error, KeyError)
    assert [(ending.completed, ending.error) for ending in endings] == [(False, received.error)]


def test_an_ending_has_the_head_that_the_server_took():
    ending, _, received = ended(answering([b"one"]), AmendsAndWatches)
    assert (ending.head.status, ending.head.headers[:2]) == ("200 OK", received.headers)
    assert ending.first is ending.head


def test_an_ending_has_no_head_where_none_left():
    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))
        raise ValueError

    ending, _, _ = ended(app)
    assert ending.head is None
    assert ending.first.status == "200 OK"


def test_an_ending_has_the_head_that_replaced_another():
    ending, _, _ = ended(restarting_after(b""))
    assert ending.head.status == "500 Failed"
    assert ending.first.status == "200 OK"


def test_an_ending_has_the_head_that_could_not_be_replaced_any_more():
    ending, _, received = ended(restarting_after(b"one"))
    assert isinstance(received.error, ValueError)
    assert ending.head.status == "200 OK"


def restarting_after(chunk):
    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))
        yield chunk
        try:
            raise ValueError
        except ValueError:
            start_response("500 Failed", list(PLAIN), sys.exc_info())
        yield b"failed"

    return app


def test_an_ending_shows_what_it_is():
    ending, _, _ = ended(answering([b"one"]))
    assert repr(ending) == "<Ending completed=True gone=False error=None>"


def test_nested_layers_each_see_all_of_it():
    inner = Watches(generator)
    outer = AmendsAndWatches(inner)
    assert serve(outer).body == b"one,two"
    assert inner.seen == outer.seen == [b"one,", b"two"]
    assert inner.ending.completed
    assert outer.ending.completed


def test_the_end_knows_the_head_that_the_server_got():
    ending, _, _ = ended(generator, AmendsAndWatches)
    assert ending.head.status == "200 OK"
    assert ending.head.get("X-Amended") == "yes"


def test_the_end_knows_no_head_where_there_was_none():
    def app(environ, start_response):
        raise ValueError

    ending, _, _ = ended(app)
    assert ending.head is None
    assert ending.first is None


def test_a_head_that_the_server_refused_is_not_the_one_that_the_end_knows():
    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))
        yield b""
        try:
            raise ValueError("too late")
        except ValueError as error:
            start_response("500 Oops", [], (type(error), error, None))

    def start_response(status, headers, exc_info=None):
        if exc_info:
            raise exc_info[1]

    layer = Watches(app)
    body = layer(make_environ(), start_response)
    with pytest.raises(ValueError, match="too late"):
        list(body)
    body.close()
    assert layer.ending.head.status == "200 OK"
