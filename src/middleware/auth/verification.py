"""Check passwords: the same work whoever the user is, the same credentials once at a time, and not too many at once."""

from __future__ import annotations

import os
import threading
from hashlib import blake2b
from hmac import compare_digest

from middleware.auth.passwords import LONGEST, cost_of, is_missing, spend, verify
from middleware.auth.schemes.base import Unavailable
from middleware.auth.users import Account, account_of, finder, known_hashes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.auth.identity import Identity
    from middleware.auth.passwords import Cost
    from middleware.auth.users import Users

REMEMBERED_FOR = 60  # seconds
MOST_REMEMBERED = 1024
MOST_COSTS = 8
_WHERE_NOBODY_IS_KNOWN: Cost = ("scrypt", 14, 8, 5)


class Verifier:
    """Checks the passwords of one source of users, and remembers for a minute which credentials were right.

    What is remembered is a digest under a random key of this process, beside the account as it was: it counts only
    while the source gives the same account. No password can be read from it.
    """

    def __init__(self, users: Users, clock: Callable[[], float]) -> None:
        self._find = finder(users)
        self._clock = clock
        self._started = blake2b(key=os.urandom(32), digest_size=16)  # itself never updated
        self._remembered: dict[bytes, tuple[Account, str | None, float, Identity]] = {}
        self._flights: dict[bytes, _Flight] = {}
        self._lock = threading.Lock()
        self._reported: set[str] = set()
        # Every form that a user may have. A failure does the work of each, so that it tells nothing about the user.
        self._costs: dict[Cost, None] = {}
        for stored in known_hashes(users):
            self._learn(cost_of(stored))

    def find(self, user: str) -> str | Account | None:
        """The stored hash or the account of a user, None for an unknown one. Raises Unavailable."""
        try:
            found = self._find(user)
            return found if found is None or type(found) is str else account_of(found)
        except Exception as error:  # whatever it is, nobody can be identified
            import logging

            logging.getLogger("middleware.auth").exception("the user source failed")
            raise Unavailable from error

    def account(self, user: str) -> Account | None:
        """The account of a user who may sign in at all, None otherwise. Raises Unavailable."""
        account = account_of(self.find(user))
        return None if account is None or account.disabled else account

    def remembered(self, credentials: str) -> Identity | None:
        """Whose ASCII credentials these are, if they were right a minute ago and the account has not changed since."""
        digest = self._started.copy()  # as `_digest` does, 0.1 us faster where every request comes by
        digest.update(credentials.encode())
        known = self._remembered.get(digest.digest())
        if known is None:
            return None
        account, bare, until, identity = known
        if self._clock() >= until:
            return None
        found = self.find(identity.user)
        return identity if found == (bare if type(found) is str else account) else None

    def remember(self, credentials: str, account: Account, identity: Identity) -> None:
        """Keep that these credentials are right."""
        digest = self._digest(credentials)
        bare = account.hash if account == Account(account.hash) else None  # as sources that have hashes only give it
        with self._lock:
            while len(self._remembered) >= MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]  # the oldest
            self._remembered.pop(digest, None)
            self._remembered[digest] = (account, bare, self._clock() + REMEMBERED_FOR, identity)

    def check(self, user: str, password: str) -> Account | None:
        """The account, if this is its password. Raises Unavailable where that cannot be told now.

        A refusal costs one derivation of each form that the source is known to hold, whatever the reason.
        """
        account = account_of(self.find(user))
        cost = None if account is None else cost_of(account.hash)
        self._learn(cost)
        if account is not None and (cost is None or is_missing(cost)):
            self._report(user)
        stored = "" if account is None or account.disabled else account.hash
        flight_key = self._digest(repr((user, password, stored)))
        right = self._once(flight_key, lambda: self._derive(password, stored))
        return account if right else None

    @staticmethod
    def proof(key: str, stored: str) -> str:
        """A digest of a stored password, under a key in hex digits, to notice later that it has changed."""
        return blake2b(stored.encode(), key=bytes.fromhex(key), digest_size=16).hexdigest()

    def is_proof(self, key: str, given: str, stored: str) -> bool:
        """Whether `given` is the digest of this stored password. Never raises."""
        try:
            return compare_digest(given.encode(), self.proof(key, stored).encode())
        except ValueError:
            return False

    def _derive(self, password: str, stored: str) -> bool:
        cost = cost_of(stored)
        with _ROOM:
            tried = cost is not None and 0 < len(password.encode("utf-8", "surrogatepass")) <= LONGEST
            if tried and verify(password, stored):
                return True
            for other in list(self._costs) or [_WHERE_NOBODY_IS_KNOWN]:
                if not tried or other != cost:
                    spend(other)
            return False

    def _once(self, key: bytes, derive: Callable[[], bool]) -> bool:
        """Derive, or wait for whoever derives the very same just now."""
        with self._lock:
            flight = self._flights.get(key)
            mine = flight is None
            if flight is None:
                flight = self._flights[key] = _Flight()
        if not mine:
            flight.landed.wait()
            if flight.right is None:
                raise Unavailable
            return flight.right
        try:
            flight.right = derive()
            return flight.right
        finally:
            with self._lock:
                del self._flights[key]
            flight.landed.set()

    def _digest(self, text: str) -> bytes:
        digest = self._started.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.digest()

    def _learn(self, cost: Cost | None) -> None:
        if cost is not None and cost not in self._costs and len(self._costs) < MOST_COSTS:
            self._costs[cost] = None

    def _report(self, user: str) -> None:
        with self._lock:
            if user in self._reported or len(self._reported) >= MOST_REMEMBERED:
                return
            self._reported.add(user)
        import logging

        logging.getLogger("middleware.auth").warning(
            "the stored password of %a is in a form that cannot be read: this user cannot sign in", user
        )


class _Flight:
    """A derivation under way."""

    __slots__ = ("landed", "right")

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.right: bool | None = None


class Room:
    """Places for so many derivations at once. Unavailable where too many wait already, or one waited too long."""

    def __init__(self, places: int, most_waiting: int = 100, patience: float = 5) -> None:
        self._places = threading.Semaphore(places)
        self._lock = threading.Lock()
        self._waiting = 0
        self._most_waiting = most_waiting
        self._patience = patience

    def __enter__(self) -> None:
        if self._places.acquire(blocking=False):
            return
        with self._lock:
            if self._waiting >= self._most_waiting:
                raise Unavailable
            self._waiting += 1
        try:
            entered = self._places.acquire(timeout=self._patience)
        finally:
            with self._lock:
                self._waiting -= 1
        if not entered:
            raise Unavailable

    def __exit__(self, *exc_info: object) -> None:
        self._places.release()


# One for the process, since it protects the process: its processors, and 16 MiB and more a derivation.
_ROOM = Room(os.cpu_count() or 1)
