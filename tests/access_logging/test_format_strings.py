"""Format strings of Apache: what each directive shows, and what stops at construction."""

from __future__ import annotations

import os
import re
import threading
import time
from io import BytesIO

import pytest
from asking import call
from hypothesis import given
from hypothesis import strategies as st

from middleware.errors import ConfigurationError
from middleware.logging import LoggingMiddleware
from middleware.logging.formats.apache import ApacheFormat, compiled, parsed
from middleware.logging.formats.json_lines import JsonFormat
from middleware.logging.formats.shipped import COMBINED, COMMON

NOON = 1795236976.789012  # 21 November 2026, 04:56:16 UTC


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


REQUEST = {
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "/mnt",
    "PATH_INFO": "/a b",
    "QUERY_STRING": "q=1",
    "REQUEST_URI": "/mnt/a%20b?q=1",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_NAME": "server.test",
    "SERVER_PORT": "8000",
    "SERVER_ADDR": "192.0.2.1",
    "REMOTE_ADDR": "203.0.113.9",
    "REMOTE_PORT": 49152,
    "REMOTE_USER": "given",
    "middleware.peer": "10.0.0.1",
    "CONTENT_TYPE": "text/plain",
    "CONTENT_LENGTH": "3",
    "HTTP_HOST": "www.test:8000",
    "HTTP_REFERER": "",
    "HTTP_USER_AGENT": "Browser/1.0 (x)",
    "HTTP_COOKIE": "theme=dark; other=1; theme=light",
    "HTTP_X_REQUEST_ID": "theirs",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}

SENT_BY_THE_CLIENT = (
    "POST /mnt/a%20b?q=1 HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nHost: www.test:8000\r\n"
    "Referer: \r\nUser-Agent: Browser/1.0 (x)\r\nCookie: theme=dark; other=1; theme=light\r\n"
    "X-Request-ID: theirs\r\n\r\nabc"
)
SENT_BY_US = (
    f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-A: 1\r\nX-A: 2\r\nX-Request-ID: {'x' * 32}\r\n\r\nhello\n"
)
IN, OUT = len(SENT_BY_THE_CLIENT), len(SENT_BY_US)


def app(environ, start_response):
    environ["REMOTE_USER"] = "alice"
    environ["PATH_INFO"] = "/rewritten"
    environ["REQUEST_METHOD"] = "PUT"
    environ["app.text"] = "some text"
    environ["app.number"] = 7
    environ["middleware.notes"].update(route="/a", number=7, trace_id="0af7", span_id="b7ad", yes=True, ratio=0.5)
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-A", "1"), ("X-A", "2")])
    yield b""
    yield b"hello\n"


def failing(environ, start_response):
    start_response("501 Not Implemented", [])
    return [b"x"]


def line_of(form, app=app, **environ):
    """The one line that one request makes."""
    lines = []
    timer = iter([10.0, 10.0123456, 11.2345678])
    layer = LoggingMiddleware(app, format=form, sink=lines.append, clock=lambda: NOON, timer=lambda: next(timer))
    call(layer, {**REQUEST, "wsgi.input": BytesIO(b"abc"), "wsgi.errors": None, **environ})
    (line,) = lines
    return line


