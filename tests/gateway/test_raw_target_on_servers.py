"""The raw target behind the real gateways that break the path."""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest
from conftest import program
from deployment.site import served
from over_http import exchange
from servers.http_servers import gunicorn
from servers.nginx import nginx
from servers.programs import free_port

pytestmark = pytest.mark.slow


@contextmanager
def row(name, application, mount="", **options):
    """One of examples/deploy: "tells" where its own files have the layer round the application."""
    with served(name, f"from gateway.raw_target_app import {application} as application", **options) as site:
        yield site.running.port, mount


@contextmanager
def nginx_uwsgi_gunicorn():
    """Of examples/deploy none speaks this protocol to gunicorn, which decodes the target."""
    port = free_port()
    folder = Path(mkdtemp())
    try:
        with gunicorn("gateway.raw_target_app:decoded", folder / "gunicorn.log", protocol="uwsgi") as back:
            location = f"location / {{ include /etc/nginx/uwsgi_params; uwsgi_pass 127.0.0.1:{back}; }}"
            with nginx(program("nginx"), folder, f"server {{ listen 127.0.0.1:{port}; {location} }}", port):
                yield port, "/front"
    finally:
        rmtree(folder)


GATEWAYS = {
    "apache-ajp-flup": partial(row, "apache-ajp-flup", "tells"),
    "uwsgi-scgi": partial(row, "uwsgi-scgi", "tells"),
    # flup as it is by itself, which takes what Apache says for the script.
    "apache-scgi-flup": partial(row, "apache-scgi-flup", "application", "/front", without='scriptName="", '),
    "nginx-uwsgi-gunicorn": nginx_uwsgi_gunicorn,
}


@pytest.fixture(scope="module", params=GATEWAYS)
def gateway(request):
    with GATEWAYS[request.param]() as (port, mount):
        yield port, mount


@pytest.mark.parametrize(
    ("target", "path"),
    [("/", "/"), ("/a/b?c=/d", "/a/b"), ("/caf%C3%A9", "/caf\xc3\xa9"), ("/a%20b%2525?x=%20", "/a b%25")],
)
def test_the_path_is_the_one_that_the_client_asked_for(gateway, target, path):
    port, mount = gateway
    reply = exchange(port, f"{mount}{target}")
    assert (reply.status, json.loads(reply.body)) == (200, [mount, path])
