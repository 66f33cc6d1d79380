"""What the kernel costs: a layer with nothing to say, and one that adds a header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webob.dec import wsgify

from benchmarks.method import Case, Row, ask, serve
from middleware import Response, forward

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The bare application beside which every layer is measured."""
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "5")])
    return [b"hello"]


class PassOn:
    """A layer with nothing to say about this request."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.app(environ, start_response)


class Amend:
    """A layer that adds a header field."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def amend(response: Response) -> None:
            response.add("X-Frame-Options", "DENY")

        return forward(self.app, environ, start_response, amend)


@wsgify.middleware
def amended_by_wsgify(request: Any, app: WSGIApplication) -> Any:
    response = request.get_response(app)
    response.headers.add("X-Frame-Options", "DENY")
    return response


def _case(name: str, app: WSGIApplication, *, frame_options: str | None = None) -> Case:
    def check() -> None:
        answer = ask(app)
        assert (answer.status, answer.body, answer.field("X-Frame-Options")) == ("200 OK", b"hello", frame_options)

    return Case(name, serve(app), check)


BARE = _case("bare hello", hello)


def rows() -> list[Row]:
    amend = _case("amend", Amend(hello), frame_options="DENY")
    wsgify_amend = _case("WebOb wsgify", amended_by_wsgify(hello), frame_options="DENY")
    return [
        Row("pass on", _case("pass on", PassOn(hello)), BARE, target=0.4, ours_base=BARE),
        Row("add a header field", amend, wsgify_amend, target=0.08, ours_base=BARE, peer_base=BARE),
    ]
