"""Keys that signatures are checked with, from JWK sets (RFC 7517) and PEM files. Values in, values out.

A key that is not meant for signatures, or too weak, is passed over as if it were not in the set. A set that could
mean two things, and one that mixes secrets with public keys, is refused as a whole.
"""

from __future__ import annotations

from middleware.auth.jwt.algorithms import KEYS_OF, SECRET_BYTES, check_algorithms
from middleware.auth.jwt.errors import InvalidKeys, InvalidToken
from middleware.auth.jwt.reading import from_base64url, to_base64url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import Any

MOST_KEYS = 128  # of a set
LEAST_BITS, MOST_BITS = 2048, 16384  # of an RSA modulus
LONGEST_EXPONENT = 64  # bits
_COORDINATE_BYTES = {"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32}
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_MEMBERS = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",), "oct": ("k",)}


class Key:
    """One key, ready to check signatures. `algorithms` are those that it may be used with."""

    __slots__ = ("_key", "algorithms", "kid")

    def __init__(self, key: Any, kid: str | None, algorithms: Mapping[str, Any]) -> None:
        self._key = key
        self.kid = kid
        self.algorithms = algorithms  # by name: what joserfc verifies with

    def __repr__(self) -> str:
        return f"<Key {self.kid!r} for {', '.join(self.algorithms)}>"

    def is_signature(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Whether this key made the signature. Never raises for any signature."""
        try:
            return bool(self.algorithms[algorithm].verify(signed, signature, self._key))
        except ValueError:
            return False


class KeySet:
    """Keys by their ids. Never changed: keys that rotate are another set."""

    __slots__ = ("keys",)

    def __init__(self, keys: Iterable[Key]) -> None:
        self.keys = tuple(keys)

    def find(self, kid: str | None, algorithm: str) -> Key | None:
        """The key of a token with this header; None where no key has this id.

        A token without an id gets the only key that fits, and a set of one key without an id fits any. Raises
        InvalidToken where the key is for other algorithms, and where several would do.
        """
        if kid is None:
            named = self.keys
        else:
            named = tuple(key for key in self.keys if key.kid == kid)
            if not named and len(self.keys) == 1 and self.keys[0].kid is None:
                named = self.keys
            if not named:
                return None
        fitting = [key for key in named if algorithm in key.algorithms]
        if len(fitting) != 1:
            raise InvalidToken("several keys fit" if fitting else "no key fits")
        return fitting[0]


def key_set(document: Mapping[str, Any], algorithms: Collection[str]) -> KeySet:
    """The keys of a JWK set that count for these algorithms. Raises InvalidKeys."""
    listed = document.get("keys")
    if type(listed) is not list or not all(type(jwk) is dict for jwk in listed):
        raise InvalidKeys("no list of keys")
    if len(listed) > MOST_KEYS:
        raise InvalidKeys(f"more than {MOST_KEYS} keys")
    if len({jwk.get("kty") == "oct" for jwk in listed}) > 1:
        raise InvalidKeys("secrets and public keys in one set")
    usable = [jwk for jwk in listed if _why_not(jwk) is None]
    named = [(jwk["kid"], jwk.get("alg")) for jwk in usable if "kid" in jwk]
    if len(set(named)) != len(named):
        raise InvalidKeys("two keys with one id")
    verifiers = check_algorithms(algorithms)
    keys = (_imported(jwk, verifiers) for jwk in usable)
    return KeySet(key for key in keys if key is not None)


def one_key(jwk: dict[str, Any], algorithms: Collection[str]) -> KeySet:
    """A set of one key, which has to be good. Raises InvalidKeys."""
    wrong = _why_not(jwk)
    if wrong:
        raise InvalidKeys(wrong)
    key = _imported(jwk, check_algorithms(algorithms))
    if key is None:
        raise InvalidKeys(f"the key fits none of {', '.join(algorithms)}")
    return KeySet([key])


def jwk_from_pem(text: bytes) -> dict[str, Any]:
    """The JWK of a public key in PEM, `-----BEGIN PUBLIC KEY-----`. Raises InvalidKeys."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    if b"PRIVATE KEY-----" in text:
        raise InvalidKeys("a private key: who checks tokens has the public one only")
    try:
        loaded = load_pem_public_key(text)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidKeys("no public key in PEM") from None
    if isinstance(loaded, RSAPublicKey):
        rsa = loaded.public_numbers()
        return {"kty": "RSA", "n": _number(rsa.n), "e": _number(rsa.e)}
    if isinstance(loaded, EllipticCurvePublicKey) and loaded.curve.name in _CURVES:
        curve, point = _CURVES[loaded.curve.name], loaded.public_numbers()
        size = _COORDINATE_BYTES[curve]
        return {"kty": "EC", "crv": curve, "x": _number(point.x, size), "y": _number(point.y, size)}
    if isinstance(loaded, Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": to_base64url(loaded.public_bytes(Encoding.Raw, PublicFormat.Raw))}
    raise InvalidKeys("no public key that tokens are signed with")


def _number(value: int, size: int | None = None) -> str:
    return to_base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def _why_not(jwk: dict[str, Any]) -> str | None:
    """Why a key is not used, None if it is."""
    kind = jwk.get("kty")
    if type(kind) is not str or kind not in _MEMBERS:
        return "a type of key that nobody knows"
    if jwk.get("use", "sig") != "sig":
        return "not for signatures"
    operations = jwk.get("key_ops", ["verify"])
    if type(operations) is not list or "verify" not in operations:
        return "not for verifying"
    if "d" in jwk:
        return "a private key"
    for name in ("kid", "alg"):
        if name in jwk and (type(jwk[name]) is not str or not jwk[name]):
            return f"{name} is no text"
    try:
        values = [_bytes_of(jwk, member) for member in _MEMBERS[kind]]
    except ValueError:
        return "not base64url"
    if kind == "RSA":
        return _why_no_rsa(*values)
    if kind == "oct":
        if values[0].lstrip().startswith((b"-----BEGIN", b"ssh-", b"ecdsa-")):
            return "a public key in the place of a secret"
        return None if len(values[0]) >= SECRET_BYTES["HS256"] else "a secret that is too short"
    size = _COORDINATE_BYTES.get(jwk["crv"]) if type(jwk.get("crv")) is str else None
    return None if all(len(value) == size for value in values) else "a curve or a point that nobody knows"


def _why_no_rsa(modulus: bytes, exponent: bytes) -> str | None:
    n, e = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    if not LEAST_BITS <= n.bit_length() <= MOST_BITS:
        return f"an RSA key of fewer than {LEAST_BITS} bits, or of far too many"
    return None if e > 1 and e % 2 and e.bit_length() <= LONGEST_EXPONENT else "an exponent that no RSA key has"


def _bytes_of(jwk: dict[str, Any], member: str) -> bytes:
    value = jwk.get(member)
    if type(value) is not str or not value or not value.isascii():
        raise ValueError
    return from_base64url(value.encode())


def _imported(jwk: dict[str, Any], verifiers: Mapping[str, Any]) -> Key | None:
    """A key for those of the algorithms that it fits; None where it fits none, or is no point of its curve."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    kind, curve, meant = jwk["kty"], jwk.get("crv"), jwk.get("alg")
    fitting = {
        name: verifier
        for name, verifier in verifiers.items()
        if meant in (None, name)
        and KEYS_OF[name] in ((kind, None), (kind, curve))
        and (kind != "oct" or len(_bytes_of(jwk, "k")) >= SECRET_BYTES[name])
    }
    if not fitting:
        return None
    bare = {name: jwk[name] for name in ("kty", "crv", *_MEMBERS[kind]) if name in jwk}
    try:
        key = JWKRegistry.import_key(bare)
    except (JoseError, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        return None
    return Key(key, jwk.get("kid"), fitting)
