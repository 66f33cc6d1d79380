"""What all requests of one cache have in common."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.caching.buffers import Buffers
    from middleware.caching.rules.policy import CachePolicy
    from middleware.caching.shelf.shelf import Shelf
    from middleware.caching.status import CacheStatus


class Terms:
    """The store of a cache, its choices and its limits."""

    __slots__ = ("buffers", "clock", "max_object", "policy", "shelf", "status")

    def __init__(
        self,
        shelf: Shelf,
        *,
        policy: CachePolicy,
        clock: Callable[[], float],
        max_object: int,
        buffers: Buffers,
        status: CacheStatus | None,
    ) -> None:
        self.shelf = shelf
        self.policy = policy
        self.clock = clock
        self.max_object = max_object
        self.buffers = buffers
        self.status = status
