"""What stands in a line, whatever the client sends."""

from __future__ import annotations

import json
import re
import time
from itertools import product

import pytest
from access_logging.hostile_requests import ENTRIES, VALUES
from asking import ask, make_environ
from hypothesis import given
from hypothesis import strategies as st

from middleware.errors import ConfigurationError
from middleware.logging import ApacheFormat, JsonFormat, LoggingMiddleware, RequestIds
from middleware.logging.escaping import LINE, QUOTED, cut, escaped, fitted

NOON = 1795236976.789  # 21 November 2026, 04:56:16 UTC

# Quoted values hold no bare quote: whoever reads the line finds its fields.
QUOTED_VALUE = r'"((?:[^"\\]|\\.)*)"'
COMBINED = re.compile(
    rf"([0-9a-f.:]+|-) - (\S+) \[([^]]+)\] {QUOTED_VALUE} (\d{{3}}|-) (\d+|-) {QUOTED_VALUE} {QUOTED_VALUE}"
)
COMBINED_AND_PORT = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %p'  # no shipped format


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello\n"]


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def line_of(form="combined", app=hello, **request):
    """The one line that one request makes."""
    lines = []
    ask(LoggingMiddleware(app, format=form, sink=lines.append, clock=lambda: NOON), **request)
    (line,) = lines
    return line


def is_one_printable_line(line):
    return line.isascii() and line.isprintable() and len(line) <= 4093


def test_common():
    assert line_of("common", path="/a?b=c", REMOTE_ADDR="203.0.113.9", REMOTE_USER="alice") == (
        '203.0.113.9 - alice [21/Nov/2026:04:56:16 +0000] "GET /a?b=c HTTP/1.0" 200 6'
    )


def test_combined_adds_the_referrer_and_the_browser():
    headers = {"Referer": "http://from.test/", "User-Agent": "Browser/1.0 (x)"}
    line = line_of(headers=headers, SERVER_PROTOCOL="HTTP/1.1")
    assert line == (
        '127.0.0.1 - - [21/Nov/2026:04:56:16 +0000] "GET / HTTP/1.1" 200 6 "http://from.test/" "Browser/1.0 (x)"'
    )


def test_extended_adds_the_request_id_and_the_seconds():
    timer = iter([10.0, 10.5, 11.234])
    lines = []
    layer = LoggingMiddleware(hello, format="extended", sink=lines.append, timer=lambda: next(timer))
    answer = ask(layer)
    assert lines[0].endswith(f'"-" "-" {answer.header("X-Request-ID")} 1.234')


def test_a_function_may_build_the_line():
    def line(record):
        return f"{record.method} {record.target} {record.status} {record.sent} {record.client} {record.user_agent}"

    assert line_of(line, headers={"User-Agent": "B"}) == "GET / 200 6 127.0.0.1 B"


def test_the_line_of_a_function_is_made_printable_ascii():
    assert line_of(lambda record: 'a\nb\x1b\xe9"\\') == r"a\nb\x1b\xe9" + '"\\'


def test_missing_is_a_dash_and_empty_is_empty_between_quotes():
    assert line_of().endswith('"-" "-"')
    assert line_of(headers={"Referer": "", "User-Agent": ""}).endswith('200 6 "" ""')
    assert " - - [" in line_of(REMOTE_USER="")


def test_no_byte_of_a_body_is_a_dash():
    def nothing(environ, start_response):
        start_response("204 No Content", [])
        return []

    assert line_of("common", app=nothing).endswith('" 204 -')


@pytest.mark.parametrize(("status", "shown"), [("OK", "-"), ("1000 Much", "-"), ("", "-"), (None, "-"), (200, "200")])
def test_a_status_line_without_a_number_is_a_dash(status, shown):
    def odd(environ, start_response):
        start_response(status, [])
        return [b"x"]

    lines = []
    layer = LoggingMiddleware(odd, format="common", sink=lines.append)
    layer_body = layer(make_environ(), lambda *args: None)
    list(layer_body)
    layer_body.close()
    assert lines[0].endswith(f'" {shown} 1')


@pytest.mark.parametrize("address", ["", None, "unix:", "x y", "127.0.0.1:80", "999.1.1.1", "::1::", ["::1"], 7])
def test_a_peer_that_is_no_address_is_a_dash(address):
    assert line_of(REMOTE_ADDR=address).startswith("- - - [")


