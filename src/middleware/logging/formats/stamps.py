"""Times as they stand in a line. Values in, values out; the local zone is that of the process."""

from __future__ import annotations

import time
from functools import lru_cache

from middleware.logging.escaping import MAX_OTHER, QUOTED, escaped

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# The stamp of the last second: (second, zone, text). A tuple is replaced in one step, so threads never see half of it.
# `time.tzname` is another object after each `time.tzset()`, and summer time begins and ends on a full second.
_last_stamp: list[tuple[int, tuple[str, str], str]] = [(-1, ("", ""), "")]


def local_stamp(seconds: float) -> str:
    """`[21/Nov/2026:04:56:16 +0000]`: a time since 1970 in the local zone, months in English in every locale."""
    second = int(seconds)
    kept, zone, text = _last_stamp[0]
    if kept == second and zone is time.tzname:
        return text
    zone = time.tzname
    text = _stamp(time.localtime(second))
    _last_stamp[0] = (second, zone, text)
    return text


def utc_stamp(seconds: float) -> str:
    """The same in UTC."""
    return _utc_stamp(int(seconds))


@lru_cache(maxsize=8)
def _utc_stamp(second: int) -> str:
    return _stamp(time.gmtime(second))


def _stamp(at: time.struct_time) -> str:
    hours, minutes = divmod(abs(at.tm_gmtoff) // 60, 60)
    return (
        f"[{at.tm_mday:02}/{_MONTHS[at.tm_mon - 1]}/{at.tm_year:04}:{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
        f" {'-' if at.tm_gmtoff < 0 else '+'}{hours:02}{minutes:02}]"
    )


def formatted(form: str, seconds: float, *, utc: bool) -> str:
    """What strftime makes of a time since 1970, in printable ASCII whatever names the locale has."""
    at = time.gmtime(seconds) if utc else time.localtime(seconds)
    return escaped(time.strftime(form, at), QUOTED, MAX_OTHER)


def rfc3339(seconds: float) -> str:
    """A time since 1970 as RFC 3339 writes it: UTC, with milliseconds."""
    second, micro = divmod(microseconds(seconds), 1_000_000)
    return f"{_utc_second(second)}.{micro // 1000:03}Z"


@lru_cache(maxsize=8)
def _utc_second(second: int) -> str:
    at = time.gmtime(second)
    return f"{at.tm_year:04}-{at.tm_mon:02}-{at.tm_mday:02}T{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"


def microseconds(seconds: float) -> int:
    """Of which every other unit is a part cut off, so that all directives tell the same time."""
    return round(seconds * 1_000_000)
