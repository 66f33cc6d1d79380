"""Whatever mixture of yields, writes and restarts an application is, layers change nothing of what its client gets."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsgi_layers import PLAIN, Amends, AmendsAndWatches, Passes, Takes, Watches

from middleware.testing import serve

DATA = st.sampled_from([b"", b"a", b"bc", b"def"])
WRITE = st.tuples(st.just("write"), DATA)
YIELD = st.tuples(st.just("yield"), DATA)
RESTART = st.tuples(st.just("restart"), st.sampled_from([b"500 Failed", b"503 Busy"]))
FAIL = st.tuples(st.just("fail"), st.just(b""))

IN_CALL = st.lists(st.one_of(WRITE, RESTART), max_size=3)
IN_BODY = st.lists(st.one_of(YIELD, YIELD, WRITE, RESTART), max_size=6)
END = st.sampled_from([[], [], [("fail", b"")]])


class Bug(Exception):
    pass


def play(steps, start_response, write):
    """Do each step; what is to be yielded comes out."""
    for step, data in steps:
        if step == "write":
            write(data)
        elif step == "yield":
            yield data
        elif step == "fail":
            raise Bug
        else:
            try:
                raise Bug
            except Bug:
                write = start_response(data.decode(), [*PLAIN, ("X-Restarted", "yes")], sys.exc_info())


def application(late, in_call, in_body, kind):
    """An application of these steps. The log has an entry for each time it was closed."""
    closed = []

    class Body:
        def __init__(self, iterator):
            self.iterator = iterator

        def __iter__(self):
            return self

        def __next__(self):
            return next(self.iterator)

        def close(self):
            closed.append(True)

    def body(start_response, write, steps):
        if write is None:
            write = start_response("200 OK", list(PLAIN))
        yield from play(steps, start_response, write)

    def app(environ, start_response):
        if late:
            return Body(body(start_response, None, in_call + in_body))
        write = start_response("200 OK", list(PLAIN))
        list(play(in_call, start_response, write))
        if kind == "list":
            return [data for step, data in in_body if step == "yield"]
        return Body(body(start_response, write, in_body))

    app.closed = closed
    return app


def outcome(received):
    return received.status, received.header("X-Restarted"), received.body, type(received.error), received.broken


LAYERS = {
    "passes": Passes,
    "amends": Amends,
    "watches": Watches,
    "all": AmendsAndWatches,
    "three deep": lambda app: AmendsAndWatches(Amends(AmendsAndWatches(app))),
}
scripts = given(
    late=st.booleans(),
    in_call=IN_CALL,
    in_body=st.tuples(IN_BODY, END).map(lambda pair: pair[0] + pair[1]),
    kind=st.sampled_from(["list", "iterator"]),
    leave_after=st.sampled_from([None, None, 0, 1, 2, 3]),
)


@pytest.mark.parametrize("name", LAYERS)
@scripts
def test_a_client_gets_the_same_through_a_layer_on_forward(name, late, in_call, in_body, kind, leave_after):
    bare, inside = (application(late, in_call, in_body, kind) for _ in range(2))
    layer = LAYERS[name](inside)
    without = serve(bare, leave_after=leave_after)
    received = serve(layer, leave_after=leave_after)
    # A head held back until the application has returned: an error before that leaves none.
    never_left = not received.status and received.error is not None
    assert outcome(received)[2:] == outcome(without)[2:]
    assert outcome(received) == outcome(without) or never_left
    assert inside.closed == bare.closed
    if isinstance(layer, Watches):
        assert b"".join(layer.seen) == received.body
        assert (layer.ending.completed, layer.ending.error) == (received.completed, received.error)
        assert layer.ending.gone == (not received.completed and received.error is None)


@scripts
def test_a_client_gets_the_same_through_an_answer_taken_in_hand(late, in_call, in_body, kind, leave_after):
    steps = in_call + in_body
    wrote = False
    for step, data in steps:
        if step == "restart" and wrote:
            return  # what was written has not left, so the new head may come in its place
        wrote = wrote or (step == "write" and data != b"")
    bare, inside = (application(late, in_call, in_body, kind) for _ in range(2))
    without, received = serve(bare), serve(Takes(inside))
    if received.error is None:
        assert outcome(received) == outcome(without)
    else:  # it leaves before what was written on the way to it, or before a head has
        assert type(received.error) is type(without.error) is Bug
        assert without.body.startswith(received.body)
    assert inside.closed == bare.closed
