"""The session layer round every shape of application, between validators and against a strict server."""

from __future__ import annotations

import pytest

from middleware.sessions import SessionMiddleware, get_session
from middleware.stores.memory import MemoryStore
from middleware.testing import SHAPES, check_shape

KINDS = {
    "stored": lambda: {"store": MemoryStore()},
    "signed": lambda: {"secret": "a secret of more than sixteen bytes"},
}
FIELDS = ["Vary", "Cache-Control", "Set-Cookie"]


def using_its_session(app):
    def used(environ, start_response):
        session = get_session(environ)
        session["visits"] = session.get("visits", 0) + 1
        return app(environ, start_response)

    return used


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_session_nobody_uses_adds_nothing(shape, kind):
    check_shape(shape, lambda app: SessionMiddleware(app, **KINDS[kind]()), adds=[])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_session_that_is_written_adds_its_fields_only(shape, kind):
    check_shape(
        shape,
        lambda app: SessionMiddleware(using_its_session(app), **KINDS[kind]()),
        adds=FIELDS,
        changes=FIELDS[:2],
    )
