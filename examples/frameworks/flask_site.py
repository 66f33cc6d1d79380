"""Flask in its layers: `flask --app examples.frameworks.flask_site:make_site run`.

The layers are inside of `app.wsgi_app`, so every server and `app.test_client()` pass through them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, make_response, request, session
from markupsafe import escape

from examples.frameworks.stack import DATA, RULES, USERS
from examples.frameworks.ticks import ticks
from middleware import (
    AuthMiddleware,
    Basic,
    CacheMiddleware,
    FileSink,
    GatewayMiddleware,
    LoggingMiddleware,
    MemoryStore,
    SessionLogin,
    SQLiteStore,
)
from middleware.integrations.flask import use_sessions

if TYPE_CHECKING:
    from pathlib import Path

pages = Blueprint("pages", __name__)


@pages.get("/")
def home() -> Response:
    return cached(f"Made at {datetime.now(UTC).time()}.")


@pages.get("/café/<dish>")
def cafe(dish: str) -> Response:
    return cached(f"{escape(dish)}, made at {datetime.now(UTC).time()}.")


def cached(text: str) -> Response:
    """Kept for a minute by the cache here, not by browsers."""
    response = make_response(text)
    response.cache_control.public = True
    response.cache_control.s_maxage = 60
    return response


@pages.get("/count")
def count() -> Response:
    session["visits"] = session.get("visits", 0) + 1
    response = make_response(f"Visit number {session['visits']}.")
    response.set_cookie("counted", "yes")
    return response


@pages.get("/private")
def private() -> str:
    return f"For {request.remote_user} alone."


@pages.post("/echo")
def echo() -> str:
    return f"You wrote: {escape(request.form['text'])}"


@pages.get("/stream")
def stream() -> Response:
    return Response(ticks(request.args.get("most", 3, type=int)), mimetype="text/plain")


@pages.get("/error")
def error() -> Response:
    raise RuntimeError("a page that fails")


def make_site(folder: Path = DATA) -> Flask:
    """An application factory, as Flask calls it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    store = SQLiteStore(folder / "site.db")

    app = Flask(__name__)
    app.register_blueprint(pages)
    app.wsgi_app = AuthMiddleware(app.wsgi_app, [SessionLogin(USERS), Basic(USERS)], rules=RULES, store=store)
    use_sessions(app, store=store)  # round the logins, which are kept in the session
    app.wsgi_app = CacheMiddleware(app.wsgi_app, store=MemoryStore())
    app.wsgi_app = LoggingMiddleware(app.wsgi_app, format="json", sink=FileSink(folder / "access.log"))
    app.wsgi_app = GatewayMiddleware(app.wsgi_app)
    return app
