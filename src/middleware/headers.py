"""HTTP's small grammar: lists, quoted strings, directives, dates and entity tags. Values in, values out."""

from __future__ import annotations

from time import gmtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# What the names of fields, methods and schemes are made of (RFC 9110, section 5.6.2).
TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SHORT_DAYS = tuple(day.lower() for day in _DAYS)
_SHORT_DAYS_COMMA = tuple(f"{day}," for day in _SHORT_DAYS)
_LONG_DAYS_COMMA = ("monday,", "tuesday,", "wednesday,", "thursday,", "friday,", "saturday,", "sunday,")
_MONTH_NUMBERS = {month.lower(): number for number, month in enumerate(_MONTHS, 1)}
_MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def environ_key(name: str) -> str:
    """Where environ has the request field with this name (PEP 3333)."""
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def members(value: str) -> list[str]:
    """The members of a list, in order, without the white space round them; empty ones are left out (RFC 9110, 5.6.1).

    A comma inside a quoted string separates nothing. A quoted string that does not end takes the rest.
    """
    parts = _split_unquoted(value)[0] if '"' in value else value.split(",")
    return [member for part in parts if (member := part.strip(" \t"))]


def _split_unquoted(value: str) -> tuple[list[str], bool]:
    """`value`, split at each comma outside a quoted string, and whether every quoted string ends."""
    parts = []
    start = 0
    quoted = escaped = False
    for position, character in enumerate(value):
        if escaped:
            escaped = False
        elif quoted:
            escaped = character == "\\"
            quoted = character != '"'
        elif character == '"':
            quoted = True
        elif character == ",":
            parts.append(value[start:position])
            start = position + 1
    parts.append(value[start:])
    return parts, not quoted


def quoted(text: str) -> str:
    """`text` as a quoted string (RFC 9110, 5.6.4)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquoted(text: str) -> str:
    """The text of a quoted string; anything else comes back as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    characters = iter(text[1:-1])
    return "".join(next(characters, "") if character == "\\" else character for character in characters)


def directives(value: str) -> dict[str, str | None]:
    """Cache-Control's directives by lower-case name, the value unquoted, None where there is none (RFC 9111, 5.2).

    Of a directive that is repeated the first counts.
    """
    found: dict[str, str | None] = {}
    for member in members(value):
        name, equals, argument = member.partition("=")
        found.setdefault(name.lower(), unquoted(argument) if equals else None)
    return found


def cache_control(lines: Iterable[str]) -> dict[str, str | None] | None:
    """The directives of all Cache-Control lines of an answer, read as a shared cache must: in doubt, keep out.

    As `directives`, with three differences. None where a quoted string does not end on its own line, or where the
    lines are longer together than 16 KiB: nothing can be known then. White space before `=` makes the argument `""`,
    which is no number. `no-cache` and `private` beat `no-cache="field"` and `private="field"`, of which all fields
    count, and of a member with `;` or spaces in it, a common slip, `no-store`, `private` and `no-cache` count.
    """
    found: dict[str, str | None] = {}
    left = 1 << 14
    for line in lines:
        left -= len(line)
        if left < 0:
            return None
        parts, ended = _split_unquoted(line) if '"' in line else (line.split(","), True)
        if not ended:
            return None
        for part in parts:
            name, equals, argument = part.strip(" \t").partition("=")
            for loose in _loose_names(name.replace('"', " ") if '"' in part else part):
                found[loose] = None
            bare = name.rstrip(" \t").lower()
            narrowed = bare in ("no-cache", "private")
            if not equals:
                found[bare] = None if narrowed else found.get(bare)
                continue
            argument = unquoted(argument) if len(bare) == len(name) else ""
            earlier = found.setdefault(bare, argument)
            if narrowed and earlier and earlier != argument:
                found[bare] = f"{earlier},{argument}" if argument else None
    found.pop("", None)
    return found


def _loose_names(text: str) -> list[str]:
    """The restrictive directives in a member that is not one directive: `max-age=60; private`, `no-store foo`."""
    words = text.replace(";", " ").split()
    if words == [text]:
        return []
    names = (word.partition("=")[0].lower() for word in words)
    return [name for name in names if name in ("no-store", "private", "no-cache")]


