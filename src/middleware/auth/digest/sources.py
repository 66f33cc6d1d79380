"""Where the HA1 of a user comes from: a mapping, a file of `htdigest`, plain passwords, a callable.

Digest needs the password itself, or the HA1 that is made of it for one realm: no other hash can take its place, so a
source of one-way hashes is refused.
"""

from __future__ import annotations

from middleware.auth.digest.credentials import ALGORITHMS, HEX_DIGITS, is_hex
from middleware.auth.passwords import cost_of
from middleware.auth.users.account import Account, account_of
from middleware.errors import ConfigurationError
from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any, Protocol

    from middleware.auth.digest.credentials import Algorithm
    from middleware.auth.users.account import Found

    class DigestSource(Protocol):
        """What has `ha1(user, realm, algorithm)`: an HA1 or an account with it as `hash`, None for an unknown user.

        `hash` may hold several, separated by a space: the one with 64 digits is that of SHA-256, that with 32 of MD5.
        A source that knows all its users can have `names(realm)` too, which `userhash=True` needs, and
        `check(realm, algorithms)`, which raises ConfigurationError where nobody could sign in.
        """

        def ha1(self, user: str, realm: str, algorithm: Algorithm, /) -> Found: ...

    FindHA1 = Callable[[str, str, Algorithm], Found]
    DigestUsers = Mapping[str, str] | Mapping[str, Account] | DigestSource | FindHA1

_CURE = 'ha1(user, realm, password), Htdigest(path), PlainPasswords({"ann": "her password"})'


def ha1_in(account: Account | None, algorithm: Algorithm) -> str | None:
    """The HA1 of this algorithm that an account holds; None for who cannot sign in by it."""
    if account is None or account.disabled:
        return None
    digits = HEX_DIGITS[algorithm]
    return next((each.lower() for each in account.hash.split(" ") if is_hex(each, digits)), None)


def source_of(users: DigestUsers, realm: str, algorithms: Collection[Algorithm]) -> DigestSource:
    """The source behind `users=`, judged as far as it can be told before the first request.

    Raises ConfigurationError for what is none, for one-way hashes, and where nobody could sign in.
    """
    given: Any = users
    source: Any = given
    if isinstance(given, type):
        source = None
    elif not hasattr(given, "ha1"):
        if hasattr(given, "get") and hasattr(given, "keys"):
            source = _MappedHA1(given)
        else:
            source = _Called(given) if _takes_three(given) else None
    if source is None:
        raise ConfigurationError(
            f"Digest cannot take its users from {type(given).__name__}, for it needs the HA1 of each, or the password "
            f"itself, and no one-way hash of it: take {_CURE} or a callable (user, realm, algorithm)"
        )
    check = getattr(source, "check", None)
    if check is not None:
        check(realm, algorithms)
    made: DigestSource = source
    return made


def _takes_three(given: Any) -> bool:
    """Whether this can be called with a user, a realm and an algorithm."""
    if not callable(given):
        return False
    import inspect

    try:
        inspect.signature(given).bind("user", "realm", "SHA-256")
    except TypeError:
        return False
    except ValueError:  # of a callable that does not say what it takes
        return True
    return True


class _Called:
    """A callable as a source."""

    def __init__(self, find: FindHA1) -> None:
        self.ha1 = find


class _MappedHA1:
    """A mapping of names to HA1s, or to accounts that hold them."""

    def __init__(self, users: Mapping[str, Found]) -> None:
        self._users = users

    def ha1(self, user: str, realm: str, algorithm: Algorithm, /) -> Found:  # noqa: ARG002 - it is of one realm
        """See `DigestSource`."""
        return self._users.get(user)

    def names(self, realm: str, /) -> Collection[str]:  # noqa: ARG002
        """Everybody."""
        return tuple(self._users)

    def check(self, realm: str, algorithms: Collection[Algorithm], /) -> None:  # noqa: ARG002
        """Raises ConfigurationError for what is no HA1, for no name, and for an algorithm of which there is none."""
        held = set()
        for user, account in accounts_of(self._users):
            check_name(user)
            if not account.hash:
                continue
            if not all(any(is_hex(each, digits) for digits in HEX_DIGITS.values()) for each in account.hash.split(" ")):
                kind = "a one-way hash, of which no HA1 can be made" if cost_of(account.hash) else "no HA1"
                raise ConfigurationError(
                    f"what is stored for {user!r} is {kind}: a mapping for Digest holds what ha1(user, realm, "
                    "password) makes. Plain passwords go into PlainPasswords({...})"
                )
            held |= {algorithm for algorithm in ALGORITHMS if ha1_in(Account(account.hash), algorithm)}
        refuse_unusable(held, algorithms, "the mapping")


