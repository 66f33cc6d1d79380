"""What a cache costs where it does not answer: misses, stored and not, requests that are none of its business, and a
chunk on its way into the store.
"""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from webob.dec import wsgify

from benchmarks.method import Case, Row, ask, serve, serve_anew, url_number
from benchmarks.page_peers import PAGE, flask_page, made
from benchmarks.pages import BARE_PAGE, Page
from middleware import CacheMiddleware, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

CHUNK = bytes(64 << 10)
CHUNKS = 60  # a body of 4 MB, which is still stored
UNASKED = count(10**9)  # numbers of URLs that only a check asks for


class Unstorable(Page):
    """The page as it is for one user."""

    def __init__(self) -> None:
        super().__init__()
        self.headers = [(name, "private" if name == "Cache-Control" else value) for name, value in self.headers]


def stream(chunks: int) -> WSGIApplication:
    """An application whose answer, a generator of so many chunks, may be stored."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Cache-Control", "max-age=86400")])
        return (CHUNK for _ in range(chunks))

    return app


@wsgify.middleware
def passed_by_wsgify(request: Any, app: WSGIApplication) -> Any:
    return request.get_response(app)


def our_cache(app: WSGIApplication) -> WSGIApplication:
    return CacheMiddleware(app, store=MemoryStore(max_bytes=16 << 20))


def check_miss(app: WSGIApplication, calls: Callable[[], int], *, stored: bool, body: bytes = PAGE) -> None:
    """A URL that was not asked for is asked of the application, once where the answer is stored, and twice else."""
    url, before = url_number(next(UNASKED)), calls()
    assert ask(app, **url).body == ask(app, **url).body == body
    assert calls() - before == (1 if stored else 2)


def check_passing(app: WSGIApplication, page: Page, **environ: str) -> None:
    """Each request reaches the application."""
    before = page.calls
    assert ask(app, **environ).body == ask(app, **environ).body == PAGE
    assert page.calls == before + 2


def rows() -> list[Row]:
    return [*_misses(), *_passing(), *_streaming()]


def _misses() -> list[Row]:
    bare = Page()
    bare_anew = Case("bare page, anew", serve_anew(bare), partial(check_passing, bare, bare))
    page, unstorable = Page(), Unstorable()
    app, passing = our_cache(page), our_cache(unstorable)
    kept, unkept = flask_page(kept=True), flask_page(kept=False)
    views = partial(len, made)
    stored = Case("stored miss", serve_anew(app), partial(check_miss, app, lambda: page.calls, stored=True))
    flask = Case("Flask-Caching", serve_anew(kept), partial(check_miss, kept, views, stored=True))
    bare_flask = Case("bare Flask, anew", serve_anew(unkept), partial(check_miss, unkept, views, stored=False))
    not_stored = partial(check_miss, passing, lambda: unstorable.calls, stored=False)
    first = Case("unstorable, new URL", serve_anew(passing), not_stored)
    again = Case("unstorable, known URL", serve(passing), not_stored)
    return [
        Row("cache miss, stored", stored, flask, target=None, ours_base=bare_anew, peer_base=bare_flask),
        Row("cache miss, private, new URL", first, bare_anew, target=None, ours_base=bare_anew),
        Row("cache miss, private, known URL", again, BARE_PAGE, target=None, ours_base=BARE_PAGE),
    ]


def _passing() -> list[Row]:
    """Requests with which the cache has nothing to do, beside a layer of WebOb's that passes them on."""
    found = []
    for title, environ in (
        ("cache, POST", {"REQUEST_METHOD": "POST"}),
        ("cache, OPTIONS", {"REQUEST_METHOD": "OPTIONS"}),
        ("cache, user known", {"middleware.identity": "alice"}),
    ):
        page = Page()
        ours, peer = our_cache(page), passed_by_wsgify(page)
        base = Case(f"bare page, {title}", serve(page, **environ), partial(check_passing, page, page, **environ))
        found.append(
            Row(
                title,
                Case(title, serve(ours, **environ), partial(check_passing, ours, page, **environ)),
                Case("WebOb wsgify", serve(peer, **environ), partial(check_passing, peer, page, **environ)),
                target=0.02,
                ours_base=base,
                peer_base=base,
            )
        )
    return found


def _streaming() -> list[Row]:
    """What one chunk of 64 KB costs: the time of many less that of one. A client that leaves stores nothing."""

    def case(name: str, app: WSGIApplication, chunks: int, *, leaves: bool) -> Case:
        def check() -> None:
            url = url_number(next(UNASKED))
            assert ask(app, **url).body == ask(app, **url).body == CHUNK * chunks

        return Case(f"{name}, {chunks}", serve_anew(app, chunks=chunks if leaves else None), check)

    found = []
    for title, leaves, target in (("cache, a chunk copied", True, 5.5), ("cache, a chunk stored", False, None)):
        many, one = stream(CHUNKS), stream(1)
        found.append(
            Row(
                title,
                case(title, our_cache(many), CHUNKS, leaves=leaves),
                case("bare generator", many, CHUNKS, leaves=leaves),
                target=target,
                ours_base=case(title, our_cache(one), 1, leaves=leaves),
                peer_base=case("bare generator", one, 1, leaves=leaves),
                per=CHUNKS - 1,
            )
        )
    return found
