"""What all requests of one cache have in common."""

from __future__ import annotations

from middleware.made_once import made_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.caching.buffers import Buffers
    from middleware.caching.refreshing import Refreshing
    from middleware.caching.rules.policy import CachePolicy
    from middleware.caching.shelf.shelf import Shelf
    from middleware.caching.status import CacheStatus


_IN_FLIGHT = 16  # bodies of the largest size that may be copied at the same time


class Terms:
    """The store of a cache, its choices and its limits."""

    def __init__(
        self,
        shelf: Shelf,
        *,
        policy: CachePolicy,
        clock: Callable[[], float],
        max_object: int,
        status: CacheStatus | None,
    ) -> None:
        self.shelf = shelf
        self.policy = policy
        self.clock = clock
        self.max_object = max_object
        self.status = status

    @made_once
    def buffers(self) -> Buffers:
        """Where bodies are copied while they pass."""
        from middleware.caching.buffers import Buffers

        return Buffers(_IN_FLIGHT * self.max_object)

    @made_once
    def refreshing(self) -> Refreshing:
        """Who refreshes in the background what is stale."""
        from middleware.caching.refreshing import Refreshing

        return Refreshing()
