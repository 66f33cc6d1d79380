"""Remembered logins in a store: a record for each series, and one for each user that says which of them still count.

A series counts as long as the record of its user names it. So all of them end at once, also those just beginning, when
that record goes. A token is read from the cookie and never kept, only its digest is.
"""

from __future__ import annotations

import os
from collections import namedtuple
from hashlib import blake2b
from json import dumps, loads

from middleware.auth.login.remember_series import Series, is_newest, mark_of, read, use, write
from middleware.errors import StoreError
from middleware.sessions.in_store.turns import wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, NamedTuple

    from middleware.stores.base import Store

    class Used(NamedTuple):
        """What came of a cookie: whose it is, and the value for it from now on (None: as it is)."""

        user: str
        end: float
        value: str | None
        is_theft: bool
        mark: str
        """For the session that is opened now: what `why_over` is asked with."""
        is_again: bool
        """Whether the same token was exchanged before, and that exchange opens nothing any more."""
else:
    Used = namedtuple("Used", ("user", "end", "value", "is_theft", "mark", "is_again"))  # noqa: PYI024

SERIES = "middleware.remember:"
USER = "middleware.remember.user:"
MOST = 100  # series of one user: of more, the one that is over first is ended
ATTEMPTS = 20
_SERIES_BYTES = 16
_TOKEN_BYTES = 24
_HEX = "0123456789abcdef"


class RememberedLogins:
    """The remembered logins in one store. Each method may raise StoreError.

    `seconds`: how long a series lasts from the login, or, where it is to `extend`, from its last use.
    """

    __slots__ = ("_clock", "_extend", "_seconds", "_store")

    def __init__(self, store: Store, seconds: float, *, extend: bool, clock: Callable[[], float]) -> None:
        self._store = store
        self._seconds = seconds
        self._extend = extend
        self._clock = clock

    def begin(self, user: str, key: str, proof: str) -> tuple[str, float]:
        """Begin a series of `user`. The value of the cookie, and when the series is over.

        `proof`: the digest under `key` of the stored password with which the user has signed in.
        """
        id, token = os.urandom(_SERIES_BYTES).hex(), os.urandom(_TOKEN_BYTES).hex()
        end = float(self._clock() + self._seconds)
        self._store.set(SERIES + id, write(Series(user, key, proof, end, _digest(token), [], [])), self._seconds)
        for other in self._enter(user, id, end):
            self._store.delete(SERIES + other)
        return f"{id}:{token}", end

    def use(self, value: str, is_welcome: Callable[[Series], bool]) -> Used | None:
        """What the value of a cookie stands for; None where that is nothing, or nothing any more.

        `is_welcome(series)`: whether the user may still sign in with the password of then; a series is ended if not.
        """
        id, token = split(value) or ("", "")
        if not id:
            return None
        digest, successor = _digest(token), os.urandom(_TOKEN_BYTES).hex()
        for attempt in range(ATTEMPTS):
            raw = self._store.get(SERIES + id)
            series = read(raw)
            if raw is None or series is None:
                return None
            now = float(self._clock())
            if now >= series.end or not self.counts(series.user, id) or not is_welcome(series):
                self._end(series.user, id)
                return None
            outcome, after = use(series, digest, _digest(successor), now)
            if outcome != "exchange":
                return Used(series.user, series.end, None, outcome == "theft", f"{id}:{mark_of(series)}", False)
            if self._extend:
                after = after._replace(end=float(now + self._seconds))
            if self._store.swap(SERIES + id, raw, write(after), max(after.end - now, 1)):
                self._prolong(series.user, id, after.end)
                is_again = len(after.successors) > 1
                return Used(series.user, after.end, f"{id}:{successor}", False, f"{id}:{mark_of(after)}", is_again)
            wait(attempt)
        raise StoreError(f"a remembered login could not be written in {ATTEMPTS} attempts")

    def counts(self, user: str, id: str) -> bool:
        """Whether this series of the user was not ended."""
        return id in _ends(self._store.get(USER + user))

    def why_over(self, mark: str) -> Literal["remembered login ended", "remembered login used again"] | None:
        """Why a session of this mark counts no more; None where it counts."""
        id, _, mark = mark.partition(":")
        series = read(self._store.get(SERIES + id))
        if series is None:
            return "remembered login ended"
        return None if is_newest(series, mark, self._clock()) else "remembered login used again"

    def user_of(self, value: str) -> str | None:
        """Whose series the value of a cookie names, whatever its token is worth."""
        id, _ = split(value) or ("", "")
        series = read(self._store.get(SERIES + id)) if id else None
        return None if series is None else series.user

    def end(self, value: str) -> None:
        """End the series that the value of a cookie names, if there is one."""
        id, _ = split(value) or ("", "")
        series = read(self._store.get(SERIES + id)) if id else None
        if series is not None:
            self._end(series.user, id)

    def end_all(self, user: str) -> None:
        """End all series of the user, also those that are just beginning."""
        ids = _ends(self._store.get(USER + user))
        self._store.delete(USER + user)
        for id in ids:
            self._store.delete(SERIES + id)

    def _end(self, user: str, id: str) -> None:
        self._store.delete(SERIES + id)
        self._alter(user, lambda ends: {other: end for other, end in ends.items() if other != id})

    def _enter(self, user: str, id: str, end: float) -> list[str]:
        """Name the series in the record of its user. The series that it takes the room of."""
        dropped: list[str] = []

        def entered(ends: dict[str, float]) -> dict[str, float]:
            alive = {other: theirs for other, theirs in ends.items() if theirs > self._clock() and other != id}
            dropped[:] = sorted(alive, key=lambda other: alive[other])[: max(len(alive) + 1 - MOST, 0)]
            return {**{other: theirs for other, theirs in alive.items() if other not in dropped}, id: end}

        self._alter(user, entered)
        return dropped

    def _prolong(self, user: str, id: str, end: float) -> None:
        if self._extend:
            self._alter(user, lambda ends: {**ends, id: end} if id in ends else ends)

    def _alter(self, user: str, alter: Callable[[dict[str, float]], dict[str, float]]) -> None:
        for attempt in range(ATTEMPTS):
            raw = self._store.get(USER + user)
            before = _ends(raw)
            after = alter(before)
            if after == before:
                return
            text = dumps(after, separators=(",", ":")).encode()
            ttl = max([end - self._clock() for end in after.values()] + [1.0])
            if (
                self._store.add(USER + user, text, ttl)
                if raw is None
                else self._store.swap(USER + user, raw, text, ttl)
            ):
                return
            wait(attempt)
        raise StoreError(f"the record of a user's remembered logins could not be written in {ATTEMPTS} attempts")


def split(value: str) -> tuple[str, str] | None:
    """The series and the token in the value of a cookie; None where it cannot be one of ours."""
    id, _, token = value.partition(":")
    if len(id) != 2 * _SERIES_BYTES or len(token) != 2 * _TOKEN_BYTES or (id + token).strip(_HEX):
        return None
    return id, token


def _digest(token: str) -> str:
    return blake2b(token.encode(), digest_size=32).hexdigest()


def _ends(raw: bytes | None) -> dict[str, float]:
    """The series of a user that count, and when each is over; nothing where that cannot be read."""
    try:
        found = {} if raw is None else loads(raw)
    except (ValueError, RecursionError):
        return {}
    return {id: end for id, end in found.items() if type(end) is float} if isinstance(found, dict) else {}
