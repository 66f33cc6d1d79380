"""Finds a layer of ours among applications that wrap one another, for code that no request reaches through it."""

from __future__ import annotations

from typing import TypeVar

from middleware.sessions import SessionMiddleware

Layer = TypeVar("Layer")

INNER = ("app", "application", "wsgi_app")  # where ours, Paste's, Werkzeug's and WhiteNoise's have what they wrap
DEEPEST = 50


def layer_in(app: object, kind: type[Layer]) -> Layer | None:
    """The outermost layer of this kind, where there is one."""
    for _ in range(DEEPEST):
        if isinstance(app, kind):
            return app
        app = next((getattr(app, name) for name in INNER if hasattr(app, name)), None)
    return None


def session_layer_in(app: object) -> SessionMiddleware | None:
    """The outermost SessionMiddleware, where there is one."""
    return layer_in(app, SessionMiddleware)
