"""Pass a request on and act on its answer.

What PEP 3333 asks of a middleware is kept here, once for every layer. The state of a request lives in one `_Exchange`,
never on a layer.
"""

from __future__ import annotations

from middleware.wsgi.response import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.wsgi.files import WatchedFiles

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class Ending:
    """How an answer ended, as `forward` tells its `end`.

    `completed`: all of it was handed to the server; HEAD, 204 and 304 that nobody iterated count.
    `gone`: the server stopped asking, or its `write()` raised: the client has most likely left.
    `error`: what the application, `amend`, a `close()` or the server's `write()` raised, or None.
    `by_descriptor`: bytes of a file that the server took by its descriptor (sendfile), which `watch` cannot see.
    """

    __slots__ = ("by_descriptor", "completed", "error", "gone")

    def __init__(
        self, completed: bool, gone: bool = False, error: BaseException | None = None, by_descriptor: int = 0
    ) -> None:
        self.completed = completed
        self.gone = gone
        self.error = error
        self.by_descriptor = by_descriptor

    def __repr__(self) -> str:
        return f"<Ending completed={self.completed} gone={self.gone} error={self.error!r}>"


def forward(
    app: WSGIApplication,
    environ: WSGIEnvironment,
    start_response: StartResponse,
    amend: Callable[[Response], object] | None = None,
    *,
    watch: Callable[[bytes], object] | None = None,
    end: Callable[[Ending], object] | None = None,
) -> Iterable[bytes]:
    """Pass the request on and act at the three moments of its answer.

    `amend(response)` sees each head on its way out, on a header list of its own, as late as PEP 3333 allows: when the
    application has returned, inside the server's first `next` for an application that starts late, or at the first
    non-empty `write()`. It runs again for a head that replaces one which has not left, so it must bear repeating.
    It may set `response.body`; what the application still gives is then dropped and its iterable closed. (A head that
    replaces one when the body is already in the server's hands cannot bring a body: the error it reports is raised.)

    `watch(chunk)` sees each non-empty chunk, yielded or written alike. `end(ending)` runs exactly once, after the
    application's own `close()`, however the answer ends. Without these two the application's body goes on as it is.

    Raises RuntimeError where the application breaks PEP 3333: `start_response` is never called, or twice without
    `exc_info`.
    """
    exchange = _Exchange(app, environ, start_response, amend, watch, end)
    body: Iterable[bytes] = ()
    try:
        if watch is None and end is None:
            body = app(environ, exchange.start)
        else:
            body = exchange.call_watched()
        if exchange.head is None:
            return Body(exchange, body)
        if not exchange.released:
            exchange.release()
        if exchange.head.body is not None:
            application_body, body = body, ()
            body = exchange.replace(application_body)
    except BaseException as error:
        exchange.error = error
        Body(exchange, body).close_after(error)
        raise
    exchange.handed_on = True
    if (watch is None and end is None) or exchange.ends_with_file(body):
        return body
    if type(body) is list or type(body) is tuple or type(body) is _ListBody:
        return _ListBody(exchange, body)
    return Body(exchange, body)


