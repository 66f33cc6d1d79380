"""What becomes of a failure of the log: it is counted, and told, but not too often."""

from __future__ import annotations

import os
from threading import RLock
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIEnvironment

A_MINUTE = 60


class Failures:
    """What failed, mostly at the cost of a line: counted, and told on `wsgi.errors` once a minute at most."""

    def __init__(self, timer: Callable[[], float] = monotonic) -> None:
        self.count = 0
        self._timer = timer
        self._told: float | None = None
        self._locks: dict[int, RLock] = {}

    def add(self, error: Exception, environ: WSGIEnvironment) -> None:
        """Count one. Never raises."""
        # Of each process its own, for one that was held during a fork is held for ever; and an RLock, for a signal
        # handler may write a line too.
        with self._locks.setdefault(os.getpid(), RLock()):
            self.count += 1
            now = self._timer()
            if self._told is not None and now - self._told < A_MINUTE:
                return
            self._told = now
            count = self.count
        tell(f"access log: {count} failures so far, the last by {shown(error)}", environ)


def tell(message: str, environ: WSGIEnvironment) -> None:
    """Write a line to `wsgi.errors`. Never raises."""
    try:
        environ["wsgi.errors"].write(message + "\n")
        environ["wsgi.errors"].flush()
    except Exception:  # noqa: BLE001, S110 - there is no one left to tell
        pass


def shown(error: BaseException) -> str:
    """What an error says, in ASCII and not at length: it may hold what a client sent."""
    return ascii(error)[:500]
