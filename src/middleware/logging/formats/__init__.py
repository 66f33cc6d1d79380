"""From a record to a line: the formats of the access log. Values in, values out.

A format is a function of a record, made once. What a client sent is escaped as the place asks where it stands
(`escaping`); what stands between the values, the status, sizes and times are never cut.
"""

from __future__ import annotations

from middleware.errors import ConfigurationError
from middleware.logging.escaping import escaped_line
from middleware.logging.formats.shipped import WORDS, shipped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.logging.record import AccessRecord

    Format = Callable[[AccessRecord], str]


def format_of(choice: str | Format) -> Format:
    """The format that a user chose. Raises ConfigurationError for what is none."""
    if isinstance(choice, str) and "%" in choice:
        from middleware.logging.formats.apache import ApacheFormat

        return ApacheFormat(choice).line
    if isinstance(choice, str) and choice in WORDS:
        return shipped(choice)
    if choice == "json":
        from middleware.logging.formats.json_lines import JsonFormat

        return JsonFormat().line
    if choice == "logfmt":
        from middleware.logging.formats.logfmt import logfmt

        return logfmt
    from middleware.logging.formats.base import LineFormat

    if isinstance(choice, LineFormat):
        return choice.line
    if isinstance(choice, type):
        raise ConfigurationError(f"format= is the class {choice.__name__}: give one, {choice.__name__}(...)")
    if callable(choice):
        return by_function(choice)
    names = ", ".join(f'"{name}"' for name in (*WORDS, "json", "logfmt"))
    raise ConfigurationError(
        f"format={choice!r} is unknown: choose {names}, or give a format string of Apache, a JsonFormat, or a function "
        "of the record"
    )


def by_function(function: Format) -> Format:
    """A user's own format, whose lines are made printable ASCII: one record stays one line."""

    def line(record: AccessRecord) -> str:
        return escaped_line(function(record))

    return line
