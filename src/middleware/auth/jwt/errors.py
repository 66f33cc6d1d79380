"""What goes wrong with tokens and keys. None of these leaves the layer."""

from __future__ import annotations

from middleware.errors import MiddlewareError


class InvalidToken(MiddlewareError):
    """A token that does not count. `reason` is a fixed word for operators; neither it nor the token goes to clients."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InvalidKeys(MiddlewareError):
    """A set of keys, or a key, that nothing is checked with. The message says why."""


class FetchFailed(MiddlewareError):
    """A document could not be had. The message is a fixed word for operators."""
