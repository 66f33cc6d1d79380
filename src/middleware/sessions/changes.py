"""What one request changed in a session, apart from all that it left alone. Pure.

A commit applies this to whatever the store holds by then, so that two requests of one visitor, each of which changes
something else, lose nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from middleware.sessions.codec import Messages

MOST_MESSAGES = 50  # flash messages that wait; one more drops the oldest


class Changes:
    """The keys that a request set or deleted, and the flash messages it took and left."""

    __slots__ = ("keys", "left", "taken")

    def __init__(self, keys: list[str], taken: Messages, left: Messages) -> None:
        self.keys = keys
        self.taken = taken
        self.left = left

    def merged(self, mine: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
        """Their data with my changes: where both changed a key, mine count, for mine come later."""
        merged = dict(theirs)
        for key in self.keys:
            if key in mine:
                merged[key] = mine[key]
            else:
                merged.pop(key, None)
        return merged

    def messages(self, waiting: Messages) -> Messages:
        """The messages that wait after this request."""
        if not self.taken and not self.left:
            return waiting
        kept = list(waiting)
        for message in self.taken:
            if message in kept:
                kept.remove(message)
        return [*kept, *self.left][-MOST_MESSAGES:]