def restricted_to_private(cache_control: str | None) -> str:
    """A Cache-Control that keeps shared caches out, and otherwise says what the given one says (RFC 9111, 5.2.2.7).

    Where a quoted string does not end, which would swallow what is added, it is `no-store`.
    """
    if cache_control is None:
        return "private"
    if '"' in cache_control and not _split_unquoted(cache_control)[1]:
        return "no-store"
    given = members(cache_control)
    names = {member.lower() for member in given}
    if "no-store" in names or "private" in names:
        return cache_control
    kept = [member for member in given if member.lower().partition("=")[0] not in ("public", "s-maxage", "private")]
    return ", ".join([*kept, "private"])


def http_date(seconds: float) -> str:
    """An IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT`, whatever the locale (RFC 9110, 5.6.7)."""
    year, month, day, hour, minute, second, weekday, *_ = gmtime(seconds)
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


def parse_http_date(text: str, now: float | None = None) -> int | None:
    """Seconds since 1970 of a date in one of HTTP's three forms, None for anything else (RFC 9110, 5.6.7).

    Letter case does not matter, and the day's name is not compared with the date; nothing else is forgiven. The form
    of RFC 850 has two digits for the year, which only `now` can complete: more than 50 years ahead is the past.
    """
    text = text.strip(" \t")
    if not text.isascii() or not 24 <= len(text) <= 33:
        return None
    parts = text.lower().split(" ")
    match parts:
        case [weekday, day, month, year, clock, "gmt"] if weekday in _SHORT_DAYS_COMMA and len(year) == 4:
            pass
        case [weekday, date, clock, "gmt"] if weekday in _LONG_DAYS_COMMA and now is not None:
            day, month, year = date.split("-") if date.count("-") == 2 else ("", "", "")
            if len(year) != 2 or not year.isdigit():
                return None
            year = str(_full_year(int(year), now))
        case [weekday, month, *days, clock, year] if weekday in _SHORT_DAYS and len(year) == 4:
            if len(days) == 2 and days[0] == "" and len(days[1]) == 1:
                day = "0" + days[1]
            elif len(days) == 1:
                day = days[0]
            else:
                return None
        case _:
            return None
    return _seconds_of(year, month, day, clock)


def _full_year(two_digits: int, now: float) -> int:
    this_year = gmtime(now)[0]
    year = this_year - this_year % 100 + two_digits
    return year - 100 if year > this_year + 50 else year


def _seconds_of(year: str, month: str, day: str, clock: str) -> int | None:
    numbers = (year, day, *clock.split(":"))
    if len(clock) != 8 or len(day) != 2 or len(numbers) != 5 or month not in _MONTH_NUMBERS:
        return None
    if any(len(number) not in (2, 4) or not number.isdigit() for number in numbers):
        return None
    y, d, hour, minute, second = map(int, numbers)
    m = _MONTH_NUMBERS[month]
    # 60 is a leap second, which the grammar has.
    if not 1 <= d <= _length_of(m, y) or hour > 23 or minute > 59 or second > 60:
        return None
    return ((_days_before(y, m) + d) * 24 + hour) * 3600 + minute * 60 + second


def _length_of(month: int, year: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else _MONTH_LENGTHS[month - 1]


def _days_before(year: int, month: int) -> int:
    """Days from 1 January 1970 to the last day before this month. (`calendar` would cost 5 ms of import.)"""
    if month <= 2:
        year, month = year - 1, month + 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 - 719469


def etag_matches(etag: str | None, if_none_match: str) -> bool:
    """Whether If-None-Match names this entity tag, by weak comparison, or is `*` (RFC 9110, 8.8.3.2, 13.1.2).

    What is no entity tag, on either side, matches only what is written exactly so.
    """
    given = if_none_match.strip(" \t")
    if given in ("*", etag):
        return True
    if etag is None:
        return False
    wanted = _opaque(etag)
    return any(_opaque(tag) == wanted for tag in _entity_tags(given))


def _opaque(tag: str) -> str:
    """An entity tag without its weakness; what is none comes back as it is."""
    opaque = tag.removeprefix("W/")
    return opaque if len(opaque) > 1 and opaque[0] == opaque[-1] == '"' else tag


def _entity_tags(value: str) -> list[str]:
    """The members of a list of entity tags. Unlike in quoted strings, a backslash in them escapes nothing."""
    tags = []
    current: list[str] = []
    pieces = value.split('"')
    for position, piece in enumerate(pieces):
        if position % 2:
            current += ('"', piece, '"' if position + 1 < len(pieces) else "")
            continue
        first, *others = piece.split(",")
        current.append(first)
        for other in others:
            tags.append("".join(current))
            current = [other]
    tags.append("".join(current))
    return [tag for untrimmed in tags if (tag := untrimmed.strip(" \t"))]
