"""HTTP's small grammar: lists, quoted strings, directives, dates and entity tags. Values in, values out."""

from __future__ import annotations

from time import gmtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def members(value: str) -> list[str]:
    """The members of a list, in order, without the white space round them; empty ones are left out (RFC 9110, 5.6.1).

    A comma inside a quoted string separates nothing. A quoted string that does not end takes the rest.
    """
    if '"' not in value:
        return [member for part in value.split(",") if (member := part.strip(" \t"))]
    return [member for part in _split_unquoted(value) if (member := part.strip(" \t"))]


def _split_unquoted(value: str) -> Iterator[str]:
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
            yield value[start:position]
            start = position + 1
    yield value[start:]


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


def restricted_to_private(cache_control: str | None) -> str:
    """A Cache-Control that keeps shared caches out, and otherwise says what the given one says (RFC 9111, 5.2.2.7)."""
    if cache_control is None:
        return "private"
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


def parse_http_date(text: str) -> int | None:
    """Seconds since 1970 of an IMF-fixdate, None for anything else."""
    parts = text.strip(" \t").split(" ")
    if len(parts) != 6 or len(text) != 29 or parts[5] != "GMT" or not text.isascii():
        return None
    clock = parts[4].split(":")
    try:
        numbers = [int(part) for part in (parts[3], parts[1], *clock) if part.isdigit()]
        year, day, hour, minute, second = numbers
        month = _MONTHS.index(parts[2]) + 1
    except ValueError:
        return None
    seconds = ((_days_before(year, month) + day) * 24 + hour) * 3600 + minute * 60 + second
    return seconds if http_date(seconds) == text else None  # no 31 February, no hour 24


def _days_before(year: int, month: int) -> int:
    """Days from 1 January 1970 to the last day before this month. (`calendar` would cost 5 ms of import.)"""
    if month <= 2:
        year, month = year - 1, month + 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 - 719469


def etag_matches(etag: str | None, if_none_match: str) -> bool:
    """Whether If-None-Match names this entity tag, by weak comparison, or is `*` (RFC 9110, 8.8.3.2, 13.1.2)."""
    if if_none_match.strip(" \t") == "*":
        return True
    if etag is None:
        return False
    wanted = etag.removeprefix("W/")
    return any(member.removeprefix("W/") == wanted for member in members(if_none_match))
