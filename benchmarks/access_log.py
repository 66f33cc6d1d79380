"""The access log: a combined line with bytes and escaping, and JSON, appended to a file."""

from __future__ import annotations

import json
import logging
import re
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import structlog
from paste.translogger import TransLogger

from benchmarks.kernel import BARE, hello
from benchmarks.method import REQUEST, Case, Row, ask, serve
from middleware import FileSink, LoggingMiddleware, RequestIds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

COMBINED = re.compile(
    r'203\.0\.113\.7 - (-|alice) \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /account/orders\?page=2 HTTP/1\.1" '
    f'200 \\d+ "{re.escape(REQUEST["HTTP_REFERER"])}" "{re.escape(REQUEST["HTTP_USER_AGENT"])}"\n'
)


TIMED = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %{us}T'


def our_log(app: WSGIApplication, path: Path, form: str = "combined") -> WSGIApplication:
    """Ours, appending to this file, and as silent about request ids as the peer."""
    return LoggingMiddleware(app, format=form, sink=FileSink(path), request_ids=RequestIds(None))


def paste_log(app: WSGIApplication, path: Path) -> WSGIApplication:
    """Paste's, with the handler that appends to this file."""
    logger = logging.getLogger(f"benchmark of {path}")
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    return TransLogger(app, logger=logger)  # type: ignore[no-any-return]


class StructuredLog:
    """What a user writes with structlog and its JSON: eleven fields about each request, the bytes counted."""

    def __init__(self, app: WSGIApplication, path: Path) -> None:
        self.app = app
        self.log = structlog.wrap_logger(
            structlog.WriteLogger(path.open("a")),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began = perf_counter()
        codes: list[int] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            codes.append(int(status[:3]))
            return start_response(status, headers, exc_info)

        def end(sent: int) -> None:
            self.log.info(
                "request",
                client=environ["REMOTE_ADDR"],
                method=environ["REQUEST_METHOD"],
                path=environ["PATH_INFO"],
                query=environ["QUERY_STRING"],
                agent=environ["HTTP_USER_AGENT"],
                status=codes[-1],
                bytes=sent,
                duration=perf_counter() - began,
            )

        return Counted(self.app(environ, start), end)


class Counted:
    """A body whose bytes are counted."""

    def __init__(self, body: Iterable[bytes], end: Callable[[int], None]) -> None:
        self.body = body
        self.end = end
        self.sent = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.body:
            self.sent += len(chunk)
            yield chunk

    def close(self) -> None:
        close = getattr(self.body, "close", None)
        if close is not None:
            close()
        self.end(self.sent)


def check_line(app: WSGIApplication, path: Path, timed: str = "") -> None:
    """One request writes one combined line."""
    line = line_of(app, path)
    assert COMBINED.fullmatch(re.sub(timed, "", line)), line


def check_json(app: WSGIApplication, path: Path, status: str, size: str) -> None:
    """One request writes one object of eleven fields or more, the status and the bytes among them."""
    entry = json.loads(line_of(app, path))
    assert (entry[status], entry[size]) == (200, len(ask(hello).body)), entry
    assert len(entry) >= 11, entry


def line_of(app: WSGIApplication, path: Path) -> str:
    before = path.stat().st_size
    assert ask(app).status == "200 OK"
    return path.read_bytes()[before:].decode()


def rows(directory: Path) -> list[Row]:
    our_file, paste_file = directory / "ours.log", directory / "paste.log"
    string_file, json_file, peer_file = directory / "string.log", directory / "ours.json", directory / "peer.json"
    ours, paste = our_log(hello, our_file), paste_log(hello, paste_file)
    string, our_json = our_log(hello, string_file, TIMED), our_log(hello, json_file, "json")
    peer_json = StructuredLog(hello, peer_file)
    paste_case = Case("Paste TransLogger", serve(paste), partial(check_line, paste, paste_file))
    return [
        Row(
            "access log",
            Case("access log", serve(ours), partial(check_line, ours, our_file)),
            paste_case,
            target=0.21,
            ours_base=BARE,
            peer_base=BARE,
        ),
        Row(
            "access log, format string",
            Case("format string", serve(string), partial(check_line, string, string_file, r" \d+(?=\n$)")),
            paste_case,
            target=None,
            ours_base=BARE,
            peer_base=BARE,
        ),
        Row(
            "JSON log",
            Case(
                "JSON log",
                serve(our_json),
                partial(check_json, our_json, json_file, "http.response.status_code", "http.response.body.bytes"),
            ),
            Case("structlog", serve(peer_json), partial(check_json, peer_json, peer_file, "status", "bytes")),
            target=0.33,
            ours_base=BARE,
            peer_base=BARE,
        ),
    ]
