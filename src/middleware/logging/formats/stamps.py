"""Times as they stand in a line. Values in, values out; the zone is that of the process."""

from __future__ import annotations

import time

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
    at = time.localtime(second)
    hours, minutes = divmod(abs(at.tm_gmtoff) // 60, 60)
    text = (
        f"[{at.tm_mday:02}/{_MONTHS[at.tm_mon - 1]}/{at.tm_year:04}:{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
        f" {'-' if at.tm_gmtoff < 0 else '+'}{hours:02}{minutes:02}]"
    )
    _last_stamp[0] = (second, zone, text)
    return text
