"""What becomes of a session for which the store cannot answer: a 503, or one that is empty and read-only."""

from __future__ import annotations

from middleware.errors import ConfigurationError, StoreError
from middleware.sessions.timeouts import Times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, NoReturn

    from middleware.sessions.codec import Messages
    from middleware.sessions.terms import OnOutage


def chosen(on_outage: OnOutage, error: StoreError) -> Literal["503", "anonymous"]:
    """What becomes of a request for which the store cannot answer. Raises ConfigurationError for any other word."""
    choice = on_outage(error) if callable(on_outage) else on_outage
    if choice not in ("503", "anonymous"):
        raise ConfigurationError(f'on_outage gave {choice!r}, it is to give "503" or "anonymous"') from error
    return choice


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
