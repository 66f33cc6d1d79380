"""What a session holds, to JSON and back. Pure, and loaded with the first session that is used.

What comes back equals what went in and has its type; what would not is refused. Values that JSON has no form for have
tags (`typed.py`). A content is `[data]`, `[data, messages]` where flash messages wait, or `[data, messages, marks]`
where the session keeps something about itself.
"""

from __future__ import annotations

from functools import cache
from json import JSONDecoder, JSONEncoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Messages = list[list[str]]
    Marks = dict[str, Any]

_SHORT = 1 << 63
DEEPEST = 100  # collections inside one another
_PLAIN = frozenset((str, int, bool, type(None)))
_TAG = '{"$'  # outside of texts, where each quotation mark has a backslash, an object begins so only where it is a tag
_TAG_IN_BYTES = _TAG.encode()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(f"{text} is no finite number")
    return number


# To look for lists that hold themselves takes 0.3 us. All that is kept has been walked through, to a depth.
_encode = JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode
_decode = JSONDecoder(
    parse_float=_finite, parse_constant=_refuse_constant
).raw_decode  # 0.6 us less than decode, which skips white space


def encoded_value(key: str, value: object) -> bytes:
    """What is kept of one value. Two values are the same to a session where this is equal.

    Raises TypeError, naming the key and the type, for what would not come back as it is; ValueError for a text with
    half a surrogate pair and for values that are too deep or too long to be numbers.
    """
    if type(key) is not str:
        raise TypeError(f"the keys of a session are text, not {type(key).__name__}: {key!r}")
    if type(value) is int and -_SHORT < value < _SHORT and key.isascii():
        return b"%d" % value  # as the encoder has it, in a fifth of the time
    kept = value if type(value) in _PLAIN or _is_plain(value, DEEPEST) else _tagged(f"session[{key!r}]", value, DEEPEST)
    try:
        key.encode()
        text = _encode(kept)
        if _TAG in text and kept is value:
            text = _encode(_tagged(f"session[{key!r}]", value, DEEPEST))
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"session[{key!r}]: half a surrogate pair is no text") from None
    except ValueError as error:
        raise ValueError(f"session[{key!r}]: {error}") from None


def _is_plain(value: Any, depth: int) -> bool:
    """Whether JSON itself brings it back, if it has no dict that looks like a tag. What is too deep is not plain."""
    kind = type(value)
    if kind is float:
        return value - value == 0  # type: ignore[no-any-return]
    if not depth:
        return False
    depth -= 1
    if kind is list:
        for item in value:  # noqa: SIM110 - a generator takes twice the time
            if type(item) not in _PLAIN and not _is_plain(item, depth):
                return False
        return True
    if kind is dict:
        for name, item in value.items():
            if type(name) is not str or (type(item) not in _PLAIN and not _is_plain(item, depth)):
                return False
        return True
    return False


def _tagged(where: str, value: object, deepest: int) -> object:
    from middleware.sessions.typed import tagged

    return tagged(where, value, deepest)


def encoded(*parts: object, typed: bool = False) -> bytes:
    """A JSON array of these parts. `typed`: whether one of them may hold values that JSON has no form for.

    A ValueError where one of them goes too deep, as what holds itself does.
    """
    try:
        if not typed:
            text = _encode(parts)
            if "$" not in text or _TAG not in text:  # one character is found in half the time of two
                return text.encode()
        # Or a dict that looks like a tag is somewhere.
        return _encode([_tagged("the session", part, DEEPEST + 1) for part in parts]).encode()
    except RecursionError:
        raise ValueError("too deep") from None


def is_typed(text: bytes) -> bool:
    """Whether something in an encoded text has a tag."""
    return _TAG_IN_BYTES in text


def content(data: dict[str, Any], messages: Messages, marks: Marks | None = None) -> tuple[object, ...]:
    """The parts of a content."""
    if marks:
        return data, messages, marks
    return (data, messages) if messages else (data,)


def decoded(text: bytes) -> list[Any]:
    """What `encoded` made. A ValueError for anything else."""
    json = text.decode()
    try:
        parts, end = _decode(json)
        if "\\" in json and "\\u" in json:
            _encode(parts).encode()  # a UnicodeEncodeError, which is a ValueError, for half a surrogate pair
        if "$" in json and _TAG in json:
            parts = _revived(json)
    except RecursionError:
        raise ValueError("too deep") from None
    if end != len(json) or type(parts) is not list:
        raise ValueError("no array")
    return parts


def _revived(json: str) -> object:
    parts, _ = _reviver()(json)
    for part in parts if type(parts) is list else ():
        if type(part) is dict and any(type(name) is not str for name in part):
            raise ValueError("the keys of a session are text")
    return parts


@cache
def _reviver() -> Callable[[str], tuple[object, int]]:
    from middleware.sessions.typed import revived

    return JSONDecoder(object_hook=revived, parse_float=_finite, parse_constant=_refuse_constant).raw_decode


def content_of(parts: list[Any]) -> tuple[dict[str, Any], Messages, Marks]:
    """Data, messages and marks from the parts of a content. A ValueError for anything else."""
    if len(parts) == 1 and type(parts[0]) is dict:
        return parts[0], [], {}
    data, messages, marks = parts if len(parts) == 3 else (*parts, {})  # a ValueError for another length
    if type(data) is not dict or type(messages) is not list or type(marks) is not dict:
        raise ValueError("no content of a session")
    for message in messages:
        if type(message) is not list or [type(part) for part in message] != [str, str]:
            raise ValueError("no flash message")
    return data, messages, marks


def largest(data: dict[str, Any], messages: Messages) -> str:
    """The three largest keys with their sizes in bytes, in words."""
    sizes = {repr(key): len(_encode(key).encode()) + len(encoded_value(key, value)) for key, value in data.items()}
    if messages:
        sizes["its flash messages"] = len(_encode(messages).encode())
    names = sorted(sizes, key=lambda name: -sizes[name])[:3]
    return ", ".join(f"{name} ({sizes[name]} bytes)" for name in names)
