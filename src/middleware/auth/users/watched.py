"""A file that is read again when it has changed, and never half."""

from __future__ import annotations

import os
import threading

from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Signature = tuple[int, int, int, int]

_MOST_READS = 100  # of a file that changes while it is read


class WatchedFile:
    """A file, parsed, and read again when it has changed.

    `parse` makes what `read` gives from the lines of the file, which are UTF-8, or latin-1 where they are not. `clock`
    gives seconds since 1970.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        parse: Callable[[list[str]], Any],
        clock: Callable[[], float],
    ) -> None:
        self.path = os.fspath(path)
        self._parse = parse
        self._clock = clock
        self._lock = threading.Lock()
        # Its signature, None while a second change could look like none, what was parsed, and then also from what.
        self._known: tuple[Signature | None, Any, bytes | None] = (None, None, None)
        self._was_read = False

    def read_first(self, reader: str) -> Any:
        """What it holds where `reader` is made. Raises ConfigurationError where it cannot be read."""
        try:
            return self.read()
        except OSError as error:
            raise ConfigurationError(f"{reader} cannot read {error.filename!r}: {error.strerror}") from None

    def read(self) -> Any:
        """What it holds now. Raises OSError where it cannot be read."""
        signature, parsed, _ = self._known
        if signature is not None and signature == _signature(os.stat(self.path)):  # noqa: PTH116 - pathlib costs 14 ms of import
            return parsed
        with self._lock:
            return self._read_again()

    def _read_again(self) -> Any:
        for _ in range(_MOST_READS):
            with open(self.path, "rb") as file:  # noqa: PTH123
                before = os.fstat(file.fileno())
                content = file.read()
                after = os.fstat(file.fileno())
            if _signature(before) == _signature(after):
                break
        else:
            raise OSError(f"{self.path} was written to all the time while it was read")
        _, parsed, parsed_from = self._known
        if content != parsed_from:
            parsed = self._parse(lines_of(content))
            if self._was_read:
                import logging

                logging.getLogger("middleware.auth").info("auth.source.reload path=%a", self.path)
            self._was_read = True
        # A second change within the tick of the file system's clock would look like none: read such a file once more.
        settled = abs(self._clock() - max(after.st_mtime, after.st_ctime)) >= 2
        self._known = (_signature(after), parsed, None) if settled else (None, parsed, content)
        return parsed


def _signature(stat: os.stat_result) -> Signature:
    """What tells one content of a file from another; the ctime, because tools that copy set the mtime back."""
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino


def lines_of(content: bytes) -> list[str]:
    """The lines of a file, in UTF-8, or latin-1 where they are not."""
    return [text_of(line) for line in content.split(b"\n")]


def text_of(line: bytes) -> str:
    """A line, without what Windows ends it with."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        text = line.decode("latin-1")
    return text.strip("\r")
