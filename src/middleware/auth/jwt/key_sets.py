"""Where the keys of an issuer come from: given once, or fetched and fetched again as they rotate.

The rule: a key that is asked for and is not there costs a fetch, as long as that was not done too often; keys that are
there go on working while the issuer does not answer, for a day; and no lock is held while anything is fetched.
"""

from __future__ import annotations

import threading
from hashlib import blake2b
from time import monotonic

from middleware.auth.jwt.bucket import Bucket
from middleware.auth.jwt.errors import FetchFailed, InvalidKeys, InvalidToken
from middleware.auth.jwt.keys import key_set
from middleware.auth.jwt.shared_keys import SharedKeys
from middleware.auth.jwt.strict_json import json_object
from middleware.auth.schemes.base import Unavailable
from middleware.auth.telling import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Literal, Protocol
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.jwt.issuer import Issuer
    from middleware.auth.jwt.keys import Key, KeySet
    from middleware.stores.base import Store

    Outcome = Literal["fetched", "adopted", "failed", "limited"]

    class KeySource(Protocol):
        """Where keys come from. `current` changes when the keys do: what was verified with others counts no longer."""

        @property
        def current(self) -> KeySet | None: ...

        def find(self, kid: str | None, algorithm: str, environ: WSGIEnvironment) -> Key:
            """The key of such a token. Raises InvalidToken where there is none, Unavailable where nobody can tell."""
            ...


REFRESH_AFTER = 300.0  # seconds after which the keys are fetched again
MAX_STALE = 86400.0  # seconds for which keys work that could not be fetched again
RETRY_AFTER = 5.0  # seconds after a failure in which nothing is tried
UNKNOWN_FOR = 60.0  # seconds for which a key that was not there is not asked for again
MOST_UNKNOWN = 1000  # of these
_LOOKS = 3  # for a key, while others bring what they have fetched
_CLOCKS_DIFFER = 30.0  # seconds, those of two machines
_LANDS_WITHIN = 20.0  # seconds; a flight that takes longer was left behind by a fork


class StaticKeys:
    """Keys that were given."""

    def __init__(self, keys: KeySet) -> None:
        self.current = keys

    def find(self, kid: str | None, algorithm: str, environ: WSGIEnvironment) -> Key:  # noqa: ARG002 - see KeySource
        """See KeySource."""
        key = self.current.find(kid, algorithm)
        if key is None:
            raise InvalidToken("unknown key")
        return key


