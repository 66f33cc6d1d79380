"""Where the lines go. A sink has `write(line)`, line feed included, and may fail: the response never notices."""

from __future__ import annotations

from io import BufferedIOBase, RawIOBase
from os import fspath
from threading import Lock
from time import monotonic

from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger
    from os import PathLike
    from types import TracebackType
    from typing import Protocol, Self, TextIO
    from wsgiref.types import WSGIEnvironment

    from middleware.logging.record import AccessRecord

    Emit = Callable[[str, AccessRecord], object]

    class Writable(Protocol):
        """What the layer needs of a sink that is no function."""

        def write(self, line: str, /) -> object: ...


class StreamSink:
    """A text stream, one `write` a line. `flush=True` hands each line on at once, where the stream keeps a buffer."""

    def __init__(self, stream: TextIO, *, flush: bool = False) -> None:
        self._write = stream.write
        self._flush = stream.flush if flush else None

    def write(self, line: str, /) -> None:
        """Write one line. What the stream raises, leaves."""
        self._write(line)
        if self._flush is not None:
            self._flush()


class FileSink:
    """A file to which lines are appended, each with one write, so that many processes can share it.

    Opened at once, readable by owner and group; a ConfigurationError where it cannot be. It is not opened again when
    another program renames it: let logrotate use `copytruncate`. Close it, or use it as a context manager.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = fspath(path)
        try:
            self._file = open(self.path, "ab", buffering=0, opener=_open)  # noqa: SIM115 - close() closes it
        except OSError as error:
            raise ConfigurationError(
                f"cannot append to the access log {self.path!r} ({error.strerror}): "
                "make its directory and let this process write there"
            ) from error

    def write(self, line: str, /) -> None:
        """Append one line. Raises OSError (the disk is full) or ValueError (closed)."""
        data = line.encode("ascii")
        written = self._file.write(data)
        while written < len(data):  # the disk is nearly full, or a signal came
            data = data[written:]
            written = self._file.write(data)

    def close(self) -> None:
        """Close the file. Lines that come later are lost, and counted."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _open(path: str, flags: int) -> int:
    import os

    return os.open(path, flags, 0o640)


class LoggerSink:
    """The standard library's logger `middleware.access`, at INFO; stderr as long as nobody configured logging."""

    def __init__(self) -> None:
        self._logger: Logger | None = None

    def emit(self, line: str, record: AccessRecord) -> None:
        """Log the line, with the record's values as a dict in `LogRecord.access`."""
        import logging

        logger = logging.getLogger("middleware.access")
        if not logger.hasHandlers():
            import sys

            if sys.stderr is not None:
                sys.stderr.write(line + "\n")
        elif logger.isEnabledFor(logging.INFO):
            from middleware.logging.formats.schemas import fields

            logger.info(line, extra={"access": fields(record)})


def emitter(sink: Writable | Callable[[str], object] | None) -> Emit:
    """How to give a line to `sink`, whatever it is."""
    if sink is None:
        return LoggerSink().emit
    if isinstance(sink, (BufferedIOBase, RawIOBase)):
        raise ConfigurationError(f"sink={sink!r} takes bytes: open it as text, or give FileSink(path)")
    write = getattr(sink, "write", None)
    if callable(write):
        return lambda line, _: write(line + "\n")
    if callable(sink):
        return lambda line, _: sink(line)
    raise ConfigurationError(
        f"sink={sink!r} takes no lines: give a text stream, FileSink(path), a function of one line, or leave it out"
    )


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
