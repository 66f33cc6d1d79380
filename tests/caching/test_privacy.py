"""Nothing of one user reaches another: sessions, cookies and identities that other layers leave in environ."""

from __future__ import annotations

import pytest
from cached_site import Site


class Looked:
    """What a session or a cookie jar shows to the cache."""

    def __init__(self, accessed=False):
        self.accessed = accessed


def site_with(key, found, when):
    """An application that says `public` whatever it does, and looks at its user's things at some moment."""

    def look(environ):
        environ[key] = found() if key == "middleware.identity" else Looked(True)

    def app(environ, start_response):
        if when == "before the head":
            look(environ)
        start_response("200 OK", [("Cache-Control", "public, max-age=60, s-maxage=60"), ("ETag", '"1"')])
        if when == "before it returns":
            look(environ)
        return Chunks(environ)

    class Chunks:
        def __init__(self, environ):
            self.environ = environ

        def __iter__(self):
            yield b"for "
            if when == "while it is iterated":
                look(self.environ)
            yield b"ada"

        def close(self):
            if when == "in close":
                look(self.environ)

    return Site(app=app)


KEYS = ["middleware.session", "middleware.cookies", "middleware.identity"]
MOMENTS = ["before the head", "before it returns", "while it is iterated", "in close"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("when", MOMENTS)
def test_an_answer_for_which_a_user_was_looked_at_is_not_stored(key, when):
    site = site_with(key, lambda: "ada", when)
    site.ask()
    assert "; hit" not in site.ask().header("Cache-Status")


@pytest.mark.parametrize("key", KEYS)
def test_a_layer_that_looked_at_nobody_keeps_nothing_out(key):
    site = site_with(key, lambda: None, "never")
    left_alone = {key: None if key == "middleware.identity" else Looked()}
    site.ask(**left_alone)
    assert "; hit" in site.ask(**left_alone).header("Cache-Status")


@pytest.mark.parametrize("key", KEYS)
def test_a_request_of_a_known_user_is_neither_answered_from_the_store_nor_stored(key):
    site = Site()
    site.answers("Cache-Control: public, max-age=60")
    known = {key: "ada" if key == "middleware.identity" else Looked(True)}
    assert "fwd=bypass" in site.ask(**known).header("Cache-Status")
    assert not site.is_hit()
    assert not site.is_hit(**known)


@pytest.mark.parametrize("key", ["middleware.session", "middleware.cookies"])
def test_what_does_not_tell_whether_it_was_looked_at_counts_as_if_it_was(key):
    site = Site()
    site.answers("Cache-Control: public, max-age=60")
    assert "fwd=bypass" in site.ask(**{key: {}}).header("Cache-Status")


@pytest.mark.parametrize("key", KEYS)
def test_a_304_for_which_a_user_was_looked_at_updates_nothing(key):
    def app(environ, start_response):
        if "HTTP_IF_NONE_MATCH" in environ:
            environ[key] = Looked(True)
            start_response("304 Not Modified", [("ETag", '"1"'), ("Cache-Control", "max-age=60"), ("X", "ada's")])
            return []
        start_response("200 OK", [("Cache-Control", "max-age=1"), ("ETag", '"1"')])
        return [b"public"]

    site = Site(app=app)
    site.ask()
    assert site.ask(at=5).header("X") == "ada's"
    assert "fwd=stale" in site.ask().header("Cache-Status")


def test_three_cookies_three_answers():
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60"), ("Vary", "Cookie")])
        return [environ.get("HTTP_COOKIE", "nobody").encode()]

    site = Site(app=app)
    for _ in range(2):
        assert site.ask(headers={"Cookie": "a"}).text == "a"
        assert site.ask(headers={"Cookie": "b"}).text == "b"
        assert site.ask().text == "nobody"
