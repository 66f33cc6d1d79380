"""Ranges of bytes of a complete body, and parts that applications send (RFC 9110, section 14)."""

from __future__ import annotations

from middleware.headers import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from middleware.caching.rules.said import Fields

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


def is_the_part_it_says(fields: Fields, size: int) -> bool:
    """Whether a 206 with these fields and a body of so many bytes is one part, and just the one that it names."""
    ranges = [value.strip(" \t") for name, value in fields if name.lower() == "content-range"]
    if len(ranges) != 1:
        return False
    unit, _, numbers = ranges[0].partition(" ")
    span, _, total_text = numbers.partition("/")
    first_text, _, last_text = span.partition("-")
    first, last, total = _position(first_text), _position(last_text), _position(total_text)
    if unit.lower() != "bytes" or first is None or last is None or total is None:
        return False
    return first <= last < total < _FAR and size == last - first + 1


def _position(text: str) -> int | None:
    """A number of bytes, None where it is none."""
    if not text.isascii() or not text.isdigit():
        return None
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= 15 else _FAR
