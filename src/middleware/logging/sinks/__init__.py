"""Where the lines go. A sink has `write(line)`, line feed included, and may fail: the response never notices."""

from __future__ import annotations

from io import BufferedIOBase, RawIOBase

from middleware.errors import ConfigurationError
from middleware.logging.sinks.failures import Failures
from middleware.logging.sinks.file import FileSink
from middleware.logging.sinks.logger import LoggerSink
from middleware.logging.sinks.stream import StreamSink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from middleware.logging.record import AccessRecord

    Emit = Callable[[str, AccessRecord], object]

    class Writable(Protocol):
        """What the layer needs of a sink that is no function."""

        def write(self, line: str, /) -> object: ...


__all__ = ["Failures", "FileSink", "LoggerSink", "StreamSink", "emitter"]


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
