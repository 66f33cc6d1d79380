"""What an application is told that breaks PEP 3333. Values in, errors out."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


def never_started(app: WSGIApplication) -> RuntimeError:
    """The error for a body without a head."""
    return RuntimeError(f"{_name_of(app)} gave a body without calling start_response (PEP 3333)")


def started_twice(app: WSGIApplication) -> RuntimeError:
    """The error for a second head without `exc_info`."""
    return RuntimeError(f"{_name_of(app)} called start_response twice: only exc_info may replace a head (PEP 3333)")


def _name_of(app: WSGIApplication) -> str:
    return getattr(app, "__qualname__", None) or type(app).__qualname__
