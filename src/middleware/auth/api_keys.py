"""API keys: made, stored as a digest, found again by their id. Pure but for the chance that makes them.

A key is `prefix_id_secret`. What is stored is the SHA-256 of all of it: the secret has 256 random bits, so nothing
slower is needed to keep a stored digest from being turned back, and a check costs two microseconds.
"""

from __future__ import annotations

import os

from middleware.auth.frozen import Value
from middleware.errors import ConfigurationError
from middleware.options import a_switch, is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LONGEST = 256  # characters of a key

_ID_BYTES = 10
_SECRET_BYTES = 32
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # no underscore, which separates
_NOBODYS = "0" * 64


class ApiKeyRecord(Value):
    """What is stored of an API key. Never changed, and of no use to whoever reads it.

    `id`: by which it is found. `sha256`: of the whole key, in hex digits. `user`: whose key it is. `scopes`, `roles`:
    what rules ask for. `expires_at`: seconds since 1970, None for never. `disabled`: refused until further notice.

    Raises ConfigurationError for what can be no record.
    """

    __slots__ = ("disabled", "expires_at", "id", "roles", "scopes", "sha256", "user")

    id: str
    sha256: str
    user: str
    scopes: frozenset[str]
    roles: frozenset[str]
    expires_at: float | None
    disabled: bool

    def __init__(
        self,
        id: str,
        sha256: str,
        user: str,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        expires_at: float | None = None,
        disabled: bool = False,
    ) -> None:
        if not is_id(id):
            raise ConfigurationError("the id of an API key is letters and digits")  # not shown: it may be a key
        if not isinstance(sha256, str) or len(sha256) != 64 or sha256.strip("0123456789abcdef"):
            raise ConfigurationError("what is stored of an API key is its SHA-256 in 64 lower-case hex digits")
        if not isinstance(user, str) or not user or not user.isprintable():
            raise ConfigurationError(f"the user of an API key is a name, not {user!r}")
        for option, names in (("scopes", scopes), ("roles", roles)):
            if isinstance(names, str):
                raise ConfigurationError(f"{option} are a list: [{names!r}]")
        if expires_at is not None and not is_number(expires_at):
            raise ConfigurationError(f"expires_at is in seconds since 1970, or None, not {expires_at!r}")
        a_switch("disabled", disabled)
        put = object.__setattr__
        put(self, "id", id)
        put(self, "sha256", sha256)
        put(self, "user", user)
        put(self, "scopes", frozenset(scopes))
        put(self, "roles", frozenset(roles))
        put(self, "expires_at", expires_at)
        put(self, "disabled", disabled)

    def __repr__(self) -> str:
        return f"<ApiKeyRecord {self.id} of {self.user!r}{' disabled' if self.disabled else ''}>"  # never the digest


def new_api_key(
    prefix: str = "key",
    *,
    user: str,
    scopes: Iterable[str] = (),
    roles: Iterable[str] = (),
    expires_at: float | None = None,
    chance: Callable[[int], bytes] = os.urandom,
) -> tuple[str, ApiKeyRecord]:
    """A new key, to be shown once, and the record to store.

    `prefix`: says what the key is for, to people and to scanners for leaked secrets: letters, digits and underscores.
    The rest: as in `ApiKeyRecord`. Raises ConfigurationError.
    """
    if not is_prefix(prefix):
        raise ConfigurationError(
            f"the prefix of an API key is up to 32 letters, digits and underscores that begins with a letter and ends "
            f"with none of the underscores, not {prefix!r}"
        )
    key_id = _text(chance(_ID_BYTES))
    key = f"{prefix}_{key_id}_{_text(chance(_SECRET_BYTES))}"
    return key, ApiKeyRecord(key_id, digest_of(key), user, scopes=scopes, roles=roles, expires_at=expires_at)


def id_of(key: str) -> str | None:
    """The id in a key; None for what cannot be one. Linear, takes every text."""
    if len(key) > LONGEST:
        return None
    prefix, _, rest = key.rpartition("_")
    prefix, _, key_id = prefix.rpartition("_")
    return key_id if is_prefix(prefix) and is_id(key_id) and is_id(rest) else None


def is_right(key: str, sha256: str | None) -> bool:
    """Whether this is the key with this digest. The same work where there is none."""
    from hmac import compare_digest

    same = compare_digest(digest_of(key), _NOBODYS if sha256 is None else sha256)
    return same and sha256 is not None


def digest_of(key: str) -> str:
    """What is stored of a key."""
    from hashlib import sha256

    return sha256(key.encode()).hexdigest()


def is_id(text: object) -> bool:
    """Whether this is letters and digits, some and not too many."""
    return isinstance(text, str) and 0 < len(text) <= LONGEST and not text.strip(_ALPHABET)


def is_prefix(text: object) -> bool:
    """Whether keys may begin with this."""
    return (
        isinstance(text, str)
        and 0 < len(text) <= 32
        and not text.strip(_ALPHABET + "_")
        and text[0].isalpha()
        and text[-1] != "_"
    )


def _text(data: bytes) -> str:
    """Random bytes in letters and digits, as many for equally many bytes."""
    number, digits = int.from_bytes(data, "big"), []
    for _ in range(-(-len(data) * 8 * 1000 // 5954)):  # a digit of 62 has 5.954 bits
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(digits)
