"""apr1, Apache's MD5 crypt, as `htpasswd -m` writes it: `$apr1$SALT$HASH`. Weak: it is guessed fast."""

from __future__ import annotations

from middleware.auth.passwords.crypt_rounds import is_spelled, mix, spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.auth.passwords import Cost

_ROUNDS = 1000
_ORDER = [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5), (-1, -1, 11)]


def cost_of(stored: str, /) -> Cost | None:
    """The form; None for one that is damaged."""
    return None if _parts(stored) is None else ("apr1", _ROUNDS, 0, 0)


def check(secret: bytes, stored: str, /) -> bool:
    """Whether this is the password behind `stored`, of which `cost_of` knows the cost."""
    from hmac import compare_digest

    parts = _parts(stored)
    assert parts is not None
    salt, expected = parts
    return compare_digest(derive(secret, salt.encode()).encode(), expected.encode())


def spend(_: Cost, secret: bytes, /) -> None:
    """The work of a check, for nobody."""
    derive(secret, b"nobodys.")


def derive(secret: bytes, salt: bytes) -> str:
    """The hash, as it is stored."""
    from functools import partial
    from hashlib import md5 as any_md5

    md5 = partial(any_md5, usedforsecurity=False)  # a Python that is held to FIPS refuses it otherwise
    inner = md5(secret + salt + secret).digest()
    outer = md5(secret + b"$apr1$" + salt + (inner * (len(secret) // 16 + 1))[: len(secret)])
    bits = len(secret)
    while bits:
        outer.update(b"\0" if bits & 1 else secret[:1])
        bits >>= 1
    return spell(mix(md5, outer.digest(), secret, salt, _ROUNDS), _ORDER, 22)


def _parts(stored: str) -> tuple[str, str] | None:
    """The salt and the hash."""
    salt, dollar, expected = stored[6:].partition("$")
    if not dollar or not is_spelled(expected, 22):
        return None
    return (salt, expected) if 0 < len(salt) <= 8 and salt.isascii() and salt.isprintable() else None
