"""An application served by waitress on a free port of loopback, and a client that says what goes over the wire."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.client import HTTPResponse
from time import monotonic

from waitress.server import create_server

from middleware.caching import CacheMiddleware
from middleware.stores import MemoryStore

START = 1_790_000_000.0  # in September 2026
FRESH = ("Cache-Control", "max-age=60")
PATIENCE = 20  # seconds for bytes to come


@contextmanager
def served(app):
    """The port at which `app` is served, by a server that has little in hand that its clients have not taken."""
    server = create_server(
        app, host="127.0.0.1", port=0, threads=8, outbuf_high_watermark=1 << 16, outbuf_overflow=1 << 30
    )
    stopped = threading.Event()

    def run():
        while not stopped.is_set():
            server.asyncore.loop(timeout=0.05, map=server._map, count=1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield server.effective_port
    finally:
        stopped.set()
        thread.join()
        server.task_dispatcher.shutdown()
        server.asyncore.close_all(server._map)


class Wire:
    """One connection: a request is its lines as they are, an answer is read as far as the test wants."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, first_line, *fields, body=b"", host="site.example"):
        lines = [first_line, *([] if host is None else [f"Host: {host}"]), *fields]
        self.socket.sendall("".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n" + body)

    def head(self, method="GET"):
        """The status line and the fields of the next answer; its body is still to be read."""
        answer = HTTPResponse(self.socket, method=method)
        answer.begin()
        return answer

    def everything(self):
        """All bytes until the server closes."""
        parts = []
        while part := self.socket.recv(65536):
            parts.append(part)
        return b"".join(parts)


class Reply:
    """An answer that was read whole; `fields(name)` are the lines of that name in order."""

    def __init__(self, answer):
        self.status = answer.status
        self.reason = answer.reason
        self.body = answer.read()
        self._lines = answer.msg.items()

    def fields(self, name):
        return [value for known, value in self._lines if known.lower() == name.lower()]

    def field(self, name):
        """The only line of that name; None where there is none."""
        values = self.fields(name)
        assert len(values) < 2, values
        return values[0] if values else None


def exchange(port, target, *fields, method="GET", body=b"", host="site.example"):
    """The answer to one request on a connection of its own."""
    with Wire(port) as wire:
        wire.send(f"{method} {target} HTTP/1.1", *fields, "Connection: close", body=body, host=host)
        return Reply(wire.head(method))


class Origin:
    """Answers as it was told, `respond(environ, start_response)` where that takes more than fields and a body."""

    def __init__(self):
        self.seen = []
        self.now = START
        self.answers(FRESH)

    def answers(self, *fields, status="200 OK", body=None):
        def respond(environ, start_response):
            start_response(status, list(fields))
            return [f"answer {self.calls}".encode() if body is None else body]

        self.respond = respond

    @property
    def calls(self):
        return len(self.seen)

    def __call__(self, environ, start_response):
        self.seen.append(dict(environ))
        return self.respond(environ, start_response)


@contextmanager
def site(origin, outside=None, **options):
    """The port of a cache round `origin`, with its clock; `outside` is made round the cache."""
    cache = CacheMiddleware(origin, store=MemoryStore(), clock=lambda: origin.now, **options)
    with served(cache if outside is None else outside(cache)) as port:
        yield port


def keep(port, target):
    """Have an answer stored. A server sends a body whole before a layer sees its end; who asks again waits for that."""
    exchange(port, target)
    exchange(port, target)


def keep_part(origin, port, target, *fields):
    """Have a part stored, for which nobody waits: asked for until it comes without the application."""
    until = monotonic() + PATIENCE
    calls = -1
    while origin.calls != calls:
        assert monotonic() < until
        calls = origin.calls
        exchange(port, target, *fields)
