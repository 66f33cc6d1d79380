"""An application whose every request leaves a line in four files, in the folder that LOGS names."""

from __future__ import annotations

import os
from base64 import b64decode
from functools import lru_cache
from pathlib import Path

from middleware.logging import FileSink, LoggingMiddleware

FORMS = ("common", "combined", "extended", "json")


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
    for form in FORMS:
        app = LoggingMiddleware(app, format=form, sink=FileSink(Path(folder) / form))
    return app


def application(environ, start_response):
    return written(os.environ["LOGS"])(environ, start_response)
