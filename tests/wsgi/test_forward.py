"""`forward`: what amend, watch and end see, and when."""

from __future__ import annotations

import sys
from contextlib import suppress

import pytest
from asking import ask, make_environ
from wsgi_layers import PLAIN, Amends, AmendsAndWatches, Body, Passes, Replaces, Takes, Watches, answering, no_garbage

from middleware.testing import serve
from middleware.wsgi import Response, forward


def restart(start_response, status="500 Failed", headers=PLAIN):
    try:
        raise ValueError("of the application")
    except ValueError:
        return start_response(status, list(headers), sys.exc_info())


def amending(app, amend):
    def layer(environ, start_response):
        return forward(app, environ, start_response, amend)

    return layer


def late(*chunks, status="200 OK"):
    def app(environ, start_response):
        start_response(status, list(PLAIN))
        yield from chunks

    return app


# amend: when, how often, with what


def test_amend_comes_after_the_application_has_returned():
    order = []

    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))
        order.append("returned")
        return [b""]

    ask(amending(app, lambda response: order.append("amended")))
    assert order == ["returned", "amended"]


def test_amend_of_a_late_starter_comes_in_the_first_next():
    amended = []
    body = amending(late(b"one"), amended.append)(make_environ(), lambda *_: None)
    assert amended == []
    assert next(iter(body)) == b"one"
    assert len(amended) == 1


def test_amend_comes_before_the_first_data_that_is_written():
    order = []

    def app(environ, start_response):
        write = start_response("200 OK", list(PLAIN))
        write(b"")
        order.append("nothing written")
        write(b"one")
        order.append("written")
        return []

    answer = ask(amending(app, lambda response: order.append("amended")))
    assert order == ["nothing written", "amended", "written"]
    assert answer.body == b"one"


def test_amend_has_a_header_list_of_its_own():
    shared = list(PLAIN)

    def app(environ, start_response):
        start_response("200 OK", shared)
        return []

    layer = Amends(app)
    assert [ask(layer).headers for _ in range(2)] == [[*PLAIN, ("X-Amended", "yes")]] * 2
    assert shared == PLAIN


def test_amend_can_change_the_status():
    def amend(response):
        response.status = "404 Gone Fishing"

    assert ask(amending(answering([b""]), amend)).status == "404 Gone Fishing"


def test_amend_runs_once_for_a_head_that_was_replaced_before_it_was_released():
    seen = []

    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))
        restart(start_response)
        return []

    assert ask(amending(app, lambda response: seen.append(response.status))).code == 500
    assert seen == ["500 Failed"]


def test_amend_runs_again_for_a_head_that_replaces_a_released_one():
    seen = []

    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))

        def body():
            yield b""
            restart(start_response)
            yield b"failed"

        return body()

    def amend(response):
        seen.append(response.status)
        response.add("X-Amended", "yes")

    answer = ask(amending(app, amend))
    assert seen == ["200 OK", "500 Failed"]
    assert (answer.code, answer.all("X-Amended"), answer.body) == (500, ["yes"], b"failed")


def test_amend_does_not_run_for_a_head_that_comes_too_late():
    seen = []

    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))
        yield b"one"
        restart(start_response)

    received = serve(amending(app, lambda response: seen.append(response.status)))
    assert seen == ["200 OK"]
    assert isinstance(received.error, ValueError)
    assert received.body == b"one"


def test_a_restart_after_data_was_written_raises_the_error_it_came_with():
    raised = []

    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))(b"one")
        try:
            restart(start_response)
        except ValueError as error:
            raised.append(error)
            raise

    received = serve(Amends(app))
    assert received.error is raised[0]
    assert received.status == "200 OK"


def test_exc_info_reaches_the_server():
    given = []

    def app(environ, start_response):
        restart(start_response)
        return []

    def start_response(status, headers, exc_info=None):
        given.append(exc_info)

    Amends(app)(make_environ(), start_response)
    assert given[0][0] is ValueError


@pytest.mark.parametrize("nothing", [None, (None, None, None)])
def test_exc_info_that_holds_no_error_is_none(nothing):
    def app(environ, start_response):
        start_response("200 OK", list(PLAIN), nothing)
        return [b"fine"]

    assert ask(Amends(app)).body == ask(Takes(app)).body == b"fine"


# amend replaces the body


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_body_that_is_replaced_is_closed_and_never_read(method):
    body, replacement = Body(), Body([b"replaced"])
    answer = ask(Replaces(answering(body), replacement), method=method)
    assert answer.body == (b"replaced" if method == "GET" else b"")
    assert (body.pulled, body.closed, replacement.closed) == (0, 1, 1)


