"""A key set in the store, so that processes which share it fetch it once. A store that fails is done without."""

from __future__ import annotations

import os
import time

from middleware.errors import StoreError
from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from middleware.stores.base import Store

    T = TypeVar("T")

_FREE = b"free"
_HELD_FOR = 12.0  # seconds after which a leader that never came back is overtaken
_WAIT = 6.0  # seconds for whoever leads to come back with the keys
_PAUSE = 0.02


class SharedKeys:
    """The record of one issuer, and the lock of whoever fetches it. `keep`: seconds for which a record is kept."""

    def __init__(self, store: Store, key: str, keep: float) -> None:
        self._store = store
        self._key = key
        self._keep = keep

    def read(self) -> tuple[bytes, float] | None:
        """The document and when it was fetched, in seconds since 1970; None where there is none."""
        value = self._quietly(lambda: self._store.get(self._key))
        at, newline, document = (value or b"").partition(b"\n")
        try:
            return (document, float(at)) if newline else None
        except ValueError:
            return None

    def write(self, document: bytes, at: float) -> None:
        """Keep what was fetched."""
        self._quietly(lambda: self._store.set(self._key, f"{at}\n".encode() + document, self._keep))

    def lead(self) -> bytes | None:
        """A token for whoever may fetch now: give it back by `land`. None where another process does."""
        token = os.urandom(16)
        lock = f"{self._key}:lock"
        taken = self._quietly(
            lambda: self._store.add(lock, token, _HELD_FOR) or self._store.swap(lock, _FREE, token, _HELD_FOR)
        )
        return None if taken is False else token

    def land(self, token: bytes) -> None:
        """The fetch is over, however it ended."""
        self._quietly(lambda: self._store.swap(f"{self._key}:lock", token, _FREE, _HELD_FOR))

    def wait(self) -> None:
        """Until the other process is back."""
        until = time.monotonic() + _WAIT
        while time.monotonic() < until:
            if self._quietly(lambda: self._store.get(f"{self._key}:lock")) in (None, _FREE):
                return
            time.sleep(_PAUSE)

    def _quietly(self, verb: Callable[[], T]) -> T | None:
        try:
            return verb()
        except StoreError:
            say_once(
                "the store of AuthMiddleware does not answer: each process fetches the keys of issuers for itself",
                logger="middleware.auth",
            )
            return None
