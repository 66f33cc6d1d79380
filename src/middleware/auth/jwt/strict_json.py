"""JSON as a token or a key set has to be: one meaning for every reader. Bytes in, an object out; no I/O.

Refused is what two parsers understand in two ways: members that occur twice, NaN and Infinity, numbers beyond what
a float or 20 digits hold, halves of a surrogate pair; and what costs more to read than it is worth: deep nesting.
"""

from __future__ import annotations

import re
from json import JSONDecoder
from math import isfinite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

DEEPEST = 32  # arrays and objects in one another
MOST_DIGITS = 20  # of an integer, with its sign
_NO_BRACKETS = re.compile(r"[^\[\]{}]+")


def json_object(data: bytes) -> dict[str, Any]:
    """The object that `data` holds. Raises ValueError for anything else."""
    text = data.decode("utf-8")
    if text.count("[") + text.count("{") > DEEPEST and not _is_shallow(text):
        raise ValueError("nested too deeply")
    found = _DECODER.decode(text)
    if type(found) is not dict:
        raise ValueError("not an object")
    if "\\u" in text:
        _refuse_lone_surrogates(found)
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")
    return members


def _integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError("a number is too long")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("a number is too large")
    return number


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER = JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_float, parse_constant=_constant, strict=True
)


def _is_shallow(text: str) -> bool:
    """Whether JSON goes no deeper than is allowed. Of what is no JSON it may say either."""
    outside = text.replace("\\\\", "").replace('\\"', "").split('"')[::2]  # of strings
    left = _NO_BRACKETS.sub("", "".join(outside)).replace("{", "[").replace("}", "]")
    if "[" * (DEEPEST + 1) in left:
        return False
    for _ in range(DEEPEST):
        left = left.replace("[]", "")  # the innermost
    return not left


def _refuse_lone_surrogates(found: object) -> None:
    if isinstance(found, str):
        found.encode("utf-8")  # UnicodeEncodeError is a ValueError
    elif isinstance(found, list):
        for item in found:
            _refuse_lone_surrogates(item)
    elif isinstance(found, dict):
        for name, value in found.items():
            name.encode("utf-8")
            _refuse_lone_surrogates(value)
