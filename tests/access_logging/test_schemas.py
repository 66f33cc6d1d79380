"""JSON by a schema or with names of one's own: each name, each type, and the same facts as in a line of text."""

from __future__ import annotations

import json
import subprocess
import time
from io import BytesIO

import pytest
from asking import call
from conftest import program
from hypothesis import given
from hypothesis import strategies as st

from middleware.errors import ConfigurationError
from middleware.logging import LoggingMiddleware
from middleware.logging.formats.json_lines import JsonFormat, written
from middleware.logging.formats.logfmt import logfmt
from middleware.logging.formats.schemas import ECS, OTEL, fields

NOON = 1795236976.789012  # 21 November 2026, 04:56:16 UTC

REQUEST = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/a b",
    "QUERY_STRING": "q=1",
    "REQUEST_URI": "/a%20b?q=1",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_NAME": "server.test",
    "SERVER_PORT": "8000",
    "REMOTE_ADDR": "203.0.113.9",
    "HTTP_HOST": "www.test:8000",
    "HTTP_REFERER": "http://from.test/",
    "HTTP_USER_AGENT": "Browser/1.0 (x)",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "https",
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def app(environ, start_response):
    environ["REMOTE_USER"] = "alice"
    environ["middleware.notes"].update(route="/{page}", trace_id=TRACE, span_id=SPAN, tenant="blue", number=7)
    start_response("200 OK", [("X-A", "1")])
    yield b""
    yield b"hello\n"


def quiet(environ, start_response):
    start_response("200 OK", [])
    return [b"hello\n"]


def broken(environ, start_response):
    start_response("200 OK", [])
    raise KeyError("what is wrong")


def line_of(form, app=app, **environ):
    """The one line that one request makes."""
    lines = []
    timer = iter([10.0, 10.0123456, 11.2345678])
    layer = LoggingMiddleware(app, format=form, sink=lines.append, clock=lambda: NOON, timer=lambda: next(timer))
    try:
        call(layer, {**REQUEST, "wsgi.input": BytesIO(), "wsgi.errors": None, **environ})
    except KeyError:
        assert app is broken
    (line,) = lines
    return line


def entry_of(form, app=app, **environ):
    return json.loads(line_of(form, app, **environ))


COMMON = {"aborted": False, "ttfb_ms": 12.346, "http.response.status_code": 200, "http.route": "/{page}"}
IN_ECS = {
    "@timestamp": "2026-11-21T04:56:16.789Z",
    "log.level": "info",
    "message": "GET /a%20b?q=1 200",
    "http.request.method": "GET",
    "http.version": "1.1",
    "url.path": "/a%20b",
    "url.query": "q=1",
    "url.full": "https://www.test:8000/a%20b?q=1",
    "url.scheme": "https",
    "url.domain": "www.test",
    "client.ip": "203.0.113.9",
    "user_agent.original": "Browser/1.0 (x)",
    "http.request.referrer": "http://from.test/",
    "user.name": "alice",
    "http.response.body.bytes": 6,
    "event.duration": 1_234_567_800,
    "trace.id": TRACE,
    "span.id": SPAN,
    "transaction.id": SPAN,
    **COMMON,
}
IN_OTEL = {
    "timestamp": "2026-11-21T04:56:16.789Z",
    "severity_text": "INFO",
    "body": "GET /a%20b?q=1 200",
    "http.request.method": "GET",
    "network.protocol.version": "1.1",
    "url.path": "/a%20b",
    "url.query": "q=1",
    "url.scheme": "https",
    "server.address": "www.test",
    "client.address": "203.0.113.9",
    "user_agent.original": "Browser/1.0 (x)",
    "http.response.body.size": 6,
    "http.server.request.duration": pytest.approx(1.2345678),
    "trace_id": TRACE,
    "span_id": SPAN,
    **COMMON,
}


@pytest.mark.parametrize(("schema", "expected"), [("ecs", IN_ECS), ("otel", IN_OTEL)], ids=["ecs", "otel"])
def test_a_schema_has_these_names_and_values(schema, expected):
    entry = entry_of(JsonFormat(schema))
    assert len(entry.pop("request_id")) == 32
    assert entry == expected
    assert {name: type(value) for name, value in entry.items() if name in ("aborted", "ttfb_ms")} == {
        "aborted": bool,
        "ttfb_ms": float,
    }


