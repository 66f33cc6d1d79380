"""Of which requests the answer could not be stored lately, so that the next ones do not queue for it.

Its rule: what clients send decides nothing about its size. Of a name only its hash is kept: where two have the same,
requests for one call the application without waiting for each other, and nothing worse.
"""

from __future__ import annotations

from itertools import islice

PASSED_FOR = 30.0  # seconds
_MOST = 10_000  # names, of about 100 bytes each


class PassedOver:
    """Names that are remembered for a while. `until`: the hash of each, and when it is forgotten.

    No lock: whoever has it calls one thread at a time.
    """

    __slots__ = ("until",)

    def __init__(self) -> None:
        self.until: dict[int, float] = {}  # the latest last

    def remember(self, name: str, now: float, seconds: float = PASSED_FOR) -> None:
        """From now on, for so long."""
        number = hash(name)
        self.until.pop(number, None)
        self.until[number] = now + seconds
        if len(self.until) > _MOST:
            for oldest in list(islice(self.until, _MOST // 2)):
                self.until.pop(oldest, None)

    def remembers(self, name: str, now: float) -> bool:
        """Whether it is not to be waited for. Of a clock that was set back nothing is believed."""
        until = self.until.get(hash(name))
        return until is not None and now < until <= now + 2 * PASSED_FOR

    def forget(self, name: str) -> None:
        """Its answer was stored after all."""
        self.until.pop(hash(name), None)
