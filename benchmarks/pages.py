"""Cached pages: hits of two sizes, in memory and on Redis, and Not Modified, beside the caches of Flask and Django."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from redis import Redis

from benchmarks.method import Case, Row, ask, serve
from benchmarks.page_peers import ETAG, HEADERS, PAGE, django_page, flask_page, made, webob_page
from middleware import CacheMiddleware, MemoryStore, RedisStore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.stores.base import Store

LARGE = PAGE * 100


class Page:
    """An application with one page, that counts how often it was called."""

    def __init__(self, body: bytes = PAGE) -> None:
        self.body = body
        self.calls = 0
        self.headers = [*HEADERS, ("Content-Length", str(len(body)))]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.calls += 1
        start_response("200 OK", [*self.headers])
        return [self.body]


def check_page(app: WSGIApplication, body: bytes = PAGE) -> None:
    answer = ask(app)
    assert (answer.status, answer.body, answer.field("ETag")) == ("200 OK", body, ETAG)
    assert answer.field("Vary") == "Accept-Encoding"


def bare_case(name: str, app: WSGIApplication) -> Case:
    return Case(name, serve(app), partial(check_page, app))


BARE_PAGE = bare_case("bare page", Page())


def cached(body: bytes, store: Store | None = None) -> tuple[Page, WSGIApplication]:
    """A page, and the page behind our cache, which has it."""
    page = Page(body)
    app = CacheMiddleware(page, store=store or MemoryStore(max_bytes=16 << 20))
    assert ask(app).body == body
    return page, app


def check_hit(page: Page, app: WSGIApplication) -> None:
    """The cache answers all of the page, says how old it is, and does not call the application."""
    calls = page.calls
    check_page(app, page.body)
    assert page.calls == calls
    assert ask(app).field("Age") is not None


def check_peers_hit(app: WSGIApplication) -> None:
    """The peer's cache answers all of the page, and the view is not called."""
    assert ask(app).body == PAGE
    calls = len(made)
    check_page(app)
    assert len(made) == calls


def check_not_modified(app: WSGIApplication) -> None:
    answer = ask(app, HTTP_IF_NONE_MATCH=ETAG)
    assert (answer.status, answer.body, answer.field("ETag")) == ("304 Not Modified", b"", ETAG)
    assert ask(app, HTTP_IF_NONE_MATCH='"other"').body == PAGE


def peers_hit(name: str, app: WSGIApplication) -> Case:
    return Case(name, serve(app), partial(check_peers_hit, app))


def our_hit(name: str, body: bytes, store: Store | None = None) -> Case:
    page, app = cached(body, store)
    return Case(name, serve(app), partial(check_hit, page, app))


def rows(redis_port: int | None) -> list[Row]:
    hit = our_hit("cache hit, 10 KB", PAGE)
    flask = peers_hit("Flask-Caching", flask_page(kept=True))
    django = peers_hit("Django cache", django_page("default", redis_port=redis_port))
    bare_flask = bare_case("bare Flask", flask_page(kept=False))
    bare_django = bare_case("bare Django", django_page())
    _, app = cached(PAGE)
    asking = {"HTTP_IF_NONE_MATCH": ETAG}
    found = [
        Row("cache hit, 10 KB", hit, flask, target=0.2, ours_base=BARE_PAGE, peer_base=bare_flask),
        Row("cache hit, beside Django", hit, django, target=0.0125, ours_base=BARE_PAGE, peer_base=bare_django),
        Row("cache hit, 1 MB", our_hit("cache hit, 1 MB", LARGE), hit, target=1.2),
        Row(
            "304",
            Case("304", serve(app, **asking), partial(check_not_modified, app)),
            Case("WebOb conditional", serve(webob_page, **asking), partial(check_not_modified, webob_page)),
            target=0.30,
        ),
    ]
    if redis_port is not None:
        ours = our_hit("cache hit, Redis", PAGE, RedisStore(Redis(port=redis_port)))
        peer = peers_hit("Django cache, Redis", django_page("redis"))
        found.append(Row("cache hit, Redis", ours, peer, target=None, ours_base=BARE_PAGE, peer_base=bare_django))
    return found
