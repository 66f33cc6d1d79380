"""`UNWATCHED`: a layer that needs no more of an answer, once it has seen the head."""

from __future__ import annotations

import pytest
from asking import ask, make_environ
from wsgi_layers import PLAIN

from middleware.wsgi import UNWATCHED, forward


class Loses:
    """Watches every answer but those that say 404."""

    def __init__(self, app):
        self.app = app
        self.seen = []
        self.ended = []

    def __call__(self, environ, start_response):
        def amend(response):
            response.add("X-Seen", "yes")
            return UNWATCHED if response.code == "404" else None

        return forward(self.app, environ, start_response, amend, watch=self.seen.append, end=self.ended.append)


def answering(status, body):
    def app(environ, start_response):
        start_response(status, list(PLAIN))
        return body

    return app


def test_the_body_of_an_unwatched_answer_is_the_very_object():
    body = [b"not ", b"here"]
    layer = Loses(answering("404 Not Found", body))
    assert layer(make_environ(), lambda *_: None) is body
    assert layer.seen == layer.ended == []


def test_a_watched_answer_of_the_same_layer_is_seen_to_its_end():
    layer = Loses(answering("200 OK", [b"he", b"re"]))
    assert ask(layer).body == b"here"
    assert layer.seen == [b"he", b"re"]
    assert [ending.completed for ending in layer.ended] == [True]


def test_a_late_starter_is_let_go_at_its_first_chunk():
    def app(environ, start_response):
        start_response("404 Not Found", list(PLAIN))
        yield b"not "
        yield b"here"

    layer = Loses(app)
    answer = ask(layer)
    assert (answer.body, answer.header("X-Seen")) == (b"not here", "yes")
    assert layer.seen == layer.ended == []


def test_what_is_written_of_an_unwatched_answer_is_not_seen():
    def app(environ, start_response):
        start_response("404 Not Found", list(PLAIN))(b"not ")
        return [b"here"]

    layer = Loses(app)
    assert ask(layer).body == b"not here"
    assert layer.seen == layer.ended == []


def test_an_unwatched_answer_is_closed_by_the_server_once():
    class Closing(list):
        closed = 0

        def close(self):
            self.closed += 1

    body = Closing([b"x"])
    ask(Loses(answering("404 Not Found", body)))
    assert body.closed == 1


def test_the_error_of_an_unwatched_answer_leaves_as_it_is():
    def app(environ, start_response):
        start_response("404 Not Found", list(PLAIN))
        yield b"x"
        raise KeyError("lost")

    layer = Loses(app)
    with pytest.raises(KeyError, match="lost"):
        ask(layer)
    assert layer.ended == []


def test_a_replacement_body_may_go_unwatched_too():
    def amend(response):
        response.body = [b"gone"]
        return UNWATCHED

    def layer(environ, start_response):
        return forward(answering("200 OK", [b"x"]), environ, start_response, amend, watch=print, end=print)

    assert ask(layer).body == b"gone"