def test_json_without_more_is_that_of_ecs():
    assert entry_of("json").keys() == entry_of(JsonFormat()).keys() == entry_of(JsonFormat("ecs")).keys()
    assert [repr(JsonFormat(schema)) for schema in ("otel", {"a": "%m"})] == ["JsonFormat('otel')", "JsonFormat('own')"]


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        ("ecs", ("log.level", "error", "error.type", "error.message", "error.stack_trace")),
        ("otel", ("severity_text", "ERROR", "error.type", "exception.message", "exception.stacktrace")),
    ],
)
def test_an_error_is_told_with_its_traceback(schema, names):
    level, name, kind, message, stack = names
    entry = entry_of(JsonFormat(schema), broken)
    assert (entry[level], entry[kind], entry[message]) == (name, "KeyError", "'what is wrong'")
    assert entry[stack].startswith("Traceback (most recent call last):\n")
    assert entry[stack].endswith("KeyError: 'what is wrong'\n")
    assert entry["http.response.status_code"] == 500
    without = entry_of(JsonFormat(schema, tracebacks=False), broken)
    assert without.keys() == entry.keys() - {message, stack}


def test_of_a_long_traceback_the_end_is_told():
    def deep(environ, start_response):
        raise KeyError("x" * 3000) from ValueError("y" * 3000)

    lines = []
    layer = LoggingMiddleware(deep, format="json", sink=lines.append)
    with pytest.raises(KeyError):
        call(layer, {**REQUEST, "wsgi.errors": None})
    entry = json.loads(lines[0])
    assert len(entry["error.message"]) == 1024
    assert len(entry["error.stack_trace"]) == 4096
    assert entry["error.stack_trace"][:3] == "..."
    assert entry["error.stack_trace"][-5:] == "xxx'\n"


def test_an_error_that_cannot_be_printed_is_still_named():
    class Odd(KeyError):
        def __str__(self):
            raise ValueError

    def odd(environ, start_response):
        raise Odd

    lines = []
    with pytest.raises(KeyError):
        call(LoggingMiddleware(odd, format="json", sink=lines.append), {**REQUEST, "wsgi.errors": None})
    assert json.loads(lines[0])["error.type"] == "Odd"


def test_a_status_of_the_server_is_an_error_too():
    def unavailable(environ, start_response):
        start_response("503 Not Now", [])
        return [b""]

    assert entry_of(JsonFormat("otel"), unavailable)["error.type"] == "503"
    assert "error.type" not in entry_of(JsonFormat("ecs"), unavailable)
    assert entry_of(JsonFormat("ecs"), unavailable)["log.level"] == "error"


def test_opentelemetry_names_no_method_that_it_does_not_know():
    entry = entry_of(JsonFormat("otel"), REQUEST_METHOD="BREW")
    assert (entry["http.request.method"], entry["http.request.method_original"]) == ("_OTHER", "BREW")
    assert entry_of(JsonFormat("ecs"), REQUEST_METHOD="BREW")["http.request.method"] == "BREW"


OWN = {
    "time": "%{%Y-%m-%d}t",
    "status": "%>s",
    "ms": "%{ms}T",
    "ttfb": "%^FB",
    "size": "%b",
    "who": "%u",
    "agent": "%{User-Agent}i",
    "query": "%q",
    "line": "%r",
    "tenant": "%{tenant}n",
    "number": "%{number}n",
    "aborted": "%{aborted}n",
    "text": '%m for "%u" %{Absent}i',
    "constant": "shop",
    "only": "%404U",
    "absent": "%{Absent}i",
    "dash": "%l",
    "port": "%p",
}


def test_names_of_ones_own_are_filled_by_directives():
    assert list(entry_of(JsonFormat(OWN)).items()) == [
        ("time", "2026-11-21"),
        ("status", 200),
        ("ms", 1234),
        ("ttfb", 12346),
        ("size", 6),
        ("who", "alice"),
        ("agent", "Browser/1.0 (x)"),
        ("query", "?q=1"),
        ("line", "GET /a%20b?q=1 HTTP/1.1"),
        ("tenant", "blue"),
        ("number", 7),
        ("aborted", False),
        ("text", 'GET for "alice" -'),
        ("constant", "shop"),
        ("port", 8000),
    ]


def test_a_schema_may_have_more_names():
    form = JsonFormat("ecs", extra={"labels.tenant": "%{tenant}n", "number": "%{number}n"})
    entry = entry_of(form)
    assert entry.items() >= {"labels.tenant": "blue", "number": 7, "user.name": "alice"}.items()
    assert list(entry)[-2:] == ["labels.tenant", "number"]


