"""How long sessions live, and how large they may be. A frozen value that both kinds of record go by."""

from __future__ import annotations

from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

REFRESHES = 10  # at most so many in one idle timeout: reading a session seldom writes


class Limits:
    """`idle` and `lifetime` in seconds, `max_bytes` of a stored session, and the clock that they are held against."""

    __slots__ = ("clock", "idle", "lifetime", "max_bytes", "refresh", "renews_cookie")

    def __init__(
        self, idle: float, lifetime: float, max_bytes: int, renews_cookie: bool, clock: Callable[[], float]
    ) -> None:
        for name, seconds in (("idle_timeout", idle), ("lifetime", lifetime)):
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
                raise ConfigurationError(f"{name} is a number of seconds above 0, not {seconds!r}")
        if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 1:
            raise ConfigurationError(f"max_bytes is a number of bytes above 0, not {max_bytes!r}")
        self.idle = idle
        self.lifetime = lifetime
        self.max_bytes = max_bytes
        self.refresh = idle / REFRESHES
        self.renews_cookie = renews_cookie  # its Max-Age has to move with last_seen
        self.clock = clock

    def is_over(self, created: float, last_seen: float, now: float) -> bool:
        """Whether a session has been idle for too long, or has lived for too long.

        Times to come count as much as times gone by: what a clock stamped that was wrong must not live until then.
        """
        idle, lifetime = self.idle, self.lifetime
        return not (-idle < now - last_seen < idle and -lifetime < now - created < lifetime)

    def is_due(self, last_seen: float, now: float) -> bool:
        """Whether it is to be noted that the session was used; also where a clock was set back."""
        return not -self.refresh < now - last_seen < self.refresh

    def seconds_left(self, created: float, now: float) -> float:
        """How long a session lives on if nobody uses it."""
        return min(self.idle, self.lifetime - (now - created))
