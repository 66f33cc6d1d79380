"""The digests of RFC 7616, section 3.4: what a server stores, and what a client answers. Values in, values out."""

from __future__ import annotations

from middleware.auth.digest.credentials import HEX_DIGITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.auth.digest.credentials import Algorithm, Credentials


def ha1(user: str, realm: str, password: str, algorithm: Algorithm = "SHA-256") -> str:
    """What a server stores of a password for Digest: hex digits of `user:realm:password` (RFC 7616, section 3.4.2).

    It is worth as much as the password itself, to whoever reads it and for this realm. `algorithm` is `"SHA-256"` or
    `"MD5"`, which is what `htdigest` writes. Raises ValueError for another one, and for a name with a colon, which
    could be read as a part of the realm.
    """
    if algorithm not in HEX_DIGITS:
        raise ValueError(f"algorithm= is one of {', '.join(HEX_DIGITS)}, not {algorithm!r}")
    if ":" in user:
        raise ValueError(f"no user name of Digest has a colon: {user!r}")
    return digest(f"{user}:{realm}:{password}".encode(), algorithm)


def expected_response(stored: str, given: Credentials, method: str) -> str:
    """The response of who knows the password behind the HA1 `stored`, with quality of protection `auth`.

    Two digests whoever it is, and one more for the -sess variants. Their session key is made anew for each request, of
    its own cnonce, as clients do.
    """
    algorithm = given.algorithm
    assert algorithm is not None
    if given.sess:
        stored = digest(_bytes(f"{stored}:{given.nonce}:{given.cnonce}"), algorithm)
    ha2 = digest(_bytes(f"{method}:{given.uri}"), algorithm)
    return digest(_bytes(f"{stored}:{given.nonce}:{given.nc}:{given.cnonce}:auth:{ha2}"), algorithm)


def digest(data: bytes, algorithm: Algorithm) -> str:
    """The hex digits of these bytes."""
    from hashlib import md5, sha256

    if algorithm == "SHA-256":
        return sha256(data).hexdigest()
    return md5(data, usedforsecurity=False).hexdigest()


def _bytes(text: str) -> bytes:
    """Text in the form of WSGI: each character is a byte."""
    return text.encode("latin-1")
