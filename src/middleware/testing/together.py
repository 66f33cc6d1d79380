"""Check what shows only in more than one request: threads, responses in turn, re-entrance, garbage, odd requests."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from io import BytesIO
from threading import Barrier, Thread
from weakref import WeakSet

from middleware.testing.server import make_environ, serve
from middleware.testing.witness import Witness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.testing.server import Received

    Wrap = Callable[[WSGIApplication], WSGIApplication]

THREADS = 8
REQUESTS = 320


def check_together(wrap: Wrap, *, answers: bool = False, **entries: Any) -> None:
    """Check that requests do not disturb each other (P24, P42, P50 to P53)."""
    in_threads(wrap, answers=answers, **entries)
    in_turn(wrap, answers=answers, **entries)
    within_itself(wrap, answers=answers, **entries)
    gives_fresh_headers(wrap, **entries)
    closes_what_is_refused(wrap, **entries)
    leaves_no_garbage(wrap, **entries)


def in_threads(wrap: Wrap, *, answers: bool = False, **entries: Any) -> None:
    """Check that each of many requests in several threads gets its own answer (P50)."""
    layer = wrap(_numbered)
    problems: list[str] = []
    barrier = Barrier(THREADS)

    def visit(thread: int) -> None:
        barrier.wait()
        for number in range(thread, REQUESTS, THREADS):
            problems.extend(_wrong_answer(layer, number, answers, entries))

    threads = [Thread(target=visit, args=(thread,)) for thread in range(THREADS)]
    with _switching_often():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not problems, "\n".join(problems)


def in_turn(wrap: Wrap, *, answers: bool = False, **entries: Any) -> None:
    """Check that two answers of one layer, iterated in turn, are not mixed (P51)."""
    layer = wrap(_numbered)
    for first, second in ((2, 4), (3, 5), (2, 5)):
        heads: list[list[str]] = [[], []]
        results = []
        for number, head in zip((first, second), heads, strict=True):

            def start_response(status: str, _: object, __: object = None, head: list[str] = head) -> Any:
                head.append(status)

            results.append(layer(_ask_for(number, entries), start_response))
        bodies: list[list[bytes]] = [[], []]
        iterators = [iter(result) for result in results]
        for _ in range(4):
            for iterator, body in zip(iterators, bodies, strict=True):
                body.extend([chunk] if (chunk := next(iterator, None)) else [])
        for result in results:
            if hasattr(result, "close"):
                result.close()
        for number, head, body in zip((first, second), heads, bodies, strict=True):
            right = head == [_status(number)] and b"".join(body) == _body(number)
            assert right or answers, f"two answers in turn are mixed: {head} {body} for {number}"


def within_itself(wrap: Wrap, *, answers: bool = False, **entries: Any) -> None:
    """Check that an application may call the same layer again, with a copy of its environ (P52)."""
    inner: list[Received] = []

    def outer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/outer":
            inner.append(serve(layer, {**environ, "PATH_INFO": "/7", "wsgi.input": BytesIO()}))
            return _numbered({**environ, "PATH_INFO": "/8"}, start_response)
        return _numbered(environ, start_response)

    layer = wrap(outer)
    received = serve(layer, make_environ("/outer", **entries))
    if received.error is not None:
        raise received.error
    if inner or not answers:
        rights = [(one.status, one.body) for one in (*inner, received)]
        assert rights == [(_status(7), _body(7)), (_status(8), _body(8))], f"inside and outside: {inner}, {received}"


def gives_fresh_headers(wrap: Wrap, **entries: Any) -> None:
    """Check that what a server appends to the header list is not seen in the next answer, cached or not (P24)."""

    def app(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Cache-Control", "max-age=60")])
        return [b"the same for all"]

    layer = wrap(app)
    for _ in range(3):
        received = serve(layer, make_environ("/same", **entries))
        assert received.header("X-Server") is None, f"the header list of another answer: {received}"


def closes_what_is_refused(wrap: Wrap, **entries: Any) -> None:
    """Check that a body is closed once where the server refuses the head, and that its error leaves (P42, P47)."""
    returned: list[Witness] = []

    def app(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        returned.append(Witness())
        return returned[-1].iterator([b"never sent"])

    def refuse(*_: Any) -> Any:
        raise _Refused

    try:
        result = wrap(app)(make_environ("/refused", **entries), refuse)
        try:
            for _ in result:
                pass
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
    except _Refused:
        pass
    else:
        raise AssertionError("the server refused the head, and its error was lost")
    closed = [witness.closed for witness in returned]
    assert closed in ([], [1]), f"close() was called {closed[0]} times where the server refused the head"


def leaves_no_garbage(wrap: Wrap, **entries: Any) -> None:
    """Check that after 30 requests at most one of their objects is still alive (P53)."""
    alive: WeakSet[_Mark] = WeakSet()
    layer = wrap(_numbered)

    def visit(number: int) -> None:
        mark = _Mark()
        alive.add(mark)
        serve(layer, {**_ask_for(number, entries), "test.mark": mark}, leave_after=number % 3 or None)

    for number in range(30):
        visit(number)
    gc.collect()
    assert len(alive) <= 1, f"{len(alive)} of 30 requests are still held"


ODD_REQUESTS: dict[str, dict[str, Any]] = {
    "bytes in the path": {"PATH_INFO": "/\xff\x80\x7f\xc3\xa9", "QUERY_STRING": "q=\xe9"},
    "bytes in headers": {"HTTP_COOKIE": "a=\xff", "HTTP_USER_AGENT": "\x80\xe9", "HTTP_REFERER": "\xff"},
    "broken cookies": {"HTTP_COOKIE": ';=;;a;=b; c="; \x01=\x7f'},
    "no query": {"QUERY_STRING": None},
    "no address": {"REMOTE_ADDR": None},
    "no host": {"HTTP_HOST": None},
    "empty entries": {"CONTENT_LENGTH": "", "CONTENT_TYPE": "", "REMOTE_ADDR": "", "HTTP_HOST": "", "HTTP_COOKIE": ""},
    "no script name": {"SCRIPT_NAME": None},
    "no path": {"PATH_INFO": None, "SCRIPT_NAME": "/app"},
    "empty path": {"PATH_INFO": "", "SCRIPT_NAME": "/app"},
    "asterisk": {"PATH_INFO": "*", "REQUEST_METHOD": "OPTIONS"},
    "absolute form": {"PATH_INFO": "http://host/x"},
    "control characters in the path": {"PATH_INFO": "/a\x00b\nc"},
    "odd path": {"PATH_INFO": "//a/../b;c=%2F"},
    "wide characters in the path": {"PATH_INFO": "/\u2603"},
    "Content-Length in words": {"CONTENT_LENGTH": "abc"},
    "negative Content-Length": {"CONTENT_LENGTH": "-5"},
    "joined Content-Length": {"CONTENT_LENGTH": "5, 6"},
    "wide digits": {"CONTENT_LENGTH": "\u0665", "HTTP_IF_NONE_MATCH": '"\u2603"'},
    "entries that are no text": {"REMOTE_PORT": 49152, "SERVER_CERTIFICATE": ("a", 1)},
    "the URL as it came": {"REQUEST_URI": "http://host/%6fdd?a=%zz", "RAW_URI": "/%6fdd?a=%zz"},
    "HTTP/1.0": {"SERVER_PROTOCOL": "HTTP/1.0", "HTTP_CONNECTION": "close"},
    "an unknown method": {"REQUEST_METHOD": "BREW"},
    "headers that lie": {"HTTP_CONTENT_LENGTH": "7", "HTTP_REMOTE_USER": "root", "HTTP_PROXY": "http://x"},
}  # fmt: skip

# What a layer that identifies people takes from the request: an identity that anybody can write.
MAY_BE_TAKEN = {"HTTP_REMOTE_USER"}


def check_requests(wrap: Wrap, *, answers: bool = False, **entries: Any) -> None:
    """Check that odd requests, each seen on a real server, are answered (P4 to P7, E1 to E6), and bodies whole (P9)."""
    reached: list[WSGIEnvironment] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        reached.append(dict(environ))
        environ["test.added"] = environ.pop("HTTP_HOST", None)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"here"]

    layer = wrap(app)
    for name, odd in ODD_REQUESTS.items():
        environ = make_environ("/odd", **{**entries, **odd})
        for key in [key for key, value in odd.items() if value is None]:
            del environ[key]
        received = serve(layer, environ)
        if received.broken or received.error or not (reached or answers):
            raise AssertionError(f"{name}: {received}") from received.error
        if reached:
            expected = {key: value for key, value in odd.items() if key in reached[-1] or key not in MAY_BE_TAKEN}
            changed = {key: value for key, value in expected.items() if reached[-1].get(key) != value}
            assert not changed, f"{name}: the application does not see {changed}"
            assert "test.added" not in reached[-1], "what an application did to environ is seen in the next request"
        reached.clear()
    _check_request_body(wrap, answers, entries)


def _check_request_body(wrap: Wrap, answers: bool, entries: dict[str, Any]) -> None:
    body = b"".join(b"line %d of the body\n" % number for number in range(4000))
    read: list[bytes] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        stream = environ["wsgi.input"]
        read.extend([stream.read(10), stream.readline(), *stream.readlines()])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"thanks"]

    serve(wrap(app), make_environ("/upload", "POST", body, CONTENT_TYPE="text/plain", **entries))
    assert b"".join(read) == body or (answers and not read), "the application did not get the request's body"


class _Refused(Exception):
    """What a server raises that does not take a head."""


class _Mark:
    """Something of a request whose life can be watched."""


def _status(number: int) -> str:
    return f"{200 + number % 3} Number {number}"


def _body(number: int) -> bytes:
    return b"%d," % number * 3


def _numbered(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """An answer of its own for each number: a list for the even ones, a generator for the others."""
    number = int(environ["PATH_INFO"][1:])
    chunks = [b"%d," % number] * 3
    if number % 2:
        return _generate(number, chunks, start_response)
    start_response(_status(number), [("Content-Type", "text/plain"), ("X-Number", str(number))])
    return chunks


def _generate(number: int, chunks: list[bytes], start_response: StartResponse) -> Iterator[bytes]:
    start_response(_status(number), [("Content-Type", "text/plain"), ("X-Number", str(number))])
    yield from chunks


def _ask_for(number: int, entries: dict[str, Any]) -> WSGIEnvironment:
    return make_environ(f"/{number}", **entries)


def _wrong_answer(layer: WSGIApplication, number: int, answers: bool, entries: dict[str, Any]) -> Iterator[str]:
    received = serve(layer, _ask_for(number, entries))
    if received.error is not None or received.broken:
        yield f"request {number}: {received}"
    elif received.header("X-Number") is None and answers:
        return
    elif (received.status, received.header("X-Number"), received.body) != (_status(number), str(number), _body(number)):
        yield f"request {number} got the answer of another: {received}"


@contextmanager
def _switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
