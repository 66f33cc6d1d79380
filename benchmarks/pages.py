"""Cached pages: hits of two sizes beside each other, and Not Modified beside WebOb's conditional response."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from webob import Response as WebObResponse

from benchmarks.method import Case, Row, ask, serve
from middleware import CacheMiddleware, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

ETAG = '"2024-11-02"'
PAGE = b"0123456789abcdef" * 640  # 10 KB
LARGE = PAGE * 100


class Page:
    """An application with one page, that counts how often it was called."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.calls = 0
        self.headers = [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "public, max-age=86400"),
            ("Vary", "Accept-Encoding"),
            ("ETag", ETAG),
        ]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.calls += 1
        start_response("200 OK", [*self.headers])
        return [self.body]


def webob_page(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
    """The same page as a WebOb application would answer it."""
    response = WebObResponse(PAGE, conditional_response=True, cache_control="public, max-age=86400", etag=ETAG[1:-1])
    response.vary = ("Accept-Encoding",)
    return response(environ, start_response)


def cached(body: bytes) -> tuple[Page, WSGIApplication]:
    """A page, and the page behind our cache, which has it."""
    page = Page(body)
    app = CacheMiddleware(page, store=MemoryStore(max_bytes=16 << 20))
    assert ask(app).body == body
    return page, app


def check_hit(page: Page, app: WSGIApplication) -> None:
    """The cache answers all of the page, says how old it is, and does not call the application."""
    calls = page.calls
    answer = ask(app)
    assert (answer.status, answer.body, page.calls) == ("200 OK", page.body, calls)
    assert answer.field("Age") is not None
    assert answer.field("ETag") == ETAG


def check_not_modified(app: WSGIApplication) -> None:
    answer = ask(app, HTTP_IF_NONE_MATCH=ETAG)
    assert (answer.status, answer.body, answer.field("ETag")) == ("304 Not Modified", b"", ETAG)
    assert ask(app, HTTP_IF_NONE_MATCH='"other"').body == PAGE


def rows() -> list[Row]:
    small, small_app = cached(PAGE)
    large, large_app = cached(LARGE)
    hit = Case("cache hit, 10 KB", serve(small_app), partial(check_hit, small, small_app))
    large_hit = Case("cache hit, 1 MB", serve(large_app), partial(check_hit, large, large_app))
    asking = {"HTTP_IF_NONE_MATCH": ETAG}
    return [
        Row("cache hit, 1 MB", large_hit, hit, target=1.2),
        Row(
            "304",
            Case("304", serve(small_app, **asking), partial(check_not_modified, small_app)),
            Case("WebOb conditional", serve(webob_page, **asking), partial(check_not_modified, webob_page)),
            target=0.30,
        ),
    ]
