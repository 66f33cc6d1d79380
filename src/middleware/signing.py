"""Sign values and open them again: tokens that only a holder of the secret can make.

A token is text of the URL-safe alphabet, made and opened by itsdangerous with HMAC-SHA256, so that its own serializer
reads it. This file is light: itsdangerous (28 ms of import) is loaded at the first token, while secrets are judged
where a layer is constructed.
"""

from __future__ import annotations

import time
from functools import cached_property

from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from middleware.timestamp_signer import PayloadSigner

    Secret = str | bytes | Sequence[str | bytes]

SHORTEST_SECRET = 16  # bytes
_CURE = "make one with: python -m middleware secret"


def check_secrets(secret: Secret) -> tuple[bytes, ...]:
    """The secrets as bytes, newest last.

    `secret`: a str (taken as UTF-8) or bytes, or a list or tuple of them, the newest last: the last one signs, all of
    them verify. To change a secret, append the new one and drop the old one when what it signed has expired.

    Raises ConfigurationError for no secret at all, and for one shorter than 16 bytes.
    """
    given = (secret,) if isinstance(secret, str | bytes) else secret
    if not isinstance(given, list | tuple):
        raise ConfigurationError(
            f"a secret is text or bytes, or a list of them (newest last), not {type(secret).__name__}: {_CURE}"
        )
    secrets = tuple(_as_bytes(one) for one in given)
    if not secrets:
        raise ConfigurationError(f"the list of secrets is empty: {_CURE}")
    for one in secrets:
        if len(one) < SHORTEST_SECRET:
            raise ConfigurationError(
                f"a secret of {len(one)} bytes can be guessed, it needs {SHORTEST_SECRET} or more: {_CURE}"
            )
    return secrets


def _as_bytes(secret: str | bytes) -> bytes:
    if isinstance(secret, str):
        return secret.encode()
    if isinstance(secret, bytes):
        return secret
    raise ConfigurationError(f"a secret is text or bytes, not {type(secret).__name__}: {_CURE}")


def salt_for(purpose: str, name: str) -> str:
    """The salt of what bears this name and serves this purpose, different for any two that differ in either."""
    return f"{len(purpose)}:{purpose},{len(name)}:{name}"


class Signer:
    """Signs payloads with a time stamp and opens what it has signed.

    `secret`: as in `check_secrets`, which judges it here. `salt`: tells apart what is signed for different ends with
    the same secret; `salt_for` makes one. `clock`: the time in seconds, written into each token as whole seconds.

    `itsdangerous.URLSafeTimedSerializer(secret, salt=salt, signer_kwargs={"digest_method": hashlib.sha256})` opens the
    tokens whose payload is JSON, and its tokens open here. Threads may share a signer.
    """

    def __init__(self, secret: Secret, *, salt: str, clock: Callable[[], float] = time.time) -> None:
        self._secrets = check_secrets(secret)
        self._salt = salt
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Signer salt={self._salt!r}>"

    @cached_property
    def _payloads(self) -> PayloadSigner:
        from middleware.timestamp_signer import PayloadSigner

        return PayloadSigner(self._secrets, self._salt, self._clock)

    def sign(self, payload: bytes) -> str:
        """A token that holds the payload, readable by everyone, and the time of signing."""
        return self._payloads.dump(payload)

    def unsign(self, token: str) -> tuple[bytes, int] | None:
        """The payload and when it was signed, in seconds since 1970; None where the token is not ours.

        Exactly the text that was signed opens. How old it may be is for the caller to judge.
        """
        return self._payloads.load(token)
