"""What is made once and never changed. Its constructor puts into the slots what they hold, by `object.__setattr__`."""

from __future__ import annotations

from operator import attrgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar


class Frozen:
    """A thing that does not change."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} does not change: make another one ({name})")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} does not change: make another one ({name})")


class Value(Frozen):
    """A thing that is equal to another of its class where both hold the same."""

    __slots__: tuple[str, ...] = ()

    _held: ClassVar[attrgetter[Any]]  # 0.5 us, where a loop takes 2: accounts are compared for each request

    def __init_subclass__(cls) -> None:
        first, *others = cls.__slots__
        cls._held = attrgetter(first, *others)

    def __eq__(self, other: object) -> bool:
        held = self._held
        return bool(held(self) == held(other)) if isinstance(other, type(self)) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._held(self))
