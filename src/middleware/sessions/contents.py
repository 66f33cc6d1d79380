"""What a write makes of the content that the store holds: data, flash messages, and marks. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from middleware.sessions.codec import Messages

    Content = tuple[dict[str, Any], Messages, dict[str, Any]]
    Alter = Callable[[dict[str, Any], Messages, dict[str, Any]], Content]

NO_MESSAGES: Messages = []  # replaced where messages come, never changed


def nothing() -> Content:
    """What a new session holds."""
    return {}, NO_MESSAGES, {}


def unaltered(data: dict[str, Any], messages: Messages, marks: dict[str, Any]) -> Content:
    """What was there."""
    return data, messages, marks


def without(marks: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The marks but for these."""
    return {name: mark for name, mark in marks.items() if name not in names}


def owner_of(marks: dict[str, Any]) -> tuple[str, str] | None:
    """The user whose session it is, and the label of the login; None where nobody is logged in."""
    user = marks.get("user")
    return (user, str(marks.get("label", ""))) if isinstance(user, str) else None


def incremented(key: str, data: dict[str, Any], by: int) -> int:
    """The number that `by` makes of what the key has. A TypeError where that is no whole number."""
    before = data.get(key, 0)
    if type(before) is not int:
        raise TypeError(f"session[{key!r}] is a {type(before).__name__}: only a whole number can be incremented")
    return before + by
