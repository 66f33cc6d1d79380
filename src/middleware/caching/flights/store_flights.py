"""Flights of several processes: who leads has a lock in the store, where the others see how it ended.

A lock is never deleted, which could take it away from whoever overtook its holder. It is swapped for a note of how the
flight ended, by its own token, and the next leader swaps that for its own. It ends by itself when its holder does not.
"""

from __future__ import annotations

import os
import time

from middleware.caching.flights.passed_over import PASSED_FOR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from middleware.caching.shelf.guarded import GuardedStore

    Landing = Literal["stored", "passed", "failed"]
    Outcome = Literal["stored", "passed", "failed", "timed out"]

# How a flight ends, for those who wait.
STORED: Literal["stored"] = "stored"
PASSED: Literal["passed"] = "passed"
FAILED: Literal["failed"] = "failed"
TIMED_OUT: Literal["timed out"] = "timed out"

_HELD = b"flight "  # and a token
_PASSED = b"passed "  # and until when nobody queues, in seconds since 1970
_NOTES: dict[Landing, bytes] = {STORED: b"stored", FAILED: b"failed"}
_NOTED_FOR = 1.0  # seconds for which a note is kept: enough to be seen by all who look
_ATTEMPTS = 5  # of taking a lock that others take and leave meanwhile
_SHORTEST, _LONGEST = 0.001, 0.01  # seconds between two looks; up to twice as long, so that not all look at once


class StoreFlights:
    """The locks of one cache in its store. A store that fails has none, and nobody waits for it.

    ttl: seconds after which a leader is overtaken. prefix: of the locks' keys.
    """

    def __init__(self, store: GuardedStore, *, ttl: float, prefix: str) -> None:
        self._store = store
        self._ttl = ttl
        self._prefix = prefix

    def take(self, name: str, *, passed_too: bool = False) -> tuple[StoreLock | None, bytes | None]:
        """The lock; or else what is in its place, which is None where the store does not answer.

        passed_too: take it also where the answer could not be stored lately.
        """
        address = self._prefix + name
        token = _HELD + os.urandom(16)
        failures = self._store.failures
        for _ in range(_ATTEMPTS):
            if self._store.add(address, token, self._ttl):
                return StoreLock(self._store, address, token), None
            if self._store.failures > failures:  # it may have taken its time for that
                break
            value = self._store.get(address)
            if value is None:
                continue
            if value.startswith(_HELD) or (passed_for(value) > 0 and not passed_too):
                return None, value
            if self._store.swap(address, value, token, self._ttl):
                return StoreLock(self._store, address, token), None
            if self._store.failures:
                break
        return None, None

    def forget(self, name: str) -> None:
        """An answer could be stored after all: who comes next may queue again."""
        address = self._prefix + name
        value = self._store.get(address)
        if value is not None and value.startswith(_PASSED):
            self._store.swap(address, value, _NOTES[STORED], _NOTED_FOR)

    def look(self, name: str, seen: bytes, seconds: float) -> tuple[Outcome, float]:
        """Look again and again until what was seen is over, for so long at most: how it ended, and `passed_for`."""
        address = self._prefix + name
        until = time.monotonic() + seconds
        pause = _SHORTEST
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, pause * (1 + os.urandom(1)[0] / 255)))
            pause = min(2 * pause, _LONGEST)
            value = self._store.get(address)
            if value == seen:
                continue
            if value is None:
                return (PASSED if self._store.failures else FAILED), 0.0
            if value == _NOTES[STORED]:
                return STORED, 0.0
            passed = passed_for(value)
            return (PASSED if passed > 0 else FAILED), passed
        return TIMED_OUT, 0.0


class StoreLock:
    """Held by one leader."""

    __slots__ = ("_address", "_pid", "_store", "_token")

    def __init__(self, store: GuardedStore, address: str, token: bytes) -> None:
        self._store = store
        self._address = address
        self._token = token
        self._pid = os.getpid()

    def leave(self, landing: Landing, seconds: float) -> None:
        """Note how it ended, if nobody has overtaken this leader, and for how long nobody is to queue."""
        if self._pid != os.getpid():
            return  # the application has forked, and it is the parent's
        if landing == PASSED:
            from math import ceil

            seconds = max(seconds, _NOTED_FOR)
            self._store.swap(self._address, self._token, _PASSED + str(ceil(time.time() + seconds)).encode(), seconds)
        else:
            self._store.swap(self._address, self._token, _NOTES[landing], _NOTED_FOR)


def passed_for(value: bytes) -> float:
    """The seconds for which others still do not queue, since an answer could not be stored; 0 where that is not so."""
    if not value.startswith(_PASSED):
        return 0.0
    until = value[len(_PASSED) :]
    if not until.isdigit() or len(until) > 12:
        return 0.0
    return min(max(int(until) - time.time(), 0.0), PASSED_FOR)
