"""Pyramid on our sessions: `config.include("middleware.integrations.pyramid")`, and `request.session` is one of them.

SessionMiddleware stands round the application that `make_wsgi_app()` gives. It loads and keeps the session and sets the
cookie; Pyramid sees an `ISession` that looks into it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pyramid.interfaces import ISession
from zope.interface import implementer

from middleware.integrations.face import Face
from middleware.sessions import get_session

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.request import Request

TOKEN = "_csrft_"  # noqa: S105 - the key under which Pyramid keeps it


def session_factory(request: Request) -> PyramidSession:
    """For `config.set_session_factory`. Raises LayerMissing where the request passed no SessionMiddleware."""
    return PyramidSession(get_session(request.environ))


def includeme(config: Configurator) -> None:
    """Make our sessions those of the application: `config.include("middleware.integrations.pyramid")`."""
    config.set_session_factory(session_factory)


@implementer(ISession)
class PyramidSession(Face):
    """`request.session`: an `ISession`, and all that a `Session` has besides.

    Messages are text, and their queues are the categories of `Session.flash`.
    """

    __slots__ = ()

    @property
    def new(self) -> bool:
        """Whether this request began it."""
        return self._session.is_new

    @property
    def created(self) -> int:
        """When it began, in whole seconds since 1970."""
        return int(self._session.created)

    def invalidate(self) -> None:
        """End the session and begin an empty one: its id opens nothing any more."""
        self._session.invalidate()

    def changed(self) -> None:
        """Nothing: changes are noticed by themselves."""

    def flash(self, msg: str, queue: str = "", allow_duplicate: bool = True) -> None:
        """Leave a message for the page that the visitor sees next."""
        text = str(msg) if isinstance(msg, str) else msg  # a TranslationString is one
        if allow_duplicate or text not in self.peek_flash(queue):
            self._session.flash(text, queue)

    def pop_flash(self, queue: str = "") -> list[str]:
        """Take the messages that wait in this queue, oldest first."""
        return [message for _, message in self._session.pop_flash(queue)]

    def peek_flash(self, queue: str = "") -> list[str]:
        """The messages that wait in this queue, which go on waiting."""
        return [message for _, message in self._session.peek_flash(queue)]

    def new_csrf_token(self) -> str:
        """Another token for forms: those that were given out before are good no more."""
        token = self._session[TOKEN] = os.urandom(20).hex()
        return token

    def get_csrf_token(self) -> str:
        """The token for forms, the same text at each reading, for Pyramid compares it with what comes back."""
        token: Any = self._session.get(TOKEN)
        return token if isinstance(token, str) and token else self.new_csrf_token()