ROWS = [
    ("%%", "%"),
    ("%a", "203.0.113.9"),
    ("%h", "203.0.113.9"),
    ("%{c}a", "10.0.0.1"),
    ("%{c}h", "10.0.0.1"),
    ("%A", "192.0.2.1"),
    ("%B", "6"),
    ("%b", "6"),
    ("%{theme}C", "dark"),
    ("%{absent}C", "-"),
    ("%D", "1234568"),
    ("%{REMOTE_USER}e", "alice"),
    ("%<{REMOTE_USER}e", "given"),
    ("%{app.text}e", r"some\x20text"),
    ('"%{app.text}e"', '"some text"'),
    ("%{app.number}e", "-"),
    ("%<{REMOTE_PORT}e", "-"),
    ("%{PATH_INFO}e", "/rewritten"),
    ("%<{PATH_INFO}e", r"/a\x20b"),
    ("%H", "HTTP/1.1"),
    ("%{User-Agent}i", r"Browser/1.0\x20(x)"),
    ('"%{user-agent}i"', '"Browser/1.0 (x)"'),
    ('"%{Referer}i"', '""'),
    ("%{Referer}i", "-"),
    ('"%{X-Absent}i"', '"-"'),
    ("%{Content-Type}i", "text/plain"),
    ("%{Content-Length}i", "3"),
    ("%l", "-"),
    ("%m", "POST"),
    ("%>m", "PUT"),
    ("%{route}n", "/a"),
    ("%{number}n", "7"),
    ("%{yes}n", "true"),
    ("%{ratio}n", "0.5"),
    ("%{trace_id}n", "0af7"),
    ("%{span_id}n", "b7ad"),
    ("%{aborted}n", "false"),
    ("%{error}n", "-"),
    ("%{absent}n", "-"),
    ("%{X-A}o", r"1,\x202"),
    ('"%{x-a}o"', '"1, 2"'),
    ("%{X-Absent}o", "-"),
    ("%p", "8000"),
    ("%{canonical}p", "8000"),
    ("%{local}p", "8000"),
    ("%{remote}p", "49152"),
    ("%P", "PID"),
    ("%{pid}P", "PID"),
    ("%{tid}P", "TID"),
    ("%{hextid}P", "HEXTID"),
    ("%q", "?q=1"),
    ('"%r"', '"POST /mnt/a%20b?q=1 HTTP/1.1"'),
    ("%r", r"POST\x20/mnt/a%20b?q=1\x20HTTP/1.1"),
    ('"%>r"', '"PUT /mnt/a%20b?q=1 HTTP/1.1"'),
    ("%s", "200"),
    ("%<s", "200"),
    ("%>s", "200"),
    ("%t", "[21/Nov/2026:04:56:16 +0000]"),
    ("%{begin}t", "[21/Nov/2026:04:56:16 +0000]"),
    ("%{end}t", "[21/Nov/2026:04:56:18 +0000]"),
    ("%{%Y-%m-%d %H:%M:%S}t", "2026-11-21 04:56:16"),
    ("%{begin:%H:%M:%S}t", "04:56:16"),
    ("%{end:%H:%M:%S}t", "04:56:18"),
    ("%{sec}t", "1795236976"),
    ("%{msec}t", "1795236976789"),
    ("%{usec}t", "1795236976789012"),
    ("%{msec_frac}t", "789"),
    ("%{usec_frac}t", "789012"),
    ("%{begin:sec}t", "1795236976"),
    ("%{end:sec}t", "1795236978"),
    ("%{end:msec}t", "1795236978023"),
    ("%{end:usec}t", "1795236978023580"),
    ("%{end:msec_frac}t", "023"),
    ("%{end:usec_frac}t", "023580"),
    ("%T", "1"),
    ("%{s}T", "1"),
    ("%{ms}T", "1234"),
    ("%{us}T", "1234568"),
    ("%u", "alice"),
    ("%>u", "alice"),
    ("%<u", "given"),
    ("%U", r"/mnt/a\x20b"),
    ("%>U", "/mnt/rewritten"),
    ("%v", "server.test"),
    ("%V", "www.test"),
    ("%X", "-"),
    ("%I", str(IN)),
    ("%O", str(OUT)),
    ("%S", str(IN + OUT)),
    ("%^FB", "12346"),
    ("%{x}^ti", "-"),
    ("%{x}^to", "-"),
    ("%200{User-Agent}i", r"Browser/1.0\x20(x)"),
    ("%400,501{User-Agent}i", "-"),
    ("%!200,304{User-Agent}i", "-"),
    ("%!501{User-Agent}i", r"Browser/1.0\x20(x)"),
    ('"%!200r" %400,501B', '"-" -'),
    ('"%200r" %200B', '"POST /mnt/a%20b?q=1 HTTP/1.1" 6'),
    ("%!200r %200r", r"- POST\x20/mnt/a%20b?q=1\x20HTTP/1.1"),
    ("%{User-Agent}200i", r"Browser/1.0\x20(x)"),
    ("%>200m", "PUT"),
    ("a%mb%%c", "aPOSTb%c"),
]


@pytest.mark.parametrize(("directive", "expected"), ROWS, ids=[directive for directive, _ in ROWS])
def test_a_directive_shows(directive, expected):
    ours = {"PID": os.getpid(), "TID": threading.get_ident(), "HEXTID": f"{threading.get_ident():x}"}
    expected = ours.get(expected, expected)
    assert line_of(f"%m {directive} %m") == f"POST {expected} POST"


