"""CherryPy in its layers: `python -m examples.frameworks.cherrypy_site`."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

import cherrypy

from examples.frameworks.stack import DATA, in_layers
from examples.frameworks.ticks import ticks
from middleware import get_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from wsgiref.types import WSGIApplication


class Site:
    @cherrypy.expose
    def index(self) -> str:
        cherrypy.response.headers["Cache-Control"] = "public, s-maxage=60"
        return f"Made at {datetime.now(UTC).time()}."

    @cherrypy.expose("café")
    def cafe(self, dish: str) -> str:
        cherrypy.response.headers["Cache-Control"] = "public, s-maxage=60"
        return f"{escape(dish)}, made at {datetime.now(UTC).time()}."

    @cherrypy.expose
    def count(self) -> str:
        session = get_session(cherrypy.request.wsgi_environ)
        session["visits"] = session.get("visits", 0) + 1
        cherrypy.response.cookie["counted"] = "yes"
        return f"Visit number {session['visits']}."

    @cherrypy.expose
    def private(self) -> str:
        return f"For {cherrypy.request.login} alone."

    @cherrypy.expose
    def echo(self, text: str) -> str:
        return f"You wrote: {escape(text)}"

    @cherrypy.expose
    @cherrypy.config(**{"response.stream": True})
    def stream(self, most: str = "3") -> Iterator[bytes]:
        return ticks(int(most))

    @cherrypy.expose
    def error(self) -> str:
        raise RuntimeError("a page that fails")


CONFIG = {"/": {"tools.encode.on": True, "tools.encode.encoding": "utf-8", "request.show_tracebacks": False}}


def make_site(folder: Path = DATA) -> WSGIApplication:
    """The application in its layers, for any server, and for `cherrypy.tree.graft`."""
    return in_layers(cherrypy.Application(Site(), config=CONFIG), folder)


def in_pipeline(folder: Path = DATA) -> cherrypy.Application:
    """The application with its layers inside, for `cherrypy.tree.mount`: what is inside of ExceptionTrapper."""
    app = cherrypy.Application(Site(), config=CONFIG)
    app.wsgiapp.pipeline.append(("layers", in_layers))
    app.wsgiapp.config["layers"] = {"folder": folder}
    return app


if __name__ == "__main__":
    cherrypy.tree.graft(make_site(), "/")
    cherrypy.engine.signals.subscribe()
    cherrypy.engine.start()
    cherrypy.engine.block()
