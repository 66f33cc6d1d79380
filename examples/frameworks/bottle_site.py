"""Bottle in its layers: `python -m examples.frameworks.bottle_site`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bottle import Bottle, html_escape, request, response, run

from examples.frameworks.stack import DATA, in_layers
from examples.frameworks.ticks import ticks
from middleware import get_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from wsgiref.types import WSGIApplication

app = Bottle()


@app.get("/")
def home() -> str:
    response.set_header("Cache-Control", "public, s-maxage=60")
    return f"Made at {datetime.now(UTC).time()}."


@app.get("/café/<dish>")
def cafe(dish: str) -> str:
    response.set_header("Cache-Control", "public, s-maxage=60")
    return f"{html_escape(dish)}, made at {datetime.now(UTC).time()}."


@app.get("/count")
def count() -> str:
    session = get_session(request.environ)
    session["visits"] = session.get("visits", 0) + 1
    response.set_cookie("counted", "yes")
    return f"Visit number {session['visits']}."


@app.get("/private")
def private() -> str:
    return f"For {request.environ['REMOTE_USER']} alone."


@app.post("/echo")
def echo() -> str:
    return f"You wrote: {html_escape(request.forms.text)}"


@app.get("/stream")
def stream() -> Iterator[bytes]:
    response.content_type = "text/plain"
    return ticks(int(request.query.most or 3))


@app.get("/error")
def error() -> str:
    raise RuntimeError("a page that fails")


def make_site(folder: Path = DATA) -> WSGIApplication:
    return in_layers(app, folder)


if __name__ == "__main__":
    run(make_site(), host="127.0.0.1", port=8080)
