"""The name of one request: made here, or taken from a client that may be trusted. No WSGI but the accessor."""

from __future__ import annotations

from os import urandom

from middleware.errors import LayerMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeGuard
    from wsgiref.types import WSGIEnvironment

KEY = "middleware.request_id"
MAX_LENGTH = 128

_ALLOWED = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-"


def get_request_id(environ: WSGIEnvironment) -> str:
    """The id of this request. Raises LayerMissing where no LoggingMiddleware stands round the application."""
    try:
        request_id: str = environ[KEY]
    except KeyError:
        raise LayerMissing("no request id here: wrap the app in LoggingMiddleware") from None
    return request_id


def make_request_id() -> str:
    """128 random bits in hexadecimal. From the system, so that a forked child never repeats its parent's."""
    return urandom(16).hex()


def is_request_id(text: object) -> TypeGuard[str]:
    """Whether `text` is 1 to 128 letters, digits, dots, dashes and underscores: safe in a header, a line, a query."""
    return isinstance(text, str) and 0 < len(text) <= MAX_LENGTH and not text.strip(_ALLOWED)
