"""Which tokens were good a moment ago, so that a client which sends one with each request is verified once a minute."""

from __future__ import annotations

import os
import threading
from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.auth.identity import Identity
    from middleware.auth.jwt.identities import Verified

MOST = 1024


class Remembered:
    """Identities under a digest of their credentials, by a random key of this process; no token can be read from it.

    `seconds`: for how long, and never beyond the end of the identity. An identity counts only as long as what it was
    `verified` with is the same object.
    """

    def __init__(self, seconds: float, verified: Verified, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._verified = verified
        self._clock = clock
        self._started = blake2b(key=os.urandom(32), digest_size=16)  # itself never updated
        self._known: dict[bytes, tuple[Identity, float, object]] = {}
        self._lock = threading.Lock()

    def find(self, credentials: str) -> Identity | None:
        """Whose ASCII credentials these are, if that was found out a moment ago."""
        digest = self._started.copy()
        digest.update(credentials.encode())
        known = self._known.get(digest.digest())
        if known is None:
            return None
        identity, until, keys = known
        return identity if self._clock() < until and keys is self._verified.current else None

    def keep(self, credentials: str, identity: Identity, keys: object) -> None:
        """Keep what was found with these keys."""
        until = self._clock() + self._seconds
        if identity.expires_at is not None:
            until = min(until, identity.expires_at)
        digest = self._started.copy()
        digest.update(credentials.encode())
        name = digest.digest()
        with self._lock:
            while len(self._known) >= MOST:
                del self._known[next(iter(self._known))]  # the oldest
            self._known.pop(name, None)
            self._known[name] = (identity, until, keys)