def test_the_body_of_a_late_starter_is_replaced_and_closed():
    closed = []

    def app(environ, start_response):
        try:
            start_response("200 OK", list(PLAIN))
            yield b"one"
            yield b"two"
        finally:
            closed.append(True)

    assert ask(Replaces(app)).body == b"replaced"
    assert closed == [True]


def test_what_is_written_is_dropped_where_the_body_is_replaced():
    def app(environ, start_response):
        write = start_response("200 OK", list(PLAIN))
        write(b"one")
        write(b"two")
        return [b"three"]

    assert ask(Replaces(app)).body == b"replaced"


def test_what_a_late_starter_writes_is_dropped_where_the_body_is_replaced():
    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))(b"one")
        yield b"two"

    assert ask(Replaces(app)).body == b"replaced"


def test_a_replaced_body_is_watched():
    layer = Watches(Replaces(answering([b"one"]), [b"re", b"placed"]))
    ask(layer)
    assert layer.seen == [b"re", b"placed"]

    seen = []

    def watching(environ, start_response):
        def amend(response):
            response.body = (b"new",)

        return forward(answering([b"old"]), environ, start_response, amend, watch=seen.append)

    ask(watching)
    assert seen == [b"new"]


def test_a_replacement_for_a_void_head_is_closed():
    void = Body([b"void"])

    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))(b"one")
        restart(start_response)
        return [b"failed"]

    def amend(response):
        if response.code == "200":
            response.body = void

    answer = ask(amending(app, amend))
    assert (answer.code, answer.body) == (500, b"failed")
    assert (void.pulled, void.closed) == (0, 1)


def test_a_replacement_is_closed_where_the_application_fails_after_all():
    replacement = Body([b"replaced"])

    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))(b"one")
        raise ValueError

    assert isinstance(serve(Replaces(app, replacement)).error, ValueError)
    assert replacement.closed == 1


def test_a_replacement_is_closed_where_the_body_it_replaces_cannot_be():
    replacement = Body([b"replaced"])
    body = Body(close_error=OSError("cannot close"))
    assert isinstance(serve(Replaces(answering(body), replacement)).error, OSError)
    assert (body.closed, replacement.closed) == (1, 1)


@pytest.mark.parametrize("end", [None, lambda ending: None], ids=["unwatched", "watched"])
def test_a_replacement_that_comes_too_late_is_closed_and_the_answer_goes_on(end):
    replacement = Body([b"page"])

    def app(environ, start_response):
        write = start_response("200 OK", list(PLAIN))

        def body():
            with suppress(ValueError):
                restart(start_response)
            write(b"one,")
            yield b"two"

        return body()

    def amend(response):
        if response.code == "500":
            response.body = replacement

    def layer(environ, start_response):
        return forward(app, environ, start_response, amend, end=end)

    received = serve(layer)
    assert (received.status, received.body) == ("200 OK", b"one,two")
    assert (replacement.pulled, replacement.closed) == (0, 1)


def test_a_replacement_is_closed_where_amend_fails_and_the_body_cannot_be_closed():
    replacement = Body([b"page"])
    app = answering(Body(close_error=OSError("cannot close")))

    def amend(response):
        response.body = replacement
        raise KeyError

    assert isinstance(serve(amending(app, amend)).error, KeyError)
    assert replacement.closed == 1


def test_a_head_that_replaces_one_under_way_cannot_bring_a_body():
    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))

        def body():
            restart(start_response)
            yield b"failed"

        return body()

    def amend(response):
        if response.code == "500":
            response.body = [b"page"]

    assert isinstance(serve(amending(app, amend)).error, ValueError)


# amend fails


@pytest.mark.parametrize("make", [Body, lambda: [b"one"]], ids=["iterator", "list"])
def test_an_error_in_amend_closes_the_body_and_leaves(make):
    body, endings = make(), []

    def amend(response):
        raise KeyError("amend")

    def layer(environ, start_response):
        return forward(answering(body), environ, start_response, amend, end=endings.append)

    received = serve(layer)
    assert isinstance(received.error, KeyError)
    assert getattr(body, "closed", 1) == 1
    assert [ending.error for ending in endings] == [received.error]
    assert received.status == ""


def test_an_error_in_amend_of_a_late_starter_closes_it_and_leaves():
    closed = []

    def app(environ, start_response):
        try:
            start_response("200 OK", list(PLAIN))
            yield b"one"
        finally:
            closed.append(True)

    def amend(response):
        raise KeyError("amend")

    received = serve(amending(app, amend))
    assert isinstance(received.error, KeyError)
    assert closed == [True]


