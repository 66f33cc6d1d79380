"""Sessions: what an application keeps for a visitor from one request to the next, in a store or in a signed cookie."""

from middleware.sessions.middleware import SessionMiddleware, get_session
from middleware.sessions.session import Session

__all__ = ["Session", "SessionMiddleware", "get_session"]
