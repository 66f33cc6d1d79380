"""A log that keeps its records, and a server that stops, fails or closes when a test says so."""

from __future__ import annotations

from asking import make_environ

from middleware.logging import LoggingMiddleware


class Recorder:
    """A format that keeps the records, and a sink that keeps the lines."""

    def __init__(self, app, **options):
        self.records = []
        self.lines = []
        self.layer = LoggingMiddleware(app, format=self.keep, sink=self.lines.append, **options)

    def keep(self, record):
        self.records.append(record)
        return "line"

    @property
    def record(self):
        (record,) = self.records
        assert self.lines == ["line"]
        return record


def serve(app, *, take=None, write=None, closes=1, start=None, **environ):
    """Serve as a server that stops after `take` chunks; what escapes comes back with what arrived."""
    arrived = []

    def start_response(status, headers, exc_info=None):
        if exc_info and any(arrived):
            raise exc_info[1].with_traceback(exc_info[2])
        if start is not None:
            start(status)
        return write or arrived.append

    body = None
    escaped = None
    try:
        body = app(make_environ(**environ), start_response)
        if take != 0:
            for chunk in body:
                arrived.append(chunk)
                if len(arrived) == take:
                    break
    except BaseException as error:
        escaped = error
    for _ in range(closes):
        try:
            if hasattr(body, "close"):
                body.close()
        except BaseException as error:
            escaped = error
    return escaped, arrived
