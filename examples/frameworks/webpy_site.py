"""web.py in its layers: `python -m examples.frameworks.webpy_site`."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import web

from examples.frameworks.stack import DATA, in_layers
from examples.frameworks.ticks import ticks
from middleware import get_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

web.config.debug = False  # the page of an error would show the code


class Home:
    def GET(self) -> str:
        web.header("Cache-Control", "public, s-maxage=60")
        return f"Made at {datetime.now(UTC).time()}."


class Cafe:
    def GET(self, dish: str) -> str:
        web.header("Cache-Control", "public, s-maxage=60")
        return f"{dish}, made at {datetime.now(UTC).time()}."


class Count:
    def GET(self) -> str:
        session = get_session(web.ctx.env)
        session["visits"] = session.get("visits", 0) + 1
        web.setcookie("counted", "yes")
        return f"Visit number {session['visits']}."


class Private:
    def GET(self) -> str:
        return f"For {web.ctx.env['REMOTE_USER']} alone."


class Echo:
    def POST(self) -> str:
        return f"You wrote: {web.input().text}"


class Stream:
    def GET(self) -> Iterator[bytes]:
        return ticks(int(web.input(most="3").most))


class Error:
    def GET(self) -> str:
        raise RuntimeError("a page that fails")


def say_what_it_is(handle: Callable[[], str]) -> str:
    """web.py sends no Content-Type unless it is told to."""
    body = handle()
    web.header("Content-Type", "text/plain; charset=utf-8", unique=True)
    return body


urls = (
    "/", Home,
    "/café/(.*)", Cafe,
    "/count", Count,
    "/private", Private,
    "/echo", Echo,
    "/stream", Stream,
    "/error", Error,
)  # fmt: skip
app = web.application(urls, autoreload=False)
app.add_processor(say_what_it_is)


def by_path_info(app: WSGIApplication) -> WSGIApplication:
    """Behind nginx and lighttpd web.py takes the path from REQUEST_URI. The rules go by PATH_INFO: so shall web.py."""

    def layer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ.pop("SERVER_SOFTWARE", None)
        return app(environ, start_response)

    return layer


def make_site(folder: Path = DATA) -> WSGIApplication:
    """The last layer is the outermost."""
    site: WSGIApplication = app.wsgifunc(by_path_info, partial(in_layers, folder=folder))
    return site


if __name__ == "__main__":
    web.httpserver.runsimple(make_site(), ("127.0.0.1", 8080))