def test_the_first_status_and_the_final_one():
    def restarting(environ, start_response):
        start_response("200 OK", [])
        try:
            raise ValueError
        except ValueError as error:
            start_response("503 Not Now", [], (type(error), error, None))
        return [b"x"]

    assert line_of("%s %<s %>s %503m %200m", restarting) == "200 200 503 POST -"


def test_a_condition_asks_for_the_final_status():
    assert line_of('%400,501{User-Agent}i "%!200,304r" %200B', failing) == (
        r'Browser/1.0\x20(x) "POST /mnt/a%20b?q=1 HTTP/1.1" -'
    )


def test_an_error_before_the_first_byte_leaves_the_first_status():
    def broken(environ, start_response):
        start_response("200 OK", [])
        raise KeyError("x")

    lines = []
    layer = LoggingMiddleware(broken, format="%s %>s %{error}n %B %b %^FB", sink=lines.append)
    with pytest.raises(KeyError):
        call(layer, {**REQUEST, "wsgi.errors": None})
    assert lines == ["200 500 KeyError 0 - -"]


def test_an_aborted_request_is_marked():
    lines = []
    layer = LoggingMiddleware(app, format="%X %{aborted}n %B", sink=lines.append)
    body = layer({**REQUEST}, lambda *_: None)
    next(iter(body))
    body.close()
    assert lines == ["X true 0"]


def test_what_is_missing_is_a_dash_and_no_query_is_nothing():
    absent = dict.fromkeys(
        ("SERVER_ADDR", "SERVER_NAME", "SERVER_PORT", "REMOTE_PORT", "HTTP_HOST", "REMOTE_ADDR", "middleware.peer")
    )
    form = "%A %v %V %p %{remote}p %a %{c}h %m %H"
    assert line_of(form, REQUEST_METHOD="", SERVER_PROTOCOL=None, **absent) == "- - - - - - - - -"
    assert line_of("<%q>", QUERY_STRING="") == "<>"
    assert line_of("%u", failing, REMOTE_USER="") == "-"
    assert line_of("%<u", REMOTE_USER="") == "-"
    assert line_of("%U", SCRIPT_NAME="", PATH_INFO="") == "-"


def test_the_peer_is_the_client_where_no_gateway_stands_before_us():
    assert line_of("%{c}a %a", **{"middleware.peer": None}) == "203.0.113.9 203.0.113.9"


def test_a_missing_address_may_have_another_name():
    form = ApacheFormat("%h %a %{c}h %l", missing_address="0.0.0.0")
    assert line_of(form, REMOTE_ADDR="unix:", **{"middleware.peer": ""}) == "0.0.0.0 0.0.0.0 0.0.0.0 -"
    combined = ApacheFormat("combined", missing_address="::")
    assert line_of(combined, REMOTE_ADDR="").startswith(":: - alice [")
    assert line_of(combined, REMOTE_ADDR="", HTTP_REFERER="\n").startswith(":: - alice [")


