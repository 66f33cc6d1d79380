"""What all sessions of one layer go by, apart from where they are kept. Judged when it is made."""

from __future__ import annotations

from middleware.errors import ConfigurationError
from middleware.sessions.timeouts import Timeouts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from middleware.errors import StoreError

    OtherBrowser = Literal["tell", "rotate", "end"]
    WhenTooMany = Literal["end_oldest", "refuse"]
    Outage = Literal["503", "anonymous"]
    OnOutage = Outage | Callable[[StoreError], Outage]


class Terms:
    """The options of `SessionMiddleware` that matter when a session is used."""

    __slots__ = (
        "clock",
        "max_bytes",
        "max_sessions",
        "on_other_browser",
        "on_outage",
        "renews_cookie",
        "rotate_on",
        "save_on_error",
        "timeouts",
        "when_too_many",
    )

    def __init__(
        self,
        *,
        timeouts: Timeouts,
        rotate_on: tuple[str, ...],
        max_bytes: int,
        max_sessions: int | None,
        when_too_many: WhenTooMany,
        save_on_error: bool,
        on_outage: OnOutage,
        on_other_browser: OtherBrowser | None,
        renews_cookie: bool,
        clock: Callable[[], float],
    ) -> None:
        if not isinstance(timeouts, Timeouts):
            raise ConfigurationError(f"timeouts= is Timeouts(idle=..., lifetime=...) in seconds, not {timeouts!r}")
        if not _is_count(max_bytes):
            raise ConfigurationError(f"max_bytes is a number of bytes above 0, not {max_bytes!r}")
        if max_sessions is not None and not _is_count(max_sessions):
            raise ConfigurationError(f"max_sessions is a number of sessions above 0, or None, not {max_sessions!r}")
        if when_too_many not in ("end_oldest", "refuse"):
            raise ConfigurationError(f'when_too_many is "end_oldest" or "refuse", not {when_too_many!r}')
        if on_outage not in ("503", "anonymous") and not callable(on_outage):
            raise ConfigurationError(f'on_outage is "503", "anonymous" or a function, not {on_outage!r}')
        if on_other_browser not in (None, "tell", "rotate", "end"):
            raise ConfigurationError(f'on_other_browser is "tell", "rotate", "end" or None, not {on_other_browser!r}')
        if not isinstance(save_on_error, bool):
            raise ConfigurationError(f"save_on_error is True or False, not {save_on_error!r}")
        if not callable(clock):
            raise ConfigurationError(f"clock is a function that gives the time in seconds since 1970, not {clock!r}")
        self.timeouts = timeouts
        self.rotate_on = rotate_on
        self.max_bytes = max_bytes
        self.max_sessions = max_sessions
        self.when_too_many = when_too_many
        self.save_on_error = save_on_error
        self.on_outage: OnOutage = on_outage
        self.on_other_browser: OtherBrowser | None = on_other_browser
        self.renews_cookie = renews_cookie  # it has a Max-Age, which has to move with last_seen
        self.clock = clock


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
