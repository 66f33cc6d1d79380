"""Ranges of bytes, out of a complete body or out of parts of it (RFC 9110, 14; RFC 9111, 3.3)."""

from __future__ import annotations

from middleware.caching.conditions import is_strong
from middleware.headers import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from middleware.caching.said import Fields

    Range = tuple[int, int]  # the first and the last byte

UNSATISFIABLE: Literal["unsatisfiable"] = "unsatisfiable"

_LONGEST = 1 << 10  # characters of a Range; a longer one is ignored
_FAR = 10**15  # as far as no body reaches


def chosen_range(given: str, length: int) -> Range | Literal["unsatisfiable"] | None:
    """The first and the last byte that a Range field asks for, of a body with so many.

    UNSATISFIABLE where there are no such bytes. None where the field is to be ignored: it is malformed, asks for
    another unit, or for several ranges.
    """
    unit, equals, ranges = given.strip(" \t").partition("=")
    if not equals or unit.lower() != "bytes" or len(given) > _LONGEST:
        return None
    asked = members(ranges)
    if len(asked) != 1:
        return None
    first_text, _, last_text = asked[0].partition("-")
    first, last = _position(first_text), _position(last_text)
    if first_text == "" and last is not None:  # so many at the end
        return (max(0, length - last), length - 1) if last and length else UNSATISFIABLE
    if first is None or asked[0] == first_text or (last is None and last_text) or (last is not None and last < first):
        return None
    if first >= length:
        return UNSATISFIABLE
    return first, length - 1 if last is None else min(last, length - 1)


class Part:
    """Which bytes a 206 has: from `first` to `last` of `total`. `etag`: of what it is a part, None where not strong."""

    __slots__ = ("etag", "first", "last", "total")

    def __init__(self, first: int, last: int, total: int, etag: str | None) -> None:
        self.first = first
        self.last = last
        self.total = total
        self.etag = etag


def part_of(status: str, fields: Fields, size: int) -> Part | None:
    """The one part that an answer with this status (three digits) is, whose body has so many bytes.

    None where it is none, or where its Content-Range says anything but where exactly these bytes stand.
    """
    lines: dict[str, list[str]] = {}
    for name, value in fields:
        lines.setdefault(name.lower(), []).append(value.strip(" \t"))
    ranges, etags = lines.get("content-range", ()), lines.get("etag", ())
    if status != "206" or len(ranges) != 1:
        return None
    unit, _, numbers = ranges[0].partition(" ")
    span, _, total_text = numbers.partition("/")
    first_text, _, last_text = span.partition("-")
    first, last, total = _position(first_text), _position(last_text), _position(total_text)
    if unit.lower() != "bytes" or first is None or last is None or total is None:
        return None
    if not first <= last < total < _FAR or size != last - first + 1:
        return None
    return Part(first, last, total, etags[0] if len(etags) == 1 and is_strong(etags[0]) else None)


def covers(part: Part, wanted: Range) -> bool:
    """Whether all of these bytes are in the part."""
    return part.first <= wanted[0] and wanted[1] <= part.last


def combined(parts: Iterable[tuple[Part, bytes]]) -> tuple[Part, bytes] | None:
    """Several parts with their bytes as one (RFC 9111, section 3.4).

    None where they do not all have the same strong entity tag and the same total, or where bytes are missing between.
    """
    given = list(parts)
    if len({(part.etag, part.total) for part, _ in given}) != 1 or given[0][0].etag is None:
        return None
    pieces: list[bytes] = []
    start = end = -1
    for part, body in sorted(given, key=lambda one: one[0].first):
        if start < 0:
            start = end = part.first
        if part.first > end:
            return None
        if part.last >= end:
            pieces.append(body[end - part.first :] if end > part.first else body)
            end = part.last + 1
    whole = given[0][0]
    return Part(start, end - 1, whole.total, whole.etag), b"".join(pieces)


def _position(text: str) -> int | None:
    """A number of bytes, None where it is none."""
    if not text.isascii() or not text.isdigit():
        return None
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= 15 else _FAR
