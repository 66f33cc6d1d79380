"""Server-Timing: how long the parts of a request took, for browsers' tools (W3C Server Timing). Values in, text out."""

from __future__ import annotations

from itertools import islice

from middleware.headers import TOKEN, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_ENTRIES = 20
MOST_BYTES = 1024
_MOST_READ = 1000
_TOO_LONG = 1e12  # milliseconds: NaN, infinity and what is below 0 are no times either


def field_value(timings: Iterable[object]) -> str:
    """The field's value for (name, milliseconds, description) triples; milliseconds and description may be None.

    Entries alike but for their time are added up. What has no token for a name is left out, and what is no number; so
    is all that comes after 20 entries or 1 KiB. A description keeps its printable ASCII characters.
    """
    times: dict[tuple[str, str], float | None] = {}
    for timing in islice(timings, _MOST_READ):
        read = _read(timing)
        if read is None:
            continue
        name, milliseconds, description = read
        key = name, description
        if key not in times and len(times) == MOST_ENTRIES:
            break
        before = times.get(key)
        times[key] = milliseconds if before is None else before + (milliseconds or 0.0)
    value = ""
    for (name, description), milliseconds in times.items():
        entry = name if milliseconds is None else f"{name};dur={_decimal(milliseconds)}"
        if description:
            entry += f";desc={quoted(description)}"
        longer = f"{value}, {entry}" if value else entry
        if len(longer) > MOST_BYTES:
            break
        value = longer
    return value


def _read(timing: object) -> tuple[str, float | None, str] | None:
    """What an application or a layer has left in the list, if it can be told."""
    if not isinstance(timing, tuple) or len(timing) != 3:
        return None
    name, milliseconds, description = timing
    if not isinstance(name, str) or not name or not TOKEN.issuperset(name):
        return None
    if milliseconds is not None and not (isinstance(milliseconds, int | float) and 0 <= milliseconds < _TOO_LONG):
        return None
    return name, milliseconds, _printable(description) if isinstance(description, str) else ""


def _printable(text: str) -> str:
    text = text[:MOST_BYTES]
    return text if text.isascii() and text.isprintable() else "".join([one for one in text if " " <= one <= "~"])


def _decimal(milliseconds: float) -> str:
    """With three decimals at most."""
    return f"{milliseconds:.3f}".rstrip("0").removesuffix(".")
