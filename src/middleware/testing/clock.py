"""A clock that moves when it is told to."""

from __future__ import annotations


class FakeClock:
    """For every `clock=` option: `clock()` is the time in seconds, `clock.advance(60)` lets a minute pass."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.now += seconds
