"""The parameters of a stored password: `ln=14,r=8,p=5`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def numbers_in(text: str, names: Sequence[str]) -> list[int] | None:
    """The number behind each name, in this order and with nothing else; None for anything but that."""
    fields = text.split(",", len(names))
    if len(fields) != len(names):
        return None
    numbers = []
    for field, name in zip(fields, names, strict=True):
        digits = field.removeprefix(name)
        if digits == field or not digits.isascii() or not digits.isdigit() or len(digits) > 7:
            return None
        numbers.append(int(digits))
    return numbers
