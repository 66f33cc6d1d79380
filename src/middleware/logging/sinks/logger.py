"""Lines into a logger of the standard library. `logging` is imported with the first of them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger

    from middleware.logging.record import AccessRecord


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
            from middleware.logging.formats.ecs import fields

            logger.info(line, extra={"access": fields(record)})
