"""The access log: a combined line with bytes and escaping, appended to a file."""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import TYPE_CHECKING

from paste.translogger import TransLogger

from benchmarks.kernel import BARE, hello
from benchmarks.method import REQUEST, Case, Row, ask, serve
from middleware import FileSink, LoggingMiddleware, RequestIds

if TYPE_CHECKING:
    from pathlib import Path
    from wsgiref.types import WSGIApplication

COMBINED = re.compile(
    r'203\.0\.113\.7 - (-|alice) \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /account/orders\?page=2 HTTP/1\.1" '
    f'200 \\d+ "{re.escape(REQUEST["HTTP_REFERER"])}" "{re.escape(REQUEST["HTTP_USER_AGENT"])}"\n'
)


def our_log(app: WSGIApplication, path: Path) -> WSGIApplication:
    """Ours, appending to this file, and as silent about request ids as the peer."""
    return LoggingMiddleware(app, sink=FileSink(path), request_ids=RequestIds(None))


def paste_log(app: WSGIApplication, path: Path) -> WSGIApplication:
    """Paste's, with the handler that appends to this file."""
    logger = logging.getLogger(f"benchmark of {path}")
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    return TransLogger(app, logger=logger)  # type: ignore[no-any-return]


def check_line(app: WSGIApplication, path: Path) -> None:
    """One request writes one combined line."""
    before = path.stat().st_size
    assert ask(app).status == "200 OK"
    line = path.read_bytes()[before:].decode()
    assert COMBINED.fullmatch(line), line


def rows(directory: Path) -> list[Row]:
    our_file, paste_file = directory / "ours.log", directory / "paste.log"
    ours, paste = our_log(hello, our_file), paste_log(hello, paste_file)
    return [
        Row(
            "access log",
            Case("access log", serve(ours), partial(check_line, ours, our_file)),
            Case("Paste TransLogger", serve(paste), partial(check_line, paste, paste_file)),
            target=0.21,
            ours_base=BARE,
            peer_base=BARE,
        )
    ]
