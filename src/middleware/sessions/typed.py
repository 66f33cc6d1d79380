"""Values that JSON has no form for, as JSON and back. Pure, and loaded with the first such value.

Each is an object of one key, its tag: `{"$tuple":[1,2]}`. A dict that JSON would change, or that would look like a tag
(its first key begins with `$`), is `{"$dict":[[key,value],...]}`. So an object whose first key begins with `$` is
always a tag, and none that we do not know is ever let through. What comes back is of the standard library's types and
made from text, numbers and lists: nothing in a text can name a class or run code.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime, time, timedelta
    from decimal import Decimal
    from typing import Any, TypeVar
    from uuid import UUID

    Value = TypeVar("Value")
    Moment = TypeVar("Moment", datetime, time)

_PLAIN = frozenset((str, int, bool, type(None)))
_CONTAINERS = frozenset((list, dict, tuple, set, frozenset))
_IN_WORDS = (
    "str, int, float, bool, None, bytes, datetime, date, time, timedelta, UUID, Decimal, "
    "and list, tuple, set, frozenset and dict of them, but no subclass of any"
)


def tagged(where: str, value: object, deepest: int) -> object:
    """What JSON keeps of this value, with tags where they are needed.

    TypeError for what would not come back as it is, ValueError for what goes deeper than `deepest`; `where` begins
    what they say.
    """
    try:
        return _tagged(where, value, deepest)
    except RecursionError:
        raise ValueError(f"{where} goes deeper than {deepest} levels, or holds itself") from None


def _tagged(where: str, value: Any, depth: int) -> object:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is float:
        return value if value - value == 0 else {"$float": repr(value)}
    if kind not in _CONTAINERS:
        # By name, so that nothing is imported to find that a value is none of it.
        write = _WRITERS.get((kind.__module__, kind.__qualname__))
        if write is None:
            raise TypeError(f"{where} holds a {kind.__qualname__}: a session keeps {_IN_WORDS}")
        return write(where, value)
    if not depth:
        raise RecursionError
    depth -= 1
    if kind is dict:
        if _is_object(value):
            return {name: _tagged(where, item, depth) for name, item in value.items()}
        return {"$dict": [[_tagged(where, name, depth), _tagged(where, item, depth)] for name, item in value.items()]}
    items = [_tagged(where, item, depth) for item in value]
    if kind is list:
        return items
    if kind is not tuple:
        try:
            items.sort(key=repr)  # equal sets are kept alike
        except ValueError as error:  # a number with too many digits
            raise ValueError(f"{where}: {error}") from None
    return {"$" + kind.__name__: items}


def _is_object(value: dict[Any, object]) -> bool:
    """Whether the dict comes back from JSON as it is, and looks like no tag."""
    return all(type(name) is str for name in value) and next(iter(value), "")[:1] != "$"


def _bytes(_where: str, value: bytes) -> object:
    return {"$bytes": _base64(value)}


def _datetime(where: str, value: datetime | time) -> object:
    from datetime import timedelta

    offset = value.utcoffset()
    if value.tzinfo is not None and offset is None:
        raise ValueError(
            f"{where} holds a {type(value).__name__} in a zone that gives it no UTC offset, and only the offset is kept"
        )
    # Not in one text: CPython reads an offset of less than a second as none.
    microseconds = None if offset is None else offset // timedelta(microseconds=1)
    return {f"${type(value).__name__}": [value.replace(tzinfo=None).isoformat(), microseconds, value.fold]}


def _date(_where: str, value: date) -> object:
    return {"$date": value.isoformat()}


def _timedelta(_where: str, value: timedelta) -> object:
    return {"$timedelta": [value.days, value.seconds, value.microseconds]}


def _uuid(_where: str, value: UUID) -> object:
    return {"$uuid": str(value)}


def _decimal(_where: str, value: Decimal) -> object:
    return {"$decimal": _digits(value)}


_WRITERS: dict[tuple[str, str], Callable[[str, Any], object]] = {
    ("builtins", "bytes"): _bytes,
    ("datetime", "datetime"): _datetime,
    ("datetime", "time"): _datetime,
    ("datetime", "date"): _date,
    ("datetime", "timedelta"): _timedelta,
    ("uuid", "UUID"): _uuid,
    ("decimal", "Decimal"): _decimal,
}


def _base64(value: bytes) -> str:
    return b2a_base64(value, newline=False).decode()


def _digits(value: Decimal) -> str:
    return str(value).replace("e", "E")  # it is an "e" where the thread's decimal context has no capitals


# Back again


def revived(found: dict[str, Any]) -> object:
    """The value that a JSON object stands for: itself, or what its tag says. A ValueError for no tag of ours."""
    tag = next(iter(found), "")
    if tag[:1] != "$":
        return found
    kept = found[tag]
    expected, read = _READERS.get(tag, _NO_TAG)
    if type(kept) is not expected or len(found) != 1:
        raise ValueError(f"{tag!r} is no tag of a session's values, or not as it is kept")
    try:
        return read(kept)
    except (TypeError, ArithmeticError):  # what cannot be in a set; what has too many days or no digits
        raise ValueError(f"{kept!r} is no {tag}") from None


def _as_kept(value: Value, again: str, text: str) -> Value:
    """The value, where it is the one that is kept by this text. Constructors take more than that."""
    if again != text:
        raise ValueError(f"{text!r} is not how a {type(value).__name__} is kept")
    return value


def _read_float(text: str) -> float:
    number = float(text)
    if number - number == 0:
        raise ValueError("a number of JSON has no tag")
    return _as_kept(number, repr(number), text)


def _read_dict(pairs: list[Any]) -> dict[object, object]:
    if any(type(pair) is not list for pair in pairs):
        raise ValueError("no pairs")
    return {name: item for name, item in pairs}  # noqa: C416 - dict() takes pairs that are no pairs


def _read_bytes(text: str) -> bytes:
    value = a2b_base64(text)
    return _as_kept(value, _base64(value), text)


def _read_datetime(parts: list[Any]) -> datetime:
    from datetime import datetime

    text, offset, fold = parts
    return _in_zone(datetime.fromisoformat(text), text, offset, fold)


def _read_time(parts: list[Any]) -> time:
    from datetime import time

    text, offset, fold = parts
    return _in_zone(time.fromisoformat(text), text, offset, fold)


def _in_zone(naive: Moment, text: str, offset: object, fold: object) -> Moment:
    from datetime import timedelta, timezone

    _as_kept(naive, naive.replace(tzinfo=None).isoformat(), text)
    if type(fold) is not int:
        raise ValueError("no fold")
    if offset is None:
        return naive.replace(fold=fold)
    if type(offset) is not int:
        raise ValueError("no offset")
    return naive.replace(tzinfo=timezone(timedelta(microseconds=offset)), fold=fold)


def _read_date(text: str) -> date:
    from datetime import date

    value = date.fromisoformat(text)
    return _as_kept(value, value.isoformat(), text)


def _read_timedelta(parts: list[Any]) -> timedelta:
    from datetime import timedelta

    if any(type(part) is not int for part in parts):
        raise ValueError("no whole numbers")
    days, seconds, microseconds = parts
    value = timedelta(days, seconds, microseconds)
    if [value.days, value.seconds, value.microseconds] != parts:
        raise ValueError("not how a timedelta is kept")
    return value


def _read_uuid(text: str) -> UUID:
    from uuid import UUID

    value = UUID(text)
    return _as_kept(value, str(value), text)


def _read_decimal(text: str) -> Decimal:
    from decimal import Decimal

    value = Decimal(text)
    return _as_kept(value, _digits(value), text)


_NO_TAG: tuple[type | None, Callable[[Any], object]] = (None, repr)
_READERS: dict[str, tuple[type | None, Callable[[Any], object]]] = {
    "$float": (str, _read_float),
    "$tuple": (list, tuple),
    "$set": (list, set),
    "$frozenset": (list, frozenset),
    "$dict": (list, _read_dict),
    "$bytes": (str, _read_bytes),
    "$datetime": (list, _read_datetime),
    "$time": (list, _read_time),
    "$date": (str, _read_date),
    "$timedelta": (list, _read_timedelta),
    "$uuid": (str, _read_uuid),
    "$decimal": (str, _read_decimal),
}
