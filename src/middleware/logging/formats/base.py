"""What the formats with options have in common."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.logging.record import AccessRecord


class LineFormat:
    """A format whose lines are printable ASCII and short enough already: nobody need look at them again."""

    __slots__ = ("line",)

    line: Callable[[AccessRecord], str]

    def __call__(self, record: AccessRecord) -> str:
        """The line of this record, without a line feed."""
        return self.line(record)
