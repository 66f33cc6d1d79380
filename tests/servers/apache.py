"""A real Apache of the tests' own, with a script by mod_wsgi and one by CGI that tell what arrives there."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from conftest import program, skip_or_fail
from servers.debian import MODULES
from servers.programs import Running, free_port, listens

_LOADED = "mpm_prefork authn_core authn_file authz_core authz_user auth_basic alias cgi ssl env headers wsgi"

# Runs in whatever Python mod_wsgi was built for, so it needs nothing of ours.
_BY_WSGI = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    told = (f"{key}={value}" for key, value in environ.items())
    return ["\\0".join(told).encode("latin-1")]
"""
_BY_CGI = """#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
exec env -0
"""

_WHOLE = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
ErrorLog {folder}/error.log
StartServers 1
DefaultRuntimeDir {folder}
{user}
{modules}
Listen 127.0.0.1:{port}
WSGIScriptAlias /wsgi {folder}/script.py
ScriptAlias /cgi {folder}/script.sh
<Directory {folder}>
    Require all granted
</Directory>
<LocationMatch "^/(wsgi|cgi)/staff">
    AuthType Basic
    AuthName Staff
    AuthUserFile {folder}/passwords
    Require valid-user
</LocationMatch>
<Location /wsgi/handed-on>
    WSGIPassAuthorization On
</Location>
<Location /cgi/handed-on>
    CGIPassAuth On
</Location>
{more}
"""


@contextmanager
def apache(more="", passwords=""):
    """The port of an Apache whose configuration ends with `more`, where `{folder}` is its own folder."""
    path = program("apache2", "httpd")
    if not (MODULES / "mod_wsgi.so").exists():
        skip_or_fail("mod_wsgi is not installed")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)  # Apache serves as another user than root
    try:
        (folder / "script.py").write_text(_BY_WSGI)
        (folder / "script.sh").write_text(_BY_CGI)
        (folder / "script.sh").chmod(0o755)
        (folder / "passwords").write_text(passwords)
        port = free_port()
        loaded = (f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in _LOADED.split())
        user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        whole = _WHOLE.format(
            folder=folder, port=port, user=user, modules="\n".join(loaded), more=more.replace("{folder}", str(folder))
        )
        (folder / "apache.conf").write_text(whole)
        command = [path, "-f", folder / "apache.conf", "-D", "FOREGROUND"]
        # A session of its own: at its end Apache ends its whole process group.
        with Running(command, lambda: listens(port), log=folder / "log", start_new_session=True):
            yield port
    finally:
        shutil.rmtree(folder)


def told(body):
    """The environ that a script has told of, its values as text."""
    pairs = (entry.partition("=") for entry in body.decode("latin-1").split("\0"))
    return {key: value for key, _, value in pairs if key}
