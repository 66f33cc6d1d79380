"""What the session asks of the place where it is kept. Read by type checkers; nothing imports it to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.errors import StoreError
    from middleware.sessions.changes import Changes
    from middleware.sessions.codec import Messages
    from middleware.sessions.cookie import SessionCookie
    from middleware.sessions.in_cookie.revocations import Revocations
    from middleware.sessions.in_store.locks import StoreLock
    from middleware.sessions.in_store.users import UserSessions
    from middleware.sessions.terms import Terms
    from middleware.sessions.timeouts import Times


class Tell(Protocol):
    """Tells the listener of `on_event=` what happened to which session, where there is a listener."""

    def __call__(self, name: str, subject: str | None = None, /, **details: object) -> None: ...


class Record(Protocol):
    """A session as one request found it. Whatever reaches the store may raise StoreError."""

    data: dict[str, Any]
    messages: Messages
    marks: dict[str, Any]
    """What the session keeps about itself: its user, the label of the login, the secret of its CSRF tokens."""
    times: Times
    typed: bool
    """Whether a value is not plain JSON."""
    unsaved: bool
    """Whether there is something to save even if the application changed nothing."""
    is_new: bool
    """Whether this request began it."""
    ended: bool
    """Whether this request has ended a session."""

    @property
    def error(self) -> StoreError | None:
        """What every change of it raises, where there is no store to keep one."""
        ...

    @property
    def cookie(self) -> str | None:
        """What the browser must be told: a new value, `""` to forget its cookie, None where it knows already."""
        ...

    @property
    def id(self) -> str | None: ...
    @property
    def size(self) -> int: ...
    @property
    def room(self) -> int: ...
    def encoded_value(self, key: str, value: object) -> bytes: ...
    def check_size(self, data: dict[str, Any], messages: Messages) -> int: ...

    def save(self, data: dict[str, Any], changes: Changes) -> dict[str, Any] | None:
        """Keep the changes. What there is then, where that is not `data`, for another request has changed more."""
        ...

    def reload(self) -> dict[str, Any]: ...
    def finish(self) -> None:
        """The last moment before the head leaves: note that the session was used, renew its id where that is due."""
        ...

    def rotate(self, *, forget: tuple[str, ...] = ()) -> None: ...
    def login(self, user: str, label: str, keep: frozenset[str] | None) -> bool:
        """False where nothing of what the session held is left, for it was ended meanwhile."""
        ...

    def end(self) -> None: ...
    def remember(self, until: float) -> None: ...
    def settle(self, name: str, value: str) -> str: ...
    def increment(self, key: str, by: int, mine: dict[str, Any] | None) -> int:
        """Add to what the store has, or to what this request has set: then `mine` has it."""
        ...

    def lock(self, timeout: float, ttl: float) -> StoreLock | None: ...


class Place(Protocol):
    """Where sessions are kept."""

    @property
    def cookie(self) -> SessionCookie: ...
    @property
    def terms(self) -> Terms: ...
    @property
    def open(self) -> Callable[[str, Tell], Record]:
        """Gives the session that a Cookie field names, or a new one."""
        ...

    def users(self, tell: Tell, notice: Callable[[StoreError], object]) -> UserSessions | Revocations: ...
