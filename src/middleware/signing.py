"""Sign or seal values and open them again: tokens that only a holder of the secret can make.

A token is text of the URL-safe alphabet. A signed one can be read by everyone; it is made and opened by itsdangerous
with HMAC-SHA256, so that its own serializer reads it. A sealed one can be read by nobody else; it is encrypted by the
`cryptography` package. This file is light: either package (28 ms of import) is loaded at the first token, while secrets
are judged where a layer is constructed.
"""

from __future__ import annotations

import time
from functools import cached_property

from middleware.errors import ConfigurationError, MissingExtra

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from middleware.sealing import PayloadSealer
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


class Sealer:
    """Encrypts payloads, with a time stamp, and opens what it has sealed: nobody else can read, make or change one.

    `secret`: as in `check_secrets`, which judges it here: the last one seals, all of them open. `salt`: tells apart
    what is sealed for different ends with the same secret; `salt_for` makes one. `clock`: the time in seconds, sealed
    in with each payload as whole seconds.

    Authenticated encryption by AES-256-GCM, with a key of its own for each secret and salt, and a random nonce of 96
    bits: equal payloads give different texts. A key should seal at most 2**32 values (NIST SP 800-38D, section 8.3);
    who comes near that appends a new secret. The length of a payload is not hidden: a text has 44 characters and four
    for three bytes. Threads may share a sealer.

    Raises MissingExtra where `cryptography` is not installed.
    """

    def __init__(self, secret: Secret, *, salt: str, clock: Callable[[], float] = time.time) -> None:
        self._secrets = check_secrets(secret)
        check_crypto()
        self._salt = salt
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Sealer salt={self._salt!r}>"

    @cached_property
    def _payloads(self) -> PayloadSealer:
        from middleware.sealing import PayloadSealer

        return PayloadSealer(self._secrets, self._salt, self._clock)

    def seal(self, payload: bytes) -> str:
        """A text that holds the payload and the time of sealing, and shows neither."""
        return self._payloads.seal(payload)

    def open(self, token: str) -> tuple[bytes, int] | None:
        """The payload and when it was sealed, in seconds since 1970; None where the text is not ours.

        Exactly the text that was made opens. How old it may be is for the caller to judge.
        """
        return self._payloads.open(token)


def check_crypto() -> None:
    """Raises MissingExtra where the package that seals is not installed. (0.7 ms: it loads its name, not its parts.)"""
    try:
        import cryptography  # noqa: F401 - asked for, not used
    except ImportError:
        raise MissingExtra(
            "sealed values need the package cryptography: pip install 'wsgi-middleware[crypto]'"
        ) from None
