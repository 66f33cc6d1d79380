"""What the stores outside the process make of their arguments, before they ask a backend. No I/O."""

from __future__ import annotations

from hashlib import blake2b

from middleware.errors import ConfigurationError

HASH_LENGTH = 64


def check_prefix(prefix: str) -> None:
    """ConfigurationError where it is not printable text."""
    if not isinstance(prefix, str) or not prefix.isprintable():
        raise ConfigurationError(f"prefix must be printable text, not {prefix!r}")


def hashed(key: str) -> str:
    """The key's BLAKE2b-256 in hexadecimal: of one length, and it shows no session id or token."""
    if not isinstance(key, str):
        raise TypeError(f"a key is str, not {type(key).__name__}")
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def check_value(value: bytes) -> None:
    """TypeError where it is not bytes."""
    if not isinstance(value, bytes):
        raise TypeError(f"a value is bytes, not {type(value).__name__}")


def check_ttl(ttl: float | None) -> None:
    """ValueError where it is not above 0."""
    if ttl is not None and not ttl > 0:
        raise ValueError(f"a time to live is above 0 seconds, not {ttl!r}; None means no expiry")
