"""A strict server for tests: it does all that PEP 3333 asks of a server, and notes all that it forbids an application.

One request a call, no socket. It always calls `close()`, and it can leave early, never iterate, offer no `write()`, and
send files by their descriptor, as real servers do.
"""

from __future__ import annotations

import os
from collections.abc import Sized
from io import BytesIO, StringIO

from middleware.headers import TOKEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Literal
    from wsgiref.types import WSGIApplication, WSGIEnvironment

    from middleware.wsgi.exchange import ExcInfo

    Files = Literal["class", "function", "descriptor", "none"]

HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


class Received:
    """What a client got, and what the server saw on the way."""

    def __init__(self) -> None:
        self.status = ""  # of the head that left, or of the latest if none has
        self.headers: list[tuple[str, str]] = []
        self.chunks: list[bytes] = []  # each non-empty one, yielded or written
        self.yielded = 0  # values, empty ones too
        self.completed = False  # iterated to the end
        self.error: BaseException | None = None  # the one that reached the server
        self.broken: list[str] = []  # what PEP 3333 forbids
        self.result: Iterable[bytes] | None = None  # what the application returned

    @property
    def body(self) -> bytes:
        """All that the client got."""
        return b"".join(self.chunks)

    @property
    def code(self) -> int:
        """The status as a number; 0 where there was none."""
        return int(self.status[:3] or 0)

    def header(self, name: str) -> str | None:
        """The field's value, all its lines joined by a comma, or None."""
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower()) or None

    def __repr__(self) -> str:
        return f"<Received {self.status!r} {self.headers} {self.body[:60]!r} error={self.error!r} broken={self.broken}>"


def make_environ(path: str = "/", method: str = "GET", body: bytes = b"", **entries: Any) -> WSGIEnvironment:
    """A complete WSGI environ; `entries` are further keys (`HTTP_COOKIE="a=1"`) and replace what is there."""
    path, _, query = path.partition("?")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    return {**environ, **entries}


def serve(
    app: WSGIApplication,
    environ: WSGIEnvironment | None = None,
    *,
    leave_after: int | None = None,
    write: bool = True,
    files: Files = "class",
    on_value: Callable[[int], object] | None = None,
) -> Received:
    """Serve one request, and note in `broken` what the application does against PEP 3333. An error ends in `error`.

    `leave_after`: the client leaves after that many values; 0 never iterates at all, as servers do for HEAD.
    `write`: without it `start_response` returns None, as on some servers.
    `files`: what `wsgi.file_wrapper` is; with `"descriptor"` a file goes out unread, as by sendfile.
    `on_value(n)`: called after the n-th value has come, and with 0 once the application has returned.
    """
    environ = make_environ() if environ is None else environ
    if files != "none":
        environ["wsgi.file_wrapper"] = wrap_file if files == "function" else FileWrapper
    visit = _Visit(environ, write)
    received = visit.received
    try:
        result = received.result = app(environ, visit.start_response)
        visit.forbid(result is None, "None was returned instead of an iterable of bytes: is a `return` missing?")
        try:
            if files == "descriptor" and isinstance(result, FileWrapper):
                visit.send(result.by_descriptor())
                received.completed = True
            elif leave_after != 0:
                visit.iterate(result, leave_after, on_value)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - reported, as a server does
        received.error = error
    visit.look_back()
    return received


