"""A layer of one's own, next to the toolkit's: it writes into a page what the cache said about it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from examples.reference.pages import CACHE_SAID
from middleware import Response

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class ShowCacheStatus:
    """Replaces a mark in the pages at `paths` by the answer's Cache-Status (RFC 9211)."""

    def __init__(self, app: WSGIApplication, *, paths: tuple[str, ...]) -> None:
        self.app = app
        self.paths = paths

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") not in self.paths:
            return self.app(environ, start_response)
        response = Response.from_app(self.app, environ)
        body = response.body
        try:
            page = b"".join(body or ())
        finally:
            response.close()
        said = escape(response.get("Cache-Status") or "nothing")
        page = page.replace(CACHE_SAID.encode(), said.encode())
        response.body = [page]
        if page:  # a HEAD has none, and keeps the length of the page that GET would bring
            response.set("Content-Length", str(len(page)))
        return response(environ, start_response)


def show_cache_status(app: WSGIApplication, _global: dict[str, str], paths: str) -> ShowCacheStatus:
    """The layer for a PasteDeploy file: `paths = /clock /report`."""
    return ShowCacheStatus(app, paths=tuple(paths.split()))
