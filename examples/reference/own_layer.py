"""A layer of one's own, next to the toolkit's: it writes into a page what the cache said about it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from examples.reference.pages import AGE, CACHE_SAID
from middleware import Response

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class ShowCacheStatus:
    """Replaces marks in the pages at `paths` by the answer's Cache-Status (RFC 9211) and Age."""

    def __init__(self, app: WSGIApplication, *, paths: tuple[str, ...]) -> None:
        self.app = app
        self.paths = paths

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") not in self.paths:
            return self.app(environ, start_response)
        environ.pop("HTTP_RANGE", None)  # of a page that changes on its way no part can be cut
        response = Response.from_app(self.app, environ)
        body = response.body
        try:
            page = b"".join(body or ())
        finally:
            response.close()
        said = escape(response.get("Cache-Status") or "nothing")
        age = response.get("Age")
        told = "none: it was made for you" if age is None else f"{escape(age)} s"
        page = page.replace(CACHE_SAID.encode(), said.encode()).replace(AGE.encode(), told.encode())
        response.body = [page]
        if page:  # a HEAD has none, and keeps the length of the page that GET would bring
            response.set("Content-Length", str(len(page)))
        return response(environ, start_response)


def show_cache_status(app: WSGIApplication, _global: dict[str, str], paths: str) -> ShowCacheStatus:
    """The layer for a PasteDeploy file: `paths = /clock /report`."""
    return ShowCacheStatus(app, paths=tuple(paths.split()))
