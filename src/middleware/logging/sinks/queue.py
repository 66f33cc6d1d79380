"""Lines that a thread of its own writes, so that no request waits for a disk, a pipe or a network.

The rule: each line is counted once, as written, dropped or failed, and when the queue is closed the three are all the
lines there were. A line that finds no room is dropped: neither request nor memory pays for a sink that is stuck.
"""

from __future__ import annotations

import atexit
import os
from collections import deque
from contextvars import Context
from threading import Condition, Thread, current_thread
from time import monotonic

from middleware.errors import ConfigurationError
from middleware.logging.sinks.failures import A_MINUTE, shown, tell
from middleware.logging.sinks.stream import writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from middleware.logging.record import AccessRecord
    from middleware.logging.sinks.stream import Writable

_IDLE = 60.0  # seconds after which a thread without work ends
_FORK_WAITS = 1.0  # seconds at most for a line that is being written


class QueueSink:
    """A queue before another sink: a request leaves its line here, a daemon thread writes it.

    `sink`: a text stream, a `FileSink`, any object with `write(str)`, or a function of one line; only the thread calls
    it, and flushes it, where it has `flush()`, when the queue is empty. It is not closed here.
    `size`: lines that may wait, 10 000; what finds no room is dropped.
    `patience`: seconds that `close()` and the end of the interpreter give the sink for what still waits. `os._exit` and
    SIGKILL lose it.
    `timer`: seconds, by which losses are told once a minute at most: on `wsgi.errors` of a request that comes by.

    The thread is made by the first line. A forked child has an empty queue and a thread of its own.
    `written`, `dropped`, `failed`: the lines of this process. After `close()` they are all that were offered.
    """

    def __init__(
        self,
        sink: Writable | Callable[[str], object],
        *,
        size: int = 10_000,
        patience: float = 5.0,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ConfigurationError(f"size={size!r} is no number of lines: give 1 or more")
        if isinstance(patience, bool) or not isinstance(patience, (int, float)) or not 0 <= patience <= 3600:
            raise ConfigurationError(f"patience={patience!r} is no number of seconds: give 0 to 3600")
        if hasattr(sink, "emit") and not hasattr(sink, "write"):
            raise ConfigurationError(
                f"sink={sink!r} takes records, and a queue keeps text: "
                "log to a logger with a logging.handlers.QueueHandler"
            )
        from middleware.stores.forks import watch

        self._queue = _Queue(writer(sink), getattr(sink, "flush", None), size, patience, timer)
        self._queues = {self._queue.pid: self._queue}
        watch(self)

    def __repr__(self) -> str:
        queue = self._here()
        return f"<QueueSink {len(queue.lines)} waiting, {queue.written} written, {queue.lost} lost>"

    @property
    def written(self) -> int:
        """Lines that the sink has taken."""
        return self._here().written

    @property
    def dropped(self) -> int:
        """Lines that never came to the sink: there was no room, no time, or the queue was closed."""
        return self._here().dropped

    @property
    def failed(self) -> int:
        """Lines at which the sink raised."""
        return self._here().failed

    def emit(self, line: str, record: AccessRecord) -> None:
        """Take a line, which is without its line feed, and tell on `wsgi.errors` of what was lost."""
        queue = self._here()
        queue.offer(line + "\n")
        if queue.lost != queue.told:
            message = queue.news()
            if message:
                tell(message, record.environ)

    def write(self, line: str, /) -> None:
        """Take a line with its line feed. Never waits, and raises nothing."""
        self._here().offer(line)

    def close(self) -> None:
        """Have what waits written, for `patience` seconds at most. Lines that come later are dropped."""
        self._here().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def before_fork(self) -> None:
        """Let the thread finish its line, and hold it there: nothing of the sink is locked or half written then."""
        self._here().hold(_FORK_WAITS)

    def after_fork(self, *, in_child: bool) -> None:
        """The parent goes on; the child begins with nothing."""
        if in_child:
            self._here()
        else:
            self._queue.go_on()

    def _here(self) -> _Queue:
        """The queue of this process: threads and locks of the one that forked it do not work here."""
        queue = self._queue
        pid = os.getpid()
        if queue.pid != pid:  # uWSGI makes a fork that Python does not tell of
            _at_work.discard(queue)
            self._queues.pop(queue.pid, None)
            queue = self._queue = self._queues.setdefault(pid, queue.anew())
        return queue


class _Queue:
    """The lines of one process, the thread that writes them, and what they share. The thread holds this alone."""

    def __init__(
        self,
        write: Callable[[str], object],
        flush: Callable[[], object] | None,
        size: int,
        patience: float,
        timer: Callable[[], float],
    ) -> None:
        self.write = write
        self.flush = flush
        self.size = size
        self.patience = patience
        self.timer = timer
        self.pid = os.getpid()
        # It has an RLock: a signal handler may write a line while its own thread is in here.
        self.turn = Condition()
        self.lines: deque[str] = deque()
        self.written = self.dropped = self.failed = 0
        self.thread: Thread | None = None
        self.is_worked_at = False  # a thread takes lines, or is about to
        self.is_waited_for = False  # ... and has to be told of the next
        self.is_busy = False  # ... and is in the sink, outside of the lock
        self.in_hand = 0  # the line that is being written, as long as it is not counted
        self.is_held = False  # for a fork
        self.is_ending = False
        self.is_closed = False
        self.last_error = ""
        self.told = 0  # lines
        self.told_at: float | None = None

    def anew(self) -> _Queue:
        """An empty one, for a child."""
        return _Queue(self.write, self.flush, self.size, self.patience, self.timer)

    @property
    def lost(self) -> int:
        return self.dropped + self.failed

    def offer(self, line: str) -> None:
        with self.turn:
            if self.is_closed or len(self.lines) >= self.size:
                self.dropped += 1
                return
            self.lines.append(line)
            if self.is_waited_for:
                self.is_waited_for = False
                self.turn.notify_all()
            if self.is_worked_at:
                return
            self.is_worked_at = True
            _at_work.add(self)
        if not self.begin():
            self.work(linger=False)

    def begin(self) -> bool:
        """Have a thread come to the lines. False: the process has no more to give, or is about to end."""
        if _is_exiting:
            return False
        try:  # a subinterpreter may have no daemon threads at all
            thread = Thread(target=Context().run, args=(self.work,), name="middleware.logging", daemon=True)
            thread.start()
        except RuntimeError:
            return False
        self.thread = thread
        return True

    def work(self, *, linger: bool = True) -> None:
        """Write lines until there are no more; `linger` waits for more."""
        is_flushed = True
        while True:
            with self.turn:
                if is_flushed and not self.has_more(linger=linger):
                    self.is_worked_at = False
                    _at_work.discard(self)
                    self.turn.notify_all()
                    return
                # Before a wait, and before a fork, nothing may be left in a buffer of the sink.
                line = self.lines.popleft() if self.lines and not self.is_held else None
                self.in_hand = int(line is not None)
                self.is_busy = True
            error: BaseException | None = None
            try:
                if line is not None:
                    self.write(line)
                elif self.flush is not None:
                    self.flush()
            except BaseException as raised:  # noqa: BLE001 - what ends a program ends no more than this line
                error = raised
            is_flushed = line is None or self.flush is None
            with self.turn:
                self.count(line, error)
            del error

    def has_more(self, *, linger: bool) -> bool:
        """Whether there is a line; where there is none, after a while. Not while a fork is made."""
        self.is_busy = False
        self.turn.notify_all()
        while self.is_held:
            self.turn.wait()
        if linger and not self.lines and not self.is_ending:
            self.is_waited_for = True
            self.turn.wait_for(lambda: self.lines or self.is_ending, timeout=_IDLE)
            self.is_waited_for = False
        return bool(self.lines)

    def count(self, line: str | None, error: BaseException | None) -> None:
        if error is not None:
            self.last_error = shown(error)
        if line is None:
            return
        if not self.in_hand:  # nobody waited for it any longer: it was counted as dropped
            self.dropped -= 1
        self.in_hand = 0
        if error is None:
            self.written += 1
        else:
            self.failed += 1

    def close(self) -> None:
        with self.turn:
            self.is_closed = True
        self.end()

    def end(self) -> None:
        """Have all lines written and the thread ended, in time. What remains is dropped, and no line is taken then."""
        thread = None
        with self.turn:
            self.is_ending = True
            self.turn.notify_all()
            if self.turn.wait_for(lambda: not self.is_worked_at, timeout=self.patience):
                thread, self.thread = self.thread, None
            else:
                self.is_closed = True
                self.dropped += len(self.lines) + self.in_hand
                self.in_hand = 0
                self.lines.clear()
        if thread is not None and thread is not current_thread():
            thread.join(1)  # it has nothing left to do
        message = self.news()
        if message:
            import logging

            logging.getLogger("middleware.logging").warning("%s", message)

    def news(self) -> str | None:
        """What to tell of lines that were lost, if there are any and a minute has passed."""
        now = self.timer()
        with self.turn:
            if self.lost == self.told or (self.told_at is not None and now - self.told_at < A_MINUTE):
                return None
            self.told = self.lost
            self.told_at = now
            last = f", the last by {self.last_error}" if self.last_error else ""
            lost = f"{self.dropped} lines dropped so far (the queue has room for {self.size}), {self.failed} failed"
            return f"access log: {lost}{last}"

    def hold(self, patience: float) -> None:
        self.turn.acquire()
        self.is_held = True
        self.turn.wait_for(lambda: not self.is_busy, timeout=patience)

    def go_on(self) -> None:
        self.is_held = False
        self.turn.notify_all()
        self.turn.release()


# Queues of which a thread takes lines, or is about to: they live as long, whoever has forgotten them.
_at_work: set[_Queue] = set()
_is_exiting = False


def _at_exit() -> None:
    """From now on a line is written by whoever brings it: threads do not live on."""
    global _is_exiting  # noqa: PLW0603
    _is_exiting = True
    for queue in list(_at_work):
        if queue.pid == os.getpid():
            queue.end()


atexit.register(_at_exit)
