"""Beaker's `environ["beaker.session"]` on our sessions, for applications that were written for Beaker.

app = BeakerSessions(app)
app = SessionMiddleware(app, store=SQLiteStore("sessions.db"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from middleware.errors import ConfigurationError
from middleware.integrations.face import Face, keep_even_if_empty
from middleware.integrations.wrapped import session_layer_in
from middleware.sessions import get_session

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.sessions import Session
    from middleware.sessions.in_store.locks import SessionLock


GETTER = "beaker.get_session"  # the key where Beaker puts a function that gives the session


class BeakerSessions:
    """Puts a `BeakerSession` into environ. Stands inside of SessionMiddleware, which does all the rest.

    `environ_key` (`beaker.session`): where. Raises ConfigurationError where SessionMiddleware stands inside of it.
    """

    def __init__(self, app: WSGIApplication, *, environ_key: str = "beaker.session") -> None:
        if session_layer_in(app) is not None:
            raise ConfigurationError(
                "SessionMiddleware stands inside of BeakerSessions, which takes its session from it: move the line "
                "app = SessionMiddleware(app, ...) below the line app = BeakerSessions(app)"
            )
        self.app = app
        self._key = environ_key

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session = environ[self._key] = BeakerSession(get_session(environ))
        environ[GETTER] = lambda: session
        return self.app(environ, start_response)


class BeakerSession(Face):
    """What Beaker's applications find: a mapping with Beaker's methods, and all that a `Session` has besides.

    What was changed is kept when the head of the answer leaves, whether `save()` was called or not. `id` is the id in
    hashed form, and None before the session is kept.
    """

    __slots__ = ("_lock",)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._lock: SessionLock | None = None

    def save(self) -> None:
        """See that the session has an id. It is kept without this, once there is something in it."""
        keep_even_if_empty(self._session)

    def persist(self) -> None:
        """As `save()`."""
        self.save()

    def load(self) -> None:
        """Nothing: it is loaded when it is first used."""

    def delete(self) -> None:
        """End the session and begin an empty one: its id opens nothing any more. `invalidate()` is the same."""
        self._session.invalidate()

    def regenerate_id(self) -> None:
        """Give the session a new id, now. The data stays, the old id opens nothing any more."""
        self._session.rotate()

    @property
    def last_accessed(self) -> float | None:
        """When it was last used before this request, in seconds since 1970; None for a new one."""
        return None if self._session.is_new else self._session.last_seen

    def accessed(self) -> bool:
        """Whether this request has used it."""
        return self._session.accessed

    def has_key(self, name: str) -> bool:
        """Whether the key is there."""
        return name in self._session

    def copy(self) -> dict[str, Any]:
        """Its content."""
        return dict(self._session)

    def lock(self) -> None:
        """Wait until no other request of this session is between `lock()` and `unlock()`, and read it anew."""
        lock = self._session.lock()
        lock.__enter__()
        self._lock = lock

    def unlock(self) -> None:
        """Keep what was changed and let the next one in. Nothing where `lock()` was not called."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.__exit__(None, None, None)
