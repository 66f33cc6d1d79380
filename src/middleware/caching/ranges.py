"""Ranges of bytes out of a complete body (RFC 9110, section 14). Values in, values out."""

from __future__ import annotations

from middleware.headers import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

UNSATISFIABLE: Literal["unsatisfiable"] = "unsatisfiable"

_LONGEST = 1 << 10  # characters of a Range; a longer one is ignored


def chosen_range(given: str, length: int) -> tuple[int, int] | Literal["unsatisfiable"] | None:
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
    first_text, dash, last_text = asked[0].partition("-")
    first, last = _position(first_text), _position(last_text)
    if not dash or (first is None and first_text) or (last is None and last_text):
        return None
    if first is None:
        if last is None:
            return None
        return (max(0, length - last), length - 1) if last and length else UNSATISFIABLE
    if last is not None and last < first:
        return None
    if first >= length:
        return UNSATISFIABLE
    return first, length - 1 if last is None else min(last, length - 1)


def _position(text: str) -> int | None:
    """A number of bytes, None where it is none: as far as any body reaches."""
    if not text.isascii() or not text.isdigit():
        return None
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= 18 else 10**18
