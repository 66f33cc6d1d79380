"""An application behind the gateway layer for real servers: the first segment of a path says what it does."""

from __future__ import annotations

import json
import sys

from middleware import GatewayMiddleware
from middleware.errors import ClientGone

TEXT = [("Content-Type", "text/plain")]
GONE = []  # the requests whose clients left


def application(environ, start_response):
    name = (environ["SCRIPT_NAME"] + environ["PATH_INFO"]).strip("/").split("/")
    does = next(part for part in name if part in DOES)
    return DOES[does](environ, start_response)


def tells(environ, start_response):
    entries = {
        "path": environ["PATH_INFO"],
        "no text": [key for key, value in environ.items() if "." not in key and type(value) is not str],
        "ends": environ["wsgi.input_terminated"],
        "empty": [key for key in ("CONTENT_LENGTH", "CONTENT_TYPE") if environ.get(key) == ""],
        "twice": [key for key in ("HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "HTTP_PROXY") if key in environ],
        "gone": len(GONE),
    }
    return answers(start_response, json.dumps(entries).encode())


def reads(environ, start_response):
    stream = environ["wsgi.input"]
    try:
        parts = [stream.read(2), stream.readline(3), stream.readline(), *stream.readlines(1), next(stream, b"")]
        parts += [stream.read(-1), stream.read(), stream.readline(7), stream.read(100), *stream]
    except ClientGone:
        GONE.append(1)
        raise
    assert all(type(part) is bytes for part in parts)
    return answers(start_response, b"".join(parts))


def refuses(environ, start_response):
    return answers(start_response, b"denied", "401 Unauthorized")


def refuses_late(environ, start_response):
    yield from answers(start_response, b"denied", "401 Unauthorized")


def fails(environ, start_response):
    raise LookupError("of the application")


def fails_late(environ, start_response):
    raise LookupError("of the application")
    yield b""


def replaces(environ, start_response):
    start_response("200 OK", TEXT)
    try:
        raise LookupError
    except LookupError:
        start_response("503 Service Unavailable", [*TEXT, ("Content-Length", "8")], sys.exc_info())
    return [b"replaced"]


def writes(environ, start_response):
    write = start_response("200 OK", [*TEXT, ("Content-Length", "13")])
    write(b"one,")
    write(b"two,")
    return [b"three"]


def answers(start_response, body, status="200 OK"):
    start_response(status, [*TEXT, ("Content-Length", str(len(body)))])
    return [body]


DOES = {
    does.__name__.replace("_", "-"): does
    for does in (tells, reads, refuses, refuses_late, fails, fails_late, replaces, writes)
}
application = GatewayMiddleware(application, drain=4 << 20)
