"""What it costs to make environ and input right. No peer does it, so ours stands beside the bare application."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from benchmarks.kernel import hello
from benchmarks.method import REQUEST, Case, Row, start_response
from middleware.gateway import GatewayMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

BODY = b"x" * 1024


def read(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    assert len(environ["wsgi.input"].read(len(BODY))) == len(BODY)
    return hello(environ, start_response)


def _case(name: str, app: WSGIApplication, body: bytes = b"", **entries: Any) -> Case:
    def run() -> None:
        given = {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))} if body else {}
        for _ in app(REQUEST | entries | given, start_response):
            pass

    return Case(name, run, run)


def rows() -> list[Row]:
    known = {"SERVER_SOFTWARE": "waitress"}
    bare, bare_post = _case("bare, no body", hello), _case("bare, a body", read, BODY)
    return [
        Row("gateway, no body", _case("gateway, known", GatewayMiddleware(hello), **known), bare, None, bare),
        Row("gateway, unknown server", _case("gateway, unknown", GatewayMiddleware(hello)), bare, None, bare),
        Row(
            "gateway, a body",
            _case("gateway, body", GatewayMiddleware(read), BODY, **known),
            bare_post,
            None,
            bare_post,
        ),
    ]
