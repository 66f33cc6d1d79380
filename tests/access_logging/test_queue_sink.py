"""A queue before a sink: bounded, counted, drained at the end, and empty in a forked child."""

from __future__ import annotations

import gc
import io
import logging
import os
import signal
import sys
import threading
import weakref
from collections import Counter
from pathlib import Path

import pytest
from asking import ask
from forking import forked, needs_fork
from logged_site import PLAIN, SRC, by_path, hello, run
from over_http import exchange
from servers.http_servers import TESTS, uwsgi
from servers.programs import Running, free_port, listens, wait_until

from middleware.errors import ConfigurationError
from middleware.logging import FileSink, LoggingMiddleware
from middleware.logging.sinks import queue as queues
from middleware.logging.sinks.logger import LoggerSink
from middleware.logging.sinks.queue import QueueSink

PATIENCE = 60


class Gated:
    """A sink that is stuck from its first line until it is let go."""

    def __init__(self):
        self.lines = []
        self.is_in = threading.Event()
        self.go = threading.Event()

    def write(self, line):
        self.is_in.set()
        assert self.go.wait(PATIENCE)
        self.lines.append(line)


def offered(sink, lines, **environ):
    """What is told on wsgi.errors while these lines are logged."""
    errors = io.StringIO()
    layer = LoggingMiddleware(hello, sink=sink, format=by_path)
    for line in lines:
        assert ask(layer, f"/{line}", **{"wsgi.errors": errors, **environ}).body == b"hello"
    assert layer.failures == 0
    return errors.getvalue()


def counts(sink):
    return sink.written, sink.dropped, sink.failed


@pytest.fixture
def told():
    """What operators were told through `logging`."""

    class Kept(logging.Handler):
        def emit(self, record):
            messages.append(record.getMessage())

    messages = []
    handler = Kept()
    logging.getLogger("middleware.logging").addHandler(handler)
    yield messages
    logging.getLogger("middleware.logging").removeHandler(handler)


def test_lines_are_written_in_order_by_a_thread_of_the_queue():
    lines, threads = [], set()

    def sink(line):
        lines.append(line)
        threads.add(threading.current_thread())

    with QueueSink(sink) as queue:
        offered(queue, range(100))
    assert lines == [f"/{number}" for number in range(100)]
    (thread,) = threads
    assert thread is not threading.current_thread()
    assert thread.daemon
    assert not thread.is_alive()
    assert counts(queue) == (100, 0, 0)


def test_what_takes_text_gets_lines_with_their_line_feed(tmp_path):
    stream = io.StringIO()
    with FileSink(tmp_path / "access.log") as file, QueueSink(file) as to_file, QueueSink(stream) as to_stream:
        offered(to_file, "ab")
        offered(to_stream, "ab")
    assert (tmp_path / "access.log").read_text() == stream.getvalue() == "/a\n/b\n"


def test_no_thread_is_there_before_the_first_line():
    before = threading.active_count()
    QueueSink(print).close()
    assert threading.active_count() == before


def test_a_stuck_sink_costs_lines_and_each_is_counted():
    gated = Gated()
    queue = QueueSink(gated, size=1000)
    told = offered(queue, ["first"])
    assert gated.is_in.wait(PATIENCE)
    for _ in range(19_998):
        queue.write("another\n")
    told += offered(queue, ["last"])
    assert counts(queue) == (0, 18_999, 0)
    gated.go.set()
    queue.close()
    assert counts(queue) == (1001, 18_999, 0)
    assert len(gated.lines) == 1001
    assert told == "access log: 18999 lines dropped so far (the queue has room for 1000), 0 failed\n"


def test_a_close_that_is_out_of_patience_counts_what_remains_as_dropped(told):
    gated = Gated()
    queue = QueueSink(gated, size=1000, patience=0.01)
    offered(queue, ["first"])
    assert gated.is_in.wait(PATIENCE)
    offered(queue, range(10))
    queue.close()
    assert counts(queue) == (0, 11, 0)
    assert told == ["access log: 11 lines dropped so far (the queue has room for 1000), 0 failed"]
    queue.close()
    assert counts(queue) == (0, 11, 0)
    thread = queue._queue.thread
    gated.go.set()
    thread.join(PATIENCE)
    assert counts(queue) == (1, 10, 0)  # the line that it was at is written after all
    assert gated.lines == ["/first\n"]


