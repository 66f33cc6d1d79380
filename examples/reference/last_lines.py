"""The last lines of the access log, for the admin's page. They live in the memory of one process."""

from __future__ import annotations

import sys
from collections import deque


class LastLines:
    """A sink that keeps the last lines and hands each on to stderr."""

    def __init__(self, most: int = 30) -> None:
        self._lines: deque[str] = deque(maxlen=most)  # appending and copying are atomic

    def write(self, line: str, /) -> None:
        """Keep one line, which ends in a line feed, and print it."""
        self._lines.append(line.rstrip("\n"))
        sys.stderr.write(line)
        sys.stderr.flush()

    def newest_first(self) -> list[str]:
        """What is kept."""
        return list(self._lines)[::-1]


LINES = LastLines()
