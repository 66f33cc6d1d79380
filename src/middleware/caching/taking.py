"""Bodies between the application and the server, where the cache has something to do before or after them."""

from __future__ import annotations

from middleware.wsgi.bodies import close

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from middleware.wsgi import Response


def prime(taken: Response) -> None:
    """Run an answer in hand to its first chunk that is not empty, so that what fails by then fails here.

    Nothing is held up by that: a server sends no head before that chunk either (PEP 3333). A list cannot fail.
    """
    body = taken.body
    if body is None or isinstance(body, list | tuple):
        return
    iterator = iter(body)
    first = next((chunk for chunk in iterator if chunk), None)
    taken.body = _Primed(body, iterator, first)


class _Primed:
    """A body whose first chunk is known."""

    __slots__ = ("_body", "_first", "_iterator")

    def __init__(self, body: Iterable[bytes], iterator: Iterator[bytes], first: bytes | None) -> None:
        self._body = body
        self._iterator = iterator
        self._first = first

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        first, self._first = self._first, None
        return next(self._iterator) if first is None else first

    def close(self) -> None:
        close(self._body)


class AfterAnswer:
    """An answer's chunks, and what is done when they are sent: in `close()`, which the server calls then."""

    __slots__ = ("_chunks", "_task")

    def __init__(self, chunks: Iterable[bytes], task: Callable[[], None]) -> None:
        self._chunks = chunks
        self._task: Callable[[], None] | None = task

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)

    def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task()
