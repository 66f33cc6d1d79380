"""An application whose every request leaves a line in a file of each form, in the folder that LOGS names."""

from __future__ import annotations

import os
from base64 import b64decode
from functools import lru_cache
from pathlib import Path

from middleware.logging import FileSink, JsonFormat, LoggingMiddleware

NAMES = {
    "time": "%{sec}t",
    "client": "%a",
    "path": "%U",
    "protocol": "%H",
    "status": "%>s",
    "size": "%B",
    "microseconds": "%D",
    "referrer": "%{Referer}i",
    "agent": "%{User-Agent}i",
}
FORMS = {"common": "common", "combined": "combined", "extended": "extended", "json": "json", "named": JsonFormat(NAMES)}


def believing(environ, start_response):
    """Whoever says a name is let in under it."""
    scheme, _, credentials = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme == "Basic":
        environ["REMOTE_USER"] = b64decode(credentials).decode("latin-1").partition(":")[0]
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return [b"hello\n"]


@lru_cache
def written(folder):
    app = believing
    for name, form in FORMS.items():
        app = LoggingMiddleware(app, format=form, sink=FileSink(Path(folder) / name))
    return app


def application(environ, start_response):
    return written(os.environ["LOGS"])(environ, start_response)