class _Exchange:
    """One request on its way through one layer: the head in hand, whether it is gone, and what ends it all.

    What most requests never change stands on the class, which makes an exchange three times as cheap as `__slots__`
    that are all filled (0.2 of 0.6 us).
    """

    head: Response | None = None  # the application's latest
    released = False  # a head was handed to the server, which lets another replace it until a byte has left
    handed_on = False  # the body is in the server's hands: none can be put in its place
    completed = False  # the last chunk was handed on
    error: BaseException | None = None
    by_descriptor = 0
    _files: WatchedFiles | None = None
    _left = False  # a byte has left: no head can be replaced any more
    _exc_info: ExcInfo | None = None
    _server_write: Callable[[bytes], object] | None = None
    _server_error: BaseException | None = None

    def __init__(
        self,
        app: WSGIApplication,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        amend: Callable[[Response], object] | None,
        watch: Callable[[bytes], object] | None,
        end: Callable[[Ending], object] | None,
    ) -> None:
        self._app = app
        self._environ = environ
        self._start_response = start_response
        self._amend = amend
        self._watch = watch
        self._end = end

    def call_watched(self) -> Iterable[bytes]:
        """Call the application in such a way that the end of a file it returns will be seen."""
        environ = self._environ
        if "wsgi.file_wrapper" not in environ:
            return self._app(environ, self.start)
        from middleware.wsgi.files import WatchedFiles

        self._files = WatchedFiles(environ)
        try:
            return self._app(environ, self.start)
        finally:
            self._files.withdraw(environ)

    def ends_with_file(self, body: Iterable[bytes]) -> bool:
        """Whether `body` is the server's wrapper round a file whose `close()` ends this exchange."""
        return self._files is not None and self._files.adopt(body, self)

    def start(
        self, status: str, headers: Iterable[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        """The `start_response` that the application gets."""
        if exc_info is None or exc_info[1] is None:
            if self.head is not None:
                raise RuntimeError(
                    f"{self.app_name()} called start_response twice: only exc_info may replace a head (PEP 3333)"
                )
            self.head = Response(status, headers, None)
            return self.write
        try:
            if self._left:
                raise exc_info[1].with_traceback(exc_info[2])
            self.head = Response(status, headers, None)
            self._exc_info = exc_info
            if self.released:
                self.release()
            return self.write
        finally:
            exc_info = None  # its traceback holds this frame

    def release(self) -> None:
        """Amend the head in hand and hand it to the server."""
        head = self.head
        assert head is not None
        if self._amend is not None:
            self._amend(head)
        if self._exc_info is None:
            self._server_write = self._start_response(head.status, head.headers)
        else:
            self._release_after_error(head)
        self.released = True

    def _release_after_error(self, head: Response) -> None:
        exc_info, self._exc_info = self._exc_info, None
        assert exc_info is not None
        assert exc_info[1] is not None
        try:
            if self.handed_on and head.body is not None:
                raise exc_info[1].with_traceback(exc_info[2])
            self._server_write = self._start_response(head.status, head.headers, exc_info)
        finally:
            exc_info = None  # its traceback holds this frame

    def write(self, data: bytes, /) -> None:
        """The `write` that the application gets: the head goes first, the data at once after it."""
        if not data:
            return
        head = self.head
        assert head is not None
        if not self.released:
            self.release()
        if head.body is not None:
            return
        if self._server_write is None:
            raise RuntimeError("this server's start_response returned no write(): yield the body instead")
        try:
            self._server_write(data)
        except BaseException as error:
            self._server_error = error
            raise
        self.see(data)

    def see(self, chunk: bytes) -> None:
        """A chunk, not empty, is handed on."""
        self._left = True
        if self._watch is not None:
            self._watch(chunk)

    def replace(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """The body that `amend` put in place of the application's, which is closed."""
        assert self.head is not None
        try:
            close(body)
        except BaseException:
            self.head.close()
            raise
        return self.head.body_for(self._environ)

    def app_name(self) -> str:
        """What to call the application in an error."""
        return getattr(self._app, "__qualname__", None) or type(self._app).__qualname__

    def close(self, body: Iterable[bytes]) -> None:
        """Close what the application returned, then tell `end`."""
        try:
            close(body)
        except BaseException as error:
            if self.error is None:
                self.error = error
            raise
        finally:
            end, self._end = self._end, None
            if end is not None:
                end(self._ending())

    def _ending(self) -> Ending:
        error = self.error
        if self.completed:
            return Ending(True, False, error, self.by_descriptor)
        nothing_due = error is None and self.head is not None and not self.head.may_have_body(self._environ)
        gone = not nothing_due and (error is None or error is self._server_error)
        return Ending(nothing_due, gone, error)


class Body:
    """An application's iterable on its way out: one value in, one value out, closed once.

    A class and never a generator: the `finally` of a generator that was never started does not run.
    """

    __slots__ = ("_closed", "_exchange", "_iterator", "_source")

    def __init__(self, exchange: _Exchange, source: Iterable[bytes]) -> None:
        self._exchange = exchange
        self._source = source
        self._iterator: Iterator[bytes] | None = None
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = self._start() if self._iterator is None else next(self._iterator)
            if chunk:
                self._exchange.see(chunk)
        except StopIteration:
            self._exchange.completed = True
            raise
        except BaseException as error:
            self._exchange.error = error
            raise
        return chunk

    def _start(self) -> bytes:
        """The first value. A late starter calls `start_response` on the way to it, or never."""
        exchange = self._exchange
        self._iterator = iter(self._source)
        if exchange.handed_on:
            return next(self._iterator)
        chunk = next(self._iterator, None)
        if exchange.head is None:
            raise RuntimeError(f"{exchange.app_name()} gave a body without calling start_response (PEP 3333)")
        if not exchange.released:
            exchange.release()
        if exchange.head.body is not None:
            application_body, self._source = self._source, ()
            self._source = exchange.replace(application_body)
            self._iterator = iter(self._source)
            chunk = next(self._iterator, None)
        exchange.handed_on = True
        if chunk is None:
            raise StopIteration
        return chunk

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._exchange.close(self._source)

    def close_after(self, error: BaseException) -> None:
        """Close because of `error`, which is about to leave: what `close()` raises joins it as a note."""
        try:
            self.close()
        except Exception as another:  # noqa: BLE001 - the first error is the one that leaves
            error.add_note(f"and then close() of the body raised {another!r}")


class _ListBody(list[bytes]):
    """A list of chunks that stays a list, so that a server sees how many they are, and that has a `close()`."""

    __slots__ = ("_closed", "_exchange", "_source")

    def __init__(self, exchange: _Exchange, source: list[bytes] | tuple[bytes, ...]) -> None:
        super().__init__(source[:])  # a slice, since to iterate over another such list would be to hand it on
        self._exchange = exchange
        self._source = source
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        # A generator will do: what has to happen at the end happens in close().
        exchange = self._exchange
        for chunk in self._source:
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
