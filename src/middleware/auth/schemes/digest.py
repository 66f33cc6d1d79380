"""Digest authentication (RFC 7616): a proof of a password with every request, which is good for one request only."""

from __future__ import annotations

import time

from middleware.auth.digest.credentials import ALGORITHMS, HEX_DIGITS, credentials
from middleware.auth.digest.sources import ha1_in, source_of
from middleware.auth.digest.target import is_target
from middleware.auth.identity import Identity
from middleware.auth.schemes.authorization import realm_parameter
from middleware.auth.schemes.base import Refused, Unavailable
from middleware.auth.telling import tell, tell_unavailable
from middleware.auth.users.account import account_of
from middleware.errors import ConfigurationError
from middleware.made_once import made_once
from middleware.options import a_switch, check_clock, check_seconds, check_store
from middleware.signing import check_secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from typing import TypeVar
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.digest.credentials import Algorithm, Credentials
    from middleware.auth.digest.nonces import Nonces
    from middleware.auth.digest.sources import DigestUsers
    from middleware.auth.digest.windows import OwnWindows, Used, Windows
    from middleware.auth.middleware import AuthMiddleware
    from middleware.auth.schemes.base import Freshness
    from middleware.auth.users import Account
    from middleware.signing import Secret
    from middleware.stores.base import Store

    T = TypeVar("T")

_EVENTS = {"replay": "digest.replay", "stale": "digest.stale"}
_STALE = {"stale": "true"}
_AHEAD = 60  # seconds that the clock of another machine may be ahead of ours


