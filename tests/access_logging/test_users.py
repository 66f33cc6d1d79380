"""A user's name is one field of one line, whoever found it: the server, a header, a login page, the application."""

from __future__ import annotations

import re
from base64 import b64encode

import pytest
from access_logging.hostile_requests import FORGED
from asking import Browser, ask
from auth_helpers import stored

from middleware.auth import AuthMiddleware, Basic, SessionLogin, TrustedHeader, get_auth, optional
from middleware.logging import LoggingMiddleware
from middleware.sessions import SessionMiddleware
from middleware.stores import MemoryStore

# What our own schemes take for a name, and what only a server, a proxy or an application may come with.
NAMES = ['bob"the"[builder]', "a/b", "b\\x20b\\", "j\xe4s\xf8n", "%s{0}%n"]
NO_NAMES = [f"bob\n{FORGED}", 'bob "the builder"[x]\n6.6', "bob\r\x1b[2Jx", "bob\x9b\x85\u202e", "bob smith"]


class Everybody(dict):
    """Users by any name, all with one password."""

    def __contains__(self, name):
        return True

    def __getitem__(self, name):
        return stored("apple")

    def get(self, name, default=None):
        return self[name]


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello\n"]


def logging_in(environ, start_response):
    if name := environ.get("HTTP_X_NAME"):
        get_auth(environ).login(name)
    return hello(environ, start_response)


def by_server(log, name):
    ask(log(hello), REMOTE_USER=name)


def by_note(log, name):
    def app(environ, start_response):
        environ["middleware.notes"]["user"] = name
        return hello(environ, start_response)

    ask(log(app))


def by_basic(log, name):
    app = AuthMiddleware(hello, Basic(Everybody(), realm="App"), rules=[optional("/")])
    ask(log(app), headers={"Authorization": "Basic " + b64encode(f"{name}:apple".encode()).decode()})


def by_header(log, name):
    app = AuthMiddleware(hello, TrustedHeader("X-User", peers=["127.0.0.1"]), rules=[optional("/")])
    ask(log(app), headers={"X-User": name.encode().decode("latin-1")})


def by_session(log, name):
    auth = AuthMiddleware(logging_in, SessionLogin(Everybody()), rules=[optional("/")])
    browser = Browser(log(SessionMiddleware(auth, store=MemoryStore())))
    browser.get(headers={"X-Name": name})
    browser.get()


def shown_by(source, name):
    """The name in the last of the lines, each of which is the one that the request deserves."""
    lines = []
    source(lambda app: LoggingMiddleware(app, sink=lines.append), name)
    for line in lines:
        assert line.isascii()
        assert line.isprintable()
        assert re.fullmatch(r'127\.0\.0\.1 - [^] /[]+ \[[^]]+\] "GET / HTTP/1\.0" \d+ \d+ "-" "-"', line)
    return lines[-1].split(" ")[2]


def as_bytes(field):
    """What a reader makes of the escapes."""
    return field.encode().decode("unicode_escape").encode("latin-1")


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
@pytest.mark.parametrize(
    "source", [by_server, by_note, by_basic, by_header, by_session], ids=lambda source: source.__name__
)
def test_a_name_comes_back_from_its_field_whoever_found_it(source, name):
    encodings = [name.encode(), name.encode("latin-1")]  # a server's name is bytes, ours is text
    assert as_bytes(shown_by(source, name)) in encodings


@pytest.mark.parametrize("name", NO_NAMES, ids=range(len(NO_NAMES)))
@pytest.mark.parametrize("source", [by_server, by_note], ids=lambda source: source.__name__)
def test_what_is_no_name_stays_in_its_field_too(source, name):
    assert as_bytes(shown_by(source, name)) == name.encode("utf-8" if "\u202e" in name else "latin-1")


@pytest.mark.parametrize("name", NO_NAMES, ids=range(len(NO_NAMES)))
@pytest.mark.parametrize("source", [by_basic, by_header], ids=lambda source: source.__name__)
def test_what_our_schemes_refuse_is_nobody(source, name):
    assert shown_by(source, name) == "-"


class Textless:
    """A value that has no text, as an object of a database that is closed."""

    def __str__(self):
        raise RuntimeError("detached")


@pytest.mark.parametrize("form", ["combined", "json", "logfmt", "%u %{user}n %{trace_id}n"])
@pytest.mark.parametrize("note", ["user", "trace_id", "route"])
def test_a_note_that_has_no_text_takes_no_line_with_it(form, note):
    def app(environ, start_response):
        environ["middleware.notes"][note] = Textless()
        start_response("200 OK", [])
        return [b""]

    lines = []
    layer = LoggingMiddleware(app, format=form, sink=lines.append)
    ask(layer)
    assert (len(lines), layer.failures) == (1, 0)


def test_notes_that_are_none_are_made_anew():
    lines = []
    layer = LoggingMiddleware(lambda environ, start_response: start_response("200 OK", []) and [], sink=lines.append)
    ask(layer, **{"middleware.notes": None})
    assert len(lines) == 1
