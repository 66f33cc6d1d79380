"""A CGI script: hello, by the standard library alone."""

from __future__ import annotations

import gc

gc.disable()

import os
from wsgiref.handlers import CGIHandler


def app(environ, start_response):
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]


CGIHandler().run(app)
gc.freeze()
