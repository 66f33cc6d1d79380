"""Lines appended to a file, by any number of threads and processes, also while others rename it.

The rule: no lock. A line is one write to a descriptor in append mode. A file that is opened anew takes the place of
the old one by one assignment, and the old one is closed when the last thread that writes to it has let go of it. So a
signal handler may have it opened anew at any moment, and a forked child finds nothing locked.
"""

from __future__ import annotations

import os
from time import monotonic

from middleware.errors import ConfigurationError
from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from types import TracebackType
    from typing import Self

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
_MODE = 0o640
_LOOK_EVERY = 1  # second


class FileSink:
    """A file to which lines are appended, each with one write, so that many processes can share it.

    `path` is opened at once, readable by owner and group; a ConfigurationError where it cannot be. Once a second at
    most, by `clock` (seconds, `time.monotonic`), a line first looks whether the path leads to another file, and goes
    there: so logrotate may rename (`create`, `nocreate`) or `copytruncate`. `reopen()` does it at once.
    Close it, or use it as a context manager.
    """

    def __init__(self, path: str | PathLike[str], *, clock: Callable[[], float] = monotonic) -> None:
        try:
            # The place where it is now: a process may change its directory.
            self.path = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - text, not a Path
            self._file: _File | _NoFile = _opened(self.path)
        except OSError as error:
            raise ConfigurationError(
                f"cannot append to the access log {path!r} ({error.strerror}): "
                "make its directory and let this process write there"
            ) from error
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f'path={path!r} is no path of a file: try "access.log"') from error
        self._clock = clock
        self._looked = clock()
        self._is_missing = False
        self._is_closed = False

    def __repr__(self) -> str:
        return f"FileSink({self.path!r})"

    def write(self, line: str, /) -> None:
        """Append one line. Raises OSError (the disk is full, the file was deleted) or ValueError (closed)."""
        now = self._clock()
        if not 0 <= now - self._looked < _LOOK_EVERY:  # a wall clock may have been set back
            self._looked = now
            self._look()
        self._file.write(line.encode("ascii"))

    def reopen(self) -> None:
        """Open the path anew, for whoever has just renamed the file. Safe in a signal handler. Raises nothing.

        Where the path cannot be opened, the next line tries again, and tells.
        """
        try:
            self._take(_opened(self.path))
        except OSError:
            self._looked = float("-inf")
            self._is_missing = True

    def close(self) -> None:
        """Close the file. Lines that come later are lost, and counted."""
        self._is_closed = True
        self._file = _CLOSED

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _look(self) -> None:
        """Go where the path leads now, if that is elsewhere."""
        if self._is_closed:
            return
        try:
            if _identity(os.stat(self.path)) == self._file.identity:  # noqa: PTH116
                self._is_missing = False
                return
        except OSError:
            # Renamed a moment ago: whoever did it may be about to make the new file, which must not be there then.
            if self._file.has_name() and not self._is_missing:
                self._is_missing = True
                return
        try:
            self._take(_opened(self.path))
        except OSError as error:
            if self._file.has_name():
                say_once(
                    f"the access log {self.path!r} was renamed and cannot be opened anew ({error.strerror}): "
                    "its lines go on into the renamed file. Let this process write into the directory",
                    logger="middleware.logging",
                )
            else:
                why = f"{self.path} was deleted and cannot be made again: {error.strerror}"
                self._take(_NoFile(OSError, error.errno, why))

    def _take(self, file: _File | _NoFile) -> None:
        self._file = file
        self._is_missing = False
        if self._is_closed:  # by another thread, meanwhile
            self._file = _CLOSED


class _File:
    """What lines are written to: an open file."""

    __slots__ = ("_descriptor", "_is_torn", "identity")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_torn = False
        self.identity = _identity(os.fstat(descriptor))

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self._descriptor)

    def write(self, data: bytes) -> None:
        if self._is_torn:  # what a full disk left of a line stays a line of its own
            data = b"\n" + data
        written = os.write(self._descriptor, data)
        if written < len(data):
            self._write_on(data, written)
        elif self._is_torn:
            self._is_torn = False

    def _write_on(self, data: bytes, written: int) -> None:
        """The disk is nearly full, or a signal came while a pipe was."""
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            self._is_torn = True
            raise
        self._is_torn = False

    def has_name(self) -> bool:
        """Whether there is a path, known or not, by which what is written here can be found."""
        return os.fstat(self._descriptor).st_nlink > 0


class _NoFile:
    """In place of one: the log is closed, or its file was deleted and there can be no other. Each line says so."""

    __slots__ = ("_arguments", "_error")

    identity = None

    def __init__(self, error: type[Exception], *arguments: object) -> None:
        self._error = error
        self._arguments = arguments

    def write(self, _: bytes) -> None:
        raise self._error(*self._arguments)

    def has_name(self) -> bool:
        return False


_CLOSED = _NoFile(ValueError, "the access log is closed")


def _opened(path: str) -> _File:
    return _File(os.open(path, _APPEND, _MODE))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
