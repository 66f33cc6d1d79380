"""SHA-crypt with SHA-256 and SHA-512, as `htpasswd -2` and `-5` and most of Unix write it: `$5$rounds=5000$SALT$HASH`.

Of a password at most 512 bytes count, as for the crypt of the C library: no longer one can have been stored.
"""

from __future__ import annotations

from middleware.auth.passwords.crypt_rounds import is_spelled, mix, spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.auth.passwords import Cost

_DEFAULT_ROUNDS = 5000
_FEWEST_ROUNDS, _MOST_ROUNDS = 1000, 1_000_000
_LONGEST = 512  # bytes of a password: the work grows with its length
_LONGEST_SALT = 16

_FORMS = {"$5$": ("sha256crypt", "sha256", 43), "$6$": ("sha512crypt", "sha512", 86)}
_PREFIXES = {"sha256crypt": "$5$", "sha512crypt": "$6$"}


def _row(first: int, height: int, turn: int) -> tuple[int, int, int]:
    """A row of three columns of this height, turned."""
    row = (first, first + height, first + 2 * height)
    return row[turn % 3], row[(turn + 1) % 3], row[(turn + 2) % 3]


# The order in which the bytes of a digest are spelled.
_ORDERS = {
    "$5$": [*(_row(row, 10, -row) for row in range(10)), (-1, 31, 30)],
    "$6$": [*(_row(row, 21, row) for row in range(21)), (-1, -1, 63)],
}


def cost_of(stored: str, /) -> Cost | None:
    """The form, and how many rounds; None for one that is damaged or too dear."""
    parts = _parts(stored)
    return None if parts is None else (_FORMS[stored[:3]][0], parts[0], 0, 0)


def check(secret: bytes, stored: str, /) -> bool:
    """Whether this is the password behind `stored`, of which `cost_of` knows the cost."""
    from hmac import compare_digest

    parts = _parts(stored)
    assert parts is not None
    rounds, salt, expected = parts
    made = derive(stored[:3], secret[:_LONGEST], salt, rounds)
    return compare_digest(made.encode(), expected.encode()) and len(secret) <= _LONGEST


def spend(cost: Cost, secret: bytes, /) -> None:
    """The work of a check, for nobody."""
    derive(_PREFIXES[cost[0]], secret[:_LONGEST], b"nobody's salt...", cost[1])


def derive(prefix: str, secret: bytes, salt: bytes, rounds: int) -> str:
    """The hash, as it is stored."""
    import hashlib

    _, name, length = _FORMS[prefix]
    algorithm = getattr(hashlib, name)
    size = algorithm().digest_size

    inner = algorithm(secret + salt + secret).digest()
    outer = algorithm(secret + salt + _stretched(inner, len(secret)))
    bits = len(secret)
    while bits:
        outer.update(inner if bits & 1 else secret)
        bits >>= 1
    digest = outer.digest()

    secrets = algorithm()
    for _ in range(len(secret)):
        secrets.update(secret)
    salts = algorithm()
    for _ in range(16 + digest[0]):
        salts.update(salt)
    mixed = mix(
        algorithm,
        digest,
        _stretched(secrets.digest(), len(secret)),
        _stretched(salts.digest(), len(salt)),
        rounds,
    )
    assert len(mixed) == size
    return spell(mixed, _ORDERS[prefix], length)


def _stretched(digest: bytes, length: int) -> bytes:
    return (digest * (length // len(digest) + 1))[:length]


def _parts(stored: str) -> tuple[int, bytes, str] | None:
    """The rounds, the salt and the hash."""
    parts = stored[3:].split("$")
    rounds = _DEFAULT_ROUNDS
    if len(parts) == 3 and parts[0].startswith("rounds="):
        digits = parts.pop(0)[7:]
        if not digits.isascii() or not digits.isdigit() or len(digits) > 7 or digits[0] == "0":
            return None
        rounds = int(digits)
    if len(parts) != 2 or not _FEWEST_ROUNDS <= rounds <= _MOST_ROUNDS:
        return None
    salt, expected = parts
    if not is_spelled(expected, _FORMS[stored[:3]][2]):
        return None
    if not salt.isascii() or not salt.isprintable() or len(salt) > _LONGEST_SALT:
        return None
    return rounds, salt.encode(), expected
