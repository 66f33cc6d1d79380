"""An application whose answers end in many ways, each logged in the file that LOG names: target, status, bytes, end."""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache

from middleware.logging import FileSink, LoggingMiddleware

SIZE = 300_000


def a_file(environ, start_response):
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the server closes it
    file.write(b"x" * SIZE)
    file.seek(0)
    start_response("200 OK", [("Content-Length", str(SIZE))])
    wrap = environ.get("wsgi.file_wrapper")
    return wrap(file, 4096) if wrap else chunks_of(file)


def chunks_of(file):
    with file:
        yield from iter(lambda: file.read(4096), b"")


def a_list(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hel", b"lo"]


def a_stream(environ, start_response):
    start_response("200 OK", [])
    yield b"hel"
    yield b""
    yield b"lo"


def written(environ, start_response):
    write = start_response("200 OK", [("Content-Length", "5")])
    write(b"hel")
    return [b"lo"]


def nothing(environ, start_response):
    start_response("204 No Content", [])
    return []


def replaced(environ, start_response):
    start_response("200 OK", [])
    try:
        raise ValueError
    except ValueError as error:
        start_response("503 Busy", [("Content-Length", "4")], (type(error), error, error.__traceback__))
    return [b"busy"]


def failed(environ, start_response):
    raise LookupError


def failed_late(environ, start_response):
    start_response("200 OK", [])
    yield b"hello"
    raise LookupError


def endless(environ, start_response):
    start_response("200 OK", [])
    while True:
        yield b"x" * 65536


ENDINGS = {
    f"/{app.__name__}": app
    for app in (a_file, a_list, a_stream, written, nothing, replaced, failed, failed_late, endless)
}


def site(environ, start_response):
    return ENDINGS[environ["PATH_INFO"]](environ, start_response)


@lru_cache
def logged(log):
    return LoggingMiddleware(site, format="%m %U %>s %B %X %{error}n", sink=FileSink(log))


def application(environ, start_response):
    return logged(os.environ["LOG"])(environ, start_response)
