"""What ends sessions that are kept in cookies: small records in a store, of those that were ended before their time.

One for each session that was ended, and one for each user all of whose sessions were. A session that is used costs a
look at them.
"""

from __future__ import annotations

from json import dumps, loads

from middleware.errors import ConfigurationError
from middleware.sessions.timeouts import LONGEST_LIFE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from middleware.sessions.place import Tell
    from middleware.sessions.terms import Terms
    from middleware.sessions.timeouts import Times
    from middleware.stores.base import Store

_SESSION = "middleware.session.revoked:"
_USER = "middleware.session.epoch:"


class Revocations:
    """Ends sessions by id in hashed form, or by user: as `UserSessions`, except that it cannot list any.

    Each method raises StoreError where the store cannot answer, and ConfigurationError where there is none.
    """

    def __init__(self, store: Store | None, terms: Terms, tell: Tell | None = None) -> None:
        self.store = store
        self._terms = terms
        self._tell = tell

    def sessions_of(self, user: str) -> NoReturn:  # noqa: ARG002
        """Raises ConfigurationError: nobody knows the sessions that are kept in cookies."""
        raise ConfigurationError("sessions in cookies are in no list: use SessionMiddleware(app, store=...)")

    def end(self, user: str, id: str) -> bool:
        """End the session of this id, at once: True."""
        self._needed().set(_SESSION + id, repr(self._terms.clock()).encode(), LONGEST_LIFE)
        if self._tell is not None:
            self._tell("ended", id, user=user)
        return True

    def end_all(self, user: str, *, but: str | None = None) -> int:
        """End all sessions of the user, or all but the one with this id. 0, for nobody knows how many there are."""
        record = dumps([self._terms.clock(), [but] if but else []]).encode()
        self._needed().set(_USER + user, record, LONGEST_LIFE)
        return 0

    # What sessions do with it

    def revoke(self, id: str, times: Times, *, grace: float = 0) -> None:
        """From now on, or from the end of the grace, no copy of this session's cookie opens anything."""
        if self.store is None:
            return
        now = self._terms.clock()
        ttl = self._terms.timeouts.end(times) - now
        if ttl > 0:
            verb = self.store.add if grace else self.store.set  # a renewal does not take back a log-out
            verb(_SESSION + id, repr(now + grace).encode(), ttl)

    def have_ended(self, id: str, user: str | None, times: Times) -> bool:
        """Whether this session was ended."""
        if self.store is None:
            return False
        since = _number(self.store.get(_SESSION + id))
        if since is not None and since <= self._terms.clock():
            return True
        epoch, kept = (0.0, []) if user is None else _epoch(self.store.get(_USER + user))
        return times.issued < epoch and id not in kept

    def _needed(self) -> Store:
        if self.store is None:
            raise ConfigurationError(
                "nothing ends a session that is kept in a cookie: give SessionMiddleware revocations=store beside "
                "secret=, or store= in its place"
            )
        return self.store


def _number(raw: bytes | None) -> float | None:
    try:
        return None if raw is None else float(raw)
    except ValueError:
        return None


def _epoch(raw: bytes | None) -> tuple[float, list[str]]:
    try:
        found: Any = [0.0, []] if raw is None else loads(raw)
        return float(found[0]), [id for id in found[1] if isinstance(id, str)]
    except (IndexError, KeyError, TypeError, ValueError):
        return 0.0, []
