"""How long a ticket is good, and when it is replaced. Pure; time is an argument.

Since when a login lasts, and for how long browsers keep it, stands in the data of the ticket beside what applications
keep there. These parts are joined as those that are there already, `a:b|c:d` as Pyramid does, `a=b&c=d` as repoze.who
does. They begin with `wm.`; the peers pass over them.
"""

from __future__ import annotations

from middleware.auth.tickets.codec import Ticket
from middleware.errors import ConfigurationError
from middleware.options import is_number

MOST_AHEAD = 60  # seconds that the clock of another machine may be ahead

_OURS = "wm."
_STYLES = (("|", ":"), ("&", "="))


class Terms:
    """The limits of a ticket, in seconds: see `AuthTkt`. Raises ConfigurationError."""

    __slots__ = ("absolute", "reissue", "timeout")

    def __init__(self, timeout: float, reissue: float | None, absolute: float | None) -> None:
        self.timeout = _seconds("timeout", timeout)
        self.reissue = None if reissue is None else _seconds("reissue_time", reissue, least=0)
        self.absolute = None if absolute is None else _seconds("absolute_timeout", absolute)
        if self.reissue is not None and self.reissue >= self.timeout:
            raise ConfigurationError("reissue_time= is below timeout=, or no ticket would live to be replaced")
        if self.absolute is not None and self.absolute < self.timeout:
            raise ConfigurationError("absolute_timeout= is how long a login lasts at most, so not below timeout=")

    def ends_at(self, ticket: Ticket) -> float:
        """When this ticket ends, in seconds since 1970, if nobody replaces it. Raises ValueError for broken parts."""
        end = ticket.at + self.timeout
        return end if self.absolute is None else min(end, since(ticket) + self.absolute)

    def is_good(self, ticket: Ticket, now: float) -> bool:
        """Whether this ticket holds now."""
        try:
            return now <= self.ends_at(ticket) and ticket.at <= now + MOST_AHEAD
        except ValueError:
            return False

    def is_old(self, ticket: Ticket, now: float) -> bool:
        """Whether it is time for another one."""
        return self.reissue is not None and now - ticket.at > self.reissue

    def renewed(self, ticket: Ticket, at: int) -> Ticket:
        """A ticket of the same login from `at` on."""
        data, ours = split_data(ticket.data)
        if self.absolute is not None:
            ours.setdefault("since", str(ticket.at))
        return Ticket(ticket.user, at=at, tokens=ticket.tokens, data=joined_data(data, ours))


def since(ticket: Ticket) -> int:
    """When the login of this ticket began. Raises ValueError."""
    began = _number(split_data(ticket.data)[1].get("since"))
    if began is not None and began > ticket.at:
        raise ValueError("a login that began after its ticket was made")
    return ticket.at if began is None else began


def max_age_of(ticket: Ticket) -> int | None:
    """For how many seconds browsers keep this login; None where its cookie does not say. Raises ValueError."""
    return _number(split_data(ticket.data)[1].get("max_age"))


def with_max_age(data: str, max_age: int | None) -> str:
    """The data of a new ticket that browsers keep for so many seconds; parts of ours that `data` has are left out."""
    return joined_data(split_data(data)[0], {} if max_age is None else {"max_age": str(max_age)})


def split_data(data: str) -> tuple[str, dict[str, str]]:
    """The data of the application, and the parts of ours by name."""
    ours: dict[str, str] = {}
    if _OURS not in data:
        return data, ours
    for separator, equals in _STYLES:
        kept = []
        for part in data.split(separator):
            name, found, value = part.partition(equals)
            if found and name.startswith(_OURS):
                ours[name.removeprefix(_OURS)] = value
            else:
                kept.append(part)
        data = separator.join(kept)
    return data, ours


def joined_data(data: str, ours: dict[str, str]) -> str:
    """The data of the application with parts of ours."""
    separator, equals = _STYLES["=" in data]
    parts = [f"{_OURS}{name}{equals}{value}" for name, value in ours.items()]
    return separator.join([data, *parts] if data else parts)


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise ValueError("no number")
    return int(text)


def _seconds(option: str, value: object, least: int = 1) -> float:
    if not is_number(value) or value < least:
        raise ConfigurationError(f"{option}= is a number of seconds, not {value!r}")
    return value
