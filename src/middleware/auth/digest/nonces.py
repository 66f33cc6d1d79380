"""Nonces that nobody has to keep: they say themselves when they were made, and that we made them."""

from __future__ import annotations

import os
import threading
from binascii import a2b_base64, b2a_base64
from hmac import compare_digest
from hmac import digest as hmac_digest

from middleware.signing import salt_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TIME = 7  # bytes: microseconds since 1970, until the year 4253
_RANDOM = 10
_MAC = 16
LENGTH = (_TIME + _RANDOM + _MAC) * 4 // 3  # characters; a whole number of groups, so that each nonce has one spelling
_FROM_URL_SAFE = str.maketrans("-_+/", "+/  ")
_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Nonces:
    """Makes nonces for one realm, and tells which are its own: those that bear its HMAC-SHA256.

    `secrets`: the last one signs, all verify. No two nonces of one object are of the same microsecond, so that their
    times put them in an order.
    """

    def __init__(self, secrets: Sequence[bytes], realm: str, clock: Callable[[], float]) -> None:
        salt = salt_for("digest nonce", realm).encode()
        self._keys = [hmac_digest(secret, salt, "sha256") for secret in secrets]
        self._clock = clock
        self._lock = threading.Lock()
        self._latest = 0

    def issue(self) -> str:
        """A new nonce, all of it characters of a token."""
        now = int(self._clock() * 1_000_000)
        with self._lock:
            issued = self._latest = max(now, self._latest + 1)
        signed = issued.to_bytes(_TIME, "big") + os.urandom(_RANDOM)
        encoded = b2a_base64(signed + self._mac(self._keys[-1], signed), newline=False)
        return encoded.translate(_TO_URL_SAFE).decode()

    def issued_at(self, nonce: str) -> int | None:
        """When this nonce was made, in microseconds since 1970; None where it is none of ours."""
        if len(nonce) != LENGTH or not nonce.isascii():
            return None
        try:
            data = a2b_base64(nonce.translate(_FROM_URL_SAFE), strict_mode=True)
        except ValueError:
            return None
        signed, given = data[:-_MAC], data[-_MAC:]
        if not any(compare_digest(self._mac(key, signed), given) for key in self._keys):
            return None
        return int.from_bytes(signed[:_TIME], "big")

    @staticmethod
    def _mac(key: bytes, signed: bytes) -> bytes:
        return hmac_digest(key, signed, "sha256")[:_MAC]
