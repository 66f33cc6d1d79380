"""An application whose requests are logged, here and in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SRC = str(Path(__file__).parent.parent / "src")


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def by_path(record):
    """A format: the path of the request alone."""
    return record.target


# What a script begins with that serves requests without a server, and the modules that were there before it.
PLAIN = """
import sys
at_start = set(sys.modules)
from middleware.logging import FileSink, LoggingMiddleware
def hello(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]
def by_path(record):
    return record.target
def request(layer, path="/"):
    body = layer({"REQUEST_METHOD": "GET", "PATH_INFO": path, "SERVER_PROTOCOL": "HTTP/1.1"}, lambda *args: None)
    list(body)
    body.close()
"""


def started(code, *arguments, **options):
    """A process that runs this code."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], env={**os.environ, "PYTHONPATH": SRC}, **options
    )


def run(code, *arguments):
    """What came of a process that ran this code, and ended well."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": SRC},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