class PlainPasswords:
    """Users whose passwords are kept as they are, as a source for `Digest`.

    `users`: a mapping of names to passwords, or to `Account`s with the password as `hash`, or a callable that takes a
    name and gives one of these or None. Whoever reads such a source can sign in anywhere where its users have the same
    password: prefer HA1s, which are worth something for one realm only.

    Raises ConfigurationError for stored hashes, which are no passwords.
    """

    def __init__(self, users: Mapping[str, Found] | Callable[[str], Found]) -> None:
        given: Any = users
        mapping: Any = given if hasattr(given, "get") and hasattr(given, "keys") else None
        if isinstance(users, type) or (mapping is None and not callable(users)):
            raise ConfigurationError(
                f"PlainPasswords takes a mapping of names to passwords, or a callable, not {type(users).__name__}"
            )
        self._find: Callable[[str], Found] = given if mapping is None else mapping.get
        if mapping is not None:
            self.names = _names_in(mapping)
            for user, account in accounts_of(mapping):
                check_name(user)
                if cost_of(account.hash) is not None:
                    raise ConfigurationError(
                        f"what is stored for {user!r} is a one-way hash: Digest needs the password itself, or its HA1"
                    )

    def __repr__(self) -> str:
        return "<PlainPasswords>"

    def ha1(self, user: str, realm: str, algorithm: Algorithm, /) -> Account | None:
        """The account of `user` with the HA1 of its password. It is made for an unknown user too, for nobody."""
        from middleware.auth.digest.response import digest

        account = account_of(self._find(user))
        password = "" if account is None else account.hash
        made = digest(f"{user}:{realm}:{password}".encode("utf-8", "surrogatepass"), algorithm)
        if account is None or not password:
            return None
        return Account(made, roles=account.roles, name=account.name, disabled=account.disabled)


def _names_in(users: Mapping[str, Found]) -> Callable[[str], Collection[str]]:
    return lambda _realm: tuple(users)


def accounts_of(users: Mapping[str, Found]) -> list[tuple[str, Account]]:
    """The users of a mapping. Raises ConfigurationError where it holds what is no account."""
    try:
        return [(user, account_of(found) or Account("")) for user, found in users.items()]
    except AttributeError as error:
        raise ConfigurationError(f"users= maps names to HA1s (str) or accounts with hash and roles: {error}") from None


def check_name(user: str) -> None:
    """Raises ConfigurationError for a name under which nobody is ever looked up."""
    from middleware.auth.names import normal_name

    normal = normal_name(user)
    if normal is None or ":" in user:
        raise ConfigurationError(f"{user!a} is no user name (RFC 8265, and without a colon)")
    if normal != user:
        raise ConfigurationError(f"{user!a} is looked up as {normal!a} (RFC 8265): write it so")


def refuse_unusable(held: Collection[str], algorithms: Collection[Algorithm], source: str) -> None:
    """Raises ConfigurationError where a source has HA1s, and none of the algorithms that are offered.

    Where it has none of one of them, whoever takes that offer is asked in vain: that is said once.
    """
    missing = [algorithm for algorithm in algorithms if algorithm not in held]
    if not held or not missing:
        return
    told = f"{source} has no HA1 of {' and '.join(missing)}, so nobody can sign in by it"
    cure = f"write algorithms={[each for each in ALGORITHMS if each in held]!r}, or add what ha1() makes"
    if len(missing) == len(algorithms):
        raise ConfigurationError(f"{told}: {cure}")
    say_once(f"{told}, and clients that take this offer are refused: {cure}", logger="middleware.auth")
