"""Stores hear of a fork before it happens, so that no child is born with a lock held or a database connection open.

A forked child has one thread. A lock that another thread held stays locked in it for ever, and SQLite's own record of
a process's file locks is wrong there. So whoever holds such things lets go of them before the fork.
"""

from __future__ import annotations

import os
from threading import RLock
from weakref import WeakSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Forkable(Protocol):
        def before_fork(self) -> None:
            """Stop everything that other threads do here, and keep it stopped."""

        def after_fork(self, *, in_child: bool) -> None:
            """Go on. In the child every lock is new, for the old ones belong to threads that it does not have."""


_watched: WeakSet[Forkable] = WeakSet()
_stopped: list[Forkable] = []
_lock = RLock()  # one fork at a time


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
