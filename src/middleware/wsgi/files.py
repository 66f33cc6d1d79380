"""See the end of a file that the server sends by its own `wsgi.file_wrapper`.

What the application returns stays an instance of the server's class, so that sendfile works: the class gets a stand-in
for the file, whose reads are seen and whose `close()`, which the server calls through its wrapper, ends the answer.
"""

from __future__ import annotations

import os

from middleware.wsgi.forward import close

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any
    from wsgiref.types import WSGIEnvironment

    from middleware.wsgi.forward import _Exchange


class WatchedFiles:
    """Stands in for the server's file wrapper while an application is called."""

    __slots__ = ("_made", "_wrapper")

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._wrapper: Callable[..., Iterable[bytes]] = environ["wsgi.file_wrapper"]
        self._made: list[tuple[Iterable[bytes], _WatchedFile]] = []
        environ["wsgi.file_wrapper"] = self._wrap

    def _wrap(self, file: Any, *block_size: int) -> Iterable[bytes]:
        watched = _WatchedFile(file)
        made = self._wrapper(watched, *block_size)
        self._made.append((made, watched))
        return made

    def withdraw(self, environ: WSGIEnvironment) -> None:
        """Put the server's own back."""
        environ["wsgi.file_wrapper"] = self._wrapper

    def adopt(self, body: Iterable[bytes], exchange: _Exchange) -> bool:
        """Let the file in `body` end the exchange, if `body` is one of the wrappers made here."""
        for made, watched in self._made:
            if made is body:
                watched.exchange = exchange
                return True
        return False


class _WatchedFile:
    """The file inside a server's wrapper. What is not said here is the file's own."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._descriptor_asked = False
        self._read = False
        self.exchange: _Exchange | None = None

    def read(self, *size: int) -> bytes:
        exchange = self.exchange
        try:
            chunk: bytes = self._file.read(*size)
            if exchange is not None:
                self._read = True
                if chunk:
                    exchange.see(chunk)
                else:
                    exchange.completed = True
        except BaseException as error:
            if exchange is not None:
                exchange.error = error
            raise
        return chunk

    def __getattr__(self, name: str) -> Any:
        if name == "fileno":
            self._descriptor_asked = True
        return getattr(self._file, name)

    def close(self) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is not None and self._descriptor_asked and not self._read:
            exchange.by_descriptor = self._size(exchange)
            exchange.completed = True
        if exchange is None:
            close(self._file)
        else:
            exchange.close(self._file)

    def _size(self, exchange: _Exchange) -> int:
        """What a server sends of the file: Content-Length says, else the file's own size."""
        assert exchange.head is not None
        declared = exchange.head.get("Content-Length") or ""
        if declared.isascii() and declared.isdigit():
            return int(declared)
        try:
            return os.fstat(self._file.fileno()).st_size
        except (OSError, ValueError, AttributeError):
            return 0
