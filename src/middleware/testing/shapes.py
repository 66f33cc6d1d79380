"""The shapes that WSGI applications come in: one named list, each with the answer that a client must see.

An application of a shape tells a `Witness` what is done to it. Beside the shapes stand the situations in which each is
asked for: GET and HEAD, clients that leave, servers that never iterate.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass

from middleware.testing.witness import Bug, Timeout, Witness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.testing.server import Files


PLAIN = (("Content-Type", "text/plain"),)


@dataclass(frozen=True)
class Shape:
    """An application of one kind, and what a client gets from it when it stays to the end of a GET."""

    name: str
    make: Callable[[Witness], WSGIApplication]
    status: str = "200 OK"
    headers: tuple[tuple[str, str], ...] = PLAIN
    body: bytes = b"one,two,three"
    fails: type[BaseException] | None = None  # what reaches the server
    in_call: bool = False  # it fails before it has returned
    in_close: bool = False  # it fails in close()
    closes: bool = True  # it has something to close
    writes: bool = False  # it calls write()
    late: bool = False  # it calls start_response once it is iterated
    endless: bool = False
    file: bool = False  # it uses wsgi.file_wrapper
    valid: bool = True  # wsgiref.validate lets it pass, as PEP 3333 does

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Situation:
    """A request, and a server that may leave before the end."""

    name: str
    method: str = "GET"
    leave_after: int | None = None
    write: bool = True
    files: Files = "class"

    def __str__(self) -> str:
        return self.name


STAYS = Situation("stays to the end")
SITUATIONS = (
    STAYS,
    Situation("HEAD", method="HEAD"),
    Situation("POST", method="POST"),
    Situation("leaves after one value", leave_after=1),
    Situation("leaves after two values", leave_after=2),
    Situation("never iterates", leave_after=0),
    Situation("never iterates HEAD", method="HEAD", leave_after=0),
    Situation("offers no write()", write=False),
    Situation("wraps files by a function", files="function"),
    Situation("sends files by descriptor", files="descriptor"),
    Situation("has no file wrapper", files="none"),
)


def situations(shape: Shape) -> Iterator[Situation]:
    """Those in which this shape can be asked for."""
    for situation in SITUATIONS:
        about_files = situation.files != "class"
        without_end = shape.endless and not situation.leave_after
        if about_files <= shape.file and situation.write >= shape.writes and not (without_end):
            yield situation


SHAPES: list[Shape] = []


def _calls(name: str, call: Callable[[Witness, StartResponse], Iterable[bytes]], **expected: Any) -> None:
    """Add an application that does `call`."""

    def make(witness: Witness) -> WSGIApplication:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            witness.called(environ)
            return call(witness, start_response)

        return app

    SHAPES.append(Shape(name, make, **expected))


def _answers(name: str, returns: Callable[[Witness], Iterable[bytes]], **expected: Any) -> None:
    """Add an application that starts at once and returns a body."""
    status, headers = expected.get("status", "200 OK"), expected.get("headers", PLAIN)

    def call(witness: Witness, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, list(headers))
        return returns(witness)

    _calls(name, call, **expected)


def _generates(name: str, script: Callable[[StartResponse], Iterator[bytes]], **expected: Any) -> None:
    """Add an application that is a generator: nothing happens before the first `next`."""

    def make(witness: Witness) -> WSGIApplication:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            witness.called(environ)
            try:
                for chunk in script(start_response):
                    witness.pull()
                    yield chunk
            finally:
                witness.close()

        return app

    SHAPES.append(Shape(name, make, late=True, **expected))


# The body

CHUNKS = (b"one,", b"two,", b"three")
SIZED = (*PLAIN, ("Content-Length", "13"))
TAGGED = (("ETag", '"1"'),)
REPEATED = (*PLAIN, ("Set-Cookie", "a=1"), ("LINK", "</a>"), ("set-cookie", "b=2"), ("Link", "</b>"), ("Link", "</c>"))
LATIN = (*PLAIN, ("X-Name", "Andr\xe9 \xff"), ("X-Empty", ""))

_answers("list", lambda _: list(CHUNKS), closes=False)
_answers("list of one", lambda _: [b"one,two,three"], closes=False, headers=SIZED)
_answers("tuple", lambda _: CHUNKS, closes=False)
_answers("dict keys", lambda _: dict.fromkeys(CHUNKS).keys(), closes=False)
_answers("list with close()", lambda witness: witness.closing_list(CHUNKS))
_answers("iterator", lambda witness: witness.iterator(CHUNKS))
_answers("iterator with Content-Length", lambda witness: witness.iterator(CHUNKS), headers=SIZED)
_answers("started generator", lambda witness: witness.generator(CHUNKS), closes=False)
_answers("only __iter__", lambda witness: witness.only_iter(CHUNKS), closes=False)
_answers("only __getitem__", lambda witness: witness.only_getitem(CHUNKS), closes=False, valid=False)
_answers("close() beside the iterator", lambda witness: witness.with_another_iterator(CHUNKS))
_answers("empty chunks", lambda witness: witness.iterator((b"", b"", b"one,", b"", b"two,three", b"")))
_answers("list with empty chunks", lambda _: [b"", b"one,two,", b"", b"three"], closes=False)
_answers("empty list", lambda _: [], body=b"", closes=False)
_answers("empty iterator", lambda _: iter(()), body=b"", closes=False)
_answers("empty iterator with close()", lambda witness: witness.iterator(()), body=b"")
_answers("endless stream", lambda witness: witness.endless(), body=b"tick " * 9, endless=True)

# The head

_answers("204", lambda _: [], status="204 No Content", headers=TAGGED, body=b"", closes=False)
_answers("304", lambda _: [], status="304 Not Modified", headers=TAGGED, body=b"", closes=False)
_answers("304 with close()", lambda witness: witness.iterator(()), status="304 Not Modified", headers=TAGGED, body=b"")
_answers("latin-1", lambda _: list(CHUNKS), status="200 Tr\xe8s bien", headers=LATIN, closes=False)
_answers("repeated headers", lambda _: list(CHUNKS), headers=REPEATED, closes=False)

# Late starters


def _late(start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", list(PLAIN))
    yield from CHUNKS


def _late_and_empty(start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", list(PLAIN))
    yield from ()


def _late_and_endless(start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", list(PLAIN))
    while True:
        yield b"tick "


def _starts_in_next(witness: Witness, start_response: StartResponse) -> Iterable[bytes]:
    return witness.iterator(CHUNKS, first=lambda: start_response("200 OK", list(PLAIN)))


_generates("generator", _late)
_generates("generator without a yield", _late_and_empty, body=b"")
_generates("endless generator", _late_and_endless, body=b"tick " * 9, endless=True)
_calls("iterator that starts late", _starts_in_next, late=True)

# Data by write()


def _writes(_: Witness, start_response: StartResponse) -> Iterable[bytes]:
    write = start_response("200 OK", list(SIZED))
    write(b"one,")
    write(b"")
    write(b"two,")
    return [b"three"]


def _writes_and_iterates(witness: Witness, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))(b"one,")
    return witness.iterator(CHUNKS[1:])


def _only_writes(_: Witness, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN), None)(b"one,two,three")
    return []


def _writes_at_the_end(witness: Witness, start_response: StartResponse) -> Iterable[bytes]:
    write = start_response("200 OK", list(PLAIN))
    return witness.iterator(CHUNKS[:2], last=lambda: write(b"three"))


def _writes_in_turn(start_response: StartResponse) -> Iterator[bytes]:
    write = start_response("200 OK", list(PLAIN))
    write(b"one")
    yield b","
    write(b"two")
    yield b","
    write(b"three")


_calls("write() and then a list", _writes, writes=True, closes=False, headers=SIZED)
_calls("write() and then an iterator", _writes_and_iterates, writes=True)
_calls("write() and no body", _only_writes, writes=True, closes=False)
_calls("write() at the end of an iterator", _writes_at_the_end, writes=True)
_generates("generator that writes and yields in turn", _writes_in_turn, writes=True)

# A head that replaces another, because of an error

FAILED = "500 Failed"
FAILED_HEADERS = (*PLAIN, ("X-Failed", "yes"))
VOID_HEADERS = (*PLAIN, ("X-First", "void"), ("Content-Length", "99"))


def _restart(start_response: StartResponse) -> None:
    try:
        raise Bug
    except Bug:
        start_response(FAILED, list(FAILED_HEADERS), sys.exc_info())


def _restarts(_: Witness, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", list(VOID_HEADERS))
    _restart(start_response)
    return [b"failed"]


def _starts_with_exc_info(_: Witness, start_response: StartResponse) -> Iterable[bytes]:
    _restart(start_response)
    return [b"failed"]


def _restarts_in_next(witness: Witness, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", list(VOID_HEADERS))
    return witness.iterator((b"failed",), first=lambda: _restart(start_response))


def _late_and_restarts(start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", list(VOID_HEADERS))
    _restart(start_response)
    yield b"failed"


def _restarts_after_nothing(start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", list(VOID_HEADERS))
    yield b""
    _restart(start_response)
    yield b"failed"


def _restarts_after_a_chunk(start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", list(PLAIN))
    yield b"one,"
    _restart(start_response)
    yield b"too late"


_failed: dict[str, Any] = {"status": FAILED, "headers": FAILED_HEADERS, "body": b"failed"}
_calls("restart in the call", _restarts, closes=False, **_failed)
_calls("exc_info from the start", _starts_with_exc_info, closes=False, **_failed)
_calls("restart in the first next", _restarts_in_next, **_failed)
_generates("generator that restarts", _late_and_restarts, **_failed)
_generates("restart after an empty chunk", _restarts_after_nothing, **_failed)
_generates("restart after a chunk", _restarts_after_a_chunk, body=b"one,", fails=Bug)

# Errors


def _fails(_: Witness, __: StartResponse) -> Iterable[bytes]:
    raise Bug


def _fails_after_start(_: Witness, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    raise Bug


def _times_out(_: Witness, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    raise Timeout


def _late_and_fails(start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", list(PLAIN))
    yield from ()
    raise Bug


_cut: dict[str, Any] = {"body": b"one,two,"}
_calls("error in the call", _fails, fails=Bug, in_call=True, closes=False, body=b"")
_calls("error after start_response", _fails_after_start, fails=Bug, in_call=True, closes=False, body=b"")
_calls("timeout in the call", _times_out, fails=Timeout, in_call=True, closes=False, body=b"")
_generates("generator that fails", _late_and_fails, fails=Bug, body=b"")
_answers("error before the first chunk", lambda witness: witness.iterator((), fails=Bug()), fails=Bug, body=b"")
_answers("error in mid-body", lambda witness: witness.iterator(CHUNKS[:2], fails=Bug()), fails=Bug, **_cut)
_answers("timeout in mid-body", lambda witness: witness.iterator(CHUNKS[:2], fails=Timeout()), fails=Timeout, **_cut)
_answers("error in close()", lambda witness: witness.iterator(CHUNKS, close_fails=Bug()), fails=Bug, in_close=True)

# Files

FILE = b"twenty bytes a line\n" * 1000


def _file(witness: Witness) -> WSGIApplication:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        witness.called(environ)
        file = tempfile.TemporaryFile()  # noqa: SIM115 - close() closes it
        file.write(FILE)
        file.seek(0)
        start_response("200 OK", [*PLAIN, ("Content-Length", str(len(FILE)))])
        watched = witness.file(file)
        wrapper = environ.get("wsgi.file_wrapper")
        if wrapper is None:
            return watched
        wrapped: Iterable[bytes] = wrapper(watched, 4096)
        return wrapped if hasattr(wrapped, "close") else witness.closing(wrapped, watched)

    return app


SHAPES.append(Shape("file wrapper", _file, headers=(*PLAIN, ("Content-Length", str(len(FILE)))), body=FILE, file=True))
