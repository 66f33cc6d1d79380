"""Layers on the kernel, and applications, that several tests here share."""

from __future__ import annotations

import gc
from contextlib import contextmanager

from middleware.wsgi import Response, forward

PLAIN = [("Content-Type", "text/plain")]


class Passes:
    """Nothing to say, through `forward`."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        return forward(self.app, environ, start_response)


class Amends:
    """One header."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        return forward(self.app, environ, start_response, lambda response: response.add("X-Amended", "yes"))


class Watches:
    """What was seen of the last request, and how it ended."""

    def __init__(self, app):
        self.app = app
        self.seen = []
        self.endings = []

    def __call__(self, environ, start_response):
        return forward(self.app, environ, start_response, watch=self.seen.append, end=self.endings.append)

    @property
    def ending(self):
        (ending,) = self.endings
        return ending


class Ends(Watches):
    """Only the end."""

    def __call__(self, environ, start_response):
        return forward(self.app, environ, start_response, end=self.endings.append)


class AmendsAndWatches(Watches):
    """All three moments."""

    def __call__(self, environ, start_response):
        def amend(response):
            response.add("X-Amended", "yes")

        return forward(self.app, environ, start_response, amend, watch=self.seen.append, end=self.endings.append)


class Takes:
    """The answer in hand, passed on."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        return Response.from_app(self.app, environ)(environ, start_response)


class Replaces:
    """Another body in place of the application's."""

    def __init__(self, app, body=(b"replaced",)):
        self.app = app
        self.body = body

    def __call__(self, environ, start_response):
        def amend(response):
            response.remove("Content-Length")
            response.body = self.body

        return forward(self.app, environ, start_response, amend)


class Body:
    """An iterable that counts what is done to it."""

    def __init__(self, chunks=(b"one,", b"two"), error=None, close_error=None):
        self.iterator = iter(chunks)
        self.error = error
        self.close_error = close_error
        self.pulled = 0
        self.closed = 0

    def __iter__(self):
        return self

    def __next__(self):
        for chunk in self.iterator:
            self.pulled += 1
            return chunk
        if self.error is not None:
            raise self.error
        raise StopIteration

    def close(self):
        self.closed += 1
        if self.close_error is not None:
            raise self.close_error


def answering(body, status="200 OK", headers=PLAIN):
    """An application that starts at once and returns this very body."""

    def app(environ, start_response):
        start_response(status, list(headers))
        return body

    return app


@contextmanager
def no_garbage():
    """Nothing inside waits for the garbage collector."""
    gc.collect()
    gc.freeze()  # so that the second collection has only to look at what was made inside
    gc.disable()
    try:
        yield
        assert gc.collect() == 0
    finally:
        gc.enable()
