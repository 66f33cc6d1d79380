"""Take an application's answer in hand before anything leaves: what `Response.from_app` gives."""

from __future__ import annotations

from middleware.wsgi.bodies import close
from middleware.wsgi.breaches import never_started, started_twice
from middleware.wsgi.response import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.wsgi.exchange import ExcInfo

IN_MEMORY = 1 << 20  # bytes written before the application returned; more goes to a temporary file
BLOCK = 1 << 16


def take(app: WSGIApplication, environ: WSGIEnvironment) -> TakenResponse:
    """Call `app` and return its answer, the head known and the body unread.

    A list, a tuple or the server's file wrapper stays the object that it is; any other body is wrapped, so that data
    written while it is iterated keeps its place.
    """
    response = TakenResponse()
    body = _TakenBody(app, response)
    try:
        body.take(app(environ, body.start))
    except BaseException as error:
        try:
            body.close()
        except Exception as another:  # noqa: BLE001 - the first error is the one that leaves
            error.add_note(f"and then close() of the body raised {another!r}")
        response.exc_info = None
        raise
    untouched = body.untouched(environ.get("wsgi.file_wrapper"))
    response.body = body if untouched is None else untouched
    return response


class TakenResponse(Response):
    """An application's answer in hand. Its body belongs to the application: it goes on as it is, for HEAD too.

    `restarted` is True once the application has replaced the head (through `exc_info`, before a byte of the body was
    handed on): what was decided with the first head is void then, and the new one goes to the server as it is.
    """

    __slots__ = ("exc_info", "restarted", "server")

    def __init__(self) -> None:
        super().__init__("")
        self.exc_info: ExcInfo | None = None
        self.restarted = False
        self.server: StartResponse | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:  # noqa: ARG002
        self.server = start_response
        exc_info, self.exc_info = self.exc_info, None
        try:
            if exc_info is None:
                start_response(self.status, list(self.headers))
            else:
                start_response(self.status, list(self.headers), exc_info)
        except BaseException:
            self.close()  # the server refuses the head, so nobody will get the body
            raise
        finally:
            exc_info = None  # its traceback holds this frame
        return () if self.body is None else self.body

    def close(self) -> None:
        self.exc_info = None  # its traceback holds what holds this response
        super().close()


class _TakenBody:
    """The application's iterable, and what it writes, each byte in its place; closed once."""

    __slots__ = (
        "_app",
        "_closed",
        "_head_known",
        "_iterator",
        "_left",
        "_response",
        "_source",
        "_taken",
        "_written",
        "_yielded",
    )

    def __init__(self, app: WSGIApplication, response: TakenResponse) -> None:
        self._app = app
        self._response = response
        self._source: Iterable[bytes] = ()
        self._iterator: Iterator[bytes] | None = None
        self._yielded: list[bytes] = []  # what waits behind written data, or came with the head of a late starter
        self._written = _Written()
        self._head_known = False
        self._taken = False
        self._left = False
        self._closed = False

    def start(
        self, status: str, headers: Iterable[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        """The `start_response` that the application gets."""
        response = self._response
        try:
            if exc_info is None or exc_info[1] is None:
                if self._head_known:
                    raise started_twice(self._app)
            elif self._left:
                raise exc_info[1].with_traceback(exc_info[2])
            elif response.server is not None:
                self._written.clear()
                response.restarted = True
                response.server(status, list(headers), exc_info)
                return self._written.add
            else:
                self._written.clear()  # it belongs to the head that is void now, and has not left
                response.exc_info = exc_info
                response.restarted = self._taken
            self._head_known = True
            response.status = status
            response.headers = list(headers)
            return self._written.add
        finally:
            exc_info = None

    def take(self, source: Iterable[bytes]) -> None:
        """Keep what the application returned, and run a late starter to its first chunk that is not empty."""
        self._source = source
        if not self._head_known:
            self._iterator = iter(source)
            for chunk in self._iterator:
                self._yielded.append(chunk)
                if chunk or self._written:
                    break
            if not self._head_known:
                raise never_started(self._app)
        self._taken = True

    def untouched(self, file_wrapper: object) -> Iterable[bytes] | None:
        """The application's own object, where nothing can be written while it is iterated."""
        plain = type(self._source) is list or type(self._source) is tuple
        a_file = isinstance(file_wrapper, type) and isinstance(self._source, file_wrapper)
        if self._iterator is None and not self._written and (plain or a_file):
            return self._source
        return None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = self._written.read() or self._pull()
        if chunk:
            self._left = True
        return chunk

    def _pull(self) -> bytes:
        """The application's next value, behind what it wrote on the way to it."""
        if self._yielded:
            return self._yielded.pop(0)
        if self._iterator is None:
            self._iterator = iter(self._source)
        for chunk in self._iterator:
            if not self._written:
                return chunk
            self._yielded.append(chunk)
            break
        if not self._written:
            raise StopIteration
        return self._written.read()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            close(self._source)
        finally:
            self._written.clear()
            self._response.body = None  # the two hold each other


class _Written:
    """Data written by the application and not yet read: in memory, in a temporary file where it is much."""

    __slots__ = ("_chunks", "_file", "_position", "_size")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0  # of what is not read yet
        self._position = 0
        self._file: IO[bytes] | None = None

    def __bool__(self) -> bool:
        return self._size > 0

    def add(self, data: bytes, /) -> None:
        """The `write` that the application gets."""
        self._size += len(data)
        if self._file is None and self._size > IN_MEMORY:
            import tempfile

            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - clear() closes it
            self._file.writelines(self._chunks)
            self._chunks.clear()
        if self._file is not None:
            self._file.seek(0, 2)
            self._file.write(data)
        elif data:
            self._chunks.append(data)

    def read(self) -> bytes:
        """What comes next, at most a block of it; `b""` where nothing is left."""
        if self._file is None:
            block = b"".join(self._chunks)
            self._chunks.clear()
        else:
            self._file.seek(self._position)
            block = self._file.read(BLOCK)
            self._position += len(block)
        self._size -= len(block)
        return block

    def clear(self) -> None:
        """Forget it."""
        self._chunks.clear()
        self._size = self._position = 0
        if self._file is not None:
            self._file.close()
            self._file = None
