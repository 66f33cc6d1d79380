"""What ends sessions that are kept in cookies: small records in a store, of those that were ended before their time.

One for each session that was ended or got another id, and one for each user all of whose sessions were ended. A session
that is used costs a look at them.
"""

from __future__ import annotations

from json import dumps, loads
from os import urandom

from middleware.errors import ConfigurationError, StoreError
from middleware.sessions.in_cookie.payloads import id_of, successor_of
from middleware.sessions.in_store.turns import wait
from middleware.sessions.noticing import Noticing
from middleware.sessions.records import ENDED, NONCE_BYTES, Pointer
from middleware.sessions.timeouts import LONGEST_LIFE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from middleware.sessions.place import Tell
    from middleware.sessions.terms import Terms
    from middleware.sessions.timeouts import Times
    from middleware.stores.base import Store

_SESSION = "middleware.session.revoked:"
_USER = "middleware.session.revoked.user:"
_ATTEMPTS = 20
_SLACK = 30.0  # seconds by which clocks may differ, and which the end of all sessions of a user may take
_STEP = 0.001  # seconds: what a cookie tells times apart by


class Revocations:
    """Ends sessions by id in hashed form, or by user: as `UserSessions`, except that it cannot list any.

    Each method raises StoreError where the store cannot answer, and ConfigurationError where there is none.
    """

    def __init__(
        self, store: Store | None, terms: Terms, tell: Tell | None, notice: Callable[[StoreError], object]
    ) -> None:
        self.store = store
        self._terms = terms
        self._tell = tell
        self._noticing = Noticing(notice)

    def sessions_of(self, user: str) -> NoReturn:  # noqa: ARG002
        """Raises ConfigurationError: nobody knows the sessions that are kept in cookies."""
        raise ConfigurationError("sessions in cookies are in no list: use SessionMiddleware(app, store=...)")

    def end(self, user: str, id: str) -> bool:
        """End the session of this id, at once: True. False where it was ended before."""
        with self._noticing:
            ended = _end(self._needed(), id, ENDED, LONGEST_LIFE)
        if ended and self._tell is not None:
            self._tell("ended", id, user=user)
        return ended

    def end_all(self, user: str, *, but: str | None = None) -> int:
        """End all sessions of the user, or all but the one with this id. 0, for nobody knows how many there are.

        Sessions that begin at the same time are ended too, or begin after it.
        """
        with self._noticing:
            self._end_all(self._needed(), _USER + user, but)
        return 0

    def _end_all(self, store: Store, key: str, but: str | None) -> None:
        now = self._terms.clock()
        spared = _followed(store, but) if but else []
        for attempt in range(_ATTEMPTS):
            raw = store.get(key)
            every, others, before = _limits(raw)
            limit = max(now + _SLACK, others + 2 * _STEP)
            if not spared:
                every = limit
            elif not set(spared) & set(before):
                every = others  # so that nobody is spared who was ended before
            text = dumps([every, limit, spared]).encode()
            if store.add(key, text, LONGEST_LIFE) if raw is None else store.swap(key, raw, text, LONGEST_LIFE):
                return
            wait(attempt)
        raise StoreError(f"the end of a user's sessions could not be written in {_ATTEMPTS} attempts")

    # What sessions do with it

    def current(self, identifier: str, times: Times, user: str | None, *, sent: bool) -> tuple[str, Times] | None:
        """The id and the times of this session by now, which may have been renewed; None where it was ended.

        `sent`: whether it just came from the browser. Later in a request the grace after a renewal does not matter.
        """
        store, timeouts = self.store, self._terms.timeouts
        if store is None:
            return identifier, times
        ids = [id_of(identifier)]
        while (raw := store.get(_SESSION + ids[-1])) is not None:
            pointer = Pointer.read(raw)
            if pointer is None or not pointer.nonce:
                return None
            if sent and not timeouts.in_grace(pointer.moved, self._terms.clock()):
                return None
            identifier = successor_of(identifier, pointer.nonce)
            ids.append(id_of(identifier))
            times = times._replace(issued=max(times.issued, pointer.moved))
        if user is not None:
            every, others, spared = _limits(store.get(_USER + user))
            if times.issued <= others:
                if times.issued <= every or not set(ids) & set(spared):
                    return None
                times = times._replace(issued=others + _STEP)  # whatever id it gets next is spared, too
        return identifier, times

    def login_time(self, user: str) -> float:
        """What to note as the time of a login now: it is after all ends of this user's sessions."""
        now = self._terms.clock()
        return now if self.store is None else max(now, _limits(self.store.get(_USER + user))[1] + _STEP)

    def revoke(self, identifier: str, times: Times, *, successor: str = "") -> bool:
        """From now on no copy of this session's cookie opens anything. False where it was ended before.

        `successor`: the id that it gets instead; a log-out that is on its way finds that one, too.
        """
        if self.store is None:
            return True
        mark = Pointer(id_of(successor), self._terms.clock()).raw if successor else ENDED
        return _end(self.store, id_of(identifier), mark, self._kept_for(times))

    def renew(self, identifier: str, times: Times) -> str | None:
        """Another id for this session; the old one serves parallel requests for the grace, and then opens nothing.

        None where another request has ended or renewed it.
        """
        nonce = urandom(NONCE_BYTES)
        successor = successor_of(identifier, nonce)
        pointer = Pointer(id_of(successor), self._terms.clock(), nonce)
        if self.store is None or self.store.add(_SESSION + id_of(identifier), pointer.raw, self._kept_for(times)):
            return successor
        return None

    def _kept_for(self, times: Times) -> float:
        """As long as a copy of the cookie may be taken for good, also by a clock that is a little behind."""
        timeouts = self._terms.timeouts
        return max(timeouts.end(times) - self._terms.clock(), 0.0) + timeouts.idle

    def _needed(self) -> Store:
        if self.store is None:
            raise ConfigurationError(
                "nothing ends a session that is kept in a cookie: give SessionMiddleware revocations=store beside "
                "secret=, or store= in its place"
            )
        return self.store


def _end(store: Store, id: str, mark: bytes, ttl: float) -> bool:
    """Mark the session as ended, under the id that it has by now. False where it was ended before."""
    while not store.add(_SESSION + id, mark, ttl):
        pointer = Pointer.read(store.get(_SESSION + id) or b"")
        if pointer is None or not (pointer.nonce or mark is ENDED):
            return False
        id = pointer.target
    return True


def _followed(store: Store, id: str) -> list[str]:
    """The id, and those that the session has got since."""
    ids = [id]
    while pointer := Pointer.read(store.get(_SESSION + ids[-1]) or b""):
        ids.append(pointer.target)
    return ids


def _limits(raw: bytes | None) -> tuple[float, float, list[str]]:
    """Of a user: no id is good that was given up to the first time, nor up to the second unless it was spared."""
    try:
        found: Any = [0.0, 0.0, []] if raw is None else loads(raw)
        return float(found[0]), float(found[1]), [id for id in found[2] if isinstance(id, str)]
    except (IndexError, KeyError, TypeError, ValueError):
        return 0.0, 0.0, []
