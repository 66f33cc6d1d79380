"""How long an answer is fresh, how old it is, and whether it may be sent (RFC 9111, 4.2). Time is an argument."""

from __future__ import annotations

from middleware.headers import members, parse_http_date

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal, Protocol

    from middleware.caching.rules.asked import Asked
    from middleware.caching.rules.said import Said

    Verdict = Literal["fresh", "stale", "revalidate-later", "validate"]

    class Aging(Protocol):
        """What is judged: see `Said` and `Head`."""

        @property
        def lifetime(self) -> float: ...
        @property
        def initial_age(self) -> float: ...
        @property
        def received(self) -> float: ...
        @property
        def stale_at(self) -> float: ...
        @property
        def may_be_stale(self) -> bool: ...
        @property
        def stale_while_revalidate(self) -> float: ...
        @property
        def stale_on_failure(self) -> float: ...
        @property
        def immutable(self) -> bool: ...


DAY = 86400
YEAR = 365 * DAY
FOREVER = 1 << 31  # seconds; what is larger counts as this (RFC 9111, section 1.2.2)

# What `judge` says of a stored answer.
FRESH: Literal["fresh"] = "fresh"
STALE: Literal["stale"] = "stale"  # and the client accepts it
REVALIDATE_LATER: Literal["revalidate-later"] = "revalidate-later"  # stale, may be sent, and is to be refreshed behind
VALIDATE: Literal["validate"] = "validate"

FAILURES = ("500", "502", "503", "504")  # statuses by which an application says that it failed

# Statuses whose freshness may be guessed (RFC 9110, section 15.1).
GUESSED = frozenset(("200", "203", "204", "206", "300", "301", "308", "404", "405", "410", "414", "501"))


def judge(head: Aging, asked: Asked, now: float, *, soft: bool = False) -> Verdict:
    """Whether a stored answer may be sent for a request that asks this: FRESH, STALE, REVALIDATE_LATER or VALIDATE.

    `soft`: it was purged so that it is stale at once, however long it would be fresh.
    """
    max_age, min_fresh, max_stale = asked.max_age, asked.min_fresh, asked.max_stale
    if asked.no_cache:
        return VALIDATE
    age = head.initial_age + max(0.0, now - head.received)
    too_old = max_age is not None and (age > max_age or not max_age)
    if now < head.stale_at and not soft:
        if too_old and not head.immutable:
            return VALIDATE
        return VALIDATE if min_fresh is not None and head.lifetime - age < min_fresh else FRESH
    if not head.may_be_stale or min_fresh is not None or too_old or (max_age is not None and max_stale is None):
        return VALIDATE
    overdue = max(0.0, age - head.lifetime)
    if max_stale is not None and overdue > max_stale:
        return VALIDATE
    if overdue < head.stale_while_revalidate:
        return REVALIDATE_LATER
    return VALIDATE if max_stale is None else STALE


def usable_on_failure(head: Aging, now: float, *, soft: bool = False) -> bool:
    """Whether a stored answer may be sent in the place of the application's failure (RFC 9111, 4.2.4; RFC 5861, 4)."""
    if now < head.stale_at and not soft:
        return True
    overdue = head.initial_age + max(0.0, now - head.received) - head.lifetime
    return head.may_be_stale and head.stale_on_failure > 0 and overdue <= head.stale_on_failure


def is_ever_fresh(said: Said) -> bool:
    """Whether the answer may be sent again without asking, at least at the moment when it comes."""
    lifetime = said.guessed if said.lifetime is None else said.lifetime
    return lifetime > said.initial_age and not said.must_validate


def lifetime(directives: dict[str, str | None], expires: list[str], date: int, now: float) -> int | None:
    """The explicit freshness lifetime for a shared cache, in seconds, or None (RFC 9111, section 4.2.1).

    What is there but invalid is 0, with no way back to the next.
    """
    for name in ("s-maxage", "max-age"):
        if name in directives:
            return seconds(directives[name]) or 0
    if not expires:
        return None
    until = parse_http_date(expires[0], now) if len(expires) == 1 else None
    return 0 if until is None else min(max(0, until - date), FOREVER)


def guess(share: float, date: int, last_modified: int | None) -> int:
    """The freshness lifetime of an answer that says nothing of it (RFC 9111, section 4.2.2), 0 where none is known."""
    return 0 if last_modified is None else min(max(0, int(share * (date - last_modified))), DAY)


def seconds(text: str | None) -> int | None:
    """A delta-seconds (RFC 9111, section 1.2.2): ASCII digits only, clamped to 2^31; None for anything else."""
    if text is None or not text.isascii() or not text.isdigit():
        return None
    digits = text.lstrip("0")
    return min(int(digits or "0"), FOREVER) if len(digits) <= 10 else FOREVER


def initial_age(age: Iterable[str], date: int, asked_at: float, received_at: float) -> float:
    """The corrected age on receipt, in seconds (RFC 9111, section 4.2.3). A clock that steps back adds nothing."""
    given = next((seconds(member) or 0 for line in age for member in members(line)), 0)
    return max(0.0, received_at - date, given + max(0.0, received_at - asked_at))
