"""Where the keys of a site come from, by its options: found by discovery, or given in whatever form it has them."""

from __future__ import annotations

from collections.abc import Mapping

from middleware.auth.jwt.algorithms import DEFAULT, KEYS_OF, check_algorithms
from middleware.auth.jwt.errors import InvalidKeys
from middleware.auth.jwt.key_sets import RemoteKeys, StaticKeys
from middleware.auth.jwt.keys import jwk_from_pem, key_set, one_key
from middleware.auth.jwt.reading import to_base64url
from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from middleware.auth.jwt.fetching import Fetch
    from middleware.auth.jwt.key_sets import KeySource
    from middleware.auth.jwt.keys import KeySet

    GivenKeys = Mapping[str, Any] | str | bytes


def published_keys(
    issuer: str,
    *,
    jwks_uri: str | None,
    algorithms: Collection[str] | None,
    fetch: Fetch | None,
    allow_insecure: bool,
    clock: Callable[[], float],
) -> tuple[KeySource, Collection[str]]:
    """The keys that an issuer publishes, and the algorithms that count with them.

    Raises ConfigurationError and MissingExtra.
    """
    from middleware.auth.jwt.fetching import fetcher
    from middleware.auth.jwt.issuer import Issuer

    counting = DEFAULT if algorithms is None else algorithms
    check_algorithms(counting)
    if any(KEYS_OF[name][0] == "oct" for name in counting):
        raise ConfigurationError("HS256 and its kin take a secret, which nobody publishes: keys=secret")
    if fetch is not None and not callable(fetch):
        raise ConfigurationError(f"fetch= is a callable that takes a URL and gives bytes, not {fetch!r}")
    found = Issuer(issuer, fetch or fetcher(), jwks_uri=jwks_uri, allow_insecure=allow_insecure)
    return RemoteKeys(found, counting, clock=clock), counting


def given_keys(given: GivenKeys, algorithms: Collection[str] | None) -> tuple[KeySource, Collection[str]]:
    """A JWK set or one JWK, a public key in PEM, or a secret, and the algorithms that count with it.

    Raises ConfigurationError and MissingExtra.
    """
    is_secret = isinstance(given, str | bytes) and not _bytes(given).lstrip().startswith(b"-----BEGIN")
    counting = algorithms if algorithms is not None else ("HS256",) if is_secret else DEFAULT
    check_algorithms(counting)
    if is_secret and not all(KEYS_OF[name][0] == "oct" for name in counting):
        raise ConfigurationError(
            f"keys= is a secret, which {', '.join(counting)} have no use for: give a public key in PEM or a JWK set"
        )
    try:
        return StaticKeys(_read(given, counting, is_secret=is_secret)), counting
    except InvalidKeys as error:
        raise ConfigurationError(f"keys=: {error}") from None


def _read(given: GivenKeys, algorithms: Collection[str], *, is_secret: bool) -> KeySet:
    if isinstance(given, str | bytes):
        return one_key(_secret(_bytes(given)) if is_secret else jwk_from_pem(_bytes(given)), algorithms)
    if not isinstance(given, Mapping):
        raise InvalidKeys(f"a JWK set, a public key in PEM or a secret, not {type(given).__name__}")
    if "keys" not in given:
        return one_key(dict(given), algorithms)
    found = key_set(given, algorithms)
    if not found.keys:
        raise InvalidKeys(f"none of them is fit for {', '.join(algorithms)}")
    return found


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _secret(secret: bytes) -> dict[str, Any]:
    return {"kty": "oct", "k": to_base64url(secret)}
