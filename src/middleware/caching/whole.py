"""A body that is handed over whole, seen before the head leaves. Its rule: no chunk waits for another.

A list is whole. Of any other body the first chunk is, where it is as long as Content-Length says, as with most answers
of frameworks. To see that one the head waits for the server's first `next`, as late as PEP 3333 allows.
"""

from __future__ import annotations

from itertools import islice

from middleware.wsgi.bodies import ListBody, close, is_file, is_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.caching.rules.said import Fields

    Length = Callable[[str, Fields], int]


class Whole:
    """An application, called once, whose body is in `chunks` when its head is amended: None where it is not whole.

    length: of the body, by the head, for which that is to wait; 0 where it is not to.

    It holds no `start_response`, since the exchange holds it.
    """

    def __init__(self, app: WSGIApplication, length: Length) -> None:
        self.__qualname__ = getattr(app, "__qualname__", None) or type(app).__qualname__  # errors name it
        self.chunks: Sequence[bytes] | None = None
        self._rest: Iterable[bytes] = ()
        self._app = app
        self._length = length

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        head = _Head(start_response)
        body = self._app(environ, head.start)
        if is_whole(body):
            self.chunks, self._rest = (body.chunks, body) if isinstance(body, ListBody) else (body, ())
        elif head.waits and not is_file(body, environ):
            length = self._length(head.status, head.fields)
            if length:
                return _Awaited(self, head, body, length)
        head.leave()
        return body

    def first(self, chunk: bytes, rest: Iterator[bytes]) -> None:
        """The first chunk is all."""
        self.chunks = (chunk,)
        self._rest = islice(rest, 1)

    def forget(self) -> None:
        """Hold the body no longer."""
        self.chunks, self._rest = None, ()

    def finish(self) -> None:
        """The body will not be sent: let those who watch it inside see it end, as if it were."""
        for _ in self._rest:
            pass


class _Head:
    """The head of an answer, until it leaves for the kernel."""

    __slots__ = ("_start", "_too_late", "_write", "fields", "status", "waits")

    status: str
    fields: Fields

    def __init__(self, start_response: StartResponse) -> None:
        self._start = start_response
        self._write: Callable[[bytes], object] | None = None
        self._too_late = False
        self.waits = False

    def start(self, status: str, headers: Fields, exc_info: Any = None, /) -> Callable[[bytes], object]:
        """The `start_response` that the application gets. Only the first head of an answer waits."""
        if exc_info is None and not self._too_late:
            self._too_late = self.waits = True
            self.status, self.fields = status, [*headers]
            return self.write
        try:
            self.leave()
            self._write = self._start(status, headers, exc_info)
            return self._write
        finally:
            exc_info = None  # its traceback holds this frame

    def leave(self) -> None:
        """Wait no longer, nor from now on."""
        self._too_late = True
        if self.waits:
            self.waits = False
            self._write = self._start(self.status, self.fields)

    def write(self, data: bytes, /) -> None:
        """The `write` that an application gets whose head waits: no byte waits for another either."""
        if data:
            self.leave()
            assert self._write is not None
            self._write(data)


class _Awaited:
    """A body whose first chunk may be all of it."""

    __slots__ = ("_head", "_iterator", "_length", "_source", "_whole")

    def __init__(self, whole: Whole, head: _Head, source: Iterable[bytes], length: int) -> None:
        self._whole = whole
        self._head = head
        self._source = source
        self._length = length
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._iterator is not None:
            return next(self._iterator)
        self._iterator = iter(self._source)
        try:
            chunk = next(self._iterator)
        except StopIteration:
            self._head.leave()
            raise
        if self._head.waits and type(chunk) is bytes and len(chunk) == self._length:
            self._whole.first(chunk, self._iterator)
        self._head.leave()
        return chunk

    def close(self) -> None:
        close(self._source)
