"""The cookie layer round every shape of application, between validators and against a strict server."""

from __future__ import annotations

import pytest

from middleware.cookies import CookieMiddleware, get_cookies
from middleware.testing import SHAPES, check_shape

SECRET = "a secret of more than sixteen bytes"
FIELDS = ["Vary", "Cache-Control", "Set-Cookie"]


def using_its_jar(app):
    def used(environ, start_response):
        jar = get_cookies(environ)
        jar.set("plain", jar.get("plain") or "1")
        jar.set_signed("signed", "text")
        return app(environ, start_response)

    return used


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_jar_nobody_uses_adds_nothing(shape):
    check_shape(shape, lambda app: CookieMiddleware(app, secret=SECRET), adds=[], changes=["Set-Cookie"])


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_jar_that_is_used_adds_its_fields_only(shape):
    check_shape(shape, lambda app: CookieMiddleware(using_its_jar(app), secret=SECRET), adds=FIELDS, changes=FIELDS)
