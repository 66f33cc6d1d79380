"""The servers and gateways on which the gateway layer is tried, each with its application on a port of its own."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import program
from servers.apache import MODULES, apache
from servers.http_servers import SERVERS, SOURCE, TESTS, uwsgi
from servers.nginx import nginx
from servers.programs import Running, free_port, listens

APPLICATION = "gateway.gateway_app:application"
IMPORTS = f"""
import sys
sys.path[:0] = [{str(TESTS)!r}, {str(SOURCE)!r}]
from gateway.gateway_app import application
"""

_IN_PYTHON = {
    "cherrypy": """
import cherrypy
{imports}
cherrypy.tree.graft(application, "/")
place = {{"server.socket_host": "127.0.0.1", "server.socket_port": {port}}}
cherrypy.config.update({{**place, "environment": "production", "engine.autoreload.on": False}})
cherrypy.engine.signals.subscribe()
cherrypy.engine.start()
cherrypy.engine.block()
""",
    "eventlet": """
import eventlet
import eventlet.wsgi
eventlet.monkey_patch()
{imports}
eventlet.wsgi.server(eventlet.listen(("127.0.0.1", {port})), application)
""",
    "flup": """
{imports}
from flup.server.{protocol} import WSGIServer
WSGIServer(application, bindAddress=("127.0.0.1", {port}){options}).run()
""",
    "gevent": """
from gevent import monkey
monkey.patch_all()
import gevent, gevent.pywsgi, signal
{imports}
server = gevent.pywsgi.WSGIServer(("127.0.0.1", {port}), application)
gevent.signal_handler(signal.SIGTERM, server.stop, 0)
server.serve_forever()
""",
    "paste": """
{imports}
import paste.httpserver
paste.httpserver.serve(application, "127.0.0.1", "{port}", threadpool_workers=10)
""",
}


def _in_python(name, needs):
    @contextmanager
    def serve(application, log):
        port = free_port()
        with _script(name, needs, port, log):
            yield port

    return serve


def _script(name, needs, port, log, **more):
    if find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    script = _IN_PYTHON[name].format(imports=IMPORTS, port=port, **more)
    command = [sys.executable, "-W", "ignore", "-c", script]
    return Running(command, lambda: listens(port), log=log, env=os.environ)


@contextmanager
def granian(application, log):
    path = shutil.which("granian") or Path(sys.executable).with_name("granian")
    if not Path(path).exists():
        pytest.skip("granian is not installed")
    port = free_port()
    command = [path, "--interface", "wsgi", "--host", "127.0.0.1", "--port", port, "--workers", "1", application]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (TESTS, SOURCE)))}
    with Running(command, lambda: listens(port), log=log, env=env):
        yield port


def _behind_nginx(protocol):
    @contextmanager
    def serve(application, log):
        path = program("nginx")
        back, front = free_port(), free_port()
        folder = Path(tempfile.mkdtemp())
        daemon = (
            _passing(uwsgi(application, log, protocol="--socket"))
            if protocol == "uwsgi"
            else _ready(_script("flup", "flup", back, log, protocol=protocol, options=_ROOT[protocol]), back)
        )
        try:
            with (
                daemon as back,
                nginx(path, folder, _NGINX.format(front=front, back=back, name=_NAMES[protocol]), front),
            ):
                yield front
        finally:
            shutil.rmtree(folder)

    return serve


_NAMES = {"scgi": "scgi", "fcgi": "fastcgi", "uwsgi": "uwsgi"}  # as nginx calls them
_ROOT = {"scgi": ', scriptName=""', "fcgi": "", "uwsgi": ""}
_NGINX = """
server {{
    listen 127.0.0.1:{front};
    client_max_body_size 64m;
    location / {{
        {name}_pass 127.0.0.1:{back};
        include /etc/nginx/{name}_params;
        {name}_param SCRIPT_NAME "";
        {name}_param PATH_INFO $uri;
    }}
}}
"""


@contextmanager
def _passing(server):
    with server as port:
        yield port


@contextmanager
def _ready(running, port):
    with running:
        yield port


@contextmanager
def _our_source():
    """A copy that Apache's user can read, and Debian's Python, which it can start."""
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o755)
        shutil.copytree(SOURCE / "middleware", folder / "middleware", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(TESTS / "gateway" / "gateway_app.py", folder)
        yield folder
    finally:
        shutil.rmtree(folder)


_CGI = """#!/usr/bin/python3 -B
import sys
sys.path.insert(0, "{folder}")
from gateway_app import application
from wsgiref.handlers import CGIHandler
CGIHandler().run(application)
"""


@contextmanager
def apache_cgi(application, log):
    with _our_source() as folder:
        script = folder / "app.cgi"
        script.write_text(_CGI.format(folder=folder))
        script.chmod(0o755)
        allowed = f"<Directory {folder}>\nRequire all granted\n</Directory>"
        with apache(f"ScriptAlias /app {script}\n{allowed}") as port:
            yield port


@contextmanager
def apache_mod_python(application, log):
    if not (MODULES / "mod_python.so").exists():
        reason = "mod_python is not installed"
        pytest.fail(reason) if os.environ.get("REQUIRE_SERVERS") == "1" else pytest.skip(reason)
    port = free_port()
    with _our_source() as folder:
        user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        loaded = (
            f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in ("mpm_prefork", "authz_core", "python")
        )
        configuration = folder / "apache.conf"
        configuration.write_text(_MOD_PYTHON.format(folder=folder, port=port, user=user, modules="\n".join(loaded)))
        command = [program("apache2", "httpd"), "-f", configuration, "-D", "FOREGROUND"]
        options = {
            "start_new_session": True,  # at its end Apache ends its whole process group
            "env": {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},  # else its Python is that of a virtual environment
        }
        with Running(command, lambda: listens(port), log=log, **options):
            yield port


# Not beside mod_wsgi, which refuses to start with it.
_MOD_PYTHON = """
ServerRoot {folder}
DefaultRuntimeDir {folder}
ServerName localhost
PidFile {folder}/pid
ErrorLog {folder}/error.log
StartServers 2
{user}
{modules}
Listen 127.0.0.1:{port}
PythonOption mod_python.mutex_directory "{folder}"
<Location /app>
    Require all granted
    SetHandler mod_python
    PythonPath "['{folder}']+sys.path"
    PythonHandler mod_python.wsgi
    PythonOption mod_python.wsgi.application gateway_app::application
    PythonOption mod_python.wsgi.base_uri "/app"
</Location>
"""


# By the name of the server and, behind a web server, of that too.
ALL = {
    **SERVERS,
    "uwsgi --http": lambda application, log: uwsgi(application, log, protocol="--http"),
    **{name: _in_python(name, name) for name in ("cherrypy", "eventlet", "gevent", "paste")},
    "granian": granian,
    "nginx, fcgi, flup": _behind_nginx("fcgi"),
    "nginx, scgi, flup": _behind_nginx("scgi"),
    "nginx, uwsgi": _behind_nginx("uwsgi"),
    "apache, cgi": apache_cgi,
    "apache, mod_python": apache_mod_python,
}
MOUNT = {"apache, cgi": "/app", "apache, mod_python": "/app"}
