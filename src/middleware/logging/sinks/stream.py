"""Lines into a text stream."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


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