class _Visit:
    """One request, seen by the server."""

    def __init__(self, environ: WSGIEnvironment, write: bool) -> None:
        self.received = Received()
        self._no_body = environ["REQUEST_METHOD"] == "HEAD"
        self._write = self.send if write else None
        self._sent = False

    def forbid(self, wrong: object, what: str) -> None:
        """Note `what` if it is `wrong`."""
        if wrong and what not in self.received.broken:
            self.received.broken.append(what)

    def start_response(self, *args: Any, **named: Any) -> Any:
        received = self.received
        self.forbid(named or len(args) not in (2, 3), "start_response takes two or three positional arguments")
        status, headers, *rest = args
        exc_info: ExcInfo | None = rest[0] if rest else None
        self.forbid(
            exc_info is not None and not (isinstance(exc_info, tuple) and len(exc_info) == 3),
            "exc_info is None or a tuple of three",
        )
        self._check_head(status, headers)
        try:
            if exc_info and exc_info[1] is not None:
                if self._sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            else:
                self.forbid(received.status, "start_response was called twice without exc_info")
            received.status, received.headers = status, list(headers)
            headers.append(("X-Server", "appended to the list it was given"))
            return self._write
        finally:
            exc_info = None
            del args, rest

    def _check_head(self, status: Any, headers: Any) -> None:
        self.forbid(type(status) is not str, "the status is a str")
        self.forbid(not (status[:3].isdigit() and status[3:4] == " " and len(status) > 4), f"a status: {status!r}")
        self.forbid(not _is_field_value(status), f"control characters or no latin-1 in the status: {status!r}")
        self.forbid(type(headers) is not list, "the headers are a list")
        names: list[str] = []
        for pair in headers:
            wrong = type(pair) is not tuple or len(pair) != 2 or [type(part) for part in pair] != [str, str]
            self.forbid(wrong, f"a header is a tuple of two str: {pair!r}")
            if wrong:
                continue
            name, value = map(str, pair)
            self.forbid(not name or not TOKEN.issuperset(name), f"a header name is a token: {name!r}")
            self.forbid(not _is_field_value(value), f"control characters or no latin-1 in a header: {pair!r}")
            names.append(name.lower())
        self.forbid("status" in names, "Status is no header of WSGI")
        self.forbid(HOP_BY_HOP.intersection(names), f"hop-by-hop headers are the server's: {names}")
        self.forbid(names.count("content-length") > 1, "more than one Content-Length")
        self.forbid(names.count("content-type") > 1, "more than one Content-Type")

    def send(self, data: bytes, /) -> None:
        """A value, yielded or written, goes to the client."""
        self.forbid(type(data) is not bytes, f"the body is bytes: {type(data)}")
        self.forbid(not self.received.status, "a value before start_response")
        if data and type(data) is bytes:
            self._sent = True
            self.received.chunks.append(data)

    def iterate(
        self, result: Iterable[bytes], leave_after: int | None, on_value: Callable[[int], object] | None
    ) -> None:
        received = self.received
        length = len(result) if isinstance(result, Sized) else None
        if on_value is not None:
            on_value(0)
        for chunk in result:
            received.yielded += 1
            self.send(chunk)
            if on_value is not None:
                on_value(received.yielded)
            if received.yielded == leave_after:
                return
        self.forbid(not received.status, "start_response was never called")
        self.forbid(length not in (None, received.yielded), f"{received.yielded} values, but len() says {length}")
        received.completed = True

    def look_back(self) -> None:
        """What can be judged only when all is over."""
        received = self.received
        declared = received.header("Content-Length")
        size = len(received.body)
        if received.status[:3] in ("204", "304"):
            self.forbid(size, f"a body with {received.status[:3]}")
            self.forbid(received.header("Content-Type"), f"a Content-Type with {received.status[:3]}")
        elif declared is not None and not (declared.isascii() and declared.isdigit()):
            self.forbid(True, f"Content-Length is one number: {declared!r}")
        elif declared is not None and not self._no_body:
            cut = received.completed and received.error is None and size < int(declared)
            self.forbid(cut or size > int(declared), f"{size} bytes with Content-Length {declared}")


def _is_field_value(text: str) -> bool:
    return all(" " <= character <= "\xff" and character != "\x7f" for character in text)


class FileWrapper:
    """The server's `wsgi.file_wrapper`, as a class."""

    def __init__(self, file: Any, block_size: int = 8192) -> None:
        self.file = file
        self.block_size = block_size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        block: bytes = self.file.read(self.block_size)
        if not block:
            raise StopIteration
        return block

    def by_descriptor(self) -> bytes:
        """The file as the kernel would send it, past Python's `read`."""
        descriptor = self.file.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def wrap_file(file: Any, block_size: int = 8192) -> Iterator[bytes]:
    """The server's `wsgi.file_wrapper`, as a plain function. It is the application's duty to close such a file."""
    return iter(lambda: file.read(block_size), b"")