@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::1", "::ffff:192.0.2.1"])
def test_a_peer_is_its_address(address):
    assert line_of(REMOTE_ADDR=address).startswith(f"{address} - - [")


def test_a_zone_is_no_part_of_the_address():
    assert line_of(REMOTE_ADDR="fe80::1%x [y]").startswith("fe80::1 - - [")


def test_forwarding_headers_are_ignored():
    headers = {"X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6", "X-Real-IP": "6.6.6.6"}
    assert "6.6.6.6" not in line_of(headers=headers)


def request_line(**environ):
    return COMBINED.fullmatch(line_of(**environ))[4]


def test_the_target_is_what_the_client_sent_where_the_server_tells():
    assert request_line(RAW_URI="/raw%2F?x", REQUEST_URI="/other") == "GET /raw%2F?x HTTP/1.0"
    assert request_line(REQUEST_URI="/%41?x") == "GET /%41?x HTTP/1.0"


def test_the_target_is_put_together_where_the_server_does_not_tell():
    environ = {"REQUEST_URI": None, "SCRIPT_NAME": "/mnt", "PATH_INFO": '/a b/\xc3\xa9%?"', "QUERY_STRING": "q=%20"}
    assert request_line(**environ) == "GET /mnt/a%20b/%C3%A9%25%3F%22?q=%20 HTTP/1.0"
    assert request_line(REQUEST_URI="", SCRIPT_NAME="", PATH_INFO="") == "GET / HTTP/1.0"


def test_a_blank_in_a_part_of_the_request_line_is_told_from_those_between_them():
    assert request_line(REQUEST_METHOD="GET x") == r"GET\x20x / HTTP/1.0"
    assert request_line(REQUEST_URI="/a b") == r"GET /a\x20b HTTP/1.0"
    assert request_line(REQUEST_URI=None, QUERY_STRING="a b") == r"GET /?a\x20b HTTP/1.0"


def test_what_follows_the_first_blank_of_a_url_is_none_of_the_protocol():
    assert request_line(REQUEST_URI="/a", SERVER_PROTOCOL='b c" 200 HTTP/1.1') == r"GET /a\x20b\x20c\"\x20200 HTTP/1.1"
    entry = json.loads(line_of("json", REQUEST_URI="/a", SERVER_PROTOCOL="b?c d HTTP/1.1"))
    assert (entry["url.path"], entry["url.query"], entry["http.version"]) == ("/a b", "c d", "1.1")


def test_each_byte_is_escaped_as_apache_does_it():
    letters = {8: r"\b", 9: r"\t", 10: r"\n", 11: r"\v", 13: r"\r", 34: r"\"", 92: r"\\"}
    expected = "".join(letters.get(b, chr(b) if 32 <= b < 127 else f"\\x{b:02x}") for b in range(256))
    everything = "".join(map(chr, range(256)))
    assert line_of(headers={"User-Agent": everything}).endswith(f'"-" "{expected}"')


def test_text_beyond_latin_1_is_escaped_as_utf_8():
    line = line_of(headers={"User-Agent": "\u20ac \ud800"})
    assert line.endswith(r'"\xe2\x82\xac \\ud800"')


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ('bob "the builder"[x]\n6.6', r"bob\x20\"the\x20builder\"\x5bx\x5d\n6.6"),
        ("a/b", r"a\x2fb"),
        ("\u00e9", r"\xe9"),
        ("bob\n203.0.113.9 - - [x]", r"bob\n203.0.113.9\x20-\x20-\x20\x5bx\x5d"),
    ],
)
def test_a_user_name_stays_one_field(name, shown):
    assert COMBINED.fullmatch(line_of(REMOTE_USER=name))[2] == shown


@pytest.mark.parametrize(("value", "field"), list(product(VALUES, ENTRIES)))
def test_no_value_breaks_the_line(value, field):
    environ = {"REQUEST_URI": None, field: f"/{value}" if field == "PATH_INFO" else value}
    line = line_of(**environ)
    assert is_one_printable_line(line)
    assert COMBINED.fullmatch(line).group(5, 6) == ("200", "6")
    line = line_of(COMBINED_AND_PORT, **environ)
    assert is_one_printable_line(line)
    assert COMBINED.fullmatch(line.removesuffix(" 80")).group(5, 6) == ("200", "6")
    entry = json.loads(line_of("json", **environ))
    assert (entry["http.response.status_code"], entry["http.response.body.bytes"]) == (200, 6)
    line = line_of("logfmt", **environ)
    assert is_one_printable_line(line)
    assert " status=200 bytes=6 " in line


