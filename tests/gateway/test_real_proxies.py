"""Two real nginx, one behind the other, in front of gunicorn and waitress, and clients that lie to them.

The proxies speak from 127.0.0.1, which is trusted, the clients from 127.0.0.9, which is not.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest
from conftest import program
from gateway import connection_app
from servers.apache import apache
from servers.debian import MODULES
from servers.http_servers import SOURCE, TESTS
from servers.nginx import nginx
from servers.programs import PATIENCE, Running, free_port, listens
from waitress.server import create_server

from middleware import ProxyMiddleware

pytestmark = pytest.mark.slow

CLIENT = "127.0.0.9"

# As docs/proxies.md has it.
MAPS = r"""
map $remote_addr $forwarded_for {
    ~^[0-9.]+$        "for=$remote_addr";
    ~^[0-9A-Fa-f:.]+$ "for=\"[$remote_addr]\"";
    default           "for=unknown";
}
map $http_host $forwarded_host {
    ~^[A-Za-z0-9._:\[\]-]+$ ";host=\"$http_host\"";
    default                 "";
}
map $http_forwarded $forwarded_before {
    ""      "";
    default "$http_forwarded, ";
}
"""
SERVERS = """
server {{
    listen 127.0.0.1:{port};
    location /shop/ {{
        proxy_pass http://127.0.0.1:{second}/;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto https;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Port 8443;
        proxy_set_header X-Forwarded-Prefix /shop;
        proxy_set_header Forwarded "$forwarded_before$forwarded_for;proto=https$forwarded_host";
    }}
}}
server {{
    listen 127.0.0.1:{second};
    location / {{
        proxy_pass http://{app};
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header Forwarded "$forwarded_before$forwarded_for;proto=http;host=inner.example";
    }}
}}
"""
LIES = (
    ("X-Forwarded-For", "6.6.6.6, 127.0.0.1"),
    ("X-Forwarded-For", "7.7.7.7"),
    ("Forwarded", 'for="6.6.6.6;host=evil.example, for=6.6.6.6;proto=https;host="evil.example'),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Proto", "gopher"),
    ("X-Forwarded-Port", "666"),
    ("X-Forwarded-Prefix", "/evil"),
    ("X-Real-IP", "6.6.6.6"),
)


def told(port, path, lies=(), host="shop.example:8443"):
    """What the application says, asked from CLIENT."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE, source_address=(CLIENT, 0))
    connection.putrequest("GET", path, skip_host=True)
    for name, value in (("Host", host), *lies):
        connection.putheader(name, value)
    connection.endheaders()
    body = connection.getresponse().read()
    connection.close()
    return json.loads(body)


@contextmanager
def proxies(folder, app):
    """The ports of both proxies, `app` behind the second."""
    port, second = free_port(), free_port()
    with nginx(program("nginx"), folder, MAPS + SERVERS.format(port=port, second=second, app=app), port):
        yield port, second


@contextmanager
def on_waitress(app, **place):
    """waitress takes the fields of proxies away, unless it is told to leave them."""
    server = create_server(app, threads=2, clear_untrusted_proxy_headers=False, **place)
    stopped = threading.Event()

    def run():
        while not stopped.is_set():
            server.asyncore.loop(timeout=0.05, map=server._map, count=1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield None if "unix_socket" in place else server.effective_port
    finally:
        stopped.set()
        thread.join()
        server.task_dispatcher.shutdown()
        server.asyncore.close_all(server._map)


def on_gunicorn(app, bind, answers, log):
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{SOURCE}"}
    command = [sys.executable, "-m", "gunicorn", "--bind", bind, "--no-control-socket", f"gateway.connection_app:{app}"]
    return Running(command, answers, log=log, env=environment)


@pytest.fixture(scope="module")
def sockets():
    """A folder of a short name: the path of a Unix socket ends at 107 bytes."""
    folder = mkdtemp()
    yield Path(folder)
    rmtree(folder)


@pytest.fixture(scope="module", params=["waitress", "gunicorn", "waitress on a socket", "gunicorn on a socket"])
def server(request, sockets, tmp_path_factory):
    """The ports of two proxies and the peer, by the application that is behind them."""

    @contextmanager
    def serve(app):
        folder = tmp_path_factory.mktemp("nginx")
        path, port = sockets / f"{len(list(sockets.iterdir()))}", free_port()

        def is_there():
            with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(path))
                return True
            return False

        made, place, peer = {
            "waitress": (lambda: on_waitress(getattr(connection_app, app), host="127.0.0.1", port=port),
                         f"127.0.0.1:{port}", "127.0.0.1"),
            "gunicorn": (lambda: on_gunicorn(app, f"127.0.0.1:{port}", lambda: listens(port), folder / "log"),
                         f"127.0.0.1:{port}", "127.0.0.1"),
            "waitress on a socket": (lambda: on_waitress(getattr(connection_app, app), unix_socket=str(path)),
                                     f"unix:{path}:", "localhost"),
            "gunicorn on a socket": (lambda: on_gunicorn(app, f"unix:{path}", is_there, folder / "log"),
                                     f"unix:{path}:", ""),
        }[request.param]  # fmt: skip
        with made(), proxies(folder, place) as (front, second):
            yield front, second, peer

    return serve


