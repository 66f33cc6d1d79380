"""How long who fails has to wait. Pure: a tally and the time go in, seconds and the next tally come out.

The rule: a try counts when it begins, and what it counts for is settled when it ends. So many may be under way at once
as might fail without a delay, and where a delay has passed, one.
"""

from __future__ import annotations

from math import ceil, isfinite

TRYING_FOR = 60.0  # seconds; what has not ended by then, in a process that died, has failed
_SLACK = 60.0  # seconds by which the clocks of machines may differ
_MOST_DOUBLED = 64
_LONGEST_RAW = 100  # bytes


class Tally:
    """What is known of somebody's tries. A frozen value.

    `failures`: those that were not forgotten when the last of them was counted, which was at `failed_at`. `trying`: how
    many are under way, the last of which began at `tried_at`. Times are in seconds since 1970.
    """

    __slots__ = ("failed_at", "failures", "tried_at", "trying")

    def __init__(self, failures: float = 0.0, failed_at: float = 0.0, trying: int = 0, tried_at: float = 0.0) -> None:
        self.failures = failures
        self.failed_at = failed_at
        self.trying = trying
        self.tried_at = tried_at

    @classmethod
    def read(cls, raw: bytes | None) -> Tally:
        """What `raw` wrote; the tally of nobody for anything else."""
        if not raw or len(raw) > _LONGEST_RAW:
            return cls()
        try:
            failures, failed_at, trying, tried_at = raw.split(b" ")
            read = cls(float(failures), float(failed_at), int(trying), float(tried_at))
        except ValueError:
            return cls()
        numbers = (read.failures, read.failed_at, read.tried_at)
        return read if all(isfinite(number) and number >= 0 for number in numbers) and read.trying >= 0 else cls()

    @property
    def raw(self) -> bytes:
        """As a store keeps it: nothing for the tally of nobody."""
        if not self.failures and not self.trying:
            return b""
        return f"{self.failures:.6f} {self.failed_at:.3f} {self.trying} {self.tried_at:.3f}".encode()

    def __repr__(self) -> str:
        return f"Tally({self.failures:g}, {self.failed_at!r}, {self.trying}, {self.tried_at!r})"


class Delays:
    """The delays of one kind of counter.

    `free`: the failure from which on there is a delay. `first`: how long that one is in seconds; each further failure
    doubles it, up to `longest`. `forget`: seconds after which `free` failures are forgotten, one after the other.
    """

    __slots__ = ("first", "forget", "free", "longest")

    def __init__(self, free: int, first: float, longest: float, forget: float) -> None:
        self.free = free
        self.first = first
        self.longest = longest
        self.forget = forget

    def delay(self, failures: float) -> float:
        """How long the last of so many failures keeps others from being tried, in seconds."""
        beyond = ceil(failures) - self.free
        return 0.0 if beyond < 0 else min(self.longest, self.first * 2.0 ** min(beyond, _MOST_DOUBLED))

    def wait(self, tally: Tally, now: float) -> float:
        """Seconds until the next try is let through; 0 where none has to wait.

        A failure from the future was counted by a clock that was wrong: nobody waits for that.
        """
        tally = _settled(tally, now)
        passed = now - tally.failed_at
        return 0.0 if passed < -_SLACK else max(0.0, self.delay(tally.failures) - max(0.0, passed))

    def has_room(self, tally: Tally, now: float) -> bool:
        """Whether one more may be under way, beside those that are and might all fail."""
        tally = _settled(tally, now)
        return tally.trying < max(1, self.free - ceil(self._left(tally, now)))

    def begun(self, tally: Tally, now: float) -> Tally:
        """With one more try under way."""
        tally = _settled(tally, now)
        return Tally(tally.failures, tally.failed_at, tally.trying + 1, now)

    def failed(self, tally: Tally, now: float) -> Tally:
        """With one try that was under way as a failure."""
        tally = _settled(tally, now)
        failures = min(self._left(tally, now) + 1, float(self.free + _MOST_DOUBLED))
        return Tally(failures, now, max(0, tally.trying - 1), tally.tried_at)

    def taken_back(self, tally: Tally, now: float, *, forgiven: float = 0.0) -> Tally:
        """Without one try that was under way, and without so many of the failures before it."""
        tally = _settled(tally, now)
        failures = max(0.0, tally.failures - forgiven)
        return Tally(failures, tally.failed_at, max(0, tally.trying - 1), tally.tried_at)

    def remembered(self, tally: Tally, now: float) -> float:
        """The failures that are not forgotten, with those that never ended."""
        return self._left(_settled(tally, now), now)

    def kept_for(self, tally: Tally) -> float:
        """Seconds after which such a tally says nothing any more."""
        return self.longest + TRYING_FOR + (tally.failures + tally.trying) * self.forget / self.free

    def _left(self, tally: Tally, now: float) -> float:
        """The failures that are not forgotten."""
        return max(0.0, tally.failures - max(0.0, now - tally.failed_at) * self.free / self.forget)


def _settled(tally: Tally, now: float) -> Tally:
    """With those that never ended as failures."""
    if not tally.trying or abs(now - tally.tried_at) <= TRYING_FOR:
        return tally
    return Tally(tally.failures + tally.trying, max(tally.failed_at, tally.tried_at))
