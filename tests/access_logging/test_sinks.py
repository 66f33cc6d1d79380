"""Where the lines go, and that no failure there reaches the response."""

from __future__ import annotations

import io
import logging
import threading
from pathlib import Path

import pytest
from asking import ask
from forking import forked, needs_fork
from logged_site import PLAIN, by_path, hello, run

from middleware.errors import ConfigurationError
from middleware.logging import AccessRecord, FileSink, LoggingMiddleware, RequestIds, StreamSink
from middleware.logging.sinks import Failures


class Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


@pytest.fixture
def access_log():
    """A handler on the standard logger `middleware.access`, which is put back as it was."""
    logger = logging.getLogger("middleware.access")
    handler = Kept()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def test_the_default_is_the_standard_logger_with_the_values_beside_the_line(access_log):
    ask(LoggingMiddleware(hello), headers={"User-Agent": "%s %(x)s {0} %n"})
    (record,) = access_log.records
    assert (record.name, record.levelname, record.args) == ("middleware.access", "INFO", ())
    assert record.getMessage().endswith('"%s %(x)s {0} %n"')
    assert record.access["http.response.status_code"] == 200
    assert record.access["user_agent.original"] == "%s %(x)s {0} %n"


def test_a_logger_of_choice_takes_the_lines(access_log):
    logger = logging.getLogger("middleware.access.site")
    ask(LoggingMiddleware(hello, sink=logger, format=lambda record: "line"))
    (record,) = access_log.records
    assert (record.name, record.levelname, record.getMessage()) == ("middleware.access.site", "INFO", "line")
    assert record.access["http.response.status_code"] == 200


def test_a_line_has_the_level_that_its_record_says(access_log, monkeypatch):
    levels = iter([logging.INFO, logging.WARNING, logging.ERROR, logging.DEBUG])
    monkeypatch.setattr(AccessRecord, "level", property(lambda record: next(levels)), raising=False)
    layer = LoggingMiddleware(hello)
    for _ in range(4):
        ask(layer)
    assert [record.levelname for record in access_log.records] == ["INFO", "WARNING", "ERROR"]


def test_the_standard_logger_is_left_as_it_was(access_log):
    logger = logging.getLogger("middleware.access")
    before = (list(logger.handlers), logger.propagate, logger.level, list(logging.getLogger().handlers))
    ask(LoggingMiddleware(hello))
    assert (list(logger.handlers), logger.propagate, logger.level, list(logging.getLogger().handlers)) == before


def test_a_logger_that_is_silenced_is_silent(access_log, capsys):
    logging.getLogger("middleware.access").setLevel(logging.WARNING)
    ask(LoggingMiddleware(hello))
    assert access_log.records == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_where_nobody_configured_logging_the_lines_go_to_stderr():
    done = run(PLAIN + "request(LoggingMiddleware(hello))")
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith('"GET / HTTP/1.1" 200 5 "-" "-"\n')


@pytest.mark.slow
def test_the_standard_librarys_logging_is_not_imported_before_it_is_needed():
    run(
        PLAIN
        + "from io import StringIO\n"
        + "request(LoggingMiddleware(hello, sink=StringIO()))\n"
        + "LoggingMiddleware(hello)\n"
        + "assert not {'logging', 'json', 're', 'typing', 'inspect'} & (set(sys.modules) - at_start)\n"
    )


class Stream(io.StringIO):
    def __init__(self):
        super().__init__()
        self.calls = []

    def write(self, text):
        self.calls.append(text)

    def flush(self):
        self.calls.append("flush")


def test_a_stream_gets_one_write_a_line():
    stream = Stream()
    layer = LoggingMiddleware(hello, sink=stream, format=lambda record: "line")
    ask(layer)
    ask(layer)
    assert stream.calls == ["line\n", "line\n"]


def test_a_stream_sink_may_flush_each_line():
    stream = Stream()
    ask(LoggingMiddleware(hello, sink=StreamSink(stream, flush=True), format=lambda record: "line"))
    ask(LoggingMiddleware(hello, sink=StreamSink(stream), format=lambda record: "line"))
    assert stream.calls == ["line\n", "flush", "line\n"]


@pytest.mark.parametrize("sink", ["access.log", 7, object(), b"x", Path("access.log")])
def test_what_takes_no_lines_is_refused(sink):
    with pytest.raises(ConfigurationError, match=r"FileSink\(path\)"):
        LoggingMiddleware(hello, sink=sink)


@pytest.mark.parametrize("sink", [StreamSink, FileSink, logging.StreamHandler, io.StringIO])
def test_a_class_in_place_of_a_sink_is_refused(sink):
    with pytest.raises(ConfigurationError, match=rf"the class {sink.__name__}: give one"):
        LoggingMiddleware(hello, sink=sink)


@pytest.mark.parametrize("stream", [None, "access.log", io.BytesIO(), io.StringIO])
def test_what_is_no_text_stream_is_refused(stream):
    with pytest.raises(ConfigurationError):
        StreamSink(stream)


def test_a_switch_that_is_none_is_refused():
    with pytest.raises(ConfigurationError, match="flush= is True or False"):
        StreamSink(io.StringIO(), flush="no")


@pytest.mark.parametrize("name", ["clock", "timer"])
def test_what_tells_no_time_is_refused(name):
    with pytest.raises(ConfigurationError, match=f"{name}= is a function"):
        LoggingMiddleware(hello, **{name: 0.0})


