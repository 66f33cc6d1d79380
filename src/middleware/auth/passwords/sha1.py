"""SHA-1 without a salt, as `htpasswd -s` writes it: `{SHA}HASH`. Weak: it is guessed fast."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.auth.passwords import Cost


def cost_of(stored: str, /) -> Cost | None:
    """The form; None for one that is damaged."""
    text = stored[5:]
    try:
        digest = a2b_base64(text, strict_mode=True) if len(text) == 28 else b""
    except ValueError:
        return None
    return ("sha1", 1, 0, 0) if len(digest) == 20 and b2a_base64(digest, newline=False) == text.encode() else None


def check(secret: bytes, stored: str, /) -> bool:
    """Whether this is the password behind `stored`, of which `cost_of` knows the cost."""
    from hmac import compare_digest

    return compare_digest(_derive(secret), a2b_base64(stored[5:]))


def spend(_: Cost, secret: bytes, /) -> None:
    """The work of a check, for nobody."""
    _derive(secret)


def _derive(secret: bytes) -> bytes:
    from hashlib import sha1

    return sha1(secret, usedforsecurity=False).digest()  # a Python that is held to FIPS refuses it otherwise
