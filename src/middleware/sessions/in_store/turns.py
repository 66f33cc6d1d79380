"""The requests of one process that write the same record one after the other, so that they do not collide for ever."""

from __future__ import annotations

import os
import time
from threading import Lock

_LOCKS = tuple(Lock() for _ in range(16))
ATTEMPTS = 30  # at one write, while other processes keep writing: within a second, with the waits between them
LONGEST_TURN = 1  # seconds, then the next one goes ahead: only the store's swap has to be relied on


class Turn:
    """`with Turn(key):` waits for the turn of this thread."""

    __slots__ = ("_is_mine", "_lock")

    def __init__(self, key: str) -> None:
        self._lock = _LOCKS[hash(key) % len(_LOCKS)]

    def __enter__(self) -> None:
        self._is_mine = self._lock.acquire(timeout=LONGEST_TURN)

    def __exit__(self, *_: object) -> None:
        if self._is_mine:
            self._lock.release()


def wait(attempt: int) -> None:
    """A random while, longer with each attempt, so that processes that collide do not collide again."""
    if attempt:
        time.sleep((1 << min(attempt, 5)) / 1000 * os.urandom(1)[0] / 255)
