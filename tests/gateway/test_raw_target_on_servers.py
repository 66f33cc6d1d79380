"""The raw target behind the real gateways that break the path."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest
from conftest import program
from gateway.on_servers import IMPORTS
from over_http import exchange
from servers.apache import MODULES, apache
from servers.http_servers import SOURCE, TESTS, uwsgi
from servers.nginx import nginx
from servers.programs import Running, free_port, listens

pytestmark = pytest.mark.slow

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (TESTS, SOURCE)))}
FLUP = IMPORTS.replace("gateway_app", "raw_target_app") + (
    "from flup.server.{protocol} import WSGIServer\nWSGIServer(application, bindAddress=('127.0.0.1', {port})).run()\n"
)


@contextmanager
def flup(protocol, log):
    pytest.importorskip("flup")
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-c", FLUP.format(protocol=protocol, port=port)]
    with Running(command, lambda: listens(port), log=log):
        yield port


@contextmanager
def behind_apache(protocol, back):
    load = "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in ("proxy", f"proxy_{protocol}"))
    with apache(
        f'{load}AllowEncodedSlashes NoDecode\nProxyPass "/front/" "{protocol}://127.0.0.1:{back}/front/"'
    ) as port:
        yield port


@contextmanager
def apache_scgi_flup(log):
    with flup("scgi", log) as back, behind_apache("scgi", back) as port:
        yield port


@contextmanager
def apache_ajp_flup(log):
    with flup("ajp", log) as back, behind_apache("ajp", back) as port:
        yield port


@contextmanager
def apache_scgi_uwsgi(log):
    with (
        uwsgi("gateway.raw_target_app:application", log, protocol="--scgi-socket") as back,
        behind_apache("scgi", back) as port,
    ):
        yield port


@contextmanager
def nginx_uwsgi_gunicorn(log):
    back, port = free_port(), free_port()
    options = ["--bind", f"127.0.0.1:{back}", "--protocol", "uwsgi", "--no-control-socket"]
    command = [sys.executable, "-m", "gunicorn", *options, "gateway.raw_target_app:decoded"]
    location = f"location / {{ include /etc/nginx/uwsgi_params; uwsgi_pass 127.0.0.1:{back}; }}"
    folder = Path(mkdtemp())
    try:
        with (
            Running(command, lambda: listens(back), log=log, env=ENVIRONMENT),
            nginx(program("nginx"), folder, f"server {{ listen 127.0.0.1:{port}; {location} }}", port),
        ):
            yield port
    finally:
        rmtree(folder)


GATEWAYS = [apache_scgi_flup, apache_ajp_flup, apache_scgi_uwsgi, nginx_uwsgi_gunicorn]


@pytest.fixture(scope="module", params=GATEWAYS, ids=lambda gateway: gateway.__name__)
def port(request, tmp_path_factory):
    with request.param(tmp_path_factory.mktemp("gateway") / "log") as port:
        yield port


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/front/", "/"),
        ("/front/a/b?c=/d", "/a/b"),
        ("/front/caf%C3%A9", "/caf\xc3\xa9"),
        ("/front/a%20b%2525?x=%20", "/a b%25"),
    ],
)
def test_the_path_is_the_one_that_the_client_asked_for(port, target, path):
    reply = exchange(port, target)
    assert (reply.status, json.loads(reply.body)) == (200, ["/front", path])
