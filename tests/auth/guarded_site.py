"""Flask, and a folder of files, behind the layer, for servers: the fields `X-Rules` and `X-Behind` choose among them.

Each answer says what the server has delivered: `X-Delivered-Path`, `X-Delivered-Method`.
"""

from __future__ import annotations

import atexit
from pathlib import Path
from tempfile import TemporaryDirectory

import webob.static
from auth.downstreams import in_flask, make_files
from auth.spellings import RULES
from auth_helpers import stored

from middleware.auth import AuthMiddleware, Basic

folder = TemporaryDirectory()
atexit.register(folder.cleanup)
make_files(Path(folder.name))

BEHIND = {"Flask": in_flask(), "files": webob.static.DirectoryApp(folder.name)}
LAYERS = {
    (rules, name): AuthMiddleware(app, Basic({"ann": stored("apple")}), rules=RULES[rules]())
    for rules in RULES
    for name, app in BEHIND.items()
}


def application(environ, start_response):
    told = [
        ("X-Delivered-Path", ascii(environ["PATH_INFO"])),
        ("X-Delivered-Script", ascii(environ.get("SCRIPT_NAME", ""))),
        ("X-Delivered-Method", ascii(environ["REQUEST_METHOD"])),
    ]

    def start(status, headers, exc_info=None):
        return start_response(status, [*headers, *told], exc_info)

    return LAYERS[environ["HTTP_X_RULES"], environ["HTTP_X_BEHIND"]](environ, start)
