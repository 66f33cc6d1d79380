"""The JSON lines: names of the Elastic Common Schema, and only what is really there."""

from __future__ import annotations

import json

import pytest
from asking import ask
from hypothesis import given
from hypothesis import strategies as st

from middleware.logging import LoggingMiddleware
from middleware.logging.formats.readable import readable


def hello(environ, start_response):
    start_response("200 OK", [])
    yield b""
    yield b"hello\n"


def entry_of(app=hello, **request):
    lines = []
    timer = iter([10.0, 10.0123456, 10.5])
    layer = LoggingMiddleware(
        app, format="json", sink=lines.append, clock=lambda: 1795236976.789, timer=lambda: next(timer)
    )
    ask(layer, **request)
    (line,) = lines
    return json.loads(line)


def test_a_full_entry():
    headers = {"User-Agent": "Browser", "Referer": "http://from.test/", "Host": "example.test:8000"}
    entry = entry_of(
        path="/a?b=c", headers=headers, REMOTE_USER="alice", SERVER_PROTOCOL="HTTP/1.1", HTTP_X_REQUEST_ID="theirs"
    )
    request_id = entry.pop("request_id")
    assert len(request_id) == 32
    assert list(entry.items()) == [
        ("@timestamp", "2026-11-21T04:56:16.789Z"),
        ("log.level", "info"),
        ("message", "GET /a?b=c 200"),
        ("http.request.method", "GET"),
        ("http.version", "1.1"),
        ("url.path", "/a"),
        ("url.query", "b=c"),
        ("url.full", "http://example.test:8000/a?b=c"),
        ("url.scheme", "http"),
        ("url.domain", "example.test"),
        ("client.ip", "127.0.0.1"),
        ("user_agent.original", "Browser"),
        ("http.request.referrer", "http://from.test/"),
        ("user.name", "alice"),
        ("http.response.status_code", 200),
        ("http.response.body.bytes", 6),
        ("event.duration", 500_000_000),
        ("aborted", False),
        ("ttfb_ms", 12.346),
    ]


def test_what_is_not_there_is_left_out():
    entry = entry_of(REMOTE_ADDR="unix:")
    absent = {"client.ip", "user_agent.original", "http.request.referrer", "user.name", "url.query", "error.type"}
    assert not absent & set(entry)


def test_an_error_is_named():
    lines = []

    def broken(environ, start_response):
        raise KeyError("x")

    with pytest.raises(KeyError):
        ask(LoggingMiddleware(broken, format="json", sink=lines.append))
    entry = json.loads(lines[0])
    assert (entry["error.type"], entry["log.level"], entry["http.response.status_code"]) == ("KeyError", "error", 500)
    assert "ttfb_ms" not in entry


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("a.test", "a.test"),
        ("a.test:80", "a.test"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
    ],
)
def test_the_domain_is_the_host_without_its_port(host, domain):
    assert entry_of(headers={"Host": host})["url.domain"] == domain


def test_a_target_in_absolute_form_is_the_full_url():
    entry = entry_of(REQUEST_URI="http://other.test/a/b?c")
    assert (entry["url.full"], entry["url.path"], entry["url.query"]) == ("http://other.test/a/b?c", "/a/b", "c")


def test_text_is_utf_8_and_other_bytes_are_shown_as_escapes():
    agent = "\u20ac".encode().decode("latin-1") + "\xff\xfe"
    assert entry_of(headers={"User-Agent": agent})["user_agent.original"] == "\u20ac\\xff\\xfe"


def test_a_name_that_is_real_text_stays_as_it_is():
    assert entry_of(REMOTE_USER="Łukasz\ud800")["user.name"] == "Łukasz\\ud800"


def test_the_line_is_printable_ascii():
    lines = []
    layer = LoggingMiddleware(hello, format="json", sink=lines.append)
    ask(layer, headers={"User-Agent": "\x7f\x00\x1b\x85\xe2\x80\xa8\xe2\x80\xae"}, REMOTE_USER="\u2028\u202e\ud800")
    assert lines[0].isascii()
    assert lines[0].isprintable()


@given(st.text(), st.integers(min_value=8, max_value=60))
def test_a_cut_value_is_within_its_cap_as_json(value, cap):
    shown = readable(value, cap)
    whole = readable(value, 100_000)
    assert len(json.dumps(shown).replace("\x7f", "\\u007f")) - 2 <= cap
    assert shown == whole or (shown.endswith("...") and whole.startswith(shown[:-3]))


def test_a_cut_never_falls_into_the_escape_of_a_byte():
    for cap in range(8, 30):
        assert readable("\xff" * 20, cap).removesuffix("...").replace("\\xff", "") == ""
