"""Passwords in plain text, for sources that may hold them: `{PLAIN}secret`. Weak: who reads the source has them all."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.auth.passwords import Cost

PREFIX = "{PLAIN}"


def cost_of(stored: str, /) -> Cost | None:
    """The form; None for an empty one."""
    return ("plain", 1, 0, 0) if len(stored) > len(PREFIX) else None


def check(secret: bytes, stored: str, /) -> bool:
    """Whether this is the password in `stored`."""
    from hmac import compare_digest

    return compare_digest(_digest(secret), _digest(stored.removeprefix(PREFIX).encode("utf-8", "surrogatepass")))


def spend(_: Cost, secret: bytes, /) -> None:
    """The work of a check, for nobody."""
    _digest(secret)


def _digest(secret: bytes) -> bytes:
    """Of one length, so that the time of a comparison does not tell the length of the password."""
    from hashlib import blake2b

    return blake2b(secret).digest()
