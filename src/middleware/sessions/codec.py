"""What a session holds, to JSON and back. Pure, and loaded with the first session that is used.

What comes back equals what went in and has its type. What JSON would change in silence (a tuple, a number as key, a
subclass) is refused. A content is `[data]`, or `[data, messages]` where flash messages wait.
"""

from __future__ import annotations

from json import JSONDecoder, JSONEncoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Messages = list[list[str]]

_SHORT = 1 << 63
DEEPEST = 100  # lists and dicts inside one another
_PLAIN = frozenset((str, int, bool, type(None)))
_PLAIN_IN_WORDS = "str, int, float, bool, None, and lists and dicts of them"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(f"{text} is no finite number")
    return number


# To look for lists that hold themselves takes 0.3 us. `_check` has done so for all that is kept.
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
    _check(key, value, DEEPEST)
    try:
        key.encode()
        return _encode(value).encode()
    except UnicodeEncodeError:
        raise ValueError(f"session[{key!r}]: half a surrogate pair is no text") from None
    except ValueError as error:
        raise ValueError(f"session[{key!r}]: {error}") from None


def _check(key: str, value: object, depth: int) -> None:
    kind = type(value)
    if kind in _PLAIN:
        return
    if not depth:
        raise ValueError(f"session[{key!r}] goes deeper than {DEEPEST} levels, or holds itself")
    if kind is list:
        for item in value:  # type: ignore[attr-defined]
            _check(key, item, depth - 1)
    elif kind is dict:
        for name, item in value.items():  # type: ignore[attr-defined]
            if type(name) is not str:
                raise TypeError(
                    f"session[{key!r}] holds a dict with a key of type {type(name).__name__}: "
                    "JSON would make text of it, so keep text"
                )
            _check(key, item, depth - 1)
    elif kind is not float:
        raise TypeError(f"session[{key!r}] holds a {kind.__name__}: a session keeps {_PLAIN_IN_WORDS}")
    elif value - value != 0:  # type: ignore[operator]
        raise TypeError(f"session[{key!r}] holds the float {value!r}: a session keeps finite ones")


def encoded(*parts: object) -> bytes:
    """A JSON array of these parts. A ValueError where one of them goes too deep, as what holds itself does."""
    try:
        return _encode(parts).encode()
    except RecursionError:
        raise ValueError("too deep") from None


def content(data: dict[str, Any], messages: Messages) -> tuple[object, ...]:
    """The parts of a content."""
    return (data, messages) if messages else (data,)


def decoded(text: bytes) -> list[Any]:
    """What `encoded` made. A ValueError for anything else."""
    json = text.decode()
    try:
        parts, end = _decode(json)
    except RecursionError:
        raise ValueError("too deep") from None
    if end != len(json) or type(parts) is not list:
        raise ValueError("no array")
    if "\\u" in json:
        _encode(parts).encode()  # a UnicodeEncodeError, which is a ValueError, for half a surrogate pair
    return parts


def content_of(parts: list[Any]) -> tuple[dict[str, Any], Messages]:
    """Data and messages from the parts of a content. A ValueError for anything else."""
    if len(parts) == 1 and type(parts[0]) is dict:
        return parts[0], []
    if len(parts) != 2 or type(parts[0]) is not dict or type(parts[1]) is not list:
        raise ValueError("no content of a session")
    for message in parts[1]:
        if type(message) is not list or [type(part) for part in message] != [str, str]:
            raise ValueError("no flash message")
    return parts[0], parts[1]


def largest(data: dict[str, Any], messages: Messages) -> str:
    """The three largest keys with their sizes in bytes, in words."""
    sizes = {repr(key): len(_encode(key).encode()) + len(_encode(value).encode()) for key, value in data.items()}
    if messages:
        sizes["its flash messages"] = len(_encode(messages).encode())
    names = sorted(sizes, key=lambda name: -sizes[name])[:3]
    return ", ".join(f"{name} ({sizes[name]} bytes)" for name in names)
