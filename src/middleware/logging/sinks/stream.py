"""Lines into a text stream, or into anything else that takes text."""

from __future__ import annotations

from io import BufferedIOBase, RawIOBase

from middleware.errors import ConfigurationError
from middleware.options import a_switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, TextIO

    class Writable(Protocol):
        """What the layer needs of a sink that is no function."""

        def write(self, line: str, /) -> object: ...


class StreamSink:
    """A text stream, one `write` a line. `flush=True` hands each line on at once, where the stream keeps a buffer.

    Have it so in a process that forks: what a buffer holds then is written by parent and child. Close it yourself.
    Raises ConfigurationError for what is no text stream.
    """

    def __init__(self, stream: TextIO, *, flush: bool = False) -> None:
        if not hasattr(stream, "flush"):
            raise ConfigurationError(f"stream={stream!r} is none: give a text stream, such as sys.stdout")
        self._stream = stream
        self._write = writer(stream)
        self._flush_each = stream.flush if a_switch("flush", flush) else None

    def write(self, line: str, /) -> None:
        """Write one line. What the stream raises, leaves."""
        self._write(line)
        if self._flush_each is not None:
            self._flush_each()

    def flush(self) -> None:
        """Hand on what the stream keeps back."""
        self._stream.flush()


def writer(sink: Writable | Callable[[str], object]) -> Callable[[str], object]:
    """How to give `sink` a line with its line feed, whatever it is."""
    if isinstance(sink, type):
        raise ConfigurationError(f"sink= is the class {sink.__name__}: give one, {sink.__name__}(...)")
    if isinstance(sink, (BufferedIOBase, RawIOBase)):
        raise ConfigurationError(f"sink={sink!r} takes bytes: open it as text, or give FileSink(path)")
    write = getattr(sink, "write", None)
    if callable(write):
        return write  # type: ignore[no-any-return]
    if callable(sink):
        function = sink
        return lambda line: function(line[:-1])
    raise ConfigurationError(
        f"sink={sink!r} takes no lines: give a text stream, FileSink(path), a function of one line, or leave it out"
    )
