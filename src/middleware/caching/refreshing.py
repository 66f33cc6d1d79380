"""Work that nobody waits for: asking the application anew while the stored answer is still being given.

The rule: environ tells where it is done. Beside the requests, by a few threads that come when there is work and go
when there is none, where the server calls the application from several threads anyway. After the answer, in `close()`,
where it does not: an application that is promised one call at a time (PEP 3333, `wsgi.multithread`) keeps that, a
process that ends with its request (`wsgi.run_once`) ends when all is done, and a thread that would stand still between
two requests (uWSGI without threads) is never made.
"""

from __future__ import annotations

import os
from collections import deque
from contextvars import Context
from threading import Condition, Thread
from time import monotonic

from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any
    from wsgiref.types import WSGIApplication, WSGIEnvironment

    Task = Callable[[], object]

_IN_CLOSE = (
    "this server calls the application from one thread at a time (wsgi.multithread is false), so a stale answer is "
    "refreshed when it has been sent, before the same thread serves the next request"
)


class Refreshing:
    """A few daemon threads, made on demand, for what a cache does in the background. A forked child begins with none.

    threads: that work at once, at most.
    queued: tasks that wait for one of them, at most.
    idle: seconds after which a thread without work ends.

    It holds no task that is done: what nobody else refers to is free, whatever threads still wait.
    """

    def __init__(self, *, threads: int = 2, queued: int = 100, idle: float = 5.0) -> None:
        self._threads = threads
        self._queued = queued
        self._idle = idle
        self._crew = _Crew(threads, queued, idle)

    def can_run_beside(self, environ: WSGIEnvironment) -> bool:
        """Whether a thread may call the application beside the request; else its time is in `close()`.

        Where a server that goes on has only one thread for the application the operator is told so, once.
        """
        if environ.get("wsgi.run_once"):
            return False
        if environ.get("wsgi.multithread"):
            return True
        say_once(_IN_CLOSE, logger="middleware.caching")
        return False

    def start(self, environ: WSGIEnvironment, task: Task) -> bool:
        """Have `task` done beside the request. False: there is no room, or no thread; nothing will be done.

        What it raises is logged, and tasks see no context variables of the request.
        """
        return self.can_run_beside(environ) and self._crew_here().take(task)

    def close(self, patience: float = 5.0) -> None:
        """Take no more tasks, and wait `patience` seconds for those there are; what has not begun then is dropped."""
        self._crew_here().end(patience)

    def _crew_here(self) -> _Crew:
        """The crew of this process: threads and locks of the one that forked it do not work here."""
        if self._crew.pid != os.getpid():
            self._crew = _Crew(self._threads, self._queued, self._idle)
        return self._crew


class _Crew:
    """The threads of one process and what they share. They hold this, never the layer."""

    __slots__ = (
        "closed",
        "idle_for",
        "pid",
        "room",
        "tasks",
        "threads",
        "threads_allowed",
        "turn",
        "unfinished",
        "waiting",
    )

    def __init__(self, threads: int, queued: int, idle_for: float) -> None:
        self.pid = os.getpid()
        self.turn = Condition()
        self.tasks: deque[Task] = deque()
        self.threads_allowed = threads
        self.room = threads + queued
        self.idle_for = idle_for
        self.threads = 0
        self.waiting = 0  # threads, for a task
        self.unfinished = 0  # tasks, waiting or under way
        self.closed = False

    def take(self, task: Task) -> bool:
        with self.turn:
            if self.closed or self.unfinished >= self.room:
                return False
            self.unfinished += 1
            self.tasks.append(task)
            if len(self.tasks) <= self.waiting or self.threads >= self.threads_allowed:
                self.turn.notify()
                return True
            self.threads += 1
        try:
            Thread(target=self.work, name="middleware.caching", daemon=True).start()
        except RuntimeError:  # the process has no more threads to give, or is about to end
            return self.do_without_another(task)
        return True

    def do_without_another(self, task: Task) -> bool:
        """A thread could not be made: whether one that there is will come to this task."""
        with self.turn:
            self.threads -= 1
            if self.threads or task not in self.tasks:
                return True
            self.tasks.remove(task)
            self.unfinished -= 1
            return False

    def work(self) -> None:
        """What a thread does, to its end."""
        while True:
            with self.turn:
                self.waiting += 1
                self.turn.wait_for(lambda: self.tasks or self.closed, timeout=self.idle_for)
                self.waiting -= 1
                if not self.tasks:
                    self.threads -= 1
                    self.turn.notify_all()
                    return
                task = self.tasks.popleft()
            try:
                Context().run(carry_out, task)
            except BaseException as error:  # noqa: BLE001 - what ends a program ends no more than this task
                _tell(error)
            finally:
                del task
                with self.turn:
                    self.unfinished -= 1

    def end(self, patience: float) -> None:
        with self.turn:
            self.closed = True
            self.turn.notify_all()
            self.turn.wait_for(lambda: not self.threads, timeout=patience)
            self.unfinished -= len(self.tasks)
            self.tasks.clear()


