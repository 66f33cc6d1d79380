"""Where the lines go. A sink has `write(line)`, line feed included, and may fail: the response never notices.

One that wants the record too has `emit(line, record)`, where the line comes without its line feed.
"""

from __future__ import annotations

import sys

from middleware.errors import ConfigurationError
from middleware.logging.sinks.failures import Failures
from middleware.logging.sinks.file import FileSink
from middleware.logging.sinks.stream import StreamSink, writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger
    from typing import TypeAlias

    from middleware.logging.record import AccessRecord
    from middleware.logging.sinks.stream import Writable as Writable  # the layer names it in its signature

    Emit = Callable[[str, AccessRecord], object]
    Sink: TypeAlias = Writable | Logger | Callable[[str], object]

__all__ = ["Failures", "FileSink", "StreamSink", "emitter"]


def emitter(sink: Sink | None) -> Emit:
    """How to give a line and its record to `sink`, whatever it is."""
    if sink is None:
        return _into_logger(None)
    if "logging" in sys.modules:  # who has something of it has imported it
        import logging

        if isinstance(sink, logging.Logger):
            return _into_logger(sink)
        if isinstance(sink, logging.Handler):
            raise ConfigurationError(f"sink={sink!r} is a handler: add it to a logger, and give that logger")
    emit = getattr(sink, "emit", None)
    if callable(emit) and not isinstance(sink, type):
        return emit  # type: ignore[no-any-return]
    write = writer(sink)  # type: ignore[arg-type]
    return lambda line, _: write(line + "\n")


def _into_logger(logger: Logger | None) -> Emit:
    from middleware.logging.sinks.logger import LoggerSink

    return LoggerSink(logger).emit
