"""The session of one request, in its cookie."""

from __future__ import annotations

from middleware.errors import ConfigurationError, SessionTooLarge, StoreError
from middleware.operators import say_once
from middleware.sessions.codec import encoded, encoded_value, is_typed, largest
from middleware.sessions.in_cookie import payloads
from middleware.sessions.timeouts import Times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from middleware.sessions.changes import Changes
    from middleware.sessions.codec import Messages
    from middleware.sessions.in_cookie.payloads import Content
    from middleware.sessions.in_cookie.sessions import SignedSessions
    from middleware.sessions.place import Tell

_HEAD = len(encoded("0" * 32, 1234567890, {})) - len(encoded({}))


class SignedRecord:
    """As `place.Record` says. New and empty without the parts of a content."""

    encoded_value = staticmethod(encoded_value)
    error = None
    had_cookie = True
    is_new = False
    dropped = False  # what this request writes is not kept, and sets no cookie
    ended = False
    typed = False
    unsaved = False
    cookie: str | None = None
    is_known = True  # the browser has this id in its cookie
    _until: float | None = None  # what this request has said by `remember`
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
        size = self._size(self.times, data, messages)
        self._refuse_above(size, data, messages)
        return (size - self._sessions.extra) * 3 // 4 - _HEAD

    def save(self, data: dict[str, Any], changes: Changes) -> None:
        if self._is_ended_meanwhile():
            if changes:
                self._tell("late_write_dropped", self.id, keys=changes.names)
            return
        if changes.left and (dropped := changes.dropped(self.messages)):
            self._tell("flash_dropped", self.id, count=dropped)
        messages = changes.messages(self.messages)
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
            if name == "csrf" and self._identifier:  # the same for each of two requests that are the first to ask
                value = payloads.secret_of(self._identifier, name)
            self.marks = {name: value, **self.marks}
            self.unsaved = True
        return str(self.marks[name])

    def increment(self, key: str, by: int, mine: dict[str, Any] | None) -> NoReturn:  # noqa: ARG002
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
        is_due = not self.is_known or timeouts.is_due(self.times, self._now)
        if not timeouts.needs_new_id(self.times, self._now) and (self.cookie is not None or not is_due):
            return
        data, messages = self._as_kept()
        try:
            if not self._is_ended_meanwhile() and timeouts.needs_new_id(self.times, self._now):
                size = self._size(self.times._replace(issued=self._now), data, messages)
                is_due = (size <= self._sessions.cookie.room and self._renew()) or is_due
        except StoreError as error:  # the session is as it was, and the next request tries again
            self._tell("store_error", self.id, error=str(error))
            return
        if not self.dropped and (is_due or self.cookie is not None):
            self._seal(data, messages)

    # Life

    def remember(self, until: float) -> None:
        if self._identifier and not self._is_ended_meanwhile():
            data, messages = self._as_kept()
            times = self.times._replace(issued=self._now, until=until)
            self._refuse_above(self._size(times, data, messages), data, messages)
            # What ends a session is kept as long as its cookie is good: one that is good for longer has another id.
            while self.is_known and self._sessions.revocations.store is not None and not self._renew():
                if self.dropped:
                    return
            self.times = self.times._replace(until=until)
            self._seal(data, messages)
        self._until = until
        self.times = self.times._replace(until=until)

    def rotate(self, *, forget: tuple[str, ...] = ()) -> None:
        if self._identifier and not self._is_ended_meanwhile():
            times = self.times._replace(issued=max(self._sessions.terms.clock(), self.times.issued))
            marks = {name: mark for name, mark in self.marks.items() if name not in forget}
            if self._give_new_id(times, marks, *self._as_kept()):
                self._tell("rotated", self.id, user=self.marks.get("user"))

    def login(self, user: str, label: str, keep: frozenset[str] | None) -> bool:  # noqa: ARG002
        now = self._sessions.terms.clock()
        issued = self._sessions.revocations.login_time(user)
        data, messages = self._as_kept()
        kept = data if keep is None else {key: data[key] for key in data if key in keep}
        created = now if self.is_new else self.times.created
        times = Times(created, now, issued, self.times.last_seen, self.times.until)
        goes_on = not self._is_ended_meanwhile() and self._give_new_id(times, {"user": user}, kept, messages)
        if not goes_on:
            until = self._until or 0.0
            self._begin_anew()
            self._give_new_id(Times(now, now, issued, now, until), {"user": user}, {}, [])
        self._tell("login", self.id, user=user)
        return goes_on

    def end(self) -> None:
        if self._identifier:
            if self._sessions.revocations.store is None:
                say_once(
                    "a session in a cookie ends in the browser only: a copy of the cookie stays good until its idle "
                    "timeout. Use SessionMiddleware(app, store=...), or revocations= beside secret=, where log-out has "
                    "to be final",
                    logger="middleware.sessions",
                )
            user = self.marks.get("user")
            if self._sessions.revocations.revoke(self._identifier, self.times):
                self._tell("logout" if user else "ended", self.id, user=user)
        self._begin_anew()
        self.ended = True
        self.cookie = "" if self.had_cookie else None

    def _give_new_id(self, times: Times, marks: dict[str, Any], data: dict[str, Any], messages: Messages) -> bool:
        """Seal this under another id, and end the old one. False where that was ended meanwhile."""
        identifier = payloads.new_identifier()
        payload = self._made(identifier, times, (data, messages, marks))
        token = self._token(payload, data, messages)
        revoke = self._sessions.revocations.revoke
        if self._identifier and not revoke(self._identifier, self.times, successor=identifier):
            self._drop()
            return False
        self._identifier, self.is_known, self._payload, self.cookie = identifier, False, payload, token
        self.times, self.marks = times, marks
        return True

    def _renew(self) -> bool:
        """Give it another id, while the old one serves parallel requests. False where one of them was faster."""
        successor = self._sessions.revocations.renew(self._identifier, self.times)
        if successor is None:
            self._is_ended_meanwhile()
            return False
        self._identifier, self.is_known = successor, False
        self.times = self.times._replace(issued=max(self._sessions.terms.clock(), self.times.issued))
        self._tell("renewed", self.id, user=self.marks.get("user"))
        return True

    def _is_ended_meanwhile(self) -> bool:
        """Whether the session was ended since it was read: then nothing of it may reach the browser."""
        revocations = self._sessions.revocations
        if not self.dropped and not self.is_new and revocations.store is not None:
            current = revocations.current(self._identifier, self.times, self.marks.get("user"), sent=False)
            if current is None:
                self._drop()
            else:
                self._identifier, self.times = current
        return self.dropped

    def _drop(self) -> None:
        self.dropped = True
        self.cookie = None

    def _begin_anew(self) -> None:
        self._identifier = ""
        self._payload = b""
        self._until = None
        self.is_new = True
        self.dropped = self.typed = self.unsaved = self.is_known = False
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
            self._identifier, self._payload = "", b""
            self.cookie = "" if self.had_cookie else None
            return
        identifier = self._identifier or payloads.new_identifier()
        payload = self._made(identifier, self.times, (data, messages, self.marks))
        self.cookie = self._token(payload, data, messages)
        self._identifier, self._payload = identifier, payload

    def _token(self, payload: bytes, data: dict[str, Any], messages: Messages) -> str:
        token = self._sessions.made(payload)
        self._refuse_above(len(token), data, messages)
        return token

    def _size(self, times: Times, data: dict[str, Any], messages: Messages) -> int:
        """The length of the token that would hold this."""
        payload = self._made(self._identifier, times, (data, messages, self.marks))
        return (len(payload) * 4 + 2) // 3 + self._sessions.extra

    def _made(self, identifier: str, times: Times, parts: Content) -> bytes:
        return payloads.made(identifier, times, parts, typed=self.typed or is_typed(self._payload))

    def _refuse_above(self, size: int, data: dict[str, Any], messages: Messages) -> None:
        cookie = self._sessions.cookie
        if size > cookie.room:
            raise SessionTooLarge(
                f"the session's cookie would have {len(cookie.name) + size} bytes of name and value, {cookie.limit}. "
                f"Its largest keys: {largest(data, messages)}. Keep less, or use store= in place of secret="
            )
