"""AES-256-GCM of the `cryptography` package: how sealed values are made and opened. Loaded with the first of them.

A sealed value is a random nonce of 12 bytes and the encryption, with its tag of 16 bytes, of the time in 5 bytes and
the payload, as URL-safe base64 without padding. The salt is in the key, by HKDF-SHA256 (RFC 5869), and is the
associated data.
"""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64
from os import urandom

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_KEY_BYTES = 32
_NONCE_BYTES = 12
_TIME_BYTES = 5
_SHORTEST = _NONCE_BYTES + _TIME_BYTES + 16
_PURPOSE = b"wsgi-middleware sealed values, AES-256-GCM\0"
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


class PayloadSealer:
    """Payloads of bytes to sealed texts and back. Each key is derived once and kept by its cipher."""

    def __init__(self, secrets: tuple[bytes, ...], salt: str, clock: Callable[[], float]) -> None:
        self._salt = salt.encode()
        self._clock = clock
        self._ciphers = [AESGCM(_derived(secret, self._salt)) for secret in reversed(secrets)]  # the newest first

    def seal(self, payload: bytes) -> str:
        nonce = urandom(_NONCE_BYTES)
        stamped = int(self._clock()).to_bytes(_TIME_BYTES, "big") + payload
        sealed = nonce + self._ciphers[0].encrypt(nonce, stamped, self._salt)
        return b2a_base64(sealed, newline=False).translate(_TO_URL).rstrip(b"=").decode()

    def open(self, token: str) -> tuple[bytes, int] | None:
        if not token.isascii():
            return None
        text = token.encode()
        try:
            sealed = a2b_base64(text.translate(_FROM_URL) + b"=" * (-len(text) % 4))
        except Error:
            return None
        # base64 has several texts for the same bytes, of which one opens.
        if len(sealed) < _SHORTEST or b2a_base64(sealed, newline=False).translate(_TO_URL).rstrip(b"=") != text:
            return None
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for cipher in self._ciphers:
            try:
                stamped = cipher.decrypt(nonce, rest, self._salt)
            except InvalidTag:
                continue
            return stamped[_TIME_BYTES:], int.from_bytes(stamped[:_TIME_BYTES], "big")
        return None


def _derived(secret: bytes, salt: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE + salt).derive(secret)