def test_a_closed_queue_drops_lines_and_says_so():
    lines = []
    queue = QueueSink(lines.append)
    queue.close()
    assert offered(queue, "ab").startswith("access log: 1 lines dropped so far")
    assert counts(queue) == (0, 2, 0)


def test_failures_of_the_sink_are_counted_and_told_once_a_minute(told):
    now = [1000.0]

    def sink(line):
        if line == "/fails":
            raise RuntimeError("boom \n\x1b")

    queue = QueueSink(sink, timer=lambda: now[0])

    def said():
        queue.write("/fails\n")
        settle(queue)
        return offered(queue, ["works"])

    assert said() == (
        "access log: 0 lines dropped so far (the queue has room for 10000), 1 failed, "
        "the last by RuntimeError('boom \\n\\x1b')\n"
    )
    now[0] += 59
    assert said() == ""
    now[0] += 1
    assert ", 3 failed" in said()
    queue.close()
    assert told == []
    assert counts(queue) == (3, 0, 3)


def settle(queue):
    """Wait until every line is counted."""
    inner = queue._queue
    with inner.turn:
        assert inner.turn.wait_for(lambda: not inner.lines and not inner.is_busy, PATIENCE)


def test_a_sink_that_ends_programs_ends_no_more_than_a_line():
    lines = []

    def sink(line):
        if line == "/exit":
            raise SystemExit
        lines.append(line)

    with QueueSink(sink) as queue:
        offered(queue, ["exit", "line"])
    assert (lines, counts(queue)) == (["/line"], (1, 0, 1))


def test_a_sink_with_a_buffer_is_flushed_when_the_queue_is_empty():
    calls = []

    class Buffered:
        def write(self, line):
            calls.append(line)

        def flush(self):
            calls.append("flush")

    with QueueSink(Buffered()) as queue:
        offered(queue, "a")
    assert calls == ["/a\n", "flush"]


def test_a_flush_that_fails_loses_no_line_after_it():
    lines = []

    class Full:
        def write(self, line):
            lines.append(line)

        def flush(self):
            raise OSError("no space")

    with QueueSink(Full()) as queue:
        offered(queue, "a")
        settle(queue)
        offered(queue, "b")
    assert (lines, counts(queue)) == (["/a\n", "/b\n"], (2, 0, 0))


def test_lines_of_many_threads_are_all_counted():
    ready = threading.Barrier(8)
    lines = []
    queue = QueueSink(lines.append, size=50)

    def client():
        ready.wait()
        for _ in range(500):
            queue.write("line\n")

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.close()
    written, dropped, failed = counts(queue)
    assert (written + dropped, failed) == (4000, 0)
    assert len(lines) == written


def test_lines_that_come_while_it_is_closed_are_counted():
    for _ in range(20):
        queue = QueueSink([].append)
        ready = threading.Barrier(2)

        def client(queue=queue, ready=ready):
            ready.wait()
            for _ in range(50):
                queue.write("line\n")

        thread = threading.Thread(target=client)
        thread.start()
        ready.wait()
        queue.close()
        thread.join()
        assert sum(counts(queue)) == 50


def test_a_thread_without_work_ends_and_the_next_line_has_another(monkeypatch):
    monkeypatch.setattr(queues, "_IDLE", 0.0)
    seen = []

    def sink(line):
        seen.append(threading.current_thread())

    queue = QueueSink(sink)
    for line in "ab":
        offered(queue, line)
        queue._queue.thread.join(PATIENCE)
    assert len(set(seen)) == 2
    queue.close()
    assert counts(queue) == (2, 0, 0)


@pytest.mark.parametrize("step", ["__init__", "start"])
def test_where_no_thread_can_be_made_whoever_brings_a_line_writes_it(monkeypatch, step):
    def no_more(self, **options):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, step, no_more)
    seen = []
    queue = QueueSink(lambda line: seen.append((line, threading.current_thread())))
    offered(queue, "ab")
    queue.close()
    assert seen == [(line, threading.current_thread()) for line in ("/a", "/b")]
    assert counts(queue) == (2, 0, 0)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals here")