class Digest:
    """Digest authentication (RFC 7616), with quality of protection `auth`.

    `users`: `Htdigest(path)`, a mapping of names to HA1s (or to `Account`s with the HA1 as `hash`), `PlainPasswords`,
    or a callable `(user, realm, algorithm)` that gives an HA1, an account or None. `realm`: what browsers show in their
    dialogue and what every HA1 is made for, ASCII. `secret`: signs nonces; the same in all processes, a list to change
    it (newest last).

    `algorithms`: `"SHA-256"`, `"MD5"` or both, which are offered in this order. `sess`: offer their -sess variants too.
    `userhash`: let clients send a digest in place of the name, where the source knows all its names.
    `nonce_lifetime`: seconds after which a client is given another nonce, without asking its user. `store`: where
    processes note which nonces were used, by default the store of the layer; without one each process notes its own,
    those of `max_nonces` at most. `clock`: seconds since 1970.

    Raises ConfigurationError, for one-way hashes too: nobody can make an HA1 of them.
    """

    name = "digest"
    auth_type = "Digest"
    reads = ("Authorization",)
    freshness: Freshness = "always"

    def __init__(
        self,
        users: DigestUsers,
        *,
        realm: str,
        secret: Secret | None = None,
        algorithms: Sequence[Algorithm] = ("SHA-256",),
        sess: bool = False,
        userhash: bool = False,
        nonce_lifetime: float = 300,
        store: Store | None = None,
        max_nonces: int = 10_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._algorithms = _in_order(algorithms)
        parameter = realm_parameter(realm)
        _check_options(realm, nonce_lifetime, max_nonces, store)
        if secret is None:
            raise ConfigurationError("Digest signs its nonces, so secret= is needed: python -m middleware secret")
        self._secrets = check_secrets(secret)
        self._source = source_of(users, realm, self._algorithms)
        self._names: Callable[[str], Collection[str]] | None = getattr(self._source, "names", None)
        if a_switch("userhash", userhash) and self._names is None:
            raise ConfigurationError("userhash=True needs a source that knows all its names, and a callable knows none")
        self._realm = realm
        self._sess = a_switch("sess", sess)
        self._userhash = userhash
        self._lifetime = nonce_lifetime
        self._store = store
        self._max_nonces = max_nonces
        check_clock(clock)
        self._clock = clock
        self._by_digest: tuple[Collection[str] | None, dict[str, str]] = (None, {})
        tail = f", charset=UTF-8{', userhash=true' if userhash else ''}"
        self._offers = [
            (f'Digest {parameter}, qop="auth", algorithm={algorithm}{variant}, nonce="', f'"{tail}')
            for algorithm in self._algorithms
            for variant in (("-sess", "") if sess else ("",))  # the plain one last, for whoever takes the last
        ]

    @made_once
    def _nonces(self) -> Nonces:
        from middleware.auth.digest.nonces import Nonces

        return Nonces(self._secrets, self._realm, self._clock)

    @made_once
    def _own_windows(self) -> OwnWindows:
        from middleware.auth.digest.windows import OwnWindows

        return OwnWindows(self._max_nonces)

    def challenges(self, environ: WSGIEnvironment, refused: Refused | None, /) -> Sequence[str]:  # noqa: ARG002
        """An offer for each algorithm, with one new nonce for all; `stale=true` where only the nonce was wrong."""
        nonce = self._nonces.issue()
        stale = ", stale=true" if refused is not None and refused.parameters == _STALE else ""
        return [f"{before}{nonce}{after}{stale}" for before, after in self._offers]

    def authenticate(self, environ: WSGIEnvironment, /) -> Identity | Refused | None:
        """Whose credentials the Authorization field holds. Raises Unavailable and Throttled."""
        field: str | None = environ.get("HTTP_AUTHORIZATION")
        if not field:
            return None
        given = credentials(field)
        if given is None or isinstance(given, Refused):
            return given
        if not self._is_offered(given):
            return Refused("not offered")
        if given.realm != self._realm:
            return Refused("other realm")
        if not is_target(given.uri, environ):
            return Refused("other target", 400)
        issued = self._nonces.issued_at(given.nonce)
        if issued is None:
            return Refused("foreign nonce")
        return self._judge(environ, given, issued)

    def _is_offered(self, given: Credentials) -> bool:
        if given.algorithm not in self._algorithms or not given.has_qop:
            return False
        return (self._sess or not given.sess) and (self._userhash or not given.userhash)

    def _judge(self, environ: WSGIEnvironment, given: Credentials, issued: int) -> Identity | Refused:
        """Whose credentials these are, which fit this request and bear a nonce of ours.

        A nonce is used up only by a response that is right, and only such a one is told that its nonce is.
        """
        from middleware.auth.throttle.attempts import attempt

        user = self._user_of(environ, given)
        windows = self._windows(environ)
        window = self._asked(environ, "store", lambda: windows.find(given.nonce))
        age = self._clock() - issued / 1_000_000
        is_stale = not -_AHEAD <= age < self._lifetime or (window is None and windows.is_lost(given.count, issued))
        account = self._check(environ, given, user)
        tried = given.username if user is None else user
        # Whoever has used this nonce before needs no guesses, and is not held up by those of others.
        if account is None or window is None or window[2] != user:
            same = None if account is None else account.hash
            account = attempt(environ, self.name, tried, lambda: account, quietly=is_stale, same=same)
        if account is None or user is None:
            return Refused(Refused.WRONG, user=tried)
        if is_stale:
            found: Used | None = "stale"
        else:
            found = self._asked(environ, "store", lambda: windows.use(given.nonce, issued, given.count, user, window))
        if found is not None:
            tell(environ, _EVENTS[found], user=user, scheme=self.name)
            return Refused(found, parameters=_STALE, user=user)
        return Identity(
            user, self.name, name=account.name, roles=account.roles, authenticated_at=self._clock(), factors=("pwd",)
        )

    def _check(self, environ: WSGIEnvironment, given: Credentials, user: str | None) -> Account | None:
        """The account whose password made this response. The work is the same whoever the user is."""
        from hmac import compare_digest

        from middleware.auth.digest.response import expected_response

        algorithm = given.algorithm
        assert algorithm is not None
        asked = given.username if given.userhash and user is None else user  # a source is not asked for what is no name
        found = None
        if asked is not None:
            found = self._asked(environ, "source", lambda: account_of(self._source.ha1(asked, self._realm, algorithm)))
        stored = ha1_in(found, algorithm)
        is_right = compare_digest(
            expected_response(stored or "0" * HEX_DIGITS[algorithm], given, environ["REQUEST_METHOD"]), given.response
        )
        return found if is_right and stored is not None and user is not None else None

    def _user_of(self, environ: WSGIEnvironment, given: Credentials) -> str | None:
        """The user that is named, in the spelling of sources; None for what is no name, or the digest of none."""
        if given.userhash:
            return self._asked(environ, "source", self._digests).get(given.username.lower())
        from middleware.auth.names import normal_name

        return normal_name(given.username)

    def _digests(self) -> dict[str, str]:
        """All users by the digests of their names (RFC 7616, section 3.4.4), made anew when the names change."""
        from middleware.auth.digest.response import digest

        assert self._names is not None
        names = self._names(self._realm)
        known, users = self._by_digest
        if names is not known and names != known:
            users = {
                digest(f"{user}:{self._realm}".encode(), algorithm): user
                for user in names
                for algorithm in self._algorithms
            }
            self._by_digest = names, users
        return users

    def _windows(self, environ: WSGIEnvironment) -> Windows:
        layer: AuthMiddleware | None = environ.get("middleware.auth")
        store = self._store or (layer.store if layer is not None else None)
        if store is None:
            return self._own_windows
        from middleware.auth.digest.windows import SharedWindows

        return SharedWindows(store, self._lifetime)

    def _asked(self, environ: WSGIEnvironment, what: str, ask: Callable[[], T]) -> T:
        """What the source of users or the store says. Where it fails, nobody can be identified: Unavailable."""
        try:
            return ask()
        except Unavailable:
            raise
        except Exception as error:
            tell_unavailable(environ, f"the {what} of Digest", error, self.name)
            raise Unavailable from error


def _in_order(algorithms: Sequence[Algorithm]) -> tuple[Algorithm, ...]:
    if isinstance(algorithms, str):
        raise ConfigurationError(f"algorithms= is a list: [{algorithms!r}]")
    given = list(algorithms)
    known: tuple[Algorithm, ...] = tuple(algorithm for algorithm in ALGORITHMS if algorithm in given)
    if not given or len(given) != len(known):
        raise ConfigurationError(f"algorithms= takes each of {', '.join(ALGORITHMS)} once at most, not {algorithms!r}")
    return known


def _check_options(realm: object, nonce_lifetime: object, max_nonces: object, store: object) -> None:
    if not realm:
        raise ConfigurationError(f"realm= is a text, for every HA1 is made for it, not {realm!r}")
    check_seconds("nonce_lifetime", nonce_lifetime)
    if isinstance(max_nonces, bool) or not isinstance(max_nonces, int) or max_nonces < 1:
        raise ConfigurationError(f"max_nonces= is a number above 0, not {max_nonces!r}")
    check_store(store)
