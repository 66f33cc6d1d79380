"""How the application is called where the server would not answer in its stead, or get its head wrong."""

from __future__ import annotations

from itertools import islice

from middleware.errors import ClientGone
from middleware.wsgi import Response, forward
from middleware.wsgi.bodies import close

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.wsgi import Ending
    from middleware.wsgi.exchange import ExcInfo


class Head:
    """The server's `start_response`, and whether it has had a head.

    The first one it gets is without `exc_info`, which no server needs, and with which uWSGI sends no body.
    """

    __slots__ = ("_start_response", "given")

    def __init__(self, start_response: StartResponse) -> None:
        self._start_response = start_response
        self.given = False

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        first, self.given = not self.given, True
        try:
            if first or exc_info is None:
                return self._start_response(status, headers)
            return self._start_response(status, headers, exc_info)
        finally:
            exc_info = None  # its traceback holds this frame


def collecting(app: WSGIApplication) -> WSGIApplication:
    """`app` for a server whose `start_response` returns no `write()`: what it writes comes with its body."""

    def collected(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return Response.from_app(app, environ)(environ, start_response)

    return collected


def page(status: str, text: str) -> Response:
    """A small answer of the gateway's own."""
    body = f"{text}\n".encode()
    return Response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))], [body])


def answer_errors(
    app: WSGIApplication, environ: WSGIEnvironment, head: Head, end: Callable[[Ending], object] | None
) -> Iterable[bytes]:
    """Call `app`; what it raises before there is a head is told on `wsgi.errors` and answered with 500."""
    try:
        body = forward(app, environ, head, end=end)
        return body if head.given else _begin(body)
    except Exception as error:
        if head.given or isinstance(error, ClientGone):
            raise
        _tell(error, environ)
        return page("500 Internal Server Error", "The server made a mistake.")(environ, head)


def _tell(error: Exception, environ: WSGIEnvironment) -> None:
    from traceback import print_exception

    print_exception(error, file=environ["wsgi.errors"])


def _begin(body: Iterable[bytes]) -> Iterable[bytes]:
    """Run a late starter to its first value, with which its head comes."""
    iterator = iter(body)
    try:
        return Begun(list(islice(iterator, 1)), iterator, body)
    except BaseException:
        close(body)
        raise


class Begun:
    """A body whose first value is taken already."""

    __slots__ = ("_body", "_first", "_rest")

    def __init__(self, first: list[bytes], rest: Iterator[bytes], body: Iterable[bytes]) -> None:
        self._first = first
        self._rest = rest
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._first.pop() if self._first else next(self._rest)

    def close(self) -> None:
        close(self._body)