@pytest.fixture(scope="module", params=["listed", "standard"])
def site(request, server):
    with server(request.param) as (front, second, peer):
        yield front, second, peer, request.param == "listed"


@pytest.mark.parametrize("lies", [(), LIES], ids=["honest", "lying"])
def test_the_application_knows_who_asks_and_for_what(site, lies):
    front, _, peer, is_listed = site
    environ = told(front, "/shop/p", lies)
    assert environ["REMOTE_ADDR"] == CLIENT
    assert environ["middleware.peer"] == peer
    assert (environ["wsgi.url_scheme"], environ["HTTP_HOST"]) == ("https", "shop.example:8443")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("shop.example", "8443")
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/shop" if is_listed else "", "/p")


def test_the_recipe_of_the_docs_is_the_one_that_is_tested():
    page = (TESTS.parent / "docs" / "proxies.md").read_text(encoding="utf-8")
    assert MAPS in page
    assert '"$forwarded_before$forwarded_for;proto=$scheme$forwarded_host"' in page


@pytest.mark.parametrize("host", ['x",for="6.6.6.6', 'x";for="6.6.6.6', 'x"', "x\\"])
def test_no_host_makes_somebody_else_of_a_client(site, host):
    front, *_ = site
    assert told(front, "/shop/p", host=host)["REMOTE_ADDR"] == CLIENT


APACHE = """
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
ProxyPreserveHost On
RequestHeader set X-Forwarded-Proto "expr=%{REQUEST_SCHEME}"
ProxyPass "/shop/" "http://127.0.0.1:{port}/"
"""


def test_apache_tells_the_client_and_the_scheme_too():
    app = ProxyMiddleware(connection_app.tells, trust=["127.0.0.1"], host="X-Forwarded-Host")
    with on_waitress(app, host="127.0.0.1", port=0) as behind:
        more = APACHE.replace("{modules}", str(MODULES)).replace("{port}", str(behind))
        with apache(more) as port:
            environ = told(port, "/shop/p", LIES)
    assert (environ["REMOTE_ADDR"], environ["middleware.peer"]) == (CLIENT, "127.0.0.1")
    assert (environ["wsgi.url_scheme"], environ["HTTP_HOST"]) == ("http", "shop.example:8443")


@pytest.mark.parametrize("field", ["X-Forwarded-For", "Forwarded"])
def test_proxies_are_counted(field, tmp_path):
    app = ProxyMiddleware(connection_app.tells, hops=2, field=field)
    with on_waitress(app, host="127.0.0.1", port=0) as port, proxies(tmp_path, f"127.0.0.1:{port}") as (front, second):
        for lies in ((), LIES):
            assert told(front, "/shop/p", lies)["REMOTE_ADDR"] == CLIENT
        environ = told(second, "/p")  # past one of them: nothing is believed
        assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("127.0.0.1", "http")


def test_of_who_asks_past_the_proxies_nothing_is_believed():
    with on_waitress(connection_app.listed, host="127.0.0.1", port=0) as port:
        environ = told(port, "/p", LIES, host="inner.example")
    assert (environ["REMOTE_ADDR"], environ["middleware.peer"]) == (CLIENT, CLIENT)
    assert (environ["wsgi.url_scheme"], environ["HTTP_HOST"]) == ("http", "inner.example")
    assert environ["SCRIPT_NAME"] == ""
