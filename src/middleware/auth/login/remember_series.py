"""A series of remembered logins, and the rule that tells a late request from a thief. Values in, values out. Pure.

A browser that is remembered holds one token of its series and exchanges it when it uses it. The rule: a token is good
until a successor of it is first used, and 10 seconds longer for requests that were on their way by then. After that it
is theft, for it shows that two browsers hold tokens of one series. Of tokens only digests are known here.

Of the sessions that a series has opened only those of its newest exchange count, also where an answer got lost and one
token is exchanged twice. So a thief's session ends when the owner's browser comes back, and the other way round: then
the one whose session has ended comes with a token, and in the end with one that is theft.
"""

from __future__ import annotations

from collections import namedtuple
from json import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, NamedTuple

    Dated = list[str | float]  # of a digest and a time
    Outcome = Literal["exchange", "good", "theft"]

    class Series(NamedTuple):
        """What is kept of a series."""

        user: str
        key: str
        """Under which `proof` is the digest of the stored password that the user had at the login."""
        proof: str
        end: float
        """When it is over, in seconds since 1970."""
        current: str
        """The digest of the token that was used last, or of the first one."""
        successors: list[Dated]
        """The digests of the tokens that it was exchanged for, and when. None of them was used so far."""
        past: list[Dated]
        """The digests of the tokens that were good until a moment ago, and since when they are not."""
else:
    Series = namedtuple("Series", ("user", "key", "proof", "end", "current", "successors", "past"))  # noqa: PYI024

LATE = 10.0  # seconds for requests that are on their way
MOST_SUCCESSORS = 4  # of answers that did not arrive
MOST_PAST = 16
_MARK = 16  # digits of a digest


def use(series: Series, digest: str, successor: str, now: float) -> tuple[Outcome, Series]:
    """What it means that a token with this digest is presented, and the series after it.

    "exchange": it is good, and is to be exchanged for the token whose digest is `successor`. "good": it is good, and
    somebody else has exchanged it a moment ago. "theft".
    """
    if digest == series.current:
        if any(_is_recent(since, now) for _, since in series.successors):
            return "good", series
        issued: Dated = [successor, now]
        return "exchange", series._replace(successors=[*series.successors, issued][-MOST_SUCCESSORS:])
    if any(digest == other for other, _ in series.successors):
        over: list[Dated] = [
            [series.current, now],
            *([other, now] for other, _ in series.successors if other != digest),
        ]
        past = [*over, *(one for one in series.past if _is_recent(one[1], now))][:MOST_PAST]
        return "exchange", series._replace(current=digest, successors=[[successor, now]], past=past)
    if any(digest == other and _is_recent(since, now) for other, since in series.past):
        return "good", series
    return "theft", series


def mark_of(series: Series) -> str:
    """What a session is marked with that is opened now: another text after each exchange."""
    return str(series.successors[-1][0])[:_MARK] if series.successors else ""


def is_newest(series: Series, mark: str, now: float) -> bool:
    """Whether a session of this mark counts: of the newest exchange, or of the one before it for 10 seconds more."""
    if not mark or not series.successors:
        return False
    newest, since = series.successors[-1]
    before = [one[0] for one in series.successors[-2:-1] or [[series.current], *series.past]]
    good = [newest, *before] if _is_recent(since, now) else [newest]
    return any(str(digest)[:_MARK] == mark for digest in good)


def write(series: Series) -> bytes:
    """As a store keeps it."""
    return dumps(series, separators=(",", ":")).encode()


def read(raw: bytes | None) -> Series | None:
    """What `write` wrote; None for anything else."""
    try:
        found = None if raw is None else loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or [type(part) for part in found] != [str, str, str, float, str, list, list]:
        return None
    if not all(_is_dated(one) for one in [*found[5], *found[6]]):
        return None
    return Series(*found)


def _is_recent(time: str | float, now: float) -> bool:
    return isinstance(time, float) and abs(now - time) < LATE  # the clocks of two machines may differ


def _is_dated(one: object) -> bool:
    return isinstance(one, list) and [type(part) for part in one] == [str, float]
