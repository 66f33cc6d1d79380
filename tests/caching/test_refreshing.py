"""Work beside the requests, or after the answer, and the driver that asks an application anew."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import threading
import weakref
from contextvars import ContextVar
from threading import Barrier, Event, current_thread
from wsgiref.validate import validator

import pytest
from asking import make_environ
from forking import forked, needs_fork
from hypothesis import given
from hypothesis import strategies as st
from wsgi_layers import Body, answering

from middleware import operators
from middleware.caching import refreshing
from middleware.caching.clean_environ import cleaned
from middleware.caching.refreshing import Afterwards, Refreshing, run
from middleware.testing import SHAPES
from middleware.testing import make_environ as whole_environ
from middleware.testing.witness import Bug, Timeout, Witness

LONG = 20  # seconds that nothing here takes
BESIDE = make_environ()
IDLE = 3600  # seconds: no thread ends because it has nothing to do


@pytest.fixture
def crew():
    """Makes workers, and ends their threads with the test."""
    made = []

    def make(**options):
        made.append(Refreshing(**{"idle": IDLE, **options}))
        return made[-1]

    yield make
    for workers in made:
        workers.close(LONG)


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    monkeypatch.setattr(operators, "_said", {})


def failures(caplog):
    return [record for record in caplog.records if record.name == "middleware.caching"]


# Beside the requests.


def test_a_task_is_done_by_another_thread_while_the_request_goes_on(crew):
    done_by = []
    meet = Barrier(2)

    def task():
        meet.wait(LONG)  # the request is still there
        done_by.append(current_thread())
        meet.wait(LONG)

    assert crew().start(BESIDE, task)
    meet.wait(LONG)
    meet.wait(LONG)
    (thread,) = done_by
    assert thread is not current_thread()
    assert thread.daemon, "it must not keep a process alive that wants to end"


def test_as_many_tasks_are_done_at_once_as_there_are_threads(crew):
    workers = crew(threads=3)
    meet = Barrier(4)
    assert all(workers.start(BESIDE, lambda: meet.wait(LONG)) for _ in range(3))
    meet.wait(LONG)


def test_a_thread_that_waits_is_taken_before_another_is_made(crew):
    workers = crew(threads=2)
    threads = set()
    for _ in range(20):
        done = Event()

        def task(done=done):
            threads.add(current_thread())
            done.set()

        workers.start(BESIDE, task)
        assert done.wait(LONG)
    assert len(threads) <= 2


def test_what_has_no_room_is_refused_and_there_is_room_again_when_something_is_done(crew):
    workers = crew(threads=1, queued=2)
    begun, go_on, done = Event(), Event(), []

    def first():
        begun.set()
        assert go_on.wait(LONG)

    assert workers.start(BESIDE, first)
    assert begun.wait(LONG)
    assert workers.start(BESIDE, lambda: done.append(1))
    assert workers.start(BESIDE, lambda: done.append(2))
    assert not workers.start(BESIDE, lambda: done.append(3))
    go_on.set()
    last = Event()
    while not workers.start(BESIDE, last.set):
        pass
    assert last.wait(LONG)
    assert done == [1, 2]


def test_many_threads_ask_and_each_task_that_was_taken_is_done_once(crew):
    workers = crew(threads=4, queued=1000)
    done = []
    meet = Barrier(8)

    def ask(number):
        meet.wait(LONG)
        for task in range(50):
            assert workers.start(BESIDE, lambda task=(number, task): done.append(task))

    askers = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(LONG)
    workers.close(LONG)
    assert sorted(done) == [(number, task) for number in range(8) for task in range(50)]


def test_what_a_task_raises_is_logged_once_with_its_traceback(crew, caplog):
    workers = crew(threads=1)

    def task():
        raise Bug("the application is down")

    assert workers.start(BESIDE, task)
    workers.close(LONG)
    (record,) = failures(caplog)
    assert record.levelno == logging.ERROR
    assert "the application is down" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("error", [Bug, SystemExit, KeyboardInterrupt, GeneratorExit, Timeout])
def test_a_thread_goes_on_after_a_task_that_failed(crew, caplog, error):
    workers = crew(threads=1)
    done = Event()

    def task():
        raise error

    assert workers.start(BESIDE, task)
    assert workers.start(BESIDE, done.set)
    assert done.wait(LONG)
    assert len(failures(caplog)) == 1


def test_a_task_sees_no_context_of_a_request_nor_of_another_task(crew):
    variable = ContextVar("variable", default="nothing")
    variable.set("of the request")
    workers = crew(threads=1)
    seen = []

    def task():
        seen.append(variable.get())
        variable.set("of the task")

    workers.start(BESIDE, task)
    workers.start(BESIDE, task)
    workers.close(LONG)
    assert seen == ["nothing", "nothing"]


def test_threads_that_have_nothing_to_do_end():
    workers = Refreshing(idle=0.001)
    threads = []
    for _ in range(3):
        before = len(threads)
        assert workers.start(BESIDE, lambda: threads.append(current_thread()))
        while len(threads) == before:
            pass
        threads[-1].join(LONG)
        assert not threads[-1].is_alive()


def test_what_closes_waits_for_what_was_taken_and_takes_no_more(crew):
    workers = crew(threads=1)
    done = []
    meet = Barrier(2)
    workers.start(BESIDE, lambda: meet.wait(LONG))
    workers.start(BESIDE, lambda: done.append(1))
    meet.wait(LONG)
    workers.close(LONG)
    assert done == [1]
    assert not workers.start(BESIDE, lambda: done.append(2))


def test_what_closes_does_not_wait_for_ever(crew):
    workers = crew(threads=1)
    go_on, begun, done = Event(), Event(), []
    threads = []

    def endless():
        threads.append(current_thread())
        begun.set()
        assert go_on.wait(LONG)

    workers.start(BESIDE, endless)
    workers.start(BESIDE, lambda: done.append(1))
    assert begun.wait(LONG)
    workers.close(0.001)
    go_on.set()
    threads[0].join(LONG)
    assert done == [], "what had not begun was dropped"


def test_nothing_that_is_done_is_held(caplog):
    caplog.set_level(logging.CRITICAL, "middleware.caching")  # else the record is held here, with its traceback

    class Layer:
        def __init__(self):
            self.workers = Refreshing(threads=1, idle=IDLE)

        def refresh(self):
            pass

        def fail(self):
            raise Bug

    layer = Layer()
    gone = weakref.ref(layer)
    assert layer.workers.start(BESIDE, layer.fail)
    assert layer.workers.start(BESIDE, layer.refresh)
    next_one = Event()
    crew_of_it = layer.workers._crew
    assert layer.workers.start(BESIDE, next_one.set)
    del layer
    assert next_one.wait(LONG)
    gc.collect()
    assert gone() is None
    crew_of_it.end(LONG)


def test_a_process_that_has_no_thread_to_give_refuses(crew, monkeypatch):
    class NoThread:
        def __init__(self, **options):
            pass

        def start(self):
            raise RuntimeError("can't start new thread")

    workers = crew()
    done = Event()
    monkeypatch.setattr(refreshing, "Thread", NoThread)
    assert not workers.start(BESIDE, done.set)
    monkeypatch.undo()
    assert workers.start(BESIDE, done.set)
    assert done.wait(LONG)


def test_a_task_waits_for_the_thread_there_is_where_there_can_be_no_other(crew, monkeypatch):
    workers = crew(threads=2)
    begun, go_on, done = Event(), Event(), Event()

    def first():
        begun.set()
        assert go_on.wait(LONG)

    assert workers.start(BESIDE, first)
    assert begun.wait(LONG)

    def none_to_give(**options):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(refreshing, "Thread", none_to_give)
    assert workers.start(BESIDE, done.set)
    go_on.set()
    assert done.wait(LONG)


@needs_fork
def test_a_forked_child_begins_with_no_thread_and_no_task(crew):
    workers = crew(threads=1)
    begun, go_on, done = Event(), Event(), []

    def first():
        begun.set()
        assert go_on.wait(LONG)

    workers.start(BESIDE, first)
    workers.start(BESIDE, lambda: done.append(os.getpid()))
    assert begun.wait(LONG)
    with forked() as in_child:
        if in_child:
            own = Event()
            assert workers.start(BESIDE, own.set)
            assert own.wait(LONG)
            workers.close(LONG)
            assert done == []
    go_on.set()
    workers.close(LONG)
    assert done == [os.getpid()]


@needs_fork
def test_a_child_that_is_born_while_the_lock_is_held_has_one_of_its_own(crew):
    workers = crew()
    with workers._crew.turn, forked() as in_child:
        if in_child:
            own = Event()
            assert workers.start(BESIDE, own.set)
            assert own.wait(LONG)


# Where it is done.


@pytest.mark.parametrize(
    ("flags", "beside"),
    [
        ({"wsgi.multithread": True}, True),
        ({"wsgi.multithread": True, "wsgi.multiprocess": True}, True),
        ({"wsgi.multithread": False, "wsgi.multiprocess": True}, False),
        ({"wsgi.multithread": False, "wsgi.run_once": True}, False),
        ({"wsgi.multithread": True, "wsgi.run_once": True}, False),
        ({"wsgi.multithread": 1, "wsgi.run_once": 0}, True),
    ],
)
def test_work_is_done_beside_the_request_only_where_the_server_has_threads_and_goes_on(crew, flags, beside):
    workers = crew()
    environ = make_environ(**flags)
    done = Event()
    assert workers.can_run_beside(environ) is beside
    assert workers.start(environ, done.set) is beside
    assert done.wait(LONG if beside else 0) is beside


def test_a_server_of_one_thread_is_told_of_once_and_one_that_ends_not_at_all(crew, caplog):
    workers = crew()
    assert not workers.can_run_beside(make_environ(**{"wsgi.multithread": False, "wsgi.run_once": True}))
    assert failures(caplog) == []
    for _ in range(3):
        assert not workers.can_run_beside(make_environ(**{"wsgi.multithread": False}))
    (record,) = failures(caplog)
    assert "wsgi.multithread" in record.getMessage()


# After the answer.


def test_a_body_carries_out_its_task_when_it_is_closed_once():
    done = []
    body = Afterwards([b"one", b"two"], lambda: done.append(1))
    assert b"".join(body) == b"onetwo"
    assert done == []
    body.close()
    body.close()
    assert done == [1]


def test_the_server_hears_nothing_of_a_task_that_failed_after_the_answer(caplog):
    def task():
        raise Bug("the application is down")

    Afterwards([b"old"], task).close()
    (record,) = failures(caplog)
    assert record.exc_info[0] is Bug


def test_what_ends_a_program_ends_it_after_the_answer_too():
    def task():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Afterwards([b"old"], task).close()


CGI = """
import os, sys
from wsgiref.handlers import CGIHandler
from middleware.caching.clean_environ import cleaned
from middleware.caching.refreshing import Afterwards, Refreshing, run