def test_a_signal_handler_may_write_a_line_while_its_thread_is_in_the_queue():
    lines = []
    queue = QueueSink(lines.append)
    before = signal.signal(signal.SIGUSR1, lambda *_: queue.write("in the handler\n"))
    try:
        with queue._queue.turn:
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    queue.close()
    assert lines == ["in the handler"]


def test_a_forgotten_queue_is_free_when_its_lines_are_written(monkeypatch):
    monkeypatch.setattr(queues, "_IDLE", 0.0)
    gated = Gated()
    queue = QueueSink(gated)
    offered(queue, "ab")
    thread = queue._queue.thread
    forgotten = weakref.ref(queue)
    del queue
    gated.go.set()
    thread.join(PATIENCE)
    gc.collect()
    assert forgotten() is None
    assert gated.lines == ["/a\n", "/b\n"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size=0"),
        ({"size": True}, "size=True"),
        ({"size": 1.5}, "size=1.5"),
        ({"patience": -1}, "patience=-1"),
        ({"patience": "5"}, "patience='5'"),
        ({"patience": float("nan")}, "patience=nan"),
    ],
)
def test_an_option_that_cannot_work_is_an_error_at_once(options, message):
    with pytest.raises(ConfigurationError, match=message):
        QueueSink(print, **options)


@pytest.mark.parametrize(
    ("sink", "message"),
    [(None, "takes no lines"), (Path("access.log"), "takes no lines"), (io.BytesIO(), "takes bytes")],
)
def test_what_takes_no_lines_is_refused(sink, message):
    with pytest.raises(ConfigurationError, match=message):
        QueueSink(sink)


def test_a_sink_of_records_is_refused():
    with pytest.raises(ConfigurationError, match="QueueHandler"):
        QueueSink(LoggerSink())


@needs_fork
def test_a_forked_child_has_an_empty_queue_and_a_thread_of_its_own(tmp_path):
    path = tmp_path / "access.log"
    with FileSink(path) as file, QueueSink(file) as queue:
        offered(queue, (f"before.{number}" for number in range(100)))
        with forked() as in_child:
            if in_child:
                assert counts(queue) == (0, 0, 0)
                offered(queue, (f"child.{number}" for number in range(100)))
                queue.close()
                assert counts(queue) == (100, 0, 0)
        offered(queue, (f"parent.{number}" for number in range(100)))
    assert counts(queue) == (200, 0, 0)
    assert_each_once(path, "before", "child", "parent")


def assert_each_once(path, *who, number=100):
    lines = Counter(path.read_text().splitlines())
    assert lines == {f"/{name}.{count}": 1 for name in who for count in range(number)}


@needs_fork
def test_a_fork_while_the_sink_is_stuck_leaves_the_lines_to_the_parent(tmp_path, monkeypatch):
    monkeypatch.setattr(queues, "_FORK_WAITS", 0.01)
    gated = Gated()
    path = tmp_path / "access.log"
    with FileSink(path) as file:

        def sink(line):
            if os.getpid() == parent:
                gated.write(line)
            file.write(line + "\n")

        parent = os.getpid()
        with QueueSink(sink) as queue:
            offered(queue, (f"before.{number}" for number in range(100)))
            assert gated.is_in.wait(PATIENCE)
            with forked() as in_child:
                if in_child:
                    offered(queue, (f"child.{number}" for number in range(100)))
                    queue.close()
                    assert counts(queue) == (100, 0, 0)
            gated.go.set()
        assert counts(queue) == (100, 0, 0)
    assert_each_once(path, "before", "child")


@needs_fork
def test_a_fork_while_lines_are_written_leaves_no_lock_and_no_buffer_behind(tmp_path):
    """The stream has both: what the parent had in its buffer would come a second time when the child flushes it."""
    path = tmp_path / "access.log"
    with path.open("a") as stream, QueueSink(stream) as queue:
        for turn in range(5):
            for number in range(100):
                queue.write(f"/parent{turn}.{number}\n")
            with forked() as in_child:
                if in_child:
                    for number in range(100):
                        queue.write(f"/child{turn}.{number}\n")
                    queue.close()
                    stream.flush()
    assert_each_once(path, *(f"{who}{turn}" for who in ("parent", "child") for turn in range(5)))


