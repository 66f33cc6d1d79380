"""A site with a cache round it, a clock that stands still, and an application that does as the test says."""

from __future__ import annotations

from asking import ask

from middleware.caching import CacheMiddleware
from middleware.stores import MemoryStore

START = 1_790_000_000.0  # in September 2026


class Site:
    """`answers(...)` says what the application gives from now on; its body differs on every call unless given."""

    def __init__(self, store=None, app=None, **options):
        self.now = START
        self.calls = 0
        self.seen = []
        self.store = MemoryStore(clock=lambda: self.now) if store is None else store
        self.given = ("200 OK", [], None)
        self.error = None
        self.takes = 0
        self.cache = CacheMiddleware(app or self.app, store=self.store, clock=lambda: self.now, **options)

    def answers(self, *fields, status="200 OK", body=None):
        self.error = None
        self.given = (status, [tuple(field.split(": ", 1)) for field in fields], body)

    def fails(self):
        self.error = OSError("the application is down")

    def app(self, environ, start_response):
        self.calls += 1
        self.seen.append(dict(environ))
        self.now += self.takes
        if self.error is not None:
            raise self.error
        status, fields, body = self.given
        start_response(status, list(fields))
        if environ["REQUEST_METHOD"] == "HEAD" or status[:3] in ("204", "304"):
            return []
        return [f"answer {self.calls}".encode() if body is None else body]

    def ask(self, path="/a", at=None, **request):
        """One request, `at` seconds after the start."""
        if at is not None:
            self.now = START + at
        return ask(self.cache, path, **request)

    def is_hit(self, *args, **request):
        """Whether this request is answered from the store."""
        calls = self.calls
        answer = self.ask(*args, **request)
        hit = "; hit" in answer.header("Cache-Status")
        assert hit == (self.calls == calls)
        return hit

    def validates(self, *args, **request):
        """Whether the application is asked about a stored answer."""
        calls = self.calls
        self.ask(*args, **request)
        environ = self.seen[-1] if self.calls > calls else {}
        return "HTTP_IF_NONE_MATCH" in environ or "HTTP_IF_MODIFIED_SINCE" in environ


def stores(*fields, status="200 OK", request=None, at=1):
    """Whether an answer with these fields is reused `at` seconds later."""
    site = Site()
    site.answers(*fields, status=status)
    site.ask(**(request or {}))
    return site.is_hit(at=at)
