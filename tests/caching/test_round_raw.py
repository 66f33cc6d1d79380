"""The cache round a bare application that streams, with our sessions, cookies, logins and logs inside and outside."""

from __future__ import annotations

from itertools import permutations
from wsgiref.util import FileWrapper

import pytest
from asking import make_environ
from auth_helpers import basic, stored
from caching.rounds import HOST, Round, check_that_nothing_crosses, is_hit

from middleware import (
    AuthMiddleware,
    Basic,
    CookieMiddleware,
    LoggingMiddleware,
    MemoryStore,
    SessionMiddleware,
    allow,
    get_cookies,
    get_session,
    require,
)

PUBLIC = [("Content-Type", "text/plain"), ("Cache-Control", "public, max-age=60")]


class Site:
    """Streams all it says, piece by piece, and calls it public. `made`: pieces of `/counted`."""

    def __init__(self):
        self.made = 0
        self.log = []

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"].strip("/").replace("-", "_")
        return getattr(self, path)(environ, start_response)

    def counted(self, environ, start_response):
        start_response("200 OK", PUBLIC)
        for number in range(3):
            self.made += 1
            yield b"%d," % number

    def written(self, environ, start_response):
        write = start_response("200 OK", PUBLIC)
        self.made += 1
        write(b"0,")
        write(b"1,")
        return [b"2,"]

    def begun(self, environ, start_response):
        """Says its head before it is asked for a piece, and then nothing for a while."""
        start_response("200 OK", PUBLIC)
        return (chunk for chunk in [b"", b"0,", b"", b"1,2,"])

    def tagged(self, environ, start_response):
        fields = [("Cache-Control", "max-age=10"), ("ETag", '"1"')]
        if environ.get("HTTP_IF_NONE_MATCH") == '"1"':
            start_response("304 Not Modified", fields)
            return
        start_response("200 OK", fields)
        yield b"tag"
        yield b"ged"

    def broken(self, environ, start_response):
        start_response("200 OK", PUBLIC)
        yield b"begun"
        raise OSError("cut")

    def log_in(self, environ, start_response):
        get_session(environ)["me"] = environ["QUERY_STRING"].removeprefix("me=")
        get_cookies(environ).set("me", environ["QUERY_STRING"].removeprefix("me="))
        start_response("204 No Content", [])
        return []

    def read(self, environ, start_response):
        me = get_session(environ).get("me", "nobody")
        start_response("200 OK", PUBLIC)
        yield b"hello "
        yield f"<{me}>".encode()

    def write(self, environ, start_response):
        session = get_session(environ)
        session["visits"] = session.get("visits", 0) + 1
        start_response("200 OK", PUBLIC)
        yield f"<{session.get('me', 'nobody')}> ".encode()
        yield b"again"

    def read_after_the_head(self, environ, start_response):
        start_response("200 OK", PUBLIC)
        session = get_session(environ)
        return iter([b"hello ", f"<{session.get('me', 'nobody')}>".encode()])

    def cookie(self, environ, start_response):
        me = get_cookies(environ).get("me") or "nobody"
        start_response("200 OK", PUBLIC)
        yield f"<{me}>".encode()

    def user(self, environ, start_response):
        start_response("200 OK", PUBLIC)
        yield b"hello "
        yield f"<{environ.get('REMOTE_USER')}>".encode()


def sessions(app):
    return SessionMiddleware(app, store=MemoryStore())


def cookies(app):
    return CookieMiddleware(app)


def logs(app):
    return LoggingMiddleware(app, sink=lambda line: None)


def logins(app):
    users = {name: stored(f"{name}-password") for name in ("ann", "bob")}
    open_ = ("/counted", "/log-in", "/read", "/write", "/read-after-the-head", "/cookie")
    return AuthMiddleware(app, [Basic(users)], rules=[allow(*open_), require("/")])


def through(*layers):
    def wrap(app):
        for layer in layers:
            app = layer(app)
        return app

    return wrap


