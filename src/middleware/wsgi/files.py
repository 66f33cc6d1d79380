"""See the end of a file that the server sends by its own `wsgi.file_wrapper`.

What the application returns stays an instance of the server's class, so that sendfile works: the class gets a stand-in
for the file, whose reads are seen and whose `close()`, which the server calls through its wrapper, ends the answer.
"""

from __future__ import annotations

import os

from middleware.wsgi.bodies import close

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from middleware.wsgi.exchange import Exchange

_BLOCK = 1 << 16


class WatchedFile:
    """The file inside a server's wrapper. What is not said here is the file's own."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.exchange: Exchange | None = None  # what it ends, once the application has returned it
        self._descriptor_from: int | None = None  # where it stood when the server asked for its descriptor
        self._began: int | None = None  # where the first read was
        self._read_to = 0
        self.by_descriptor = 0
        self._closed = False

    def read(self, *size: int) -> bytes:
        exchange = self.exchange
        if exchange is None:
            unwatched: bytes = self._file.read(*size)
            return unwatched
        start = self._position()
        if self._began is None:
            self._began = self._read_to = start
        try:
            chunk: bytes = self._file.read(*size)
        except BaseException as error:
            exchange.error = error
            raise
        if not chunk:
            exchange.completed = True
        # waitress seeks back and reads once more what a slow client did not take.
        unseen = chunk[max(self._read_to - start, 0) :]
        if unseen:
            self._read_to = start + len(chunk)
            exchange.see(unseen)
        return chunk

    def _position(self) -> int:
        try:
            position: int = self._file.tell()
        except (AttributeError, OSError):
            return self._read_to
        return position

    def __iter__(self) -> Iterator[bytes]:  # for a server whose wrapper returns the file itself
        return iter(lambda: self.read(_BLOCK), b"")

    def __getattr__(self, name: str) -> Any:
        if name == "fileno":
            self._descriptor_from = self._position()
        return getattr(self._file, name)

    def close(self) -> None:
        if self._closed:  # once, however often the server asks
            return
        self._closed = True
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            close(self._file)
            return
        if exchange.error is None and not exchange.completed:
            size = self._size(exchange)
            if self._began is not None:  # a server that knows the size does not ask for the end
                exchange.completed = size is not None and self._read_to - self._began >= size
            elif self._descriptor_from is not None:
                exchange.completed = True
                self.by_descriptor = size or 0
        exchange.close(self._file)

    def _size(self, exchange: Exchange) -> int | None:
        """What a server sends of the file: Content-Length says, else the file's own size."""
        assert exchange.accepted is not None
        declared = exchange.accepted.get("Content-Length") or ""
        if declared.isascii() and declared.isdigit():
            return int(declared)
        try:
            return os.fstat(self._file.fileno()).st_size - (self._began or self._descriptor_from or 0)
        except (OSError, ValueError, AttributeError):
            return None
