"""The kernel on real servers: what a client reads is what `watch` saw, files included."""

from __future__ import annotations

import io
import tempfile
import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from waitress.server import create_server
from wsgi_layers import PLAIN, AmendsAndWatches, answering

pytestmark = pytest.mark.slow

CONTENT = b"twenty bytes a line\n" * 50_000


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def wsgiref_server(app):
    server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def waitress_server(app):
    server = create_server(app, host="127.0.0.1", port=0, threads=1)
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


class Told(AmendsAndWatches):
    """A layer that says when it has been told of the end, which comes after the client has read everything."""

    def __init__(self, app):
        super().__init__(app)
        self.ended = threading.Event()
        self.endings = self

    def append(self, ending):
        self.last = ending
        self.ended.set()


def ask(port, method="GET"):
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, "/", headers={"Connection": "close"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def generator(environ, start_response):
    start_response("200 OK", list(PLAIN))
    for start in range(0, len(CONTENT), 100_000):
        yield CONTENT[start : start + 100_000]


def writer(environ, start_response):
    start_response("200 OK", list(PLAIN))(CONTENT[:5000])
    return [CONTENT[5000:]]


def sends(make_file):
    def app(environ, start_response):
        file = make_file()
        start_response("200 OK", [*PLAIN, ("Content-Length", str(len(CONTENT)))])
        return environ["wsgi.file_wrapper"](file)

    return app


def on_disk():
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the server closes it
    file.write(CONTENT)
    file.seek(0)
    return file


APPS = {
    "list": answering([CONTENT]),
    "generator": generator,
    "writer": writer,
    "file on disk": sends(on_disk),
    "file in memory": sends(lambda: io.BytesIO(CONTENT)),
}
every_server = pytest.mark.parametrize("serving", [wsgiref_server, waitress_server])


@every_server
@pytest.mark.parametrize("name", APPS)
def test_a_client_reads_what_watch_saw(serving, name):
    layer = Told(APPS[name])
    with serving(layer) as port:
        response, body = ask(port)
        assert layer.ended.wait(60)
    assert (response.status, response.getheader("X-Amended"), body) == (200, "yes", CONTENT)
    assert b"".join(layer.seen) == CONTENT
    assert (layer.last.completed, layer.last.gone, layer.last.error) == (True, False, None)


@every_server
@pytest.mark.parametrize("name", APPS)
def test_head_is_completed(serving, name):
    layer = Told(APPS[name])
    with serving(layer) as port:
        response, body = ask(port, "HEAD")
        assert layer.ended.wait(60)
    assert (response.status, body) == (200, b"")
    assert (layer.last.completed, layer.last.error) == (True, None)
