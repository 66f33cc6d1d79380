"""How much memory the answers that are being stored may take together, while they pass."""

from __future__ import annotations

from collections import deque
from threading import Lock

from middleware.stores.forks import watch

_LEAST = 1 << 16  # bytes that are taken at a time, and more than which pieces are not copied into one
_PIECES = 256


class Buffers:
    """Bytes shared by all answers on their way into one cache. What finds no room passes, and is not stored."""

    __slots__ = ("__weakref__", "_given_back", "_limit", "_lock", "_used")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._begin()
        watch(self)

    def _begin(self) -> None:
        self._lock = Lock()
        self._used = 0
        self._given_back: deque[int] = deque()

    def before_fork(self) -> None:
        """No thread is inside while the process forks."""
        self._lock.acquire()

    def after_fork(self, *, in_child: bool) -> None:
        """The child begins anew: the threads that would give back what they took are not there."""
        if in_child:
            self._begin()
        else:
            self._lock.release()

    def take(self, size: int) -> bool:
        """Whether there is room for so many bytes more; they are taken then."""
        with self._lock:
            while self._given_back:
                self._used -= self._given_back.popleft()
            if self._used + size > self._limit:
                return False
            self._used += size
            return True

    def give_back(self, size: int) -> None:
        """Bytes that `take` gave are free again. Takes no lock: the garbage collector may call it at any time."""
        self._given_back.append(size)


class Copy:
    """The body of one answer, copied chunk by chunk while it passes.

    `limit`: bytes that it may have.
    """

    __slots__ = ("_blocks", "_buffers", "_limit", "_pieces", "_taken", "size")

    def __init__(self, buffers: Buffers, limit: int) -> None:
        self._buffers = buffers
        self._blocks: list[bytes] = []
        self._pieces: list[bytes] = []  # what has come since the last block
        self._limit = limit
        self._taken = 0
        self.size = 0

    def add(self, chunk: bytes) -> bool:
        """Whether the chunk found room; nothing is kept of the body where it did not."""
        self.size += len(chunk)
        if self.size > self._limit or (self.size > self._taken and not self._grow()):
            self.drop()
            return False
        self._pieces.append(bytes(chunk))
        if len(self._pieces) >= _PIECES:
            self._pack()
        return True

    def _grow(self) -> bool:
        wanted = min(self._limit, max(2 * self._taken, self.size, _LEAST))
        if not self._buffers.take(wanted - self._taken):
            return False
        self._taken = wanted
        return True

    def _pack(self) -> None:
        """Make one block of many small pieces: each is an object, which takes more room than a few bytes in it."""
        if sum(map(len, self._pieces)) < _LEAST:
            self._blocks.append(b"".join(self._pieces))
        else:
            self._blocks += self._pieces
        self._pieces.clear()

    def body(self) -> bytes:
        """All of it. A single chunk is handed on as it is."""
        return b"".join(self._blocks + self._pieces if self._blocks else self._pieces)

    def __del__(self) -> None:
        self.drop()  # a server may forget an answer without closing it

    def drop(self) -> None:
        """Forget it."""
        self._blocks.clear()
        self._pieces.clear()
        if self._taken:
            self._buffers.give_back(self._taken)
            self._taken = 0
