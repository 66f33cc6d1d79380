"""The application's own log records carry the id of the request they were made for. Numbers: L40 to L42."""

from __future__ import annotations

import logging
import threading
from contextvars import copy_context

import pytest
from asking import ask, make_environ

from middleware.logging import LoggingMiddleware, RequestIdFilter, name_all_records
from middleware.logging.context import current_request


class Kept(logging.Handler):
    """Keeps what a Formatter makes of each record."""

    def __init__(self):
        super().__init__()
        self.lines = []
        self.setFormatter(logging.Formatter("%(request_id)s %(trace_id)s %(span_id)s %(message)s"))

    def emit(self, record):
        self.lines.append(self.format(record))


@pytest.fixture
def kept():
    handler = Kept()
    handler.addFilter(RequestIdFilter())
    logger = logging.getLogger("application")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.lines
    logger.removeHandler(handler)


def say(text):
    logging.getLogger("application").info(text)


class Lazy:
    """A body that says something whenever it is asked."""

    def __init__(self):
        self.left = [b"a", b"b"]

    def __iter__(self):
        say("iter")
        return self

    def __next__(self):
        say("next")
        if not self.left:
            raise StopIteration
        return self.left.pop()

    def close(self):
        say("close")


def lazy(environ, start_response):
    say("call")
    start_response("200 OK", [])
    return Lazy()


def late(environ, start_response):
    say("before")
    start_response("200 OK", [])
    yield b"a"
    say("between")
    yield b"b"


def layer(app, **options):
    return LoggingMiddleware(app, sink=lambda line: None, **options)


def test_records_of_the_call_of_each_chunk_and_of_close_have_the_id(kept):
    answer = ask(layer(lazy))
    request_id = answer.header("X-Request-ID")
    assert [line.split()[-1] for line in kept] == ["call", "iter", "next", "next", "next", "close"]
    assert all(line.startswith(f"{request_id} - - ") for line in kept)


def test_records_of_a_generator_have_the_id(kept):
    request_id = ask(layer(late)).header("X-Request-ID")
    assert kept == [f"{request_id} - - before", f"{request_id} - - between"]


def test_records_have_the_trace_where_there_is_one(kept):
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    ask(layer(lazy, trace="continue"), headers={"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"})
    assert {line.split()[1] for line in kept} == {trace_id}
    assert {len(line.split()[2]) for line in kept} == {16}


def test_records_outside_of_a_request_have_none(kept):
    say("before")
    ask(layer(lazy))
    say("after")
    assert (kept[0], kept[-1]) == ("- - - before", "- - - after")


def test_a_thread_of_its_own_has_none_and_one_that_copies_the_context_has_it(kept):
    def app(environ, start_response):
        context = copy_context()
        for target in (lambda: say("alone"), lambda: context.run(say, "copied")):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
        start_response("200 OK", [])
        return [b""]

    request_id = ask(layer(app)).header("X-Request-ID")
    assert kept == ["- - - alone", f"{request_id} - - copied"]


def test_the_line_of_the_request_itself_has_the_id(caplog):
    caplog.handler.addFilter(RequestIdFilter())
    with caplog.at_level(logging.INFO, "middleware.access"):
        answer = ask(
            LoggingMiddleware(lambda environ, start_response: (start_response("200 OK", []) and [b"x"]) or [b"x"])
        )
    assert caplog.records[-1].request_id == answer.header("X-Request-ID")


@pytest.mark.parametrize("ending", ["normal", "left early", "error", "never iterated"])
@pytest.mark.parametrize("app", [lazy, late])
def test_nothing_is_left_in_the_context(app, ending):
    def raising(environ, start_response):
        body = iter(app(environ, start_response))
        yield next(body)
        raise KeyError("gone")

    before = dict(copy_context())
    body = layer(raising if ending == "error" else app)(make_environ(), lambda status, headers, exc_info=None: None)
    assert dict(copy_context()) == before
    if ending == "normal":
        list(body)
    elif ending == "left early":
        next(iter(body))
    elif ending == "error":
        with pytest.raises(KeyError):
            list(body)
    assert dict(copy_context()) == before
    body.close()
    assert dict(copy_context()) == before


def test_two_answers_that_are_taken_by_turns_keep_their_ids():
    def app(environ, start_response):
        start_response("200 OK", [])
        for _ in range(3):
            yield current_request().request_id.encode()

    bodies = [iter(layer(app)(make_environ(), lambda status, headers, exc_info=None: None)) for _ in range(2)]
    chunks = [[next(body) for body in bodies] for _ in range(3)]
    assert len({one for one, _ in chunks}) == len({other for _, other in chunks}) == 1
    assert chunks[0][0] != chunks[0][1]


def test_a_record_that_has_a_request_id_keeps_it(kept):
    def app(environ, start_response):
        logging.getLogger("application").info("own", extra={"request_id": "mine"})
        start_response("200 OK", [])
        return [b""]

    # A filter of a handler comes after `extra=`.
    handler = logging.getLogger("application").handlers[-1]
    handler.setFormatter(logging.Formatter("%(request_id)s %(message)s"))
    ask(layer(app))
    assert kept == ["mine own"]


def test_all_records_of_a_process_can_be_named():
    before = logging.getLogRecordFactory()
    try:
        assert name_all_records() is before
        made = []

        def app(environ, start_response):
            made.append(logging.getLogger("anything").makeRecord("anything", 20, "", 0, "text", (), None))
            start_response("200 OK", [])
            return [b""]

        request_id = ask(layer(app)).header("X-Request-ID")
        assert made[0].request_id == request_id
        once = logging.getLogRecordFactory()
        name_all_records()
        assert logging.getLogRecordFactory() is once
    finally:
        logging.setLogRecordFactory(before)


@pytest.fixture
def kept_errors():
    handler = Kept()
    logger = logging.getLogger("middleware.error")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def broken(environ, start_response):
    raise KeyError("gone")


def test_the_record_of_an_error_has_all_three_names(kept_errors):
    kept_errors.addFilter(RequestIdFilter())
    with pytest.raises(KeyError):
        ask(layer(broken, error_log=True, trace="new"))
    assert [len(name) for name in kept_errors.lines[0].split()[:3]] == [32, 32, 16]


def test_the_record_of_an_error_is_there_where_all_records_are_named(kept_errors):
    before = logging.getLogRecordFactory()
    try:
        name_all_records()
        with pytest.raises(KeyError):
            ask(layer(broken, error_log=True))
    finally:
        logging.setLogRecordFactory(before)
    (line,) = kept_errors.lines
    assert " - - KeyError raised by GET /" in line


def test_a_record_that_has_an_id_of_its_own_gets_the_other_names(kept):
    def app(environ, start_response):
        logging.getLogger("application").info("own", extra={"request_id": "mine"})
        start_response("200 OK", [])
        return [b""]

    ask(layer(app))
    assert kept == ["mine - - own"]