@pytest.mark.parametrize("form", ["combined", COMBINED, "%t"])
def test_times_may_be_in_utc(form, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    assert "[21/Nov/2026:04:56:16 +0000]" in line_of(ApacheFormat(form, utc=True))
    assert "[21/Nov/2026:10:26:16 +0530]" in line_of(ApacheFormat(form))


def test_a_format_of_strftime_has_the_zone_of_that_instant(monkeypatch):
    for zone, shown in (("Asia/Kathmandu", "10:41 +0545"), ("America/St_Johns", "01:26 -0330")):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert line_of("%{%H:%M %z}t") == shown
        assert line_of(ApacheFormat("%{%H:%M}t", utc=True)) == "04:56"


def test_what_a_client_sends_is_no_format():
    agent = "%s %(x)s {0} %n %{Cookie}i"
    assert line_of('"%{User-Agent}i"', HTTP_USER_AGENT=agent) == f'"{agent}"'


@pytest.mark.parametrize(
    ("form", "named"),
    [
        ("%h %Z", "'%Z' at position 3 of the format is unknown"),
        ("%h %{X", "'%{X' at position 3"),
        ("%h %{bogus}p", "'%{bogus}p' at position 3 of the format takes no such argument: write `%{canonical}p`"),
        ("%{m}T", "'%{m}T' at position 0"),
        ("%{x}m", "'%{x}m' at position 0 of the format takes no such argument: write `%m`"),
        ("%{x}a", "write `%{c}a`"),
        ("%i", "needs a name in braces, `%{name}i`"),
        ("%{}o", "needs a name"),
        ("%{a b}i", "'a b' for a name, which is no field name"),
        ("%{a}{b}i", "has two arguments"),
        ("%20{Referer}i", "no list of statuses"),
        ("%200,{Referer}i", "no list of statuses"),
        ("%!{Referer}i", "no list of statuses"),
        ("%2!00{Referer}i", "no list of statuses"),
        ("%h %", "'%' at position 3 of the format is not finished"),
        ("%h %{x}", "'%{x}' at position 3 of the format is not finished"),
        ("%^FX", "'%^FX' at position 0 of the format is unknown"),
        ("%^", "unknown"),
        ("%f", "means nothing in WSGI"),
        ("%h\n%a", "control character at position 2"),
        (r"%h\n%a", "control character at position 2"),
        (' {"a": "%h"}', "JsonFormat"),
        ("[%h]", "strict=False"),
        ("%h" + "x" * 5000, "no room for values"),
        ("%m" * 600, "no room for values"),
        ("combination", "no directive, and is none of common, combined, extended"),
        (b"%h", "is text"),
    ],
    ids=str,
)
def test_a_format_that_cannot_work_is_refused(form, named):
    with pytest.raises(ConfigurationError, match=re.escape(named)):
        ApacheFormat(form)


def test_a_layer_takes_a_format_string_as_it_is():
    with pytest.raises(ValueError, match="'%Z' at position 0"):
        LoggingMiddleware(app, format="%Z")
    assert line_of("%m") == line_of(ApacheFormat("%m")) == "POST"
    assert repr(ApacheFormat("%m")) == "ApacheFormat('%m')"


@pytest.mark.parametrize("address", ["", " ", "a b", "[::]", 'x"', "\u00e9", 7, None, "x" * 65])
def test_a_word_for_missing_addresses_that_breaks_the_line_is_refused(address):
    with pytest.raises(ConfigurationError, match="missing_address"):
        ApacheFormat("%h", missing_address=address)


def test_directives_without_a_meaning_are_dashes_where_that_was_asked_for():
    assert line_of(ApacheFormat("%f %k %L %R", strict=False)) == "- - - -"
    assert line_of(ApacheFormat("[%m]", strict=False)) == "[POST]"
    with pytest.raises(ConfigurationError, match="unknown"):
        ApacheFormat("%Z", strict=False)


def test_backslashes_are_those_of_apaches_configuration():
    assert line_of(r"%m\t\"%{User-Agent}i\" \\x \d") == 'POST\t"Browser/1.0 (x)" \\x \\d'
    assert line_of("%m\t\u00e9") == "POST\t\\xe9"


SHIPPED = {"common": COMMON, "combined": COMBINED}
HOSTILE = [
    'a" 200 1 "-" "evil', 'a\\" b\\', "\n", "\r", "\x1b[2J\x07", "\x9b", "\xe9\xff", "\xe2\x80\xa8\xe2\x80\xae", "\0",
    "\t", "\x7f", "\x85", "%s %(x)s {0} %n", "", "plain", "\xff" * 5000, "x" * 5000, "a/b [c]", "\u20ac\ud800",
]  # fmt: skip
FIELDS = ["HTTP_USER_AGENT", "HTTP_REFERER", "REQUEST_URI", "REMOTE_USER", "REQUEST_METHOD", "SERVER_PROTOCOL"]
requests = st.dictionaries(
    st.sampled_from([*FIELDS, "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR"]),
    st.sampled_from([*HOSTILE, None]) | st.text(max_size=8) | st.integers(0, 9),
)


def untouched(environ, start_response):
    start_response("200 OK", [])
    return [b"hello\n"]


@given(requests, st.sampled_from(sorted(SHIPPED)))
def test_the_shipped_formats_are_what_their_format_strings_say(request, word):
    slow = compiled(parsed(SHIPPED[word]), SHIPPED[word])
    assert line_of(word, untouched, **request) == line_of(slow, untouched, **request)


def test_the_shipped_formats_agree_with_their_format_strings_for_each_hostile_value():
    for word, text in SHIPPED.items():
        slow = compiled(parsed(text), text)
        for value in HOSTILE:
            for field in FIELDS:
                assert line_of(word, untouched, **{field: value}) == line_of(slow, untouched, **{field: value})
            everywhere = dict.fromkeys(FIELDS, value)
            assert line_of(word, untouched, **everywhere) == line_of(slow, untouched, **everywhere)


DIRECTIVES = sorted({directive for directive, _ in ROWS})
anything = st.text() | st.sampled_from(HOSTILE) | st.none() | st.integers() | st.binary(max_size=3)
environs = st.dictionaries(
    st.sampled_from([key for key in REQUEST if key[:4] != "wsgi"] + ["RAW_URI", "app.text"]), anything
)


def echoing(environ, start_response):
    """Shows what it got wherever a log may look."""
    text = environ.get("app.text")
    environ["REMOTE_USER"] = environ["middleware.notes"]["route"] = environ["middleware.notes"]["error"] = text
    start_response("200 OK", [("X-A", str(text)), ("Content-Type", str(text))])
    return [b"hello\n"]


@given(environs, st.lists(st.sampled_from(DIRECTIVES), min_size=1, max_size=12), st.sampled_from([" ", '" "', "", "|"]))
def test_no_request_makes_other_than_one_line_of_printable_ascii(environ, directives, between):
    line = line_of(ApacheFormat("%>s" + between + between.join(directives)), echoing, **environ)
    assert line.isascii()
    assert line.isprintable()
    assert len(line) <= 4093
    assert line.startswith("200")


@pytest.mark.parametrize("value", ["\x1b[2J\n", " [x] \n", "\n" * 5000])
def test_each_directive_stays_one_field_without_quotes(value):
    keys = [key for key in REQUEST if key[:4] != "wsgi" and key != "REMOTE_PORT"]
    environ = {**dict.fromkeys([*keys, "app.text"], value), "CONTENT_LENGTH": "3"}
    for directive in DIRECTIVES:
        if "t" in directive[-1:] or " " in directive or '"' in directive:
            continue
        line = line_of(f"%>s {directive} %B", echoing, **environ)
        assert re.fullmatch(r"200 [!-Z\\^-~]* 6", line), directive


def test_a_line_is_cut_at_its_longest_value():
    bad = "\xff" * 4096
    form = '%h %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" "%{Accept}i" %{us}T'
    line = line_of(form, untouched, REQUEST_URI="/" + bad, HTTP_REFERER=bad, HTTP_USER_AGENT=bad, HTTP_ACCEPT="c" * 200)
    assert len(line) <= 4093
    cut = r"(\\xff)+\.\.\."
    expected = rf'203.0.113.9 given \[.{{26}}\] "POST /{cut} HTTP/1.1" 200 6 "{cut}" "{cut}" "c{{200}}" \d+'
    assert re.fullmatch(expected, line)


@pytest.mark.parametrize(
    ("directive", "key", "cap"),
    [
        ("%{Referer}i", "HTTP_REFERER", 1024),
        ("%{User-Agent}i", "HTTP_USER_AGENT", 1024),
        ("%{HTTP_REFERER}e", "HTTP_REFERER", 1024),
        ("%{REQUEST_URI}e", "REQUEST_URI", 2048),
        ("%q", "QUERY_STRING", 2047),
        ("%{Accept}i", "HTTP_ACCEPT", 256),
        ("%<u", "REMOTE_USER", 256),
        ("%v", "SERVER_NAME", 256),
        ("%m", "REQUEST_METHOD", 256),
    ],
)
def test_a_value_is_cut_at_its_cap(directive, key, cap):
    def shown(value):
        return line_of(f'"{directive}"', untouched, **{key: value})[1:-1].removeprefix("?")

    assert shown("x" * (cap - 1)) == "x" * (cap - 1)
    assert shown("x" * cap) == "x" * cap
    assert shown("x" * (cap + 1)) == "x" * (cap - 3) + "..."
    assert shown("x" * (cap - 4) + "\xff" * 9) == "x" * (cap - 4) + "..."


@pytest.mark.parametrize(
    "make",
    [
        lambda: ApacheFormat("%h", strict="no"),
        lambda: ApacheFormat("%h", utc="no"),
        lambda: JsonFormat(tracebacks="no"),
        lambda: JsonFormat(utc=1),
    ],
)
def test_a_word_is_no_switch(make):
    with pytest.raises(ConfigurationError, match="True or False"):
        make()
