"""Lines appended to a file."""

from __future__ import annotations

from os import fspath

from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType
    from typing import Self


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