@needs_fork
def test_a_fork_that_python_does_not_tell_of_is_noticed_at_the_next_line(monkeypatch):
    lines = []
    queue = QueueSink(lines.append)
    offered(queue, "a")
    queue._queue.end()
    real = os.getpid()
    monkeypatch.setattr(queues.os, "getpid", lambda: real + 1)
    offered(queue, "b")
    assert queue._queue.pid == real + 1
    queue.close()
    assert counts(queue) == (1, 0, 0)
    assert lines == ["/a", "/b"]


QUEUED = PLAIN + (
    "import atexit, os\n"
    "from middleware.logging.sinks.queue import QueueSink\n"
    "sink = QueueSink(FileSink(sys.argv[1]), size=100_000)\n"
    "layer = LoggingMiddleware(hello, sink=sink, format=by_path)\n"
)


@pytest.mark.slow
def test_an_interpreter_that_ends_without_close_has_written_every_line(tmp_path):
    path = tmp_path / "access.log"
    run(QUEUED + "for number in range(20_000):\n    request(layer, f'/{number}')\n", path)
    assert path.read_text().splitlines() == [f"/{number}" for number in range(20_000)]


@pytest.mark.slow
def test_an_interpreter_that_is_told_to_exit_has_written_every_line_too(tmp_path):
    path = tmp_path / "access.log"
    run(QUEUED + "for number in range(1000):\n    request(layer, f'/{number}')\nsys.exit()\n", path)
    assert len(path.read_text().splitlines()) == 1000


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", "request(layer, '/first')\n"], ids=["unused", "used"])
def test_lines_that_come_while_the_interpreter_ends_are_written(tmp_path, before):
    path = tmp_path / "access.log"
    early = "import atexit\natexit.register(lambda: [request(layer, f'/{number}') for number in range(100)])\n"
    run(early + QUEUED + before, path)
    written = path.read_text().splitlines()
    assert written == ["/first"] * bool(before) + [f"/{number}" for number in range(100)]


@pytest.mark.slow
def test_a_stuck_sink_does_not_keep_an_interpreter_from_its_end():
    code = PLAIN + (
        "from threading import Event\n"
        "from middleware.logging.sinks.queue import QueueSink\n"
        "layer = LoggingMiddleware(hello, sink=QueueSink(lambda line: Event().wait(), patience=0.1), format=by_path)\n"
        "for number in range(10):\n"
        "    request(layer)\n"
    )
    assert "access log: 10 lines dropped so far" in run(code).stderr


def asked(port, *, processes):
    """Requests until so many processes have answered, 100 at least: which of them answered each."""
    answers = {}

    def ask_one():
        target = f"/asked.{len(answers)}"
        answers[target] = exchange(port, target).body.decode()
        return len(answers) >= 100 and len(set(answers.values())) >= processes

    wait_until(ask_one)
    return answers


def written(path):
    """Which process wrote each line; and each came once."""
    lines = [line.split() for line in path.read_text().splitlines()]
    assert len({target for _, target in lines}) == len(lines)
    return {target: pid for pid, target in lines}


@pytest.mark.slow
def test_workers_of_gunicorn_that_were_forked_when_the_site_was_loaded_lose_no_line(tmp_path):
    path = tmp_path / "access.log"
    port = free_port()
    options = ["--preload", "--workers", "2", "--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    with Running(
        [sys.executable, "-m", "gunicorn", *options, "queued_site:application"],
        lambda: listens(port),
        log=tmp_path / "log",
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), SRC)), "ACCESS_LOG": str(path), "LOADING": "100"},
    ):
        answers = asked(port, processes=2)
    lines = written(path)
    loaded_by = {lines.pop(f"/loaded.{number}") for number in range(100)}
    assert len(loaded_by) == 1
    assert not loaded_by & set(answers.values())
    assert lines == answers


@pytest.mark.slow
def test_uwsgi_with_a_single_thread_has_written_every_line_when_it_ends(tmp_path, monkeypatch):
    path = tmp_path / "access.log"
    monkeypatch.setenv("ACCESS_LOG", str(path))
    with uwsgi("queued_site:application", tmp_path / "log") as port:
        answers = asked(port, processes=1)
    assert written(path) == answers
