"""How long sessions live: the times that a session bears, and the limits it is held against. Pure, time an argument."""

from __future__ import annotations

from collections import namedtuple

from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar, NamedTuple, Self

    class Times(NamedTuple):
        """Of one session, in seconds since 1970."""

        created: float
        authenticated: float
        """When its user last proved who it is; 0 where nobody has."""
        issued: float
        """When its id was given."""
        last_seen: float
        until: float
        """The end of a session that is remembered; 0 where it goes with the browser."""
else:
    Times = namedtuple("Times", ("created", "authenticated", "issued", "last_seen", "until"))  # noqa: PYI024

DAY = 86400.0
LONGEST_LIFE = 400 * DAY  # of a session that is remembered: browsers keep no cookie longer (RFC 6265bis, section 5.5)
REFRESHES = 10  # at most so many in one idle timeout: reading a session seldom writes
_FIELDS = ("idle", "lifetime", "renew_every", "grace")


class Timeouts:
    """How long sessions live. A frozen value, all in seconds, judged when it is made.

    `idle` (1800): without a request for so long, a session is over. `lifetime` (43200): so long after it began, or
    after its user last logged in, it is over in any case. A session that is remembered (`session.remember(days)`) lives
    to the day it was told instead. `renew_every` (None): after so long a session gets a new id, and the old one serves
    parallel requests for `grace` (30) more.

    `Timeouts.AAL1`, `.AAL2` and `.AAL3` have the limits of NIST SP 800-63B-3, sections 4.1.3, 4.2.3 and 4.3.3.

    Raises ConfigurationError for what is no number of seconds above 0.
    """

    __slots__ = _FIELDS

    AAL1: ClassVar[Timeouts]
    AAL2: ClassVar[Timeouts]
    AAL3: ClassVar[Timeouts]

    idle: float
    lifetime: float
    renew_every: float | None
    grace: float

    def __init__(
        self,
        *,
        idle: float = 1800,
        lifetime: float = 43200,
        renew_every: float | None = None,
        grace: float = 30,
    ) -> None:
        for field, value in zip(_FIELDS, (idle, lifetime, renew_every, grace), strict=True):
            if not (value is None and field == "renew_every") and not _is_duration(value):
                raise ConfigurationError(f"{field} is a number of seconds above 0, not {value!r}")
            object.__setattr__(self, field, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"timeouts do not change ({name}): make others with replace()")

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timeouts) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return f"Timeouts({', '.join(f'{field}={getattr(self, field)!r}' for field in _FIELDS)})"

    def _values(self) -> tuple[float | None, ...]:
        return (self.idle, self.lifetime, self.renew_every, self.grace)

    def replace(self, **changes: float | None) -> Self:
        """The same limits but for these. A TypeError for an unknown one."""
        return type(self)(**{**dict(zip(_FIELDS, self._values(), strict=True)), **changes})  # type: ignore[arg-type]

    def is_over(self, times: Times, now: float) -> bool:
        """Whether a session has been idle for too long, or has lived for too long.

        Times to come count as much as times gone by: what a clock stamped that was wrong must not live until then.
        """
        created, authenticated, _, last_seen, until = times
        if until:
            return not 0 < until - now < LONGEST_LIFE + self.idle
        idle, lifetime = self.idle, self.lifetime
        return not (-idle < now - last_seen < idle and -lifetime < now - (authenticated or created) < lifetime)

    def is_due(self, times: Times, now: float) -> bool:
        """Whether it is to be noted that the session was used; also where a clock was set back."""
        return not -self.idle < (now - times.last_seen) * REFRESHES < self.idle

    def needs_new_id(self, times: Times, now: float) -> bool:
        """Whether the periodic renewal is due."""
        return self.renew_every is not None and not now - times.issued < self.renew_every

    def in_grace(self, moved: float, now: float) -> bool:
        """Whether an id that was replaced then may still come with a request that was sent before."""
        return abs(now - moved) < self.grace

    def end(self, times: Times) -> float:
        """When a session is over in any case."""
        return times.until or (times.authenticated or times.created) + self.lifetime

    def expires(self, times: Times) -> float:
        """When a session is over if nobody uses it."""
        return times.until or min(times.last_seen + self.idle, self.end(times))

    def seconds_left(self, times: Times, now: float) -> float:
        """How long a session that is used now lives on if nobody uses it; a second at least, as stores ask for."""
        created, authenticated, _, _, until = times
        return max(until - now if until else min(self.idle, (authenticated or created) + self.lifetime - now), 1.0)


def _is_duration(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 < value < float("inf")


Timeouts.AAL1 = Timeouts(idle=30 * DAY, lifetime=30 * DAY)
Timeouts.AAL2 = Timeouts(idle=30 * 60, lifetime=DAY / 2)
Timeouts.AAL3 = Timeouts(idle=15 * 60, lifetime=DAY / 2)
