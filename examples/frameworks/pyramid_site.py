"""Pyramid in its layers: `python -m examples.frameworks.pyramid_site`, or `site.ini`, which has them in a pipeline."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from wsgiref.simple_server import make_server

from pyramid.config import Configurator
from pyramid.response import Response

from examples.frameworks.stack import DATA, in_layers
from examples.frameworks.ticks import ticks

if TYPE_CHECKING:
    from pathlib import Path
    from wsgiref.types import WSGIApplication

    from pyramid.request import Request


def home(request: Request) -> str:
    request.response.headers["Cache-Control"] = "public, s-maxage=60"
    return f"Made at {datetime.now(UTC).time()}."


def cafe(request: Request) -> str:
    request.response.headers["Cache-Control"] = "public, s-maxage=60"
    return f"{request.matchdict['dish']}, made at {datetime.now(UTC).time()}."


def count(request: Request) -> str:
    request.session["visits"] = request.session.get("visits", 0) + 1
    request.response.set_cookie("counted", "yes")
    return f"Visit number {request.session['visits']}."


def private(request: Request) -> str:
    return f"For {request.authenticated_userid} alone."


def echo(request: Request) -> str:
    return f"You wrote: {request.POST['text']}"


def stream(request: Request) -> Response:
    return Response(app_iter=ticks(int(request.GET.get("most", 3))), content_type="text/plain")


def error(request: Request) -> str:
    raise RuntimeError("a page that fails")


PAGES = {
    "/": home,
    "/café/{dish}": cafe,
    "/count": count,
    "/private": private,
    "/echo": echo,
    "/stream": stream,
    "/error": error,
}


def main(global_config: dict[str, str], **settings: str) -> WSGIApplication:
    """The application without its layers, as a PasteDeploy file names it."""
    with Configurator(settings=settings) as config:
        config.include("middleware.integrations.pyramid")  # request.session
        config.include("middleware.integrations.pyramid_security")  # request.identity
        for pattern, view in PAGES.items():
            config.add_route(view.__name__, pattern)
            config.add_view(view, route_name=view.__name__, renderer="string")
        app: WSGIApplication = config.make_wsgi_app()
        return app


def make_site(folder: Path = DATA) -> WSGIApplication:
    return in_layers(main({}), folder)


if __name__ == "__main__":
    make_server("127.0.0.1", 8080, make_site()).serve_forever()
