"""Texts signed for one cookie name each, so that no value passes under another name."""

from __future__ import annotations

from functools import lru_cache

from middleware.signing import Signer, check_secrets, salt_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.signing import Secret

KEPT_SIGNERS = 128  # by name; names that an application makes up by the thousand do not fill the memory


class SignedValues:
    """Signs texts for a cookie name and opens them again. Shared by all requests and threads."""

    def __init__(self, secret: Secret, clock: Callable[[], float]) -> None:
        secrets = check_secrets(secret)
        self._clock = clock
        self._signer = lru_cache(KEPT_SIGNERS)(lambda name: Signer(secrets, salt=salt_for("cookie", name), clock=clock))

    def seal(self, name: str, text: str) -> str:
        """The signed form of the text, for the cookie of this name. A ValueError for text that is no Unicode.

        TypeError for anything but text, which would not come back.
        """
        if not isinstance(text, str):
            raise TypeError(f"a signed value is text, not {type(text).__name__}: cookie {name}")
        import json

        # JSON, so that itsdangerous' own serializer reads it too.
        return self._signer(name).sign(json.dumps(text, ensure_ascii=False).encode())

    def open(self, name: str, token: str, max_age: float | None) -> str | None:
        """The text, or None for what was not signed for this cookie, or longer than `max_age` seconds ago."""
        opened = self._signer(name).unsign(token)
        if opened is None:
            return None
        payload, signed_at = opened
        # What a clock signed that was wrong must not open until then.
        if max_age is not None and not abs(int(self._clock()) - signed_at) <= max_age:
            return None
        import json

        try:
            text = json.loads(payload)
        except (ValueError, RecursionError):
            return None
        return text if isinstance(text, str) else None
