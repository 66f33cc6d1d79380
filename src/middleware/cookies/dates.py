"""The date of an Expires attribute, read with the patience of browsers (RFC 6265bis, section 5.1.1)."""

from __future__ import annotations

from middleware.headers import parse_http_date

_DIGITS = "0123456789"
_DELIMITERS = {
    ord(character): " "
    for character in map(chr, range(0x09, 0x7F))
    if character == "\t" or (character >= " " and not character.isalnum() and character != ":")
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def parse_cookie_date(text: str) -> int | None:
    """Seconds since 1970, or None for what browsers take for no date."""
    clock: tuple[int, int, int] | None = None
    day = year = None
    month = ""
    for token in text.translate(_DELIMITERS).split(" "):
        if clock is None and (found := _clock(token)):
            clock = found
        elif day is None and (number := _number(token, 1, 2)) is not None:
            day = number
        elif not month and token[:3].lower() in _MONTHS:
            month = token[:3]
        elif year is None and (number := _number(token, 2, 4)) is not None:
            year = number
    if clock is None or day is None or not month or year is None:
        return None
    if year < 100:
        year += 1900 if year >= 70 else 2000
    hour, minute, second = clock
    if year < 1601 or second > 59:
        return None
    # The name of the day is not compared with the date.
    return parse_http_date(f"Sun, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")


def _clock(token: str) -> tuple[int, int, int] | None:
    parts = token.split(":", 2)
    if len(parts) < 3 or any(part.strip(_DIGITS) for part in parts[:2]):
        return None
    hour, minute, second = (_number(part, 1, 2) for part in parts)
    return None if hour is None or minute is None or second is None else (hour, minute, second)


def _number(token: str, least: int, most: int) -> int | None:
    """The number that so many digits at the beginning make."""
    digits = len(token) - len(token.lstrip(_DIGITS))
    return int(token[:digits]) if least <= digits <= most else None