answer_arrived, asked_anew = map(int, sys.argv[1:])
workers = Refreshing()

def app(environ, start_response):
    os.read(answer_arrived, 1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    names = sorted(name for name in environ if "COOKIE" in name or "REMOTE" in name)
    os.write(asked_anew, f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {names} ".encode())
    return [b"new"]

def cache(environ, start_response):
    assert not workers.can_run_beside(environ)
    assert not workers.start(environ, lambda: None)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return Afterwards([b"old"], lambda: run(app, cleaned(environ), most=1000))

CGIHandler().run(cache)
os.write(asked_anew, b"end")
"""


@pytest.mark.slow
def test_under_cgi_the_answer_is_out_before_the_application_is_asked_anew_and_the_process_waits_for_it():
    given_to, gives = os.pipe()
    hears, heard_by = os.pipe()
    environ = {
        **os.environ,
        "GATEWAY_INTERFACE": "CGI/1.1",
        "HTTP_COOKIE": "sid=of-ann",
        "PATH_INFO": "/page",
        "REMOTE_ADDR": "192.0.2.7",
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/cgi-bin/site",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", CGI, str(given_to), str(heard_by)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
        pass_fds=(given_to, heard_by),
    )
    os.close(heard_by)
    os.close(given_to)
    try:
        lines = []
        while (line := process.stdout.readline()).strip():
            lines.append(line.strip().lower())
        assert b"content-length: 3" in lines
        assert process.stdout.read(3) == b"old", "the answer is here"
        os.write(gives, b"!")  # only now may the application be called
        with os.fdopen(hears, "rb") as told:
            assert told.read() == b"GET /page [] end"
        rest, errors = process.communicate(timeout=LONG)
        assert (rest, errors, process.returncode) == (b"", b"", 0)
    finally:
        os.close(gives)
        process.kill()
        process.wait()


# The driver.


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape.valid and not shape.fails], ids=str)
def test_the_driver_asks_as_pep_3333_says_and_leaves_nothing_open(shape):
    witness = Witness()
    run(validator(shape.make(witness)), cleaned(whole_environ()), most=1000 if shape.endless else 1 << 20)
    witness.discard()
    assert witness.calls == 1
    assert witness.closed == shape.closes
    assert witness.broken == []


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape.fails], ids=str)
def test_the_driver_raises_what_the_application_raises(shape):
    witness = Witness()
    with pytest.raises(shape.fails):
        run(shape.make(witness), cleaned(make_environ()), most=10_000)
    witness.discard()
    assert witness.closed == shape.closes


def test_a_body_is_read_to_its_end():
    body = Body((b"one,", b"", b"two"))
    run(answering(body), make_environ(), most=7)
    assert (body.pulled, body.closed) == (3, 1)


def test_a_body_is_not_read_beyond_its_limit():
    body = Body(iter(lambda: b"1234", b""))
    run(answering(body), make_environ(), most=11)
    assert (body.pulled, body.closed) == (3, 1)


def test_what_is_written_counts_too():
    written = []

    def app(environ, start_response):
        write = start_response("200 OK", [])
        while True:
            write(b"1234")
            written.append(4)

    run(app, make_environ(), most=11)
    assert sum(written) == 8


@pytest.mark.parametrize("chunk", [b"x", b""])
def test_a_body_that_never_ends_is_not_read_beyond_its_time(chunk):
    now = iter(range(1000))
    body = Body(iter(lambda: chunk, None))
    run(answering(body), make_environ(), most=10_000, within=10, clock=lambda: next(now))
    assert (body.pulled, body.closed) == (10, 1)


def test_a_head_may_be_replaced_until_a_byte_is_read():
    heads = []

    def app(environ, start_response):
        start_response("200 OK", [])
        try:
            raise Bug
        except Bug:
            heads.append(start_response("500 Internal Server Error", [], sys.exc_info()))
        return [b"sorry"]

    run(app, make_environ(), most=100)
    assert len(heads) == 1


def test_a_head_is_not_replaced_when_a_byte_was_read():
    def app(environ, start_response):
        start_response("200 OK", [])(b"begun")
        try:
            raise Bug("too late")
        except Bug:
            start_response("500 Internal Server Error", [], sys.exc_info())
        return []

    with pytest.raises(Bug, match="too late"):
        run(app, make_environ(), most=100)


def test_an_application_that_starts_twice_or_never_is_told():
    def twice(environ, start_response):
        start_response("200 OK", [])
        start_response("200 OK", [])
        return []

    with pytest.raises(RuntimeError, match="twice"):
        run(twice, make_environ(), most=100)
    with pytest.raises(RuntimeError, match="start_response"):
        run(lambda environ, start_response: [b"no head"], make_environ(), most=100)


@given(st.lists(st.binary(max_size=5)), st.integers(0, 30))
def test_no_more_is_read_than_one_chunk_beyond_the_limit(chunks, most):
    body = Body(chunks)
    run(answering(body), make_environ(), most=most)
    before_last = chunks[: body.pulled - 1] if body.pulled else []
    assert len(b"".join(before_last)) <= most
    assert body.closed == 1
    assert body.pulled == len(chunks) or len(b"".join(chunks[: body.pulled])) > most
