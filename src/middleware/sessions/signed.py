"""Sessions in a cookie: all that a session holds, signed, in the hands of the browser.

The client can read it but not change it, and a copy of it stays good until it has been idle for too long: nothing on
the server knows that a session was ended. The token is JSON, `[id, created, data]`, or `[id, created, data, messages]`.
"""

from __future__ import annotations

import hashlib
import os

from middleware.cookies.codec import LARGEST, MOST_TRIED, values_of
from middleware.errors import SessionTooLarge
from middleware.operators import say_once
from middleware.sessions.codec import content_of, decoded, encoded, encoded_value, largest
from middleware.signing import Signer, salt_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from middleware.sessions.changes import Changes
    from middleware.sessions.codec import Messages
    from middleware.sessions.limits import Limits

_SIGNATURE = len(".") + 6 + len(".") + 43  # the time, and HMAC-SHA256, as text
_HEAD = len(encoded("0" * 32, 10**10, {})) - len(encoded({}))


class SignedSessions:
    """Opens records. Shared by all requests and threads."""

    def __init__(self, secrets: tuple[bytes, ...], limits: Limits, name: str) -> None:
        self.limits = limits
        self.name = name  # of the cookie
        self.signer = Signer(secrets, salt=salt_for("session", name), clock=limits.clock)

    def open(self, field: str) -> SignedRecord:
        """The session that a Cookie field holds, or a new one."""
        now = self.limits.clock()
        values = values_of(field, self.name, MOST_TRIED)
        for value in values:
            opened = self.signer.unsign(value[1:-1] if value[:1] == '"' == value[-1:] else value)
            if opened is None:
                continue
            payload, last_seen = opened
            try:
                identifier, created, *parts = decoded(payload)
                data, messages, _ = content_of(parts)
            except ValueError:
                continue
            if type(identifier) is not str or type(created) is not int:
                continue
            if not self.limits.is_over(created, last_seen, now):
                return SignedRecord(self, now, data, messages, payload, identifier, created, last_seen)
        record = SignedRecord(self, now, {}, [], b"", "", now, now)
        record.had_cookie = bool(values)
        return record


class SignedRecord:
    """The session of one request, in its cookie."""

    encoded_value = staticmethod(encoded_value)
    had_cookie = True

    def __init__(
        self,
        sessions: SignedSessions,
        now: float,
        data: dict[str, Any],
        messages: Messages,
        payload: bytes,
        identifier: str,
        created: float,
        last_seen: float,
    ) -> None:
        self._sessions = sessions
        self._now = now
        self.cookie: str | None = None
        self.data = data
        self.messages = messages
        self._payload = payload  # as the cookie holds it; empty for a new session
        self._identifier = identifier
        self.created = created
        self.last_seen = last_seen

    @property
    def is_new(self) -> bool:
        return not self._payload

    @property
    def size(self) -> int:
        return max(len(self._payload) - _HEAD, 0)

    @property
    def room(self) -> int:
        return (LARGEST - len(self._sessions.name) - _SIGNATURE) * 3 // 4 - _HEAD

    @property
    def id(self) -> str | None:
        return hashlib.sha256(self._identifier.encode()).hexdigest() if self._identifier else None

    def check_size(self, data: dict[str, Any], messages: Messages) -> int:
        size = len(self._made(data, messages))
        self._refuse_above(len(self._sessions.name) + (size * 4 + 2) // 3 + _SIGNATURE, data, messages)
        return size - _HEAD

    def _made(self, data: dict[str, Any], messages: Messages) -> bytes:
        head = self._identifier or "0" * 32, int(self.created)
        return encoded(*head, data, messages) if messages else encoded(*head, data)

    def _refuse_above(self, size: int, data: dict[str, Any], messages: Messages) -> None:
        if size > LARGEST:
            raise SessionTooLarge(
                f"the session's cookie would have {size} bytes of name and value, browsers keep {LARGEST}. "
                f"Its largest keys: {largest(data, messages)}. Keep less, or use store= in place of secret="
            )

    def save(self, data: dict[str, Any], changes: Changes) -> None:
        self._seal(data, changes.messages(self.messages))

    def _seal(self, data: dict[str, Any], messages: Messages) -> None:
        if not data and not messages:
            self.cookie = "" if self.had_cookie else None
            return
        if not self._identifier:
            self._identifier = os.urandom(16).hex()
        token = self._sessions.signer.sign(self._made(data, messages))
        self._refuse_above(len(self._sessions.name) + len(token), data, messages)
        self.cookie = token

    def _seal_again(self) -> None:
        """What the cookie held, without the changes of this request."""
        if self._payload:
            data, messages, _ = content_of(decoded(self._payload)[2:])
            self._seal(data, messages)

    def touch(self) -> None:
        """Note that the session was used, now and then: with a new signature, which bears the time."""
        if self.cookie is None and self._sessions.limits.is_due(self.last_seen, self._now):
            self._seal_again()

    def rotate(self) -> None:
        if self._identifier:
            self._identifier = os.urandom(16).hex()
            self._seal_again()

    def end(self) -> None:
        if self._identifier:
            say_once(
                "a session in a cookie ends in the browser only: a copy of the cookie stays good until its idle "
                "timeout. Use SessionMiddleware(app, store=...) where log-out has to be final",
                logger="middleware.sessions",
            )
        self._identifier = ""
        self._payload = b""
        self.data = {}
        self.messages = []
        self.created = self.last_seen = self._now
        self.cookie = "" if self.had_cookie else None
