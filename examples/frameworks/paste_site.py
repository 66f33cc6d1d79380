"""An application of Paste's parts. `site.ini` has its layers, in the pipeline `paste`."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from paste.deploy import loadapp
from paste.httpexceptions import HTTPExceptionHandler, HTTPNotFound
from paste.httpserver import serve
from paste.urlmap import URLMap
from paste.wsgiwrappers import WSGIRequest, WSGIResponse

from examples.frameworks.stack import DATA
from examples.frameworks.ticks import ticks
from middleware import get_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

pages = URLMap()


def page(path: str) -> Callable[[Callable[[WSGIRequest], WSGIResponse]], WSGIApplication]:
    """Put a function of a request under a path, and all that is below."""

    def put(view: Callable[[WSGIRequest], WSGIResponse]) -> WSGIApplication:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            answer: Iterable[bytes] = view(WSGIRequest(environ))(environ, start_response)
            return answer

        pages[path.encode().decode("latin-1")] = app  # as WSGI spells it
        return app

    return put


def cached(text: str) -> WSGIResponse:
    response = WSGIResponse(text)
    response.headers["Cache-Control"] = "public, s-maxage=60"
    return response


@page("/")
def home(request: WSGIRequest) -> WSGIResponse:
    if request.path_info != "/":
        raise HTTPNotFound
    return cached(f"Made at {datetime.now(UTC).time()}.")


@page("/café")
def cafe(request: WSGIRequest) -> WSGIResponse:
    dish = request.path_info.encode("latin-1").decode().removeprefix("/")
    return cached(f"{escape(dish)}, made at {datetime.now(UTC).time()}.")


@page("/count")
def count(request: WSGIRequest) -> WSGIResponse:
    session = get_session(request.environ)
    session["visits"] = session.get("visits", 0) + 1
    response = WSGIResponse(f"Visit number {session['visits']}.")
    response.set_cookie("counted", "yes")
    return response


@page("/private")
def private(request: WSGIRequest) -> WSGIResponse:
    return WSGIResponse(f"For {request.environ['REMOTE_USER']} alone.")


@page("/echo")
def echo(request: WSGIRequest) -> WSGIResponse:
    return WSGIResponse(f"You wrote: {escape(request.POST['text'])}")


@page("/stream")
def stream(request: WSGIRequest) -> WSGIResponse:
    return WSGIResponse(ticks(int(request.GET.get("most", 3))), mimetype="text/plain")


@page("/error")
def error(request: WSGIRequest) -> WSGIResponse:
    raise RuntimeError("a page that fails")


def main(global_config: dict[str, str]) -> WSGIApplication:
    """The application without its layers, as `site.ini` names it."""
    app: WSGIApplication = HTTPExceptionHandler(pages)
    return app


def make_site(folder: Path = DATA) -> WSGIApplication:
    """The application in the layers that `site.ini` names."""
    folder.mkdir(mode=0o700, exist_ok=True)
    site: WSGIApplication = loadapp(
        "config:site.ini", name="paste", relative_to=str(Path(__file__).parent), global_conf={"folder": str(folder)}
    )
    return site


if __name__ == "__main__":
    serve(make_site(), "127.0.0.1", "8080")
