"""A StoreError on its way to the application, noted by the session: uncaught it becomes a 503."""

from __future__ import annotations

from middleware.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Noticing:
    """`with noticing:` tells `notice` of a StoreError that leaves the block."""

    __slots__ = ("_notice",)

    def __init__(self, notice: Callable[[StoreError], object]) -> None:
        self._notice = notice

    def __enter__(self) -> None:
        """Nothing yet."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, StoreError):
            self._notice(error)
