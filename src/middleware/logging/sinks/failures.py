"""What becomes of a line that was lost: it is counted, and told, but not too often."""

from __future__ import annotations

from threading import Lock
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIEnvironment


class Failures:
    """Lines that were lost: counted, and told on `wsgi.errors` once a minute at most."""

    def __init__(self, timer: Callable[[], float] = monotonic) -> None:
        self.count = 0
        self._timer = timer
        self._told: float | None = None
        self._lock = Lock()

    def add(self, error: Exception, environ: WSGIEnvironment) -> None:
        """Count one. Never raises."""
        with self._lock:
            self.count += 1
            now = self._timer()
            if self._told is not None and now - self._told < 60:
                return
            self._told = now
            count = self.count
        try:
            # ascii(): the message may hold what a client sent.
            environ["wsgi.errors"].write(f"access log: {count} lines lost so far, the last by {ascii(error)[:500]}\n")
            environ["wsgi.errors"].flush()
        except Exception:  # noqa: BLE001, S110 - there is no one left to tell
            pass