PLACES = [
    {"inside": through(*order[:cut]), "outside": through(*order[cut:])}
    for order in permutations((sessions, cookies, logins))
    for cut in range(4)
]
PAGES = ["/read", "/write", "/read-after-the-head", "/cookie"]


@pytest.mark.parametrize("place", PLACES)
def test_nothing_that_is_streamed_for_one_client_reaches_another(place):
    round_ = Round(Site(), **place)
    check_that_nothing_crosses(round_, PAGES)
    for _ in range(2):
        assert round_.get("/user").code == 401
        for name in ("ann", "bob"):
            assert round_.get("/user", basic(name, f"{name}-password")).text == f"hello <{name}>"
    assert round_.each_was_closed_once()


@pytest.mark.parametrize("place", PLACES)
def test_what_is_public_is_streamed_once_and_given_to_all(place):
    site = Site()
    round_ = Round(site, **place)
    body = round_.app(make_environ("/counted", HTTP_HOST=HOST), lambda status, headers, exc_info=None: None)
    for number, chunk in enumerate(body):
        assert (chunk, site.made) == (f"{number},".encode(), number + 1)
    body.close()
    browsers = {me: round_.browser() for me in ("ann", "bob", "eve")}
    for me in ("ann", "bob"):
        browsers[me].post(f"/log-in?me={me}")
    for browser in browsers.values():
        answer = browser.get("/counted")
        assert (is_hit(answer), answer.text, answer.header("Content-Length")) == (True, "0,1,2,", "6")
    assert site.made == 3
    assert round_.each_was_closed_once()


@pytest.mark.parametrize("path", ["/counted", "/written", "/begun"])
def test_in_whatever_way_it_streams_the_second_answer_is_the_first(path):
    round_ = Round(Site(), inside=sessions, outside=logs)
    first, second = round_.get(path), round_.get(path)
    assert (is_hit(first), is_hit(second)) == (False, True)
    assert first.text == second.text == "0,1,2,"
    assert round_.each_was_closed_once()


def test_a_stream_is_closed_once_however_it_ends():
    round_ = Round(Site(), inside=through(sessions, cookies), outside=logs)
    for after in (0, 1, 2):
        round_.leave("/counted", after)
        assert not is_hit(round_.get("/begun", {"If-Match": '"x"'}))
    for _ in range(2):
        with pytest.raises(OSError, match="cut"):
            round_.get("/broken")
    round_.get("/counted", method="HEAD")
    round_.get("/counted")
    round_.get("/counted", method="HEAD")
    round_.get("/counted", method="POST")
    assert not is_hit(round_.get("/counted"))
    assert round_.each_was_closed_once()


def test_what_is_confirmed_is_closed_once_and_given_whole():
    round_ = Round(Site(), inside=sessions, outside=logs)
    assert round_.get("/tagged").text == "tagged"
    round_.now += 11
    assert round_.get("/tagged", {"If-None-Match": '"1"'}).code == 304
    round_.now += 11
    answer = round_.get("/tagged", {"If-None-Match": '"2"'})
    assert (answer.code, answer.text) == (200, "tagged")
    assert is_hit(round_.get("/tagged"))
    assert round_.calls == 3
    assert round_.each_was_closed_once()


@pytest.mark.parametrize("wrapper", [FileWrapper, None], ids=["with a file wrapper", "without"])
def test_a_file_passes_through_all_layers_and_is_closed_once(tmp_path, wrapper):
    file = tmp_path / "file"
    file.write_bytes(b"content " * 5000)
    opened = []

    def app(environ, start_response):
        start_response("200 OK", PUBLIC)
        opened.append(file.open("rb"))
        make = environ.get("wsgi.file_wrapper", FileWrapper)
        return make(opened[-1], 1000)

    round_ = Round(app, inside=sessions, outside=logs)
    round_.cache.app = sessions(app)  # the file wrapper itself, with nobody watching
    environ = {"wsgi.file_wrapper": wrapper} if wrapper else {}
    for hit in (False, True):
        answer = round_.get("/", **environ)
        assert (is_hit(answer), answer.body) == (hit, b"content " * 5000)
    assert [handle.closed for handle in opened] == [True]
