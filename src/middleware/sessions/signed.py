"""Sessions in a cookie: all that a session holds, signed, in the hands of the browser.

The client can read it but not change it, and a copy of it stays good until it has been idle for too long: nothing on
the server knows that a session was ended. The token is JSON, `[id, created, data]`, or `[id, created, data, messages]`.
"""

from __future__ import annotations

import hashlib
import os

from middleware.cookies.codec import LARGEST, values_of
from middleware.cookies.operator import say_once
from middleware.errors import SessionTooLarge
from middleware.sessions.codec import content, content_of, decoded, encoded, encoded_value, largest
from middleware.signing import Signer, salt_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from middleware.cookies.options import CookieLine
    from middleware.sessions.changes import Changes
    from middleware.sessions.codec import Messages
    from middleware.sessions.limits import Limits

MOST_TRIED = 8  # cookies of the session's name in one request
_SIGNATURE = len(".") + 6 + len(".") + 43  # the time, and HMAC-SHA256, as text
_HEAD = len(encoded("0" * 32, 10**10, {})) - len(encoded({}))


class SignedSessions:
    """Opens records. Shared by all requests and threads."""

    def __init__(self, secrets: tuple[bytes, ...], limits: Limits, names: set[str]) -> None:
        self.limits = limits
        self._signers = {name: Signer(secrets, salt=salt_for("session", name), clock=limits.clock) for name in names}

    def open(self, field: str, line: CookieLine) -> SignedRecord:
        """The session that a Cookie field holds, or a new one."""
        now = self.limits.clock()
        signer = self._signers[line.name]
        values = values_of(field, line.name)
        for value in values[:MOST_TRIED]:
            opened = signer.unsign(value[1:-1] if value[:1] == value[-1:] == '"' else value)
            if opened is None:
                continue
            payload, last_seen = opened
            try:
                identifier, created, *parts = decoded(payload)
                data, messages = content_of(parts)
            except ValueError:
                continue
            if type(identifier) is not str or type(created) is not int:
                continue
            if not self.limits.is_over(created, last_seen, now):
                held = _Held(payload, identifier, created, last_seen, data, messages)
                return SignedRecord(self, signer, line.name, now, True, held)
        return SignedRecord(self, signer, line.name, now, bool(values))


class _Held:
    """A token taken apart."""

    __slots__ = ("created", "data", "identifier", "last_seen", "messages", "payload")

    def __init__(
        self,
        payload: bytes,
        identifier: str,
        created: float,
        last_seen: float,
        data: dict[str, Any],
        messages: Messages,
    ) -> None:
        self.payload = payload
        self.identifier = identifier
        self.created = created
        self.last_seen = last_seen
        self.data = data
        self.messages = messages


class SignedRecord:
    """The session of one request, in its cookie."""

    encoded_value = staticmethod(encoded_value)

    def __init__(
        self,
        sessions: SignedSessions,
        signer: Signer,
        name: str,
        now: float,
        had_cookie: bool,
        held: _Held | None = None,
    ) -> None:
        self._limits = sessions.limits
        self._signer = signer
        self._name = name
        self._now = now
        self._had_cookie = had_cookie
        self.room = (LARGEST - len(name) - _SIGNATURE) * 3 // 4 - _HEAD
        self.cookie: str | None = None
        self.is_new = held is None
        if held is None:
            held = _Held(b"", "", now, now, {}, [])
        self._payload = held.payload
        self._identifier = held.identifier
        self.created = held.created
        self.last_seen = held.last_seen
        self.data = held.data
        self.messages = held.messages
        self.size = max(len(held.payload) - _HEAD, 0)

    @property
    def id(self) -> str | None:
        return hashlib.sha256(self._identifier.encode()).hexdigest() if self._identifier else None

    def check_size(self, data: dict[str, Any], messages: Messages) -> int:
        size = len(self._made(data, messages))
        self._refuse_above(len(self._name) + (size * 4 + 2) // 3 + _SIGNATURE, data, messages)
        return size - _HEAD

    def _made(self, data: dict[str, Any], messages: Messages) -> bytes:
        return encoded(self._identifier or "0" * 32, int(self.created), *content(data, messages))

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
            self.cookie = "" if self._had_cookie else None
            return
        if not self._identifier:
            self._identifier = os.urandom(16).hex()
        token = self._signer.sign(self._made(data, messages))
        self._refuse_above(len(self._name) + len(token), data, messages)
        self.cookie = token

    def _seal_again(self) -> None:
        """What the cookie held, without the changes of this request."""
        if self._payload:
            self._seal(*content_of(decoded(self._payload)[2:]))

    def touch(self) -> None:
        """Note that the session was used, now and then: with a new signature, which bears the time."""
        if self.cookie is None and self._now - self.last_seen >= self._limits.refresh:
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
                "middleware.sessions",
            )
        self._identifier = ""
        self._payload = b""
        self.data = {}
        self.messages = []
        self.size = 0
        self.created = self.last_seen = self._now
        self.is_new = True
        self.cookie = "" if self._had_cookie else None
