"""The session of one request, in a store: what it holds, whose it is, and what becomes of it."""

from __future__ import annotations

import time

from middleware.errors import SessionTooLarge, StoreError, ValueTooLarge
from middleware.sessions.codec import content, content_of, decoded, encoded, encoded_value, is_typed, largest
from middleware.sessions.contents import NO_MESSAGES, incremented, nothing, owner_of, unaltered, without
from middleware.sessions.in_store.cell import Cell, GaveUp
from middleware.sessions.records import Stamped, id_of
from middleware.sessions.timeouts import Times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from middleware.sessions.changes import Changes
    from middleware.sessions.codec import Messages
    from middleware.sessions.contents import Alter, Content
    from middleware.sessions.in_store.locks import StoreLock
    from middleware.sessions.in_store.sessions import StoredSessions
    from middleware.sessions.place import Tell


_EMPTY = encoded({})


class StoredRecord:
    """As `place.Record` says. New and empty until `load`."""

    encoded_value = staticmethod(encoded_value)
    error = None
    is_new = True
    sent = ""  # the id that the browser sent, and that opened this session
    had_cookie = False
    dropped = False  # what this request writes is not kept, and sets no cookie
    typed = False
    unsaved = False
    ended = False
    _tells_again = False  # the browser is told the id that it has, for the cookie lives to another day
    _without_room = 0  # messages that what is being saved drops
    _until: float | None = None  # what this request has said by `remember`
    _basis: Stamped | None = None  # what `data` was before this request changed it; if that is held, no merge is needed
    _altered: Content | None = None  # what was put in the place of what was held, at the latest attempt
    _altered_basis = False  # whether that was the basis

    def __init__(self, sessions: StoredSessions, tell: Tell, cell: Cell, parts: Content, times: Times) -> None:
        self._sessions = sessions
        self._tell = tell
        self._cell = cell
        self._now = cell.now
        self.data, self.messages, self.marks = parts
        self.times = times

    @classmethod
    def new(cls, sessions: StoredSessions, now: float, tell: Tell) -> StoredRecord:
        """An empty session."""
        return cls(sessions, tell, Cell(sessions, now), nothing(), _from_now(now))

    @classmethod
    def found(cls, sessions: StoredSessions, tell: Tell, cell: Cell, sent: str) -> StoredRecord:
        """The session that was found in the cell by the id that the browser sent. A ValueError for what is none."""
        held = cell.held
        assert held is not None
        record = cls(sessions, tell, cell, content_of(decoded(held.content)), held.times)
        record._basis = held
        record.sent = sent
        record.had_cookie = True
        record.is_new = False
        return record

    def was_moved(self, key: str) -> None:
        """Know of a session that was here a moment ago: a log-out follows it, and nothing else is kept."""
        self._cell.hold("", key, None)
        self.dropped = True

    @property
    def cookie(self) -> str | None:
        identifier = self._cell.identifier
        if self.dropped:
            return None
        if not identifier:
            return "" if self.ended and self.had_cookie else None
        return identifier if identifier != self.sent or self._tells_again else None

    @property
    def id(self) -> str | None:
        return None if self._cell.held is None else self._cell.id

    @property
    def size(self) -> int:
        return len(_EMPTY if self._basis is None else self._basis.content)

    @property
    def room(self) -> int:
        return self._sessions.terms.max_bytes

    # Content

    def check_size(self, data: dict[str, Any], messages: Messages) -> int:
        return len(self._text(data, messages, self.marks))

    def save(self, data: dict[str, Any], changes: Changes) -> dict[str, Any] | None:
        if self.dropped:
            self._drop(changes.names)
            return None
        messages = changes.messages(self.messages)
        self._without_room = changes.dropped(self.messages) if changes.left else 0
        text = self._text(data, messages, self.marks)
        held = self._cell.held
        try:
            if held is None:
                if text != _EMPTY:
                    self._create(text, self.times, self.marks)
                merged = None
            elif held is self._basis and self._cell.swap(self._seen(held), text):
                merged = None
            else:
                merged = self._merge(changes)
        except ValueTooLarge as error:
            raise SessionTooLarge(f"{error}. The session's largest keys: {largest(data, self.messages)}") from error
        if self.dropped:
            self._drop(changes.names)
            return None
        if self._without_room:
            self._tell("flash_dropped", self.id, count=self._without_room)
        self._basis = self._cell.held
        self.messages = messages if merged is None else merged[1]
        self.unsaved = False
        return None if merged is None else merged[0]

    def reload(self) -> dict[str, Any]:
        if self._is_kept:
            found = self._cell.read_again()
            if found is None:
                self._drop([])
            else:
                self._cell.held = self._basis = found
                self.data, self.messages, self.marks = content_of(decoded(found.content))
                self.times = found.times
        return self.data

    def settle(self, name: str, value: str) -> str:
        if name not in self.marks:
            if self._is_kept and self._change(lambda data, messages, marks: (data, messages, {name: value, **marks})):
                assert self._altered is not None
                self.marks = self._altered[2]
            else:
                self.marks = {name: value, **self.marks}
                self.unsaved = not self.dropped
        return str(self.marks[name])

    def increment(self, key: str, by: int, mine: dict[str, Any] | None) -> int:
        total = by

        def add(data: dict[str, Any], messages: Messages, marks: dict[str, Any]) -> Content:
            nonlocal total
            total = incremented(key, data if mine is None else mine, by)
            return {**data, key: total}, messages, marks

        if self.dropped:
            self._drop([key])
        elif self._cell.held is None:
            self._create(self._text(*add({}, self.messages, self.marks)), self.times, self.marks)
        elif not self._change(add):
            self._drop([key])
        return total

    def lock(self, timeout: float, ttl: float) -> StoreLock | None:
        from middleware.sessions.in_store.locks import StoreLock

        until = time.monotonic() + timeout
        while self._is_kept:
            key = self._cell.key
            lock = StoreLock(self._sessions.store, id_of(key), ttl)
            lock.acquire(until)
            try:
                self.reload()
            except BaseException:
                lock.release()
                raise
            if self._cell.key == key:
                return lock
            lock.release()  # the session got a new id while we waited
        return None

    def finish(self) -> None:
        timeouts = self._cell.timeouts
        held = self._cell.held
        if held is None or self.dropped:
            return
        try:
            renewed = timeouts.needs_new_id(held.times, self._now) and self._renew()
            if not renewed and timeouts.is_due(held.times, self._now):
                self._cell.swap(self._seen(held), held.content)
        except StoreError as error:  # the session is as it was, and the next request tries again
            if not isinstance(error, GaveUp):
                self._tell("store_error", self.id, error=str(error))

    def _renew(self) -> bool:
        """Whether the session got a new id: not while a request is inside its lock, which is under the old one."""
        from middleware.sessions.in_store.locks import TTL, StoreLock

        lock = StoreLock(self._sessions.store, self.id or "", TTL)
        if not lock.try_acquire():
            return False
        try:
            return self._move(unaltered, "renewed")
        finally:
            lock.release()

    # Life

    def remember(self, until: float) -> None:
        self._until = until
        id, end, before = self.id, self._cell.timeouts.end, self.times
        self.times = before._replace(until=until)
        # The index has it for as long as it lives: it is entered before it lives longer, or after it does so no more.
        if self._is_kept and end(self.times) > end(before):
            self._enter()
        if self._is_kept and self._change(unaltered):
            self._tells_again = True
            if id != self.id or end(self.times) < end(before):
                self._enter()

    def rotate(self, *, forget: tuple[str, ...] = ()) -> None:
        if self._is_kept:
            self._move(lambda data, messages, marks: (data, messages, without(marks, forget)), "rotated")
        elif self._knows_of_a_move:
            self._begin_anew()  # a log-in at this very moment may have a session of its own

    def login(self, user: str, label: str, keep: frozenset[str] | None) -> bool:
        marks = {"user": user, "label": label} if label else {"user": user}

        def taken_along(data: dict[str, Any], messages: Messages, _: dict[str, Any]) -> Content:
            return data if keep is None else {key: data[key] for key in data if key in keep}, messages, marks

        if self._is_kept and self._move(taken_along, "login"):
            return True
        lost = self.dropped
        until = self._until
        if lost:
            self._begin_anew()
        times = Times(self._now, self._now, self._now, self._now, until or 0.0)
        self._create(self._text({}, NO_MESSAGES, marks), times, marks)
        self.marks, self.times = marks, times
        if not self.dropped:
            self._tell("login", self.id, user=user)
        return not lost

    def end(self) -> None:
        for id, user in self._cell.end():
            self._tell("logout" if user else "ended", id, user=user)
        self._begin_anew()
        self.ended = True

    @property
    def _is_kept(self) -> bool:
        return self._cell.held is not None and not self.dropped

    @property
    def _knows_of_a_move(self) -> bool:
        """Whether `was_moved` is all that is known."""
        return bool(self._cell.key) and not self._cell.identifier

    def _enter(self) -> None:
        owner = owner_of(self.marks)
        if owner is not None:
            self._sessions.index.enter(owner[0], self.id or "", self.times, owner[1], is_login=False)

    def _begin_anew(self) -> None:
        self._cell.hold("", "", None)
        self._basis = None
        self.is_new = True
        self.dropped = self.typed = self.unsaved = False
        self._until = None
        self.data, self.messages, self.marks = nothing()
        self.times = _from_now(self._now)

    def _drop(self, names: list[str]) -> None:
        """The session was ended meanwhile: nothing brings it back, and the browser may have another by now."""
        self.dropped = True
        if names:
            self._tell("late_write_dropped", self._cell.id, keys=names)

    # Writing

    def _text(self, data: dict[str, Any], messages: Messages, marks: dict[str, Any]) -> bytes:
        held = self._cell.held
        typed = self.typed or (held is not None and is_typed(held.content))
        text = encoded(*content(data, messages, marks), typed=typed)
        room = self._sessions.terms.max_bytes
        if len(text) > room:
            raise SessionTooLarge(
                f"the session would have {len(text)} bytes, max_bytes is {room}. Its largest keys: "
                f"{largest(data, messages)}"
            )
        return text

    def _merge(self, changes: Changes) -> Content | None:
        """Write the changes to what others have made of the session. All there is then; None where it was ended."""
        overwritten: list[str] = []

        def merged(data: dict[str, Any], messages: Messages, marks: dict[str, Any]) -> Content:
            overwritten[:] = changes.overwritten(data, encoded_value)
            self._without_room = changes.dropped(messages) if changes.left else 0
            return changes.merged(data), changes.messages(messages), marks

        if not self._change(merged, first=1):
            return None
        if overwritten:
            self._tell("overwritten", self.id, keys=overwritten)
        return self._altered

    def _seen(self, held: Stamped) -> Times:
        """The times of what is put in its place: this request has used it."""
        created, authenticated, issued, last_seen, _ = held.times
        until = self._until_of(held)
        now = self._now
        # A request that began later may have been here, but a time that was to come already was a wrong clock's.
        if not self.times.last_seen <= now < last_seen:
            last_seen = now
        if self._sessions.terms.renews_cookie and self._cell.timeouts.is_due(self.times, now):
            self._tells_again = True
            self.times = self.times._replace(until=until)
        return Times(created, authenticated, issued, last_seen, until)

    def _until_of(self, held: Stamped) -> float:
        return held.times.until if self._until is None else self._until

    def _put(self, alter: Alter, times: Callable[[Stamped], Times]) -> Callable[[Stamped], tuple[Times, bytes]]:
        """What a cell puts in the place of what it holds."""

        def put(held: Stamped) -> tuple[Times, bytes]:
            self._altered = alter(*content_of(decoded(held.content)))
            self._altered_basis = held is self._basis
            return times(held), self._text(*self._altered)

        return put

    def _change(self, alter: Alter, *, first: int = 0) -> bool:
        """Alter what the store holds by now, at once: `_altered`. False where the session was ended meanwhile."""
        try:
            changed = self._cell.change(self._put(alter, self._seen), first=first)
        except GaveUp:
            self._tell("conflict", self.id)
            raise
        return self._was_put(changed)

    def _move(self, alter: Alter, event: str) -> bool:
        """Give the session a new id. False where it was ended meanwhile."""
        now = self._now

        def times(held: Stamped) -> Times:
            since = now if event == "login" else held.times.authenticated
            return Times(held.times.created, since, now, now, self._until_of(held))

        owner = owner_of(alter({}, [], self.marks)[2])
        try:
            moved = self._cell.move(self._put(alter, times), owner_of(self.marks), owner, renews=event == "renewed")
        except GaveUp:
            self._tell("conflict", self.id)
            raise
        if not self._was_put(moved != "ended"):
            return False
        assert self._altered is not None
        assert self._cell.held is not None
        self.marks = self._altered[2]
        self.times = self._cell.held.times._replace(last_seen=self.times.last_seen)
        if moved == "moved":
            self._tell(event, self.id, user=self.marks.get("user"))
        self._tell_displaced(self.marks)
        return True

    def _was_put(self, done: bool) -> bool:
        if not done:
            self._drop([])
        elif self._altered_basis:
            self._basis = self._cell.held
        return done

    def _create(self, text: bytes, times: Times, marks: dict[str, Any]) -> None:
        if self._cell.begin(times, text, owner_of(marks)):
            self._tell("created", self.id)
        else:
            self._drop([])
        self._basis = self._cell.held
        self._tell_displaced(marks)

    def _tell_displaced(self, marks: dict[str, Any]) -> None:
        for id in self._cell.displaced:
            self._tell("ended", id, user=marks.get("user"))
        self._cell.displaced = ()


def _from_now(now: float) -> Times:
    return Times(now, 0.0, now, now, 0.0)
