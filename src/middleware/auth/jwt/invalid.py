"""What a token that does not count is told as."""

from __future__ import annotations

from middleware.errors import MiddlewareError


class InvalidToken(MiddlewareError):
    """A token that does not count. `reason` is a fixed word for operators; neither it nor the token goes to clients."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