def test_a_second_error_in_close_becomes_a_note_of_the_first():
    def amend(response):
        raise KeyError("amend")

    received = serve(amending(answering(Body(close_error=OSError("disk"))), amend))
    assert isinstance(received.error, KeyError)
    assert "disk" in "".join(received.error.__notes__)


# Applications that break PEP 3333


@pytest.mark.parametrize("layer", [Passes, AmendsAndWatches])
@pytest.mark.parametrize("body", [[b"one"], [], Body([b"one"])], ids=["list", "empty", "iterator"])
def test_an_application_that_never_starts_is_named(layer, body):
    def forgetful(environ, start_response):
        return body

    received = serve(layer(forgetful))
    assert isinstance(received.error, RuntimeError)
    assert "forgetful gave a body without calling start_response" in str(received.error)


def test_an_application_that_starts_twice_is_named():
    class Hasty:
        def __call__(self, environ, start_response):
            start_response("200 OK", list(PLAIN))
            start_response("200 OK", list(PLAIN))

    with pytest.raises(RuntimeError, match="Hasty called start_response twice"):
        ask(Passes(Hasty()))


def test_a_server_without_write_is_named_where_an_application_writes():
    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))(b"one")
        return []

    received = serve(Passes(app), write=False)
    assert isinstance(received.error, RuntimeError)
    assert "yield the body instead" in str(received.error)


# The body goes on as it is


@pytest.mark.parametrize("body", [[b"one"], [], (b"one",), Body(), iter(())], ids=lambda body: type(body).__name__)
def test_without_watch_and_end_the_body_is_the_same_object(body):
    assert Amends(Passes(answering(body)))(make_environ(), lambda *_: None) is body


@pytest.mark.parametrize("chunks", [[], [b"one"], [b"one", b"", b"three"]])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_server_sees_how_many_chunks_a_watched_list_has(chunks, depth):
    layers = [Watches(answering(chunks))]
    for _ in range(depth - 1):
        layers.append(Watches(layers[-1]))
    body = layers[-1](make_environ(), lambda *_: None)
    assert (len(body), list(body)) == (len(chunks), chunks)
    body.close()
    body.close()
    for layer in layers:
        assert b"".join(layer.seen) == b"".join(chunks)
        assert layer.ending.completed


def test_a_watched_list_is_no_list_which_servers_may_take_without_closing_it():
    body = Watches(answering([b"one"]))(make_environ(), lambda *_: None)
    assert not isinstance(body, list)
    assert hasattr(body, "close")


def test_a_list_with_a_close_of_its_own_is_closed():
    closed = []

    class Closing(list):
        def close(self):
            closed.append(True)

    assert ask(Watches(answering(Closing([b"one"])))).body == b"one"
    assert closed == [True]


# No cycles, and no error that is kept


def quietly(app):
    """Serve without keeping anything, as a plain server does."""
    heads = []

    def start_response(status, headers, exc_info=None):
        heads.append(status)
        return heads.append

    body = ()
    try:
        body = app(make_environ(), start_response)
        for _ in body:
            pass
    except ValueError:
        pass
    finally:
        if hasattr(body, "close"):
            body.close()


def fails_in_call(environ, start_response):
    start_response("200 OK", list(PLAIN))
    raise ValueError


def fails_in_next(environ, start_response):
    start_response("200 OK", list(PLAIN))
    yield b"one"
    raise ValueError


def restarts(environ, start_response):
    start_response("200 OK", list(PLAIN))
    restart(start_response)
    return [b"failed"]


@pytest.mark.slow
@pytest.mark.parametrize("layer", [Passes, Amends, lambda app: forward_all(AmendsAndWatchesQuietly(app))])
@pytest.mark.parametrize(
    "app", [answering([b"one"]), late(b"one"), fails_in_call, fails_in_next, restarts], ids=lambda app: app.__name__
)
def test_a_request_leaves_no_cycle(layer, app):
    quietly(layer(app))  # once for what is imported late
    with no_garbage():
        quietly(layer(app))


class AmendsAndWatchesQuietly:
    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        ends = []
        return forward(
            self.app, environ, start_response, lambda r: r.set("X", "1"), watch=len, end=lambda e: ends.append(e.gone)
        )


def forward_all(app):
    return Passes(Amends(app))


def test_a_response_can_be_refused_without_calling_the_application():
    def guard(environ, start_response):
        return Response("403 Forbidden", PLAIN, [b"no"])(environ, start_response)

    assert ask(Watches(guard)).body == b"no"
