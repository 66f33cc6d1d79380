"""Lines into a logger of the standard library. `logging` is imported with the first of them."""

from __future__ import annotations

from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger

    from middleware.logging.record import AccessRecord

_INFO = 20  # logging's number for it
_TOO_QUIET = (
    "access lines are lost: their logger is not enabled for their level, which is INFO unless levels= says otherwise. "
    'Write logging.getLogger("middleware.access").setLevel(logging.INFO), or give LoggingMiddleware a sink='
)


class LoggerSink:
    """A logger, by default `middleware.access`; stderr as long as nobody configured logging.

    A line has the level that its record says (`record.level`, a number of `logging`), or INFO. No handler is added.
    """

    def __init__(self, logger: Logger | None = None) -> None:
        self._logger = logger

    def emit(self, line: str, record: AccessRecord) -> None:
        """Log the line, with the record's values as a dict in `LogRecord.access`."""
        logger = self._logger
        if logger is None:
            import logging

            logger = self._logger = logging.getLogger("middleware.access")
        if not logger.hasHandlers():
            import sys

            if sys.stderr is not None:
                sys.stderr.write(line + "\n")
            return
        level: int = getattr(record, "level", _INFO)
        if not logger.isEnabledFor(level):
            say_once(_TOO_QUIET, logger="middleware.logging")
            return
        from middleware.logging.formats.schemas import fields

        logger.log(level, line, extra={"access": fields(record)})
