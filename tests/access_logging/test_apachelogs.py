"""What format strings write is read back by apachelogs, the strictest of the readers, with the bytes that were sent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from apachelogs import LogParser
from asking import ask
from hypothesis import given
from hypothesis import strategies as st

from middleware.logging import LoggingMiddleware
from middleware.logging.formats.apache import ApacheFormat

LONG = (
    "%v:%p %h %{c}a %u %t \"%r\" %>s %s %B %b %I %O %D %T %{ms}T %P \"%{Referer}i\" \"%{User-Agent}i\" \"%{X-A}o\" "
    "\"%{theme}C\" \"%U\" \"%q\" %H %m %X %{route}n %{sec}t %{%Y-%m-%d}t"
)  # fmt: skip


def app(environ, start_response):
    environ["middleware.notes"]["route"] = "/articles"
    start_response("200 OK", [("X-A", 'a "b"')])
    return [b"hello\n"]


def entry_of(form, **request):
    """What apachelogs makes of the line that one request leaves in this format."""
    lines = []
    layer = LoggingMiddleware(app, format=ApacheFormat(form, utc=True), sink=lines.append, clock=lambda: 1e9)
    ask(layer, **request)
    # Latin-1: each byte that was sent is one character, as in environ.
    return LogParser(form, encoding="latin-1").parse(lines[0])


def test_all_that_a_format_string_shows_is_read_back():
    headers = {"Referer": 'http://a.test/"x"', "User-Agent": "B\\1 (\xe9)", "Cookie": "theme=da rk"}
    entry = entry_of(LONG, path="/a?b=c", headers=headers, REMOTE_USER="bob smith")
    assert entry.request_line == "GET /a?b=c HTTP/1.0"
    assert (entry.directives["%s"], entry.final_status, entry.bytes_sent) == (200, 200, 6)
    assert (entry.remote_host, entry.remote_user, entry.server_port) == ("127.0.0.1", "bob smith", 80)
    assert entry.headers_in["User-Agent"] == headers["User-Agent"]
    assert entry.headers_in["Referer"] == headers["Referer"]
    assert entry.headers_out["X-A"] == 'a "b"'
    assert entry.cookies["theme"] == "da rk"
    assert (entry.request_uri, entry.request_query) == ("/a", "?b=c")
    assert (entry.request_protocol, entry.request_method) == ("HTTP/1.0", "GET")
    assert entry.notes["route"] == "/articles"
    assert entry.request_time == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)


EVERY_BYTE = "".join(map(chr, range(256)))


@pytest.mark.parametrize("place", ['"%{User-Agent}i"', "%{User-Agent}i"])
def test_every_byte_comes_back(place):
    form = f"%h {place} %>s"
    assert entry_of(form, headers={"User-Agent": EVERY_BYTE}).headers_in["User-Agent"] == EVERY_BYTE


@given(st.text(st.characters(max_codepoint=255), min_size=1, max_size=40))
def test_any_name_comes_back(name):
    assert entry_of("%h %l %u %t", REMOTE_USER=name).remote_user == (None if name == "-" else name)
