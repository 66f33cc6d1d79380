"""W3C trace context: which trace a request belongs to, and how it is handed on. Numbers: L36 to L39 of the notes."""

from __future__ import annotations

import pytest
from asking import ask
from hypothesis import given
from hypothesis import strategies as st

from middleware.errors import ConfigurationError, LayerMissing
from middleware.logging import LoggingMiddleware, trace_headers
from middleware.logging.trace import parse_traceparent, parse_tracestate

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{PARENT}-01"


def seen_by(layer_options=None, **headers):
    """The trace that the application finds."""
    seen = []

    def app(environ, start_response):
        seen.append((environ["middleware.trace"], dict(environ["middleware.notes"]), [trace_headers(environ)] * 1))
        seen.extend(trace_headers(environ) for _ in range(3))
        start_response("200 OK", [])
        return [b""]

    options = {"trace": "continue", **(layer_options or {})}
    ask(LoggingMiddleware(app, sink=lambda line: None, **options), headers=headers)
    (trace, notes, _), *handed_on = seen
    return trace, notes, handed_on


def test_a_trace_goes_on_under_a_new_span():
    trace, notes, _ = seen_by(traceparent=GOOD, tracestate="foo=1,bar=2")
    assert (trace.trace_id, trace.parent_id, trace.flags, trace.state) == (TRACE, PARENT, 1, "foo=1,bar=2")
    assert len(trace.span_id) == 16
    assert trace.span_id != PARENT
    assert (notes["trace_id"], notes["span_id"]) == (TRACE, trace.span_id)


def test_each_request_to_another_service_has_a_parent_id_of_its_own():
    _, _, handed_on = seen_by(traceparent=f"00-{TRACE}-{PARENT}-ff", tracestate="foo=1")
    parents = {fields["traceparent"].split("-")[2] for fields in handed_on}
    assert len(parents) == 3
    assert PARENT not in parents
    assert {fields["traceparent"][:36] for fields in handed_on} == {f"00-{TRACE}-"}
    assert {fields["traceparent"][-2:] for fields in handed_on} == {"03"}
    assert {fields["tracestate"] for fields in handed_on} == {"foo=1"}


def test_without_a_trace_one_begins():
    first, _, handed_on = seen_by()
    other, _, _ = seen_by()
    assert first.trace_id != other.trace_id
    assert first.parent_id is None
    assert all("tracestate" not in fields for fields in handed_on)


def test_a_public_site_goes_on_with_nobodys_trace():
    trace, _, _ = seen_by({"trace": "new"}, traceparent=GOOD, tracestate="foo=1")
    assert trace.trace_id != TRACE
    assert trace.state == ""


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f" {GOOD}\t",
        f"cc-{TRACE}-{PARENT}-01",
        f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like",
        f"cc-{TRACE}-{PARENT}-01-",
    ],
)
def test_what_is_a_traceparent(text):
    assert parse_traceparent(text) == (TRACE, PARENT, 1)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "foo",
        GOOD.upper(),
        GOOD[:-1],
        GOOD + "0",
        GOOD + "-",
        GOOD + "-what-the-future-will-be-like",
        GOOD.replace("-", "_"),
        f"ff-{TRACE}-{PARENT}-01",
        f"0-{TRACE}-{PARENT}-01",
        f"000-{TRACE}-{PARENT}-01",
        f".0-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}.-{PARENT}-01",
        f"00-{TRACE}-{PARENT[:-1]}.-01",
        f"00-{TRACE}-{PARENT}-.0",
        f"00-{TRACE}0-{PARENT}-01",
        f"00-{TRACE}-{PARENT}0-01",
        f"00-{TRACE}-{PARENT}-1",
        f"cc-{TRACE}-{PARENT}-01.what-the-future-will-not-be-like",
        f"{GOOD},{GOOD}",
        "\xb2" + GOOD[1:],
        GOOD + " " * 5000,
    ],
)
def test_what_is_no_traceparent_begins_a_new_trace(text):
    assert parse_traceparent(text) is None
    if text is not None:
        trace, _, _ = seen_by(traceparent=text, tracestate="foo=1")
        assert trace.trace_id != TRACE
        assert trace.state == ""


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("foo=1,bar=2", "foo=1,bar=2"),
        (" foo=1 \t,\t bar=2 ", "foo=1,bar=2"),
        ("foo=1,,bar=2,", "foo=1,bar=2"),
        ("", ""),
        ("foo=1,foo=2", "foo=1,foo=2"),
        ("foo@@bar=1", "foo@@bar=1"),
        ("0a=1", "0a=1"),
        ("t/-*_@x=1", "t/-*_@x=1"),
        ("k" * 256 + "=1", "k" * 256 + "=1"),
        ("k=" + "v" * 256, "k=" + "v" * 256),
        ("k= v", "k= v"),
        (",".join(f"k{number}=1" for number in range(32)), ",".join(f"k{number}=1" for number in range(32))),
    ],
)
def test_what_is_a_tracestate_keeps_its_members_in_order(text, kept):
    assert parse_tracestate(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        None,
        "foo=1,FOO=1",
        "foo.bar=1",
        "foo=,bar=3",
        "foo",
        "=1",
        "@foo=1",
        "foo=1=2",
        "foo =1",
        "foo=b\x01r",
        "foo=\xe9",
        "k" * 257 + "=1",
        "k=" + "v" * 257,
        ",".join(f"k{number}=1" for number in range(33)),
        "," * 1000 + "a=1",
    ],
)
def test_one_wrong_member_drops_all_of_them_and_never_the_trace(text):
    assert parse_tracestate(text) == ""
    if text is not None:
        trace, _, _ = seen_by(traceparent=GOOD, tracestate=text)
        assert trace.trace_id == TRACE


@given(st.text(), st.text())
def test_no_field_is_an_error(parent, state):
    trace, _, handed_on = seen_by(traceparent=parent, tracestate=state)
    assert parse_traceparent(handed_on[0]["traceparent"]) is not None
    assert parse_tracestate(trace.state) == trace.state


def test_two_layers_agree_on_the_trace():
    seen = []

    def app(environ, start_response):
        seen.append(environ["middleware.trace"])
        start_response("200 OK", [])
        return [b""]

    inner = LoggingMiddleware(app, sink=lambda line: None, trace="new")

    def between(environ, start_response):
        seen.append(environ["middleware.trace"])
        return inner(environ, start_response)

    ask(LoggingMiddleware(between, sink=lambda line: None, trace="continue"), headers={"traceparent": GOOD})
    assert seen[0] is seen[1]


def test_without_trace_there_is_none_and_the_accessor_says_what_to_do():
    def app(environ, start_response):
        assert "middleware.trace" not in environ
        with pytest.raises(LayerMissing, match="trace="):
            trace_headers(environ)
        start_response("200 OK", [])
        return [b""]

    assert ask(LoggingMiddleware(app, sink=lambda line: None), headers={"traceparent": GOOD}).code == 200


@pytest.mark.parametrize("trace", ["yes", True, "", 1])
def test_a_choice_that_is_none_is_refused(trace):
    with pytest.raises(ConfigurationError, match="trace="):
        LoggingMiddleware(lambda environ, start_response: [], trace=trace)
