"""Six real HTTP servers for one WSGI application, each started on a free port of loopback and stopped by its own hand.

`SERVERS[name](application, log)` serves what `package.module:attribute` means and gives the port. A server that runs in
a process of its own imports that name there, with the folder of the tests on its path.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler as WsgirefHandler
from wsgiref.simple_server import make_server

from cheroot.wsgi import Server as CherootServer
from conftest import program
from over_http import served
from servers.programs import Running, free_port, listens
from werkzeug.serving import WSGIRequestHandler as WerkzeugHandler
from werkzeug.serving import make_server as make_werkzeug_server

TESTS = Path(__file__).parent.parent
SOURCE = TESTS.parent / "src"


def _application(name):
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


class QuietWsgiref(WsgirefHandler):
    def log_message(self, *_):
        pass


class QuietWerkzeug(WerkzeugHandler):
    def log(self, *_):
        pass


@contextmanager
def wsgiref(application, log):
    server = make_server("127.0.0.1", 0, _application(application), handler_class=QuietWsgiref)
    with _running(server.serve_forever, server.shutdown, poll_interval=0.01):
        yield server.server_port
    server.server_close()


@contextmanager
def waitress(application, log):
    with served(_application(application)) as port:
        yield port


@contextmanager
def werkzeug(application, log):
    server = make_werkzeug_server("127.0.0.1", 0, _application(application), request_handler=QuietWerkzeug)
    with _running(server.serve_forever, server.shutdown, poll_interval=0.01):
        yield server.port
    server.server_close()


@contextmanager
def cheroot(application, log):
    server = CherootServer(("127.0.0.1", 0), _application(application), numthreads=1)
    server.prepare()
    with _running(server.serve, server.stop):
        yield server.bind_addr[1]


@contextmanager
def _running(serve, stop, **options):
    thread = threading.Thread(target=serve, kwargs=options)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join()


@contextmanager
def gunicorn(application, log, *, protocol="http"):
    """`protocol="uwsgi"`: as nginx speaks it."""
    port = free_port()
    options = ["--bind", f"127.0.0.1:{port}", "--workers", "1", "--no-control-socket", "--protocol", protocol]
    with _program([sys.executable, "-m", "gunicorn", *options, application], port, log):
        yield port


@contextmanager
def uwsgi(application, log, *, protocol="--http-socket"):
    """`protocol="--socket"`: the uwsgi protocol, as nginx speaks it."""
    port = free_port()
    beside_python = Path(sys.prefix) / "bin" / "uwsgi"  # which is not on the PATH of who starts this Python by its path
    options = [protocol, f"127.0.0.1:{port}", "--master", "--die-on-term", "--need-app", "--wsgi"]
    with _program([program(str(beside_python), "uwsgi"), *options, application], port, log):
        yield port


def _program(command, port, log):
    path = os.pathsep.join(map(str, (TESTS, SOURCE)))
    return Running(command, lambda: listens(port), log=log, env={**os.environ, "PYTHONPATH": path})


SERVERS = {
    "wsgiref": wsgiref,
    "waitress": waitress,
    "werkzeug": werkzeug,
    "gunicorn": gunicorn,
    "cheroot": cheroot,
    "uwsgi": uwsgi,
}