class Afterwards(list[bytes]):
    """A body, handed over whole, whose `close()` carries out a task: for where none can be done beside the request."""

    __slots__ = ("_task",)

    def __init__(self, chunks: Iterable[bytes], task: Task) -> None:
        super().__init__(chunks)
        self._task: Task | None = task

    def close(self) -> None:
        """Carry out the task, the first time. What it raises is logged."""
        task, self._task = self._task, None
        if task is not None:
            carry_out(task)


def carry_out(task: Task) -> None:
    """Call `task`; an error of it is logged with its traceback, since there is nobody to raise it to."""
    try:
        task()
    except Exception as error:  # noqa: BLE001 - an application may raise anything
        _tell(error)


def _tell(error: BaseException) -> None:
    import logging

    logging.getLogger("middleware.caching").error("a stored answer was not refreshed: %r", error, exc_info=error)


def run(
    app: WSGIApplication,
    environ: WSGIEnvironment,
    *,
    most: int,
    within: float = 60.0,
    clock: Callable[[], float] = monotonic,
) -> str:
    """Be the server and the client of one request: call `app`, read its answer to the end, close it.

    The three digits of its status.

    most: bytes of a body that are read. within: seconds after which no further chunk is asked for; nothing ends a call
    that does not return. An answer that has more than that to say is closed where it is, as when a client leaves.

    What the application raises is raised.
    """
    reading = _Reading(most, clock() + within, clock)
    try:
        body = app(environ, reading.start)
        try:
            for chunk in body:
                reading.take(chunk)
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()
    except _Enough:
        pass
    return reading.code


class _Enough(Exception):
    """This body is not read any further."""


class _Reading:
    """One answer, as far as it was read."""

    __slots__ = ("_began", "_clock", "_left", "_until", "code")

    def __init__(self, most: int, until: float, clock: Callable[[], float]) -> None:
        self._left = most
        self._until = until
        self._clock = clock
        self.code = ""  # until there is a head
        self._began = False  # a byte was read: no head can replace the one that there is

    def start(self, status: str, _headers: object, exc_info: Any = None, /) -> Callable[[bytes], object]:
        """The `start_response` of PEP 3333. The fields are for the layers on the way here: they are not looked at."""
        try:
            if exc_info is None:
                if self.code:
                    raise RuntimeError("start_response was called twice: only exc_info may replace a head (PEP 3333)")
            elif self._began:
                raise exc_info[1].with_traceback(exc_info[2])
            self.code = status[:3]
            return self.take
        finally:
            exc_info = None  # its traceback holds this frame

    def take(self, chunk: bytes, /) -> None:
        """Read a chunk, yielded or written."""
        if chunk and not self.code:
            raise RuntimeError("a body came without a call of start_response (PEP 3333)")
        self._began = self._began or bool(chunk)
        self._left -= len(chunk)
        if self._left < 0 or self._clock() >= self._until:
            raise _Enough
