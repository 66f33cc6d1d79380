"""Bodies on their way out: one value in, one value out, closed once.

Classes and never generators: the `finally` of a generator that was never started does not run.
"""

from __future__ import annotations

from itertools import chain, islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeGuard
    from wsgiref.types import WSGIEnvironment

    from middleware.wsgi.exchange import Exchange

_NOTHING: Iterator[bytes] = iter(())
_END = bytes(bytearray(b"the end"))  # compared by identity: no application can yield this very object


class Body:
    """Any iterable of an application, and the only one for an application that starts late."""

    __slots__ = ("_closed", "_exchange", "_iterator", "_source")

    def __init__(self, exchange: Exchange, source: Iterable[bytes]) -> None:
        self._exchange = exchange
        self._source = source
        self._iterator: Iterator[bytes] | None = None
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._iterator is None:
                self._iterator = self._begin()
            chunk = next(self._iterator, _END)
        except BaseException as error:
            self._exchange.error = error
            raise
        if chunk is _END:
            self._exchange.completed = True
            raise StopIteration
        if chunk:
            self._exchange.see(chunk)
        return chunk

    def _begin(self) -> Iterator[bytes]:
        """What to iterate over. A late starter calls `start_response` on the way to its first value, or never."""
        exchange = self._exchange
        iterator = iter(self._source)
        if exchange.handed_on:
            return iterator
        first = list(islice(iterator, 1))
        if exchange.head is None:
            from middleware.wsgi.breaches import never_started

            raise never_started(exchange.app)
        if exchange.accepted is None:
            exchange.release(exchange.head)
        exchange.handed_on = True
        if exchange.head.body is None:
            return chain(first, iterator)
        application_body, self._source = self._source, ()
        self._source = exchange.replace(application_body)
        return iter(self._source)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._iterator = _NOTHING  # nothing is seen after the end, though a server should ask once more
            self._exchange.close(self._source)


class ListBody:
    """A list of chunks that is watched: a server sees how many they are, and closes it.

    It is no `list`: a server may take what lies in a list without iterating over it or closing it.
    """

    __slots__ = ("_closed", "_exchange", "_source", "chunks")

    def __init__(self, exchange: Exchange, source: list[bytes] | tuple[bytes, ...] | ListBody) -> None:
        self.chunks: list[bytes] | tuple[bytes, ...] = source.chunks if isinstance(source, ListBody) else source
        self._exchange = exchange
        self._source = source
        self._closed = False

    def __len__(self) -> int:
        return len(self.chunks)

    def __iter__(self) -> Iterator[bytes]:
        # A generator will do: what has to happen at the end happens in close().
        exchange = self._exchange
        for chunk in self._source:
            if self._closed:
                return
            if chunk:
                exchange.see(chunk)
            yield chunk
        exchange.completed = True

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._exchange.close(self._source)


def close(body: Iterable[bytes]) -> None:
    """Close what an application returned, where it can be closed (PEP 3333)."""
    close_body = getattr(body, "close", None)
    if close_body is not None:
        close_body()


def is_whole(body: object) -> TypeGuard[list[bytes] | tuple[bytes, ...] | ListBody]:
    """Whether all chunks are there. A subclass of list may do something of its own when it is iterated or closed."""
    return type(body) is list or type(body) is tuple or type(body) is ListBody


def is_file(body: object, environ: WSGIEnvironment) -> bool:
    """Whether the server may know this body as a file of its own: it goes on as it is (PEP 3333)."""
    wrapper = environ.get("wsgi.file_wrapper")
    if wrapper is None:
        return False
    return (
        (isinstance(wrapper, type) and isinstance(body, wrapper)) or hasattr(body, "read") or hasattr(body, "filelike")
    )
