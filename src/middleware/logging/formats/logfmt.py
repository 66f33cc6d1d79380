"""From a record to a line of logfmt: `level=info method=GET path=/ status=200`. Values in, values out.

A value with a blank, a quote, an equals sign or anything but printable ASCII in it stands between quotes, with the
escapes of JSON.
"""

from __future__ import annotations

from json.encoder import encode_basestring_ascii as quote

from middleware.logging.escaping import MAX_LINE
from middleware.logging.formats.readable import fitted
from middleware.logging.formats.schemas import Schema, fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.logging.formats.readable import Values
    from middleware.logging.record import AccessRecord

SHORT = Schema(
    time="time",
    level="level",
    levels=("info", "error"),
    texts=(
        None,
        "method",
        "version",
        "path",
        "query",
        None,
        "scheme",
        "host",
        "client",
        "agent",
        "referrer",
        "user",
        "route",
    ),
    status="status",
    size="bytes",
    duration=("duration_ms", lambda seconds: round(seconds * 1e3, 3)),
    error=("error", "", ""),
    trace="trace_id",
    spans=("span_id",),
)

_BARE = bytes(byte for byte in range(0x21, 0x7F) if chr(byte) not in '"=\\')


def logfmt(record: AccessRecord) -> str:
    """One line of pairs, of printable ASCII, 4093 characters at most."""
    values = fields(record, SHORT, tracebacks=False)
    line = written(values)
    return line if len(line) <= MAX_LINE else written(fitted(values, len(line) - MAX_LINE))


def written(values: Values) -> str:
    """The values as pairs."""
    return " ".join([f"{name}={_shown(value)}" for name, value in values.items()])


def _shown(value: str | float) -> str:
    if not isinstance(value, str):
        return str(value).lower()
    if value.isascii() and not value.encode().translate(None, _BARE):
        return value
    return quote(value).replace("\x7f", "\\u007f")
