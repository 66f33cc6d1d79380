"""What the reference app has no page for: an application that tells what a server gave it, and behaves badly on demand.

Everything else under it is the reference app. The pages begin with /probe.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from wsgiref.validate import validator

from examples.reference.site import site
from middleware.errors import ClientGone

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 3.0  # seconds in which a client has to say that a piece has arrived
TEXT = ("Content-Type", "text/plain; charset=utf-8")


class Probing:
    """The site with the pages of the probe. Clients and pages talk by files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._said = folder
        views = (
            self.told, self.upload, self.cookies, self.steps, self.endless, self.large, self.refuses, self.refuses_late,
            self.fails, self.fails_late, self.breaks, self.replaces, self.writes,
        )  # fmt: skip
        self._pages = {f"/probe/{view.__name__}": validator(view) for view in views}
        self._pages["/static/tagged"] = validator(self.tagged)  # where rules let everybody in, so that it is cached
        self._pages["/probe/reads"] = self.reads  # in ways that the validator forbids, and PEP 3333 does not

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        if path.startswith("/probe/path/"):
            return self._pages["/probe/told"](environ, start_response)
        return self._pages.get(path, site)(environ, start_response)

    def told(self, environ, start_response):
        """What the server says of this request, as JSON."""
        names = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "HTTP_AUTHORIZATION", "REMOTE_ADDR")
        flags = ("multithread", "multiprocess", "run_once", "input_terminated")
        told = {name: environ.get(name) for name in names} | {name: environ[f"wsgi.{name}"] for name in flags}
        told["HTTP_HOST"] = environ.get("HTTP_HOST")
        told["method"] = environ["REQUEST_METHOD"]
        told["process"] = os.getpid()
        told["no text"] = [key for key, value in environ.items() if "." not in key and type(value) is not str]
        told["empty"] = [key for key in ("CONTENT_LENGTH", "CONTENT_TYPE") if environ.get(key) == ""]
        told["misleading"] = [
            key for key in ("HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "HTTP_PROXY") if key in environ
        ]
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(told).encode()]

    def reads(self, environ, start_response):
        """The body, read in every way; files say that this has begun, and that the client left meanwhile."""
        stream = environ["wsgi.input"]
        if environ["QUERY_STRING"]:
            (self._said / f"{_name(environ)}-begun").touch()
        try:
            parts = [stream.read(2), stream.readline(3), stream.readline(), *stream.readlines(1), next(stream, b"")]
            parts += [stream.read(-1), stream.read(), stream.readline(7), stream.read(100), *stream]
        except ClientGone:
            (self._said / f"{_name(environ)}-gone").touch()
            raise
        start_response("200 OK", [TEXT])
        return [b"".join(parts)]

    def upload(self, environ, start_response):
        """How many bytes came, and their digest."""
        digest, length = hashlib.sha256(), 0
        while chunk := environ["wsgi.input"].read(65536):
            digest.update(chunk)
            length += len(chunk)
        start_response("200 OK", [TEXT])
        return [f"{length} {digest.hexdigest()}".encode()]

    def cookies(self, environ, start_response):
        """Two cookies."""
        start_response("200 OK", [TEXT, ("Set-Cookie", "one=1; Path=/"), ("Set-Cookie", "two=2; Path=/")])
        return [b"two cookies"]

    def steps(self, environ, start_response):
        """Three pieces, each after the client has said that it has the one before."""
        name = _name(environ)
        start_response("200 OK", [TEXT])

        def pieces():
            for number in range(3):
                yield f"piece {number}\n".encode()
                self._wait_for(f"{name}-{number}")

        return pieces()

    def endless(self, environ, start_response):
        """125 MiB; a file says that it was closed."""
        start_response("200 OK", [TEXT])
        return Endless(self._said / f"{_name(environ)}-closed")

    def large(self, environ, start_response):
        """Five megabytes in eighty pieces."""
        start_response("200 OK", [TEXT])
        return (bytes([number]) * 65536 for number in range(80))

    def tagged(self, environ, start_response):
        """A page with an ETag, which the cache compares."""
        start_response("200 OK", [TEXT, ("ETag", '"tag"'), ("Cache-Control", "public, max-age=60")])
        return [b"tagged"]

    def refuses(self, environ, start_response):
        """A refusal that has not looked at the body."""
        start_response("401 Unauthorized", [TEXT])
        return [b"denied"]

    def refuses_late(self, environ, start_response):
        """The same, of a generator."""
        start_response("401 Unauthorized", [TEXT])
        return (piece for piece in [b"denied"])

    def fails(self, environ, start_response):
        """An error before the first byte."""
        raise RuntimeError("before the first byte")

    def fails_late(self, environ, start_response):
        """The same, of a generator."""

        def pieces():
            raise RuntimeError("before the first byte")
            yield b""

        start_response("200 OK", [TEXT])
        return pieces()

    def replaces(self, environ, start_response):
        """A head that replaces another which has not left."""
        start_response("200 OK", [TEXT])
        try:
            raise LookupError
        except LookupError:
            start_response("503 Service Unavailable", [TEXT], sys.exc_info())
        return [b"replaced"]

    def writes(self, environ, start_response):
        """A body of which part is written."""
        write = start_response("200 OK", [TEXT])
        write(b"one,")
        write(b"two,")
        return [b"three"]

    def breaks(self, environ, start_response):
        """An error after the client has said that it has the first piece."""
        name = _name(environ)
        start_response("200 OK", [TEXT])

        def pieces():
            yield b"one piece\n"
            self._wait_for(f"{name}-0")
            raise RuntimeError("after the first byte")

        return pieces()

    def _wait_for(self, name):
        until = time.monotonic() + PATIENCE
        while not (self._said / name).exists() and time.monotonic() < until:
            time.sleep(0.005)


class Endless:
    """An iterable that says by a file when it was closed."""

    def __init__(self, closed: Path) -> None:
        self._closed = closed
        self._left = 2000

    def __iter__(self):
        return self

    def __next__(self):
        if not self._left:
            raise StopIteration
        self._left -= 1
        return bytes(65536)

    def close(self):
        with self._closed.open("a") as closed:
            closed.write("closed\n")


def _name(environ):
    return parse_qs(environ["QUERY_STRING"])["name"][0]