@pytest.mark.parametrize(
    ("schema", "extra", "named"),
    [
        ("syslog", {}, 'choose "ecs" or "otel"'),
        ({}, {}, "has no names"),
        ([("a", "%m"), ("a", "%U")], {}, "'a' comes twice"),
        ({"a": "%m"}, {"a": "%U"}, "'a' comes twice"),
        ("ecs", {"user.name": "%u"}, "'user.name' comes twice"),
        ("otel", {"http.request.method_original": "%m"}, "comes twice"),
        ({"a": "%Z"}, {}, "'a': the directive '%Z' at position 0"),
        ({"": "%m"}, {}, "no name with a directive"),
        ({"a": 7}, {}, "no name with a directive"),
        (["%m"], {}, "no name with a directive"),
        (None, {}, "has no names with directives"),
        ({f"name {number}": "%m" for number in range(300)}, {}, "too many names"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_schema_that_cannot_work_is_refused(schema, extra, named):
    with pytest.raises(ConfigurationError, match=named):
        JsonFormat(schema, extra=extra)


def test_times_of_directives_may_be_in_utc(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert entry_of(JsonFormat({"t": "%t"}, utc=True))["t"] == "[21/Nov/2026:04:56:16 +0000]"
        assert entry_of(JsonFormat({"t": "%t"}))["t"] == "[21/Nov/2026:10:26:16 +0530]"
        assert entry_of(JsonFormat())["@timestamp"] == "2026-11-21T04:56:16.789Z"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_values_agree_with_the_combined_line():
    entry = entry_of("json")
    line = line_of("combined")
    assert line.startswith(f"{entry['client.ip']} - {entry['user.name']} [")
    assert line.endswith(
        f'"{entry["http.request.method"]} {entry["url.path"]}?{entry["url.query"]} HTTP/{entry["http.version"]}" '
        f"{entry['http.response.status_code']} {entry['http.response.body.bytes']} "
        f'"{entry["http.request.referrer"]}" "{entry["user_agent.original"]}"'
    )


HOSTILE = [
    'a" 200', "a\\\\", "\n", "\r", "\x1b[2J\x07", "\x9b", "\xe9\xff", "\xe2\x80\xa8\xe2\x80\xae", "\0", "\t", "\x7f",
    "\x85", "%s {0}", "", "\xff\xfe", "x" * 3000, "\xff" * 3000, "\u20ac\ud800", "http://x/y?z", "[::1]:80", ":80",
]  # fmt: skip
KEYS = [key for key in REQUEST if key[:5] != "wsgi." or key == "wsgi.url_scheme"]
anything = st.text() | st.sampled_from(HOSTILE) | st.none() | st.integers() | st.binary(max_size=3)
environs = st.dictionaries(st.sampled_from([*KEYS, "RAW_URI", "REMOTE_USER", "app.note"]), anything)


def noting(environ, start_response):
    if environ.get("app.note") is not None:
        environ["middleware.notes"].update(dict.fromkeys(("route", "trace_id", "span_id"), environ["app.note"]))
    start_response("200 OK", [])
    return [b"hello\n"]


@pytest.mark.parametrize("schema", [ECS, OTEL], ids=["ecs", "otel"])
@given(environs)
def test_a_usual_line_is_what_comes_out_field_by_field(schema, environ):
    both = []
    line = JsonFormat("ecs" if schema is ECS else "otel").line

    def form(record):
        both.append((line(record), written(fields(record, schema))))
        return ""

    line_of(form, noting, **environ)
    assert both[0][0] == both[0][1] or len(both[0][1]) > 16_383


own = {name: text for name, text in OWN.items() if name != "constant"}
FORMS = [JsonFormat(), JsonFormat("otel"), JsonFormat(own), JsonFormat("ecs", extra={f"x{n}": "%r" for n in range(9)})]


@given(environs, st.sampled_from(range(len(FORMS) + 1)))
def test_no_request_makes_other_than_one_line_of_printable_ascii(environ, number):
    form = [*FORMS, logfmt][number]
    line = line_of(form, noting, **environ)
    assert line.isascii()
    assert line.isprintable()
    if form is logfmt:
        assert len(line) <= 4093
        assert " status=200 bytes=6 " in line
    else:
        assert len(line) <= 16_383
        entry = json.loads(line)
        assert entry.get("http.response.status_code", entry.get("status")) == 200


@pytest.mark.parametrize("value", ["\xff" * 4096, '"' * 4096, "\U0001f600" * 2000])
def test_a_long_line_is_cut_at_its_longest_texts(value):
    everywhere = dict.fromkeys(("REQUEST_URI", "HTTP_REFERER", "HTTP_USER_AGENT", "HTTP_HOST", "REMOTE_USER"), value)
    for form in FORMS:
        line = line_of(form, quiet, **everywhere | {"REQUEST_URI": f"/{value}"})
        assert len(line) <= 16_383
        entry = json.loads(line)
        assert entry.get("http.response.status_code", entry.get("status")) == 200
        assert entry.get("aborted") is False


def test_other_bytes_than_utf_8_are_shown_as_escapes():
    assert (
        entry_of(JsonFormat({"a": "%{User-Agent}i"}), HTTP_USER_AGENT="\xff\xfe\xe2\x82\xac")["a"] == "\\xff\\xfe\u20ac"
    )


@pytest.mark.slow
def test_jq_reads_every_line():
    jq = program("jq")
    lines = [line_of(form, **{key: value}) for form in FORMS for value in HOSTILE for key in KEYS[:10]]
    done = subprocess.run([jq, "-e", "."], input="\n".join(lines), text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n}\n") == len(lines)
