"""Finds the layer of sessions among applications that wrap one another, for code that no request reaches through it."""

from __future__ import annotations

from middleware.sessions import SessionMiddleware

INNER = ("app", "application", "wsgi_app")  # where ours, Paste's, Werkzeug's and WhiteNoise's have what they wrap
DEEPEST = 50


def session_layer_in(app: object) -> SessionMiddleware | None:
    """The outermost SessionMiddleware, where there is one."""
    for _ in range(DEEPEST):
        if isinstance(app, SessionMiddleware):
            return app
        app = next((getattr(app, name) for name in INNER if hasattr(app, name)), None)
    return None
