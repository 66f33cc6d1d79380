"""Falcon in its layers: `python -m examples.frameworks.falcon_site`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from wsgiref.simple_server import make_server

import falcon

from examples.frameworks.stack import DATA, in_layers
from examples.frameworks.ticks import ticks
from middleware import get_identity, get_session

if TYPE_CHECKING:
    from pathlib import Path
    from wsgiref.types import WSGIApplication

    from falcon import Request, Response


class Home:
    def on_get(self, req: Request, resp: Response) -> None:
        resp.cache_control = ["public", "s-maxage=60"]
        resp.text = f"Made at {datetime.now(UTC).time()}."


class Cafe:
    def on_get(self, req: Request, resp: Response, dish: str) -> None:
        resp.cache_control = ["public", "s-maxage=60"]
        resp.text = f"{dish}, made at {datetime.now(UTC).time()}."


class Count:
    def on_get(self, req: Request, resp: Response) -> None:
        session = get_session(req.env)
        session["visits"] = session.get("visits", 0) + 1
        resp.set_cookie("counted", "yes")
        resp.text = f"Visit number {session['visits']}."


class Private:
    def on_get(self, req: Request, resp: Response) -> None:
        identity = get_identity(req.env)
        assert identity is not None  # the rule for /private requires one
        resp.text = f"For {identity.user} alone."


class Echo:
    def on_post(self, req: Request, resp: Response) -> None:
        resp.text = f"You wrote: {req.get_media()['text']}"


class Stream:
    def on_get(self, req: Request, resp: Response) -> None:
        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = ticks(req.get_param_as_int("most", default=3))


class Error:
    def on_get(self, req: Request, resp: Response) -> None:
        raise RuntimeError("a page that fails")


app = falcon.App(media_type=falcon.MEDIA_TEXT)
app.add_route("/", Home())
app.add_route("/café/{dish}", Cafe())
app.add_route("/count", Count())
app.add_route("/private", Private())
app.add_route("/echo", Echo())
app.add_route("/stream", Stream())
app.add_route("/error", Error())


def make_site(folder: Path = DATA) -> WSGIApplication:
    return in_layers(app, folder)


if __name__ == "__main__":
    make_server("127.0.0.1", 8080, make_site()).serve_forever()
