"""Texts signed or sealed for one cookie name each, so that no value passes under another name."""

from __future__ import annotations

from functools import lru_cache

from middleware.signing import Sealer, Signer, check_crypto, check_secrets, salt_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.signing import Secret

KEPT = 128  # signers and sealers, by name; names that an application makes up by the thousand do not fill the memory


class SignedValues:
    """Signs texts for a cookie name and opens them again. Shared by all requests and threads."""

    def __init__(self, secret: Secret, clock: Callable[[], float]) -> None:
        secrets = check_secrets(secret)
        self._clock = clock
        self._signer = lru_cache(KEPT)(lambda name: Signer(secrets, salt=salt_for("cookie", name), clock=clock))

    def seal(self, name: str, text: str) -> str:
        """The signed form of the text, for the cookie of this name. A ValueError for text that is no Unicode.

        TypeError for anything but text, which would not come back.
        """
        _check_text(name, text)
        import json

        # JSON, so that itsdangerous' own serializer reads it too.
        return self._signer(name).sign(json.dumps(text, ensure_ascii=False).encode())

    def open(self, name: str, token: str, max_age: float | None) -> str | None:
        """The text, or None for what was not signed for this cookie, or longer than `max_age` seconds ago."""
        opened = self._signer(name).unsign(token)
        if opened is None or _is_too_old(opened[1], max_age, self._clock):
            return None
        import json

        try:
            text = json.loads(opened[0])
        except (ValueError, RecursionError):
            return None
        return text if isinstance(text, str) else None


class SealedValues:
    """Encrypts texts for a cookie name and opens them again. Shared by all requests and threads."""

    def __init__(self, secret: Secret, clock: Callable[[], float]) -> None:
        secrets = check_secrets(secret)
        check_crypto()
        self._clock = clock
        self._sealer = lru_cache(KEPT)(lambda name: Sealer(secrets, salt=salt_for("cookie", name), clock=clock))

    def seal(self, name: str, text: str) -> str:
        """The sealed form of the text, for the cookie of this name. Raises as that of signed values."""
        _check_text(name, text)
        return self._sealer(name).seal(text.encode())

    def open(self, name: str, token: str, max_age: float | None) -> str | None:
        """The text, or None for what was not sealed for this cookie, or longer than `max_age` seconds ago."""
        opened = self._sealer(name).open(token)
        if opened is None or _is_too_old(opened[1], max_age, self._clock):
            return None
        try:
            return opened[0].decode()
        except UnicodeDecodeError:
            return None


def _check_text(name: str, text: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"a signed or sealed value is text, not {type(text).__name__}: cookie {name}")


def _is_too_old(made: int, max_age: float | None, clock: Callable[[], float]) -> bool:
    # What a clock made that was wrong must not open until then. NaN lets nothing pass.
    return max_age is not None and not abs(int(clock()) - made) <= max_age
