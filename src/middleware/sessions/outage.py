"""The session of a request for which the store cannot answer, where the site goes on without: empty, and read-only."""

from __future__ import annotations

from middleware.errors import StoreError
from middleware.sessions.timeouts import Times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from middleware.sessions.codec import Messages


class AbsentRecord:
    """As `place.Record` says. Whatever would change it raises StoreError; the cookie is left alone."""

    ended = typed = unsaved = False
    is_new = True
    cookie: str | None = None
    id: str | None = None
    size = room = 0

    def __init__(self, now: float) -> None:
        self.error = StoreError("the session can only be read, as an empty one: its store does not answer")
        self.data: dict[str, Any] = {}
        self.messages: Messages = []
        self.marks: dict[str, Any] = {}
        self.times = Times(now, 0.0, now, now, 0.0)

    def reload(self) -> dict[str, Any]:
        return self.data

    def finish(self) -> None:
        """There is nothing to note."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise self.error

    encoded_value = check_size = save = rotate = login = end = remember = settle = increment = lock = _refuse
