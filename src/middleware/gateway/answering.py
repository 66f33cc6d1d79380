"""How the application is called where the server would not answer in its stead, or get its head wrong."""

from __future__ import annotations

from itertools import chain, islice

from middleware.errors import ClientGone
from middleware.gateway.pages import broken_off, page
from middleware.wsgi import Response, forward
from middleware.wsgi.bodies import close, is_file, is_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.wsgi import Ending
    from middleware.wsgi.exchange import ExcInfo


class Head:
    """The server's `start_response`, and whether it has had a head.

    The first one it gets is without `exc_info`, which no server needs, and with which uWSGI sends no body.
    `holds`: that first one waits for `leave()`, or for what is written, as a server itself has to (PEP 3333).
    """

    __slots__ = ("_held", "_start_response", "_write", "given", "holds")

    def __init__(self, start_response: StartResponse, *, holds: bool = False) -> None:
        self._start_response = start_response
        self.holds = holds
        self._held: tuple[str, list[tuple[str, str]]] | None = None
        self._write: Callable[[bytes], object] | None = None
        self.given = False

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        try:
            if self.given and exc_info is not None:
                return self._start_response(status, headers, exc_info)
            if self.holds and not self.given:
                self._held = status, headers
                return self.write
            write = self._start_response(status, headers)
            self.given = True
            return write
        finally:
            exc_info = None  # its traceback holds this frame

    def leave(self) -> None:
        """Hand the head on that was held."""
        if self._held is not None:
            (status, headers), self._held = self._held, None
            self._write = self._start_response(status, headers)
            self.given = True

    def write(self, data: bytes, /) -> None:
        """The `write()` of a head that was held."""
        self.leave()
        assert self._write is not None
        self._write(data)


def collecting(app: WSGIApplication) -> WSGIApplication:
    """`app` for a server whose `start_response` returns no `write()`: what it writes comes with its body."""

    def collected(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return Response.from_app(app, environ)(environ, start_response)

    return collected


def answer_errors(
    app: WSGIApplication, environ: WSGIEnvironment, head: Head, end: Callable[[Ending], object] | None
) -> Iterable[bytes]:
    """Call `app`; what it raises before its first value is told on `wsgi.errors` and answered with 500.

    Where `head` does not hold, because the server cannot take one later, that is what it raises before its head.
    """
    try:
        body = forward(app, environ, head, end=end)
        if not is_whole(body) and not is_file(body, environ):  # of which nothing is left to fail
            return body if head.given else Tried(body, environ, head)
        head.leave()
    except Exception as error:
        if head.given:
            raise
        return _answer_error(error, environ, head)
    return body


def _answer_error(error: Exception, environ: WSGIEnvironment, head: Head) -> Iterable[bytes]:
    if isinstance(error, ClientGone):
        return answer(environ, head, broken_off())
    _tell(error, environ)
    return answer(environ, head, page("500 Internal Server Error", "The server made a mistake."))


def _tell(error: Exception, environ: WSGIEnvironment) -> None:
    """Print the traceback in ASCII: some streams take nothing else. What cannot be told shall not cost the answer."""
    from contextlib import suppress
    from traceback import format_exception

    with suppress(Exception):
        told = "".join(format_exception(error)).encode("ascii", "backslashreplace").decode()
        environ["wsgi.errors"].write(told)


def answer(environ: WSGIEnvironment, head: Head, response: Response) -> Iterable[bytes]:
    """Answer in the application's stead, whose head is forgotten if it was held."""
    body = response(environ, head)
    head.leave()
    return body


class Tried:
    """A body whose head waits for its first value, as long as an error can be answered in its stead."""

    __slots__ = ("_body", "_environ", "_head", "_iterator")

    def __init__(self, body: Iterable[bytes], environ: WSGIEnvironment, head: Head) -> None:
        self._body = body
        self._environ = environ
        self._head = head
        self._iterator: Iterator[bytes] | None = None
        if not head.holds:
            self._iterator = self._begin()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._iterator is None:
            self._iterator = self._begin()
        return next(self._iterator)

    def _begin(self) -> Iterator[bytes]:
        try:
            iterator = iter(self._body)
            first = list(islice(iterator, 1))
            self._head.leave()
        except Exception as error:
            if self._head.given:
                raise
            body, self._body = self._body, ()
            try:
                close(body)
            except Exception as second:  # noqa: BLE001 - told with the first
                error.add_note(f"close() raised {second!r}")
            return iter(_answer_error(error, self._environ, self._head))
        return chain(first, iterator)

    def close(self) -> None:
        close(self._body)
