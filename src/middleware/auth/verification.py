"""Check passwords: the same work whoever the user is, the same credentials once at a time, and not too many at once."""

from __future__ import annotations

import os
import threading
from hashlib import blake2b
from hmac import compare_digest

from middleware.auth.passwords import (
    cost_of,
    hash_password,
    is_missing,
    is_possible,
    is_truncated,
    is_weaker,
    new_cost,
    spend,
    verify,
)
from middleware.auth.schemes.base import Unavailable
from middleware.auth.telling import tell, tell_unavailable
from middleware.auth.users import Account, Htpasswd, account_of, costs_of, finder, known_hashes, naming, upgrader
from middleware.auth.users.warning import tell_weak

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.identity import Identity
    from middleware.auth.passwords import Cost
    from middleware.auth.users import Users

REMEMBERED_FOR = 60  # seconds
MOST_REMEMBERED = 1024
MOST_COSTS = 8
PATIENCE = 30.0  # seconds that a request waits for another that derives the very same


class Verifier:
    """Checks the passwords of one source of users, and remembers for a minute which credentials were right.

    What is remembered is a digest under a random key of this process, beside the account as it was: it counts only
    while the source gives the same account. No password can be read from it.
    """

    def __init__(self, users: Users, clock: Callable[[], float]) -> None:
        self._users = users
        self._find = finder(users)
        self._upgrade = upgrader(users)
        self.name_of = naming(users)  # the one spelling of a name, None for what is none
        self._clock = clock
        self._started = blake2b(key=os.urandom(32), digest_size=16)  # itself never updated
        self._remembered: dict[bytes, tuple[Account, str | None, float, Identity]] = {}
        self._flights: dict[bytes, _Flight] = {}
        self._lock = threading.Lock()
        self._reported: set[str] = set()
        # Every cost that was met, of a source that cannot list them. A failure does the work of each, so that it tells
        # nothing about the user.
        self._met: dict[Cost, None] = {}
        for stored in known_hashes(users):
            self._meet(cost_of(stored))

    def find(self, user: str, environ: WSGIEnvironment | None = None) -> str | Account | None:
        """The stored hash or the account of a user, None for an unknown one. Raises Unavailable."""
        try:
            found = self._find(user)
            return found if found is None or type(found) is str else account_of(found)
        except Exception as error:  # whatever it is, nobody can be identified
            tell_unavailable(environ, "the user source", error)
            raise Unavailable from error

    def account(self, user: str, environ: WSGIEnvironment | None = None) -> Account | None:
        """The account of a user who may sign in at all, None otherwise. Raises Unavailable."""
        name = self.name_of(user)
        account = None if name is None else account_of(self.find(name, environ))
        return None if account is None or account.disabled else account

    def stored(self, user: str, environ: WSGIEnvironment | None = None) -> str:
        """The stored password of a user, empty where there is none. Raises Unavailable."""
        name = self.name_of(user)
        account = None if name is None else account_of(self.find(name, environ))
        return "" if account is None else account.hash

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

    def check(self, user: str, password: str, environ: WSGIEnvironment | None = None) -> Account | None:
        """The account, if this is its password. Raises Unavailable where that cannot be told now.

        A refusal costs one derivation for each cost that the source is known to hold, whatever the reason. A password
        that was right is stored anew where the source wants that, and the account is as it is then. What there is to
        tell is told of the request in `environ`.
        """
        name = self.name_of(user)
        account = None if name is None else account_of(self.find(name, environ))
        cost = None if account is None else cost_of(account.hash)
        self._meet(cost)
        if account is not None and (cost is None or is_missing(cost)):
            self._report(user, environ)
        stored = "" if account is None or account.disabled else account.hash

        def derive() -> Account | None:
            if not self._derive(password, stored) or account is None or name is None:
                return None
            if environ is not None and is_truncated(password, stored):
                tell(environ, "hash.truncated", user=name)
            return self._upgraded(name, password, account, environ)

        return self._once(self._digest(repr((name, user, password, stored))), derive)

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
        tried = cost is not None and is_possible(password)
        with _ROOM:
            if tried and verify(password, stored):
                return True
            costs = self._costs()
            others = [other for other in costs if not tried or other != cost]
            for other in others[: len(costs) - tried]:
                spend(other, password)
            return False

    def _costs(self) -> list[Cost]:
        """What a failure costs: once each that a password of this source may have."""
        listed = costs_of(self._users) or ()
        return list(dict.fromkeys([*listed, *self._met]))[:MOST_COSTS] or [new_cost()]

    def _upgraded(self, user: str, password: str, account: Account, environ: WSGIEnvironment | None) -> Account | None:
        """The account whose password was right, stored in a stronger form where the source wants that."""
        if self._upgrade is None:
            return account
        set_hash, form = self._upgrade
        if not is_weaker(account.hash, form):
            return account
        try:
            with _ROOM:
                stronger = hash_password(password, form=form)
            if set_hash(user, stronger, account.hash):
                if environ is not None:
                    tell(environ, "login.upgraded", user=user)
                return Account(stronger, roles=account.roles, name=account.name)
        except (Unavailable, ValueError):  # no place for it now; or bcrypt would cut this password
            return account
        except Exception as error:  # noqa: BLE001 - whatever the source has, the password was right
            import logging

            kind = type(error).__name__  # whose text may hold what was to be stored
            logging.getLogger("middleware.auth").warning("a stronger password of %a was not stored: %s", user, kind)
            return account
        now = account_of(self.find(user, environ))  # somebody else has stored another one
        if now is None or now.disabled:
            return None
        return now if now.hash == account.hash or self._derive(password, now.hash) else None

    def _once(self, key: bytes, derive: Callable[[], Account | None]) -> Account | None:
        """Derive, or wait for whoever derives the very same just now."""
        with self._lock:
            flight = self._flights.get(key)
            mine = flight is None
            if flight is None:
                flight = self._flights[key] = _Flight()
        if not mine:
            flight.landed.wait(PATIENCE)
            if not flight.ended:
                raise Unavailable
            return flight.account
        try:
            flight.account = derive()
            flight.ended = True
            return flight.account
        finally:
            with self._lock:
                del self._flights[key]
            flight.landed.set()

    def _digest(self, text: str) -> bytes:
        digest = self._started.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.digest()

    def _meet(self, cost: Cost | None) -> None:
        """Know that there are passwords of this cost. A file says so itself, and when there are none any more."""
        if cost is None or cost in self._met or isinstance(self._users, Htpasswd) or len(self._met) >= MOST_COSTS:
            return
        self._met[cost] = None
        tell_weak("a source of users", cost)

    def _report(self, user: str, environ: WSGIEnvironment | None) -> None:
        """Tell once of a user whose stored password cannot be read here."""
        with self._lock:
            if user in self._reported or len(self._reported) >= MOST_REMEMBERED:
                return
            self._reported.add(user)
        if environ is not None and "middleware.auth" in environ:
            tell(environ, "hash.invalid", user=user)
            return
        import logging

        logging.getLogger("middleware.auth").warning("auth.hash.invalid user=%a", user)


class _Flight:
    """A derivation under way. `account`: whose password it was, once it has ended."""

    __slots__ = ("account", "ended", "landed")

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.ended = False
        self.account: Account | None = None


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


# One for the process, since it protects the process: its processors, and 64 MiB and more a derivation.
_ROOM = Room(os.cpu_count() or 1)
