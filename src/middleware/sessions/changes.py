"""What one request changed in a session, apart from all that it left alone. Pure.

A commit applies this to whatever the store holds by then, so that two requests of one visitor, each of which changes
something else, lose nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from middleware.sessions.codec import Messages

MOST_MESSAGES = 50  # flash messages that wait; one more drops the oldest


class Changes:
    """The keys that a request set or deleted, and the flash messages it took and left."""

    __slots__ = ("before", "left", "mine", "taken")

    def __init__(
        self, before: dict[str, bytes | None], mine: Mapping[str, Any], taken: Messages, left: Messages
    ) -> None:
        self.before = before  # the changed keys, with what was loaded, encoded; None: the key was not there
        self.mine = mine
        self.taken = taken
        self.left = left

    def __bool__(self) -> bool:
        return bool(self.before or self.taken or self.left)

    @property
    def names(self) -> list[str]:
        """What changed, in words, for events and messages."""
        return [*self.before, *(["flash"] if self.taken or self.left else [])]

    def merged(self, theirs: Mapping[str, Any]) -> dict[str, Any]:
        """Their data with my changes: where both changed a key, mine count, for mine come later."""
        merged = dict(theirs)
        for key in self.before:
            if key in self.mine:
                merged[key] = self.mine[key]
            else:
                merged.pop(key, None)
        return merged

    def overwritten(self, theirs: Mapping[str, Any], encode: Callable[[str, object], bytes]) -> list[str]:
        """The keys that somebody else has changed since I loaded them, and I now change again."""
        return [
            key
            for key, before in self.before.items()
            if (encode(key, theirs[key]) if key in theirs else None) != before
        ]

    def messages(self, waiting: Messages) -> Messages:
        """The messages that wait after this request."""
        return self.still_waiting(waiting)[-MOST_MESSAGES:] if self.taken or self.left else waiting

    def dropped(self, waiting: Messages) -> int:
        """How many messages there is no room for."""
        return max(len(self.still_waiting(waiting)) - MOST_MESSAGES, 0)

    def still_waiting(self, waiting: Messages) -> Messages:
        """Those that were not taken, and then those that were left."""
        kept = list(waiting)
        for message in self.taken:
            if message in kept:
                kept.remove(message)
        return [*kept, *self.left]
