"""One request on its way through one layer. All the state that `forward` has lives here, never on a layer."""

from __future__ import annotations

from middleware.errors import ClientGone
from middleware.wsgi.bodies import close
from middleware.wsgi.response import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Any
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.wsgi.files import WatchedFile

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class Ending:
    """How an answer ended, as `forward` tells its `end`.

    `completed`: all of it was handed to the server; HEAD, 204 and 304 that nobody iterated count.
    `gone`: the server stopped asking, its `write()` raised, or the application let a ClientGone of `wsgi.input` fly:
    the client has most likely left.
    `error`: what the application, `amend`, `watch`, a `close()` or the server's `write()` raised, or None.
    `server_error`: what the server's `write()` raised, whatever the application made of it; that ClientGone; or None.
    `by_descriptor`: bytes of a file that the server took by its descriptor (sendfile), which `watch` cannot see.
    `head`: the latest status and header fields that the server took, or None.
    `first`: the first that the application gave, whether the server took it or another in its place, or None.
    """

    __slots__ = ("by_descriptor", "completed", "error", "first", "gone", "head", "server_error")

    def __init__(
        self,
        completed: bool,
        gone: bool = False,
        error: BaseException | None = None,
        by_descriptor: int = 0,
        head: Response | None = None,
        first: Response | None = None,
        server_error: BaseException | None = None,
    ) -> None:
        self.completed = completed
        self.gone = gone
        self.error = error
        self.by_descriptor = by_descriptor
        self.head = head
        self.first = first
        self.server_error = server_error

    def __repr__(self) -> str:
        return f"<Ending completed={self.completed} gone={self.gone} error={self.error!r}>"


class Head(Response):
    """A head of the application, empty when made: a constructor would add 0.05 to the 0.75 us of an amended one."""

    __slots__ = ()

    __init__ = object.__init__  # pyright: ignore[reportAssignmentType]


_empty_head: Callable[[], Response] = Head  # pyright: ignore[reportAssignmentType]


