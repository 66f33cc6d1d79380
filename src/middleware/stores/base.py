"""What a store promises. Read by type checkers and by whoever writes a store; no layer imports it to run.

`middleware.testing.stores` holds the contract as tests, which any store can be run through.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


@runtime_checkable
class Store(Protocol):
    """Keeps bytes under keys for a while, for any number of threads at once.

    Keys are any text: empty, long, with NUL, with lone surrogates. Values are `bytes` and nothing else; empty ones are
    values too. Every verb touches one key.

    `ttl` is the time to live in seconds, a number above 0, else ValueError. None means that the entry does not expire.
    Each write gives the entry the time to live that it names: no verb keeps an old one. An expired entry is absent for
    every verb.

    An argument of another type is a TypeError. A value that can never fit raises ValueTooLarge and changes nothing.
    Whatever else keeps the store from answering raises StoreError.
    """

    def get(self, key: str) -> bytes | None:
        """The value, or None where there is none or it has expired."""
        ...

    def set(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Keep `value`, whatever was there."""
        ...

    def add(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """Keep `value` where nothing is: True. Where something is, nothing changes: False. Atomic: one caller wins."""
        ...

    def swap(self, key: str, old: bytes, new: bytes, ttl: float | None = None) -> bool:
        """Put `new` in the place of `old`: True. Where something else or nothing is, nothing changes: False. Atomic."""
        ...

    def delete(self, key: str) -> bool:
        """True where something was deleted, False where there was nothing, or only what had expired."""
        ...


@runtime_checkable
class ReadsMany(Protocol):
    """A store that reads several values for little more than one costs."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values in the order of their keys, each as `get` would give it; keys may repeat, and there may be none.

        Not all at one moment: each was there at some moment of the call.
        """
        ...


@runtime_checkable
class Clearable(Protocol):
    """A store that can be emptied."""

    def clear(self) -> None:
        """Delete every entry of this store; of a shared backend, those under its prefix."""
        ...


@runtime_checkable
class Purgeable(Protocol):
    """A store that keeps expired entries until they are collected, and can be told to collect them now."""

    def purge(self) -> int:
        """Delete the expired entries; how many there were."""
        ...
