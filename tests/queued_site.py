"""A site for real servers, whose lines go through a queue into the file that ACCESS_LOG names.

Where LOADING says so it makes requests of its own while it is loaded, so that a server forks it with the queue at work.
"""

from __future__ import annotations

import os

from asking import ask

from middleware.logging import FileSink, LoggingMiddleware
from middleware.logging.sinks.queue import QueueSink


def who(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]


def line(record):
    return f"{os.getpid()} {record.target}"


application = LoggingMiddleware(who, sink=QueueSink(FileSink(os.environ["ACCESS_LOG"])), format=line)
for number in range(int(os.environ.get("LOADING", "0"))):
    ask(application, f"/loaded.{number}")
