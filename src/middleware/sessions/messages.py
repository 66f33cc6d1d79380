"""Flash messages of a session: left by one request, taken by a later one. Loaded with the first of them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.sessions.tracked import Tracked


def leave(session: Tracked, message: str, category: str) -> None:
    """Leave a message, or raise TypeError for what is none, and SessionTooLarge where it has no room."""
    if type(message) is not str or type(category) is not str:
        raise TypeError("a flash message and its category are text")
    session._changing("flash")
    size = len(session._encode("flash", [category, message]))
    before = session._left
    session._left = [*before, [category, message]]
    try:
        session._count(size + 4)
    except (TypeError, ValueError):
        session._left = before
        raise


def take(session: Tracked, category: str | None) -> list[tuple[str, str]]:
    """Take the messages that wait, or those of one category, as pairs of category and message."""
    waiting = peek(session, category)
    if waiting:
        session._changing("flash")
        session._taken = [*session._taken, *(one for one in session._not_taken() if category in (None, one[0]))]
        session._left = [one for one in session._left if category not in (None, one[0])]
    return waiting


def peek(session: Tracked, category: str | None) -> list[tuple[str, str]]:
    """The messages that wait, or those of one category, as pairs of category and message."""
    session._loaded()
    return [(kind, message) for kind, message in session._waiting() if category in (None, kind)]
