"""The session of one request, in its cookie."""

from __future__ import annotations

from middleware.errors import ConfigurationError, SessionTooLarge
from middleware.operators import say_once
from middleware.sessions import payloads
from middleware.sessions.codec import encoded, encoded_value, is_typed, largest
from middleware.sessions.timeouts import Times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from middleware.sessions.changes import Changes
    from middleware.sessions.codec import Messages
    from middleware.sessions.payloads import Content
    from middleware.sessions.place import Tell
    from middleware.sessions.signed import SignedSessions

_HEAD = len(encoded("0" * 32, 1234567890, {})) - len(encoded({}))


class SignedRecord:
    """As `place.Record` says. New and empty until `load`."""

    encoded_value = staticmethod(encoded_value)
    available = True
    had_cookie = True
    is_new = False
    dropped = False  # what this request writes is not kept, and sets no cookie
    ended = False
    typed = False
    unsaved = False
    cookie: str | None = None
    data: dict[str, Any]
    messages: Messages
    marks: dict[str, Any]
    times: Times

    def __init__(
        self,
        sessions: SignedSessions,
        now: float,
        tell: Tell,
        identifier: str = "",
        payload: bytes = b"",
        parts: Content | None = None,
        times: Times | None = None,
    ) -> None:
        self._sessions = sessions
        self._now = now
        self._tell = tell
        if parts is None or times is None:
            self._begin_anew()
            return
        self._identifier = identifier
        self._payload = payload  # as the cookie holds it; empty for a new session
        self.data, self.messages, self.marks = parts
        self.times = times

    @property
    def id(self) -> str | None:
        return payloads.id_of(self._identifier) if self._identifier else None

    @property
    def size(self) -> int:
        return max(len(self._payload) - _HEAD, 0)

    @property
    def room(self) -> int:
        return (self._sessions.cookie.room - self._sessions.extra) * 3 // 4 - _HEAD

    # Content

    def check_size(self, data: dict[str, Any], messages: Messages) -> int:
        size = len(self._made(data, messages))
        self._refuse_above((size * 4 + 2) // 3 + self._sessions.extra, data, messages)
        return size - _HEAD

    def save(self, data: dict[str, Any], changes: Changes) -> None:
        if changes.left and (dropped := changes.dropped(self.messages)):
            self._tell("flash_dropped", self.id, count=dropped)
        messages = changes.messages(self.messages)
        if self._is_ended_meanwhile():
            self._tell("late_write_dropped", self.id, keys=changes.names)
            return
        had_id = bool(self._identifier)
        self._seal(data, messages)
        self.messages = messages
        self.unsaved = False
        if self._identifier and not had_id:
            self._tell("created", self.id)

    def reload(self) -> dict[str, Any]:
        return self.data

    def settle(self, name: str, value: str) -> str:
        if name not in self.marks:
            self.marks = {name: value, **self.marks}
            self.unsaved = True
        return str(self.marks[name])

    def increment(self, key: str, by: int) -> NoReturn:  # noqa: ARG002
        raise ConfigurationError(
            "a cookie cannot be incremented while other requests change theirs: use SessionMiddleware(app, store=...)"
        )

    def lock(self, timeout: float, ttl: float) -> NoReturn:  # noqa: ARG002
        raise ConfigurationError(
            "a session that is kept in a cookie cannot be locked: use SessionMiddleware(app, store=...)"
        )

    def finish(self) -> None:
        timeouts = self._sessions.terms.timeouts
        if not self._identifier or self.dropped:
            return
        renews = timeouts.needs_new_id(self.times, self._now)
        is_due = self.cookie is None and timeouts.is_due(self.times, self._now)
        if not (renews or is_due) or self._is_ended_meanwhile():
            return
        if renews:
            self._sessions.revocations.revoke(self.id or "", self.times, grace=timeouts.grace)
            self._identifier = payloads.new_identifier()
            self.times = self.times._replace(issued=self._now)
            self._tell("renewed", self.id, user=self.marks.get("user"))
        self._seal(*self._as_kept())

    # Life

    def remember(self, until: float) -> None:
        self.times = self.times._replace(until=until)
        self.unsaved = bool(self._identifier)

    def rotate(self, *, forget: tuple[str, ...] = ()) -> None:
        if self._identifier and not self._is_ended_meanwhile():
            self._end_this()
            self._identifier = payloads.new_identifier()
            self.times = self.times._replace(issued=self._now)
            self.marks = {name: mark for name, mark in self.marks.items() if name not in forget}
            self._tell("rotated", self.id, user=self.marks.get("user"))
            self._seal(*self._as_kept())

    def login(self, user: str, label: str, keep: frozenset[str] | None) -> bool:  # noqa: ARG002
        lost = self._is_ended_meanwhile()
        data, messages = self._as_kept()
        if lost:
            self._begin_anew()
            data, messages = {}, []
        elif self._identifier:
            self._end_this()
        self._identifier = payloads.new_identifier()
        self.marks = {"user": user}
        created = self._now if self.is_new else self.times.created
        self.times = Times(created, self._now, self._now, self.times.last_seen, self.times.until)
        self._tell("login", self.id, user=user)
        self._seal(data if keep is None else {key: data[key] for key in data if key in keep}, messages)
        return not lost

    def end(self) -> None:
        if self._identifier:
            if self._sessions.revocations.store is None:
                say_once(
                    "a session in a cookie ends in the browser only: a copy of the cookie stays good until its idle "
                    "timeout. Use SessionMiddleware(app, store=...), or revocations= beside secret=, where log-out has "
                    "to be final",
                    logger="middleware.sessions",
                )
            self._end_this()
            user = self.marks.get("user")
            self._tell("logout" if user else "ended", self.id, user=user)
        self._begin_anew()
        self.ended = True
        self.cookie = "" if self.had_cookie else None

    def _end_this(self) -> None:
        self._sessions.revocations.revoke(self.id or "", self.times)

    def _is_ended_meanwhile(self) -> bool:
        """Whether the session was ended since it was read: then nothing of it may reach the browser."""
        if not self.dropped and not self.is_new and self._sessions.revocations.store is not None:
            self.dropped = self._sessions.revocations.have_ended(self.id or "", self.marks.get("user"), self.times)
            if self.dropped:
                self.cookie = None
        return self.dropped

    def _begin_anew(self) -> None:
        self._identifier = ""
        self._payload = b""
        self.is_new = True
        self.dropped = self.typed = self.unsaved = False
        self.data, self.messages, self.marks = {}, [], {}
        self.times = Times(self._now, 0.0, self._now, self._now, 0.0)

    # Writing

    def _as_kept(self) -> tuple[dict[str, Any], Messages]:
        """What the cookie holds, without the changes of this request."""
        if not self._payload:
            return {}, []
        data, messages, _ = payloads.opened(self._payload, 0)[2]
        return data, messages

    def _seal(self, data: dict[str, Any], messages: Messages) -> None:
        if not data and not messages and not self.marks:
            self.cookie = "" if self.had_cookie else None
            return
        if not self._identifier:
            self._identifier = payloads.new_identifier()
        self._payload = self._made(data, messages)
        token = self._sessions.made(self._payload)
        self._refuse_above(len(token), data, messages)
        self.cookie = token

    def _made(self, data: dict[str, Any], messages: Messages) -> bytes:
        typed = self.typed or is_typed(self._payload)
        return payloads.made(self._identifier, self.times, (data, messages, self.marks), typed=typed)

    def _refuse_above(self, size: int, data: dict[str, Any], messages: Messages) -> None:
        cookie = self._sessions.cookie
        if size > cookie.room:
            raise SessionTooLarge(
                f"the session's cookie would have {len(cookie.name) + size} bytes of name and value, browsers keep "
                f"{len(cookie.name) + cookie.room}. Its largest keys: {largest(data, messages)}. Keep less, or use "
                "store= in place of secret="
            )