@pytest.mark.parametrize("form", ["common", "combined", "extended", "json"])
def test_no_status_of_the_application_breaks_the_line(form):
    def odd(environ, start_response):
        start_response('20\n" 200 [x', [])
        return [b"x"]

    lines = []
    body = LoggingMiddleware(odd, format=form, sink=lines.append)(make_environ(), lambda *args: None)
    list(body)
    body.close()
    assert is_one_printable_line(lines[0])


@pytest.mark.parametrize("value", [None, 7, b"x", ("a", "b"), ["x"]], ids=repr)
@pytest.mark.parametrize("field", [*ENTRIES, "HTTP_HOST", "RAW_URI", "REQUEST_URI", "SERVER_NAME"])
@pytest.mark.parametrize("form", ["combined", "json"])
def test_entries_that_are_no_text_break_nothing(field, value, form):
    lines = []
    environ = make_environ()
    environ[field] = value
    layer = LoggingMiddleware(hello, format=form, sink=lines.append)
    body = layer(environ, lambda *args: None)
    list(body)
    body.close()
    assert len(lines) == 1
    assert is_one_printable_line(lines[0])


headers = st.dictionaries(
    st.sampled_from(["HTTP_USER_AGENT", "HTTP_REFERER", "HTTP_HOST", "HTTP_X_REQUEST_ID"]), st.text()
)
entries = st.dictionaries(
    st.sampled_from([*ENTRIES, "RAW_URI", "REQUEST_URI", "SCRIPT_NAME", "SERVER_NAME", "wsgi.url_scheme"]),
    st.text() | st.text(max_size=2).map(lambda text: text * 2500),
)


@given(headers, entries, st.sampled_from(["common", "combined", "extended", "json"]), st.booleans())
def test_no_request_makes_other_than_one_line_of_printable_ascii(headers, entries, form, trusted):
    lines = []
    environ = make_environ()
    environ.update(headers)
    environ.update(entries)
    head = entries.get("REQUEST_METHOD") == "HEAD"
    layer = LoggingMiddleware(hello, format=form, sink=lines.append, request_ids=RequestIds(trust=trusted))
    body = layer(environ, lambda *args: None)
    list(body)
    body.close()
    (line,) = lines
    assert line.isascii()
    assert line.isprintable()
    if form == "json":
        assert len(line) < 16_384
        entry = json.loads(line)
        assert entry["http.response.status_code"] == 200
        assert entry["http.response.body.bytes"] == 6 or head
    else:
        assert len(line) <= 4093
        assert re.match(rf"\S+ - \S+ \[[^]]+\] {QUOTED_VALUE} 200 6( |$)", line)


@pytest.mark.parametrize(
    ("entry", "group", "cap"),
    [("HTTP_USER_AGENT", 8, 1024), ("HTTP_REFERER", 7, 1024), ("REMOTE_USER", 2, 256)],
)
def test_a_long_value_is_cut_at_its_cap(entry, group, cap):
    def shown(length):
        return COMBINED.fullmatch(line_of(**{entry: "x" * length}))[group]

    assert shown(cap - 1) == "x" * (cap - 1)
    assert shown(cap) == "x" * cap
    assert shown(cap + 1) == "x" * (cap - 3) + "..."


@pytest.mark.parametrize("length", [2047, 2048, 2049])
def test_a_long_url_is_cut_at_its_cap(length):
    target = "/" + "x" * (length - 1)
    shown = request_line(REQUEST_URI=target)
    assert shown == f"GET {target if length <= 2048 else target[:2045] + '...'} HTTP/1.0"


@pytest.mark.parametrize("entry", ["REQUEST_METHOD", "SERVER_PROTOCOL"])
def test_a_long_method_or_protocol_is_cut(entry):
    assert "x" * 253 + "... " in request_line(**{entry: "x" * 300}) + " "