def test_a_handler_is_refused(access_log):
    with pytest.raises(ConfigurationError, match="add it to a logger"):
        LoggingMiddleware(hello, sink=access_log)


def test_a_sink_may_take_the_record_too():
    class Pairs(list):
        def emit(self, line, record):
            self.append((line, record.status))

    pairs = Pairs()
    ask(LoggingMiddleware(hello, sink=pairs, format=by_path), "/page")
    assert pairs == [("/page", 200)]


def test_a_stream_of_bytes_is_refused(tmp_path):
    with (tmp_path / "access.log").open("ab") as file, pytest.raises(ConfigurationError, match="takes bytes"):
        LoggingMiddleware(hello, sink=file)
    with pytest.raises(ConfigurationError, match="takes bytes"):
        LoggingMiddleware(hello, sink=io.BytesIO())


BOOM = RuntimeError("boom \n\x1b")


def fails(*args):
    raise BOOM


class FailingStream:
    write = fails


@pytest.mark.parametrize(
    "options",
    [
        {"sink": fails},
        {"sink": FailingStream()},
        {"format": fails},
        {"format": lambda record: None},
        {"format": lambda record: b"bytes"},
        {"clock": fails},
        {"timer": fails},
    ],
    ids=["sink", "stream", "format", "format gives None", "format gives bytes", "clock", "timer"],
)
def test_a_failure_is_counted_and_told_and_the_response_never_notices(options):
    errors = io.StringIO()
    layer = LoggingMiddleware(hello, **{"sink": lambda line: None, "request_ids": RequestIds(None), **options})
    answer = ask(layer, **{"wsgi.errors": errors})
    assert (answer.status, answer.headers, answer.body) == ("200 OK", [("Content-Type", "text/plain")], b"hello")
    assert layer.failures == 1
    assert errors.getvalue().startswith("access log: 1 failures so far, the last by ")
    assert errors.getvalue()[:-1].isprintable()


def test_a_failure_does_not_hide_the_error_of_the_application():
    def broken(environ, start_response):
        raise KeyError("theirs")

    with pytest.raises(KeyError, match="theirs"):
        ask(LoggingMiddleware(broken, sink=fails), **{"wsgi.errors": io.StringIO()})


def test_a_timer_that_fails_half_way_costs_a_line_and_no_more():
    ticks = iter([1.0])
    layer = LoggingMiddleware(hello, sink=lambda line: None, timer=lambda: next(ticks))
    assert ask(layer, **{"wsgi.errors": io.StringIO()}).body == b"hello"
    assert layer.failures == 1


def test_a_broken_clock_leaves_the_request_its_id():
    answer = ask(LoggingMiddleware(hello, sink=lambda line: None, clock=fails), **{"wsgi.errors": io.StringIO()})
    assert len(answer.header("X-Request-ID")) == 32


def test_failures_are_told_once_a_minute_and_all_are_counted():
    now = [1000.0]
    errors = io.StringIO()
    failures = Failures(timer=lambda: now[0])
    for moment in (1000.0, 1030.0, 1059.0, 1060.0):
        now[0] = moment
        failures.add(BOOM, {"wsgi.errors": errors})
    assert failures.count == 4
    assert errors.getvalue() == (
        "access log: 1 failures so far, the last by RuntimeError('boom \\n\\x1b')\n"
        "access log: 4 failures so far, the last by RuntimeError('boom \\n\\x1b')\n"
    )


@needs_fork
def test_a_failure_is_counted_in_a_child_that_was_forked_while_another_was():
    timing, go_on = threading.Event(), threading.Event()

    def timer():
        if threading.current_thread() is not slow:
            return 2000.0
        timing.set()
        go_on.wait(60)
        return 1000.0

    errors = io.StringIO()
    failures = Failures(timer=timer)
    slow = threading.Thread(target=failures.add, args=(BOOM, {"wsgi.errors": errors}))
    slow.start()
    timing.wait(60)
    with forked() as in_child:
        if in_child:
            failures.add(BOOM, {"wsgi.errors": errors})
            assert failures.count == 2
    go_on.set()
    slow.join()
    assert failures.count == 1


@pytest.mark.parametrize("errors", [None, FailingStream()])
def test_an_error_stream_that_fails_too_changes_nothing(errors):
    layer = LoggingMiddleware(hello, sink=fails)
    assert ask(layer, **{"wsgi.errors": errors}).body == b"hello"
    assert layer.failures == 1


def test_failures_in_many_threads_are_all_counted():
    layer = LoggingMiddleware(hello, sink=fails)
    ready = threading.Barrier(8)

    def client():
        ready.wait()
        for _ in range(20):
            ask(layer, **{"wsgi.errors": io.StringIO()})

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert layer.failures == 160


def test_a_closed_file_costs_the_line_and_no_more(tmp_path):
    sink = FileSink(tmp_path / "access.log")
    sink.close()
    layer = LoggingMiddleware(hello, sink=sink)
    assert ask(layer, **{"wsgi.errors": io.StringIO()}).body == b"hello"
    assert layer.failures == 1


def test_a_logger_that_is_too_quiet_for_the_lines_is_told_of_once(caplog):
    logger = logging.getLogger("middleware.access")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        layer = LoggingMiddleware(hello)
        for _ in range(2):
            ask(layer)
    finally:
        logger.setLevel(before)
    told = [record.getMessage() for record in caplog.records if record.name == "middleware.logging"]
    assert len(told) == 1
    assert "setLevel(logging.INFO)" in told[0]
