"""Sessions: what an application keeps for a visitor from one request to the next, in a store or in a signed cookie."""

from middleware.sessions.middleware import SessionMiddleware, get_session
from middleware.sessions.session import Session
from middleware.sessions.timeouts import Timeouts

__all__ = ["Session", "SessionMiddleware", "Timeouts", "get_session"]
