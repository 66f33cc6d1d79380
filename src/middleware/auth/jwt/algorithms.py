"""The signature algorithms that can be configured, and the kind of key that each of them takes.

`none` is not among them, nor what RSA keys below 2048 bits or SHA-1 would need.
"""

from __future__ import annotations

from middleware.errors import ConfigurationError, MissingExtra

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

# By algorithm: the type of the key, and the curve where there is a choice (RFC 7518, 3.1; RFC 8037; RFC 9864).
KEYS_OF: dict[str, tuple[str, str | None]] = {
    "HS256": ("oct", None),
    "HS384": ("oct", None),
    "HS512": ("oct", None),
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
DEFAULT = ("RS256", "ES256")
SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}  # the least for a secret (RFC 7518, 3.2)


def check_algorithms(names: Collection[str]) -> dict[str, Any]:
    """The verifiers of joserfc for these algorithms. Raises ConfigurationError and MissingExtra."""
    if isinstance(names, str) or not names:
        raise ConfigurationError(f"algorithms= takes a list of names, {list(DEFAULT)}, not {names!r}")
    for name in names:
        if name not in KEYS_OF:
            raise ConfigurationError(f"algorithms=: {name!r} is none of {', '.join(KEYS_OF)}")
    if len({KEYS_OF[name][0] == "oct" for name in names}) > 1:
        raise ConfigurationError(
            "algorithms= takes either HS256 and its kin, for a shared secret, or the others, for public keys: "
            "where both count, a public key could pass for a secret"
        )
    try:
        from joserfc.jws import JWSRegistry
    except ImportError as error:
        raise MissingExtra("Bearer reads JWTs with joserfc: pip install 'wsgi-middleware[jwt]'") from error
    known = JWSRegistry.algorithms
    for name in names:
        if name not in known:
            raise ConfigurationError(f"algorithms=: the joserfc that is installed does not know {name!r}: upgrade it")
    return {name: known[name] for name in names}
