"""The front check: what a token has to be before any key is looked at. Text in, values out.

Each step has a reason of its own, a fixed word for operators that no client is told. Every step takes time linear in
the length of the token, which is limited.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

from middleware.auth.jwt.errors import InvalidToken
from middleware.auth.jwt.strict_json import json_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Any

LONGEST = 16384  # characters of a token
LONGEST_KID = 1024  # characters of a key's id

ACCESS_TOKEN = frozenset({"at+jwt", "application/at+jwt"})  # RFC 9068, section 2.1
# As issuers write it that are older than RFC 9068. Other kinds of token have no `typ` either, or the same.
ANY_TOKEN = frozenset({*ACCESS_TOKEN, "jwt", "application/jwt", None})

# Parameters that change what the signature covers or how the payload is to be read (RFC 7515, 4.1.11; RFC 7797).
_CHANGE_MEANING = frozenset({"crit", "b64", "zip"})
# Parameters in which a token brings its own key. Nothing here ever looks into them.
_BRING_KEYS = frozenset({"jku", "jwk", "x5u", "x5c"})

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_TO_URL = bytes.maketrans(b"+/", b"-_")


class Token:
    """A token in its parts. Nothing in it is to be trusted before its signature is."""

    __slots__ = ("claims", "header", "signature", "signed")

    def __init__(self, header: dict[str, Any], claims: dict[str, Any], signed: bytes, signature: bytes) -> None:
        self.header = header
        self.claims = claims
        self.signed = signed
        self.signature = signature


def read(token: str) -> Token:
    """A token of three segments (JWS compact serialisation) that hold what they should. Raises InvalidToken."""
    if len(token) > LONGEST:
        raise InvalidToken("too long")
    if not token.isascii():
        raise InvalidToken("not ASCII")
    text = token.encode()
    segments = text.split(b".")
    if len(segments) != 3 or not all(segments):
        raise InvalidToken("not three segments")
    if text.translate(None, _ALPHABET) != b"..":
        raise InvalidToken("alphabet")
    header, claims, signature = map(_decoded, segments)
    return Token(_object(header, "header"), _object(claims, "claims"), text[: text.rindex(b".")], signature)


def from_base64url(text: bytes) -> bytes:
    """What this stands for, if this is the one way to write it (RFC 7515, section 2). Raises ValueError."""
    decoded = a2b_base64(text.translate(_FROM_URL) + b"=" * (-len(text) % 4))
    if b2a_base64(decoded, newline=False).translate(_TO_URL).rstrip(b"=") != text:
        raise ValueError("not canonical")
    return decoded


def to_base64url(data: bytes) -> str:
    """The one way to write this."""
    return b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode()


def check_header(header: dict[str, Any], algorithms: Container[str], types: Container[str | None]) -> None:
    """Refuse a header that asks for anything but these algorithms and these kinds of token. Raises InvalidToken.

    `types` are values of `typ` in lower case, None for one that has none.
    """
    algorithm = header.get("alg")
    if type(algorithm) is not str or algorithm not in algorithms:
        raise InvalidToken("algorithm")
    if not _CHANGE_MEANING.isdisjoint(header):
        raise InvalidToken("critical header")
    kind = header.get("typ")
    if ("typ" in header and type(kind) is not str) or (kind.lower() if kind is not None else None) not in types:
        raise InvalidToken("type")
    if "kid" in header:
        kid = header["kid"]
        if type(kid) is not str or not 0 < len(kid) <= LONGEST_KID:
            raise InvalidToken("key id")


def brings_keys(header: dict[str, Any]) -> bool:
    """Whether the token says with which key to check it, which nobody does."""
    return not _BRING_KEYS.isdisjoint(header)


def _decoded(segment: bytes) -> bytes:
    try:
        return from_base64url(segment)
    except ValueError:
        raise InvalidToken("not canonical") from None


def _object(data: bytes, what: str) -> dict[str, Any]:
    try:
        return json_object(data)
    except (ValueError, RecursionError):
        raise InvalidToken(f"{what} not JSON") from None