@pytest.mark.parametrize(
    ("text", "cap", "expected"),
    [
        ("abcdef", 5, "ab..."),
        (r"a\x1b\x1b", 8, r"a\x1b..."),
        (r"ab\x1b", 5, "ab..."),
        (r"a\\\\\\", 6, r"a\\..."),
        (r"ab\n\n", 5, "ab..."),
        (r"\\x41xxxx", 6, r"\\x..."),
    ],
)
def test_a_cut_never_falls_into_an_escape(text, cap, expected):
    assert cut(text, cap) == expected


@given(st.text(), st.integers(min_value=8, max_value=40))
def test_what_is_cut_is_a_beginning_of_what_was_there(value, cap):
    whole = escaped(value, QUOTED, 10_000)
    shown = escaped(value, QUOTED, cap)
    assert len(shown) <= cap
    assert shown == whole or (shown.endswith("...") and whole.startswith(shown[:-3]))
    assert re.fullmatch(r'(?:[^"\\]|\\.)*', shown)


def test_a_line_has_at_most_4094_bytes_and_the_longest_value_is_cut_first():
    bad = "\xff" * 4096
    line = line_of(REQUEST_URI="/" + bad, headers={"Referer": bad, "User-Agent": "x" * 1000}, REMOTE_USER=bad)
    assert len(line) <= 4093
    parsed = COMBINED.fullmatch(line)
    assert parsed.group(5, 6) == ("200", "6")
    assert parsed[8] == "x" * 1000
    assert len(line_of("json", REQUEST_URI="/" + bad, headers={"Referer": bad, "User-Agent": bad})) < 16_384


@given(st.lists(st.text("abc", max_size=300), min_size=1, max_size=6), st.integers(min_value=60, max_value=400))
def test_values_are_cut_until_they_fit(values, room):
    shown = fitted(values, room)
    assert sum(map(len, shown)) <= max(room, 0)
    if sum(map(len, values)) <= room:
        assert shown == values


def test_the_table_for_lines_leaves_printable_ascii_alone():
    assert not set(LINE) & set(range(0x20, 0x7F))


def stamp(zone, moment, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    lines = []
    ask(LoggingMiddleware(hello, sink=lines.append, clock=lambda: moment))
    return re.search(r"\[(.*?)\]", lines[0])[1]


JANUARY, JULY = 1767225600.5, 1782864000.5  # 1 January and 1 July 2026, 0:00 UTC


@pytest.mark.parametrize(
    ("zone", "moment", "expected"),
    [
        ("Asia/Kolkata", JANUARY, "01/Jan/2026:05:30:00 +0530"),
        ("Asia/Kathmandu", JANUARY, "01/Jan/2026:05:45:00 +0545"),
        ("America/St_Johns", JANUARY, "31/Dec/2025:20:30:00 -0330"),
        ("Europe/Berlin", JANUARY, "01/Jan/2026:01:00:00 +0100"),
        ("America/St_Johns", JULY, "30/Jun/2026:21:30:00 -0230"),
        ("Europe/Berlin", JULY, "01/Jul/2026:02:00:00 +0200"),
    ],
)
def test_the_time_of_arrival_has_the_zone_of_that_instant(zone, moment, expected, monkeypatch):
    assert stamp(zone, moment, monkeypatch) == expected


def test_a_zone_that_changes_within_the_second_is_seen(monkeypatch):
    # Both have CST and CDT for names.
    assert stamp("America/Chicago", JULY, monkeypatch).endswith("-0500")
    assert stamp("Asia/Shanghai", JULY, monkeypatch).endswith("+0800")
    assert stamp("Asia/Kolkata", JULY, monkeypatch).endswith("+0530")


@pytest.mark.parametrize("form", ["apache", "", None, 7, ["%h"]])
def test_an_unknown_format_is_refused_with_the_known_ones(form):
    with pytest.raises(
        ConfigurationError, match='choose "common", "combined", "extended", "json", "logfmt", or give a format'
    ):
        LoggingMiddleware(hello, format=form)


@pytest.mark.parametrize("form", [ApacheFormat, JsonFormat])
def test_a_class_in_place_of_a_format_is_refused(form):
    with pytest.raises(ConfigurationError, match=rf"the class {form.__name__}: give one"):
        LoggingMiddleware(hello, format=form)