class Unwatched:
    """What `amend` returns to say that neither `watch` nor `end` need see more of this answer."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNWATCHED"


UNWATCHED = Unwatched()


class Exchange:
    """The head in hand, whether it is gone, what was seen of the body, and what ends it all. `forward` fills it.

    It is itself the `write` that the application gets: a bound method, which hardly one calls, takes 0.03 us.
    """

    __slots__ = (
        "accepted",
        "amend",
        "app",
        "completed",
        "end",
        "environ",
        "error",
        "exc_info",
        "file",
        "first",
        "handed_on",
        "head",
        "left",
        "server_error",
        "server_file_wrapper",
        "server_write",
        "start_response",
        "watch",
    )

    app: WSGIApplication
    environ: WSGIEnvironment
    start_response: StartResponse  # the server's
    server_write: Callable[[bytes], object] | None  # what that returned; set once it accepted a head
    amend: Callable[[Response], object] | None
    watch: Callable[[bytes], object] | None
    end: Callable[[Ending], object] | None

    head: Response | None  # the application's latest
    first: Response | None  # and its first, where another replaced it
    exc_info: ExcInfo | None  # what came with it, until the server has it
    accepted: Response | None  # the head that the server took; it lets another replace it until a byte has left
    handed_on: bool  # the body is in the server's hands: none can be put in its place
    left: bool  # a byte has left: no head can be replaced any more
    completed: bool  # the last chunk was handed on
    error: BaseException | None
    server_error: BaseException | None  # what its `write()` raised
    server_file_wrapper: Callable[..., Iterable[bytes]]  # set where the files are watched
    file: tuple[Iterable[bytes], WatchedFile] | None  # the latest that the server's file wrapper made, and from what

    def start(
        self, status: str, headers: Iterable[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        """The `start_response` that the application gets."""
        if exc_info is None or exc_info[1] is None:
            if self.head is not None:
                from middleware.wsgi.breaches import started_twice

                raise started_twice(self.app)
            head = self.head = _empty_head()
            head.status = status
            head.headers = [*headers]
            head.body = None
            return self
        try:
            if self.left:
                raise exc_info[1].with_traceback(exc_info[2])
            void, self.head = self.head, Response(status, headers, None)
            self.exc_info = exc_info
            if void is not None:
                self.first = self.first or void
                void.close()
            if self.accepted is not None:
                self.release(self.head)
            return self
        finally:
            exc_info = None  # its traceback holds this frame

    def release(self, head: Response) -> None:
        """Amend a head and hand it to the server."""
        if self.amend is not None and self.amend(head) is UNWATCHED:
            self.watch = self.end = None
        exc_info, self.exc_info = self.exc_info, None
        if exc_info is None or exc_info[1] is None:
            self.server_write = self.start_response(head.status, head.headers)
        else:
            try:
                if self.handed_on and head.body is not None:
                    useless, head.body = head.body, None  # the answer under way may still go on
                    close(useless)
                    raise exc_info[1].with_traceback(exc_info[2])
                self.server_write = self.start_response(head.status, head.headers, exc_info)
            finally:
                exc_info = None  # its traceback holds this frame
        self.accepted = head

    def __call__(self, data: bytes, /) -> None:
        """The `write` that the application gets: the head goes first, the data at once after it."""
        if not data:
            return
        head = self.head
        assert head is not None
        if self.accepted is None:
            self.release(head)
        if head.body is not None:
            return
        if self.server_write is None:
            raise RuntimeError("this server's start_response returned no write(): yield the body instead")
        try:
            self.server_write(data)
        except BaseException as error:
            self.server_error = error
            raise
        self.see(data)

    def see(self, chunk: bytes) -> None:
        """A chunk, not empty, is handed on."""
        self.left = True
        if self.watch is not None:
            try:
                self.watch(chunk)
            except BaseException as error:
                self.error = error
                raise

    def replace(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """The body that `amend` put in place of the application's, which is closed."""
        head = self.head
        assert head is not None
        close(body)
        replacement = head.body_for(self.environ)
        head.body = ()  # what the application still writes is dropped, and nothing is left here to close
        return replacement

    def call_with_watched_files(self) -> Iterable[bytes]:
        """Call the application in such a way that the end of a file it returns will be seen."""
        environ = self.environ
        wrapper = self.server_file_wrapper = environ["wsgi.file_wrapper"]
        environ["wsgi.file_wrapper"] = self.wrap_file
        try:
            return self.app(environ, self.start)
        finally:
            environ["wsgi.file_wrapper"] = wrapper

    def wrap_file(self, file: Any, *block_size: int) -> Iterable[bytes]:
        """The `wsgi.file_wrapper` that a watched application gets: the server's own, round a file that is watched."""
        from middleware.wsgi.files import WatchedFile

        watched = WatchedFile(file)
        wrapped = self.server_file_wrapper(watched, *block_size)
        if self.wraps_by_class() or type(wrapped) is WatchedFile:
            self.file = wrapped, watched
        return wrapped

    def ends_with_file(self, body: Iterable[bytes]) -> bool:
        """Whether `body` is the server's wrapper round a file whose `close()` ends this exchange from now on."""
        if self.file is None or self.file[0] is not body:
            return False
        self.file[1].exchange = self
        return True

    def wraps_by_class(self) -> bool:
        """Whether the server's file wrapper is a class, whose `close()` closes the file (PEP 3333).

        Of what a plain function returns nobody knows that, and no `isinstance` can ask for it.
        """
        outer = getattr(self.server_file_wrapper, "__self__", None)  # where layers are nested
        return outer.wraps_by_class() if isinstance(outer, Exchange) else isinstance(self.server_file_wrapper, type)

    def fail(self, error: BaseException, body: Iterable[bytes]) -> None:
        """End because of `error`, which is about to leave: what closing raises joins it as a note."""
        self.error = error
        try:
            self.close(body)
        except Exception as another:  # noqa: BLE001 - the first error is the one that leaves
            error.add_note(f"and then close() of the body raised {another!r}")

    def close(self, body: Iterable[bytes]) -> None:
        """Close what the application returned, then tell `end`."""
        try:
            try:
                if type(body) is not list:  # which has no close(): 0.1 of the 2 us of a watched answer
                    close(body)
            finally:
                head = self.head
                if head is not None and head.body is not None:
                    head.close()
        except BaseException as error:
            if self.error is None:
                self.error = error
            raise
        finally:
            end, self.end = self.end, None
            if end is not None:
                end(self.ending())
            self.error = self.server_error = self.exc_info = None  # their tracebacks hold this exchange

    def ending(self) -> Ending:
        """How it ended, once it has."""
        error, server_error = self.error, self.server_error
        if server_error is None and isinstance(error, ClientGone):
            server_error = error
        first = self.first or self.head
        if server_error is not None:  # bytes are missing, though the application may have gone on
            return Ending(False, True, error, 0, self.accepted, first, server_error)
        if self.completed:
            by_descriptor = self.file[1].by_descriptor if self.file else 0
            return Ending(True, False, error, by_descriptor, self.accepted, first)
        nothing_due = error is None and self.accepted is not None and not self.accepted.may_have_body(self.environ)
        return Ending(nothing_due, not nothing_due and error is None, error, 0, self.accepted, first)
