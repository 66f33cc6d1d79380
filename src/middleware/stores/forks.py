"""Stores hear of a fork before it happens, so that no child is born with a lock held or a database connection open.

A forked child has one thread. A lock that another thread held stays locked in it for ever, and SQLite's own record of
a process's file locks is wrong there. So whoever holds such things lets go of them before the fork.
"""

from __future__ import annotations

import os
from threading import Condition, RLock
from weakref import WeakSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Protocol

    class Forkable(Protocol):
        def before_fork(self) -> None:
            """Stop everything that other threads do here, and keep it stopped."""

        def after_fork(self, *, in_child: bool) -> None:
            """Go on. In the child every lock is new, for the old ones belong to threads that it does not have."""


_watched: WeakSet[Forkable] = WeakSet()
_stopped: list[Forkable] = []
_lock = RLock()  # one fork at a time


class Gate:
    """`with gate:` round each call of a client that has locks and connections of its own.

    A fork waits until the calls inside are done, so that the child is born with no lock of the client held; but for
    `patience` seconds at most. What the parent has open, the child forgets before its first call.

    forget: lets go of the connections that the parent has open.
    """

    def __init__(self, forget: Callable[[], None], *, patience: float) -> None:
        self._forget = forget
        self._patience = patience
        self._begin()
        watch(self)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._turn = Condition()
        self._inside = 0
        self._forking = False

    def __enter__(self) -> None:
        if self._pid != os.getpid():  # uWSGI makes a fork that Python does not tell of, before any request
            self.after_fork(in_child=True)
        with self._turn:
            while self._forking:
                self._turn.wait()
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._turn:
            self._inside -= 1
            if self._forking:
                self._turn.notify_all()

    def before_fork(self) -> None:
        """Wait for the calls inside, and let no other in until the fork is done."""
        self._turn.acquire()
        self._forking = True
        self._turn.wait_for(lambda: self._inside <= 0, timeout=self._patience)

    def after_fork(self, *, in_child: bool) -> None:
        """The parent goes on; the child begins with nothing."""
        if in_child:
            self._begin()
            self._forget()
            return
        self._forking = False
        self._turn.notify_all()
        self._turn.release()


def watch(store: Forkable) -> None:
    """From now on, and as long as it lives, `store` hears of each fork that Python makes."""
    with _lock:
        _watched.add(store)


def _before() -> None:
    _lock.acquire()
    for store in list(_watched):
        store.before_fork()
        _stopped.append(store)


def _after_in_parent() -> None:
    while _stopped:
        _stopped.pop().after_fork(in_child=False)
    _lock.release()


def _after_in_child() -> None:
    global _lock  # noqa: PLW0603 - the old one belongs to a thread that this process may not have
    _lock = RLock()
    while _stopped:
        _stopped.pop().after_fork(in_child=True)


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