class RemoteKeys:
    """The keys that an issuer publishes, for any number of threads, and processes where the layer has a store.

    `clock`: seconds since 1970.
    """

    def __init__(self, issuer: Issuer, algorithms: Collection[str], *, clock: Callable[[], float]) -> None:
        self._issuer = issuer
        self._algorithms = tuple(algorithms)
        self._clock = clock
        # The algorithms do not take part: the store has the document, of which each takes what fits it.
        self._name = "auth:jwks:" + blake2b(issuer.address.encode(), digest_size=16).hexdigest()
        self._bucket = Bucket(f"{self._name}:bucket", clock)
        self._held: _Held | None = None
        self._unknown: dict[str, float] = {}  # by id, until when
        self._failed_at = float("-inf")
        self._flight: _Flight | None = None
        self._lock = threading.Lock()

    @property
    def current(self) -> KeySet | None:
        """The keys as they are known; the same object as long as they do not change."""
        held = self._held
        return None if held is None else held.keys

    def find(self, kid: str | None, algorithm: str, environ: WSGIEnvironment) -> Key:
        """See KeySource."""
        held = self._fresh_enough(environ)
        key = held.keys.find(kid, algorithm)
        return key if key is not None else self._look_again(str(kid), algorithm, held, environ)

    def _fresh_enough(self, environ: WSGIEnvironment) -> _Held:
        """Keys that count. Raises Unavailable."""
        held = self._held
        age = float("inf") if held is None else self._clock() - held.at
        if held is not None and 0 <= age < REFRESH_AFTER:
            return held
        usable = held is not None and age < MAX_STALE
        if self._refresh(held, environ, urgent=not usable) == "limited":
            tell(environ, "jwks.limited", reason="no keys")
        held = self._held
        if held is None or self._clock() - held.at >= MAX_STALE:
            raise Unavailable
        return held

    def _look_again(self, kid: str, algorithm: str, held: _Held, environ: WSGIEnvironment) -> Key:
        """A key that has perhaps been published since. Raises InvalidToken and Unavailable."""
        if self._clock() < self._unknown.get(kid, float("-inf")):
            raise InvalidToken("unknown key")
        for _ in range(_LOOKS):  # what another has brought may be older than this key
            outcome = self._refresh(held, environ, urgent=True)
            if outcome == "limited":
                tell(environ, "jwks.limited", reason="unknown key")
                raise InvalidToken("unknown key")
            latest = self._held
            if outcome == "failed" or latest is None:
                raise Unavailable
            held = latest
            key = held.keys.find(kid, algorithm)
            if key is not None:
                return key
            if outcome == "fetched":
                self._note_unknown(kid)
                break
        raise InvalidToken("unknown key")

    def _note_unknown(self, kid: str) -> None:
        with self._lock:
            while len(self._unknown) >= MOST_UNKNOWN:
                del self._unknown[next(iter(self._unknown))]  # the oldest
            self._unknown.pop(kid, None)
            self._unknown[kid] = self._clock() + UNKNOWN_FOR

    def _refresh(self, seen: _Held | None, environ: WSGIEnvironment, *, urgent: bool) -> Outcome:
        """Have newer keys than those that were seen; `"adopted"` are such as somebody else has fetched.

        Who cannot do without waits for whoever fetches just now, and takes a token of the bucket to fetch.
        """
        now = self._clock()
        with self._lock:
            if self._held is not seen:
                return "adopted"
            if 0 <= now - self._failed_at < RETRY_AFTER:
                return "failed"
            flight = self._flight
            is_mine = flight is None or flight.is_lost
            if flight is None or is_mine:
                flight = self._flight = _Flight()
        if not is_mine:
            if not urgent:
                return "adopted"
            flight.landed.wait(_LANDS_WITHIN)
            return "adopted" if flight.outcome == "fetched" else flight.outcome
        try:
            flight.outcome = self._fly(environ, limited=urgent)
        finally:
            with self._lock:
                if self._flight is flight:
                    self._flight = None
            flight.landed.set()
        return flight.outcome

    def _fly(self, environ: WSGIEnvironment, *, limited: bool) -> Outcome:
        """Fetch the keys, or adopt what another process has fetched."""
        layer = environ.get("middleware.auth")
        store: Store | None = None if layer is None else layer.store
        if store is None:
            return "limited" if limited and not self._bucket.take(None) else self._fetch(environ, None)
        shared = SharedKeys(store, self._name, MAX_STALE)
        if self._adopt(shared):
            return "adopted"
        leading = shared.lead()
        if leading is None:
            if not limited:
                return "adopted"  # what is here will do
            shared.wait()
            return "adopted" if self._adopt(shared) else "failed"
        try:
            if self._adopt(shared):  # by whoever led before
                return "adopted"
            return "limited" if limited and not self._bucket.take(store) else self._fetch(environ, shared)
        finally:
            shared.land(leading)

    def _fetch(self, environ: WSGIEnvironment, shared: SharedKeys | None) -> Outcome:
        now = self._clock()
        try:
            document = self._issuer.keys()
            keys = self._keys(document)
        except Exception as error:  # noqa: BLE001 - whatever it is, there are no new keys
            self._failed_at = self._clock()
            tell(environ, "jwks.failed", reason=_reason(error), issuer=self._issuer.name)
            return "failed"
        self._take(_Held(document, keys, now, now))
        if shared is not None:
            shared.write(document, now)
        tell(environ, "jwks.refresh", issuer=self._issuer.name, keys=len(keys.keys))
        return "fetched"

    def _adopt(self, shared: SharedKeys) -> bool:
        """Take what another process has fetched, if that is not what is here, and not old. Clocks may differ a bit."""
        record = shared.read()
        if record is None:
            return False
        document, noted = record
        now = self._clock()
        at = min(noted, now)
        held = self._held
        if now - at >= REFRESH_AFTER or (held is not None and (noted == held.noted or at < held.at - _CLOCKS_DIFFER)):
            return False
        try:
            keys = self._keys(document)
        except (InvalidKeys, ValueError, RecursionError):
            return False
        self._take(_Held(document, keys, at, noted))
        return True

    def _keys(self, document: bytes) -> KeySet:
        held = self._held
        if held is not None and held.document == document:
            return held.keys
        return key_set(json_object(document), self._algorithms)

    def _take(self, new: _Held) -> None:
        with self._lock:
            if self._held is None or self._held.keys is not new.keys:
                self._unknown.clear()
            self._held = new


class _Held:
    """A key set with the document that it was read from, and when that was fetched.

    `noted`: when that was by the clock of whoever fetched it.
    """

    __slots__ = ("at", "document", "keys", "noted")

    def __init__(self, document: bytes, keys: KeySet, at: float, noted: float) -> None:
        self.document = document
        self.keys = keys
        self.at = at
        self.noted = noted


class _Flight:
    """A fetch in the air, for whoever waits for it."""

    __slots__ = ("_began", "landed", "outcome")

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.outcome: Outcome = "failed"
        self._began = monotonic()

    @property
    def is_lost(self) -> bool:
        """Whether nobody will land it."""
        return monotonic() - self._began > _LANDS_WITHIN


def _reason(error: Exception) -> str:
    """A fixed word: what a user's `fetch=` says in its errors may hold anything."""
    if isinstance(error, FetchFailed | InvalidKeys):
        return str(error)
    return "no JSON object" if isinstance(error, ValueError | RecursionError) else type(error).__name__
