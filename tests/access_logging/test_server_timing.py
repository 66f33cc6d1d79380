"""Server-Timing: what browsers are told of the time that a request took, and who is told."""

from __future__ import annotations

import json

import pytest
from asking import Browser, ask
from conftest import program
from hypothesis import given
from hypothesis import strategies as st
from over_http import served

from middleware import AuthMiddleware, Basic, CacheMiddleware, MemoryStore, SessionMiddleware, get_identity, get_session
from middleware.errors import ConfigurationError
from middleware.headers import TOKEN
from middleware.logging import LoggingMiddleware
from middleware.logging.server_timing import field_value

HEAD = [("Content-Type", "text/html")]


def hello(environ, start_response):
    start_response("200 OK", HEAD)
    return [b"hello\n"]


def leaving(*timings):
    def app(environ, start_response):
        environ["middleware.timings"].extend(timings)
        return hello(environ, start_response)

    return app


def timed(app, server_timing=True, **options):
    return LoggingMiddleware(app, sink=lambda line: None, server_timing=server_timing, **options)


def names(answer):
    """The names of the entries, in order."""
    return [entry.partition(";")[0] for entry in (answer.header("Server-Timing") or "").split(", ")]


def test_nothing_is_told_and_nothing_measured_by_default():
    def app(environ, start_response):
        assert "middleware.timings" not in environ
        return hello(environ, start_response)

    assert ask(timed(app, False)).header("Server-Timing") is None


def test_the_time_from_the_call_to_the_head_is_told():
    timer = iter([10.0, 10.012345678, 10.5, 10.5])
    assert ask(timed(hello, timer=lambda: next(timer))).header("Server-Timing") == "app;dur=12.346"


def test_entries_of_inner_layers_follow():
    timer = iter([10.0, 10.002, 10.5, 10.5])
    app = leaving(("db", 1.5, None), ("cache", 0.25, "HIT, 304"), ("miss", None, 'a "b" \\'), ("db", 2.0, None))
    assert ask(timed(app, timer=lambda: next(timer))).header("Server-Timing") == (
        'app;dur=2, db;dur=3.5, cache;dur=0.25;desc="HIT, 304", miss;desc="a \\"b\\" \\\\"'
    )


@pytest.mark.parametrize("may_see", [lambda environ: False, lambda environ: None, lambda environ: ""])
def test_a_function_decides_of_the_environ_who_is_told(may_see):
    assert ask(timed(hello, may_see)).header("Server-Timing") is None
    assert names(ask(timed(hello, lambda environ: environ["PATH_INFO"] == "/a"), "/a")) == ["app"]


def test_the_function_may_ask_who_the_user_is():
    app = AuthMiddleware(hello, Basic({"ann": "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43}))
    layer = timed(app, lambda environ: get_identity(environ) is None)
    answer = ask(layer)
    assert (answer.code, names(answer)) == (401, ["app", "auth"])


@pytest.mark.parametrize("failing", [lambda environ: 1 / 0, lambda environ: environ["missing"]])
def test_a_function_that_fails_is_counted_and_changes_nothing(failing):
    layer = timed(hello, failing)
    answer = ask(layer)
    assert (answer.text, answer.header("Server-Timing"), layer.failures) == ("hello\n", None, 1)


def test_a_timer_that_fails_when_the_head_leaves_changes_nothing():
    timer = iter([1.0])
    layer = timed(hello, timer=lambda: next(timer))
    assert ask(layer).text == "hello\n"
    assert layer.failures == 2  # the field, and then the line


def test_the_field_of_the_application_is_kept_beside_ours():
    def app(environ, start_response):
        start_response("200 OK", [("server-timing", "db;dur=1")])
        return []

    theirs, ours = ask(timed(app)).all("Server-Timing")
    assert theirs == "db;dur=1"
    assert ours.startswith("app;dur=")


def test_a_head_that_replaces_another_has_the_field_once():
    def app(environ, start_response):
        start_response("200 OK", [])
        try:
            raise ValueError
        except ValueError as error:
            start_response("500 Broken", [], (ValueError, error, None))
        return [b"broken"]

    assert len(ask(timed(app)).all("Server-Timing")) == 1


def test_of_two_layers_the_outer_one_tells():
    assert len(ask(timed(timed(hello))).all("Server-Timing")) == 1
    assert ask(timed(timed(hello), lambda environ: False)).all("Server-Timing") == []


def test_it_is_told_without_an_id_of_the_request_too():
    from middleware.logging import RequestIds

    assert names(ask(timed(hello, request_ids=RequestIds(None)))) == ["app"]


def test_our_layers_leave_their_time():
    def app(environ, start_response):
        session = get_session(environ)
        session["visits"] = session.get("visits", 0) + 1
        start_response("200 OK", HEAD)
        return [str(session["visits"]).encode()]

    app = SessionMiddleware(app, store=MemoryStore())
    browser = Browser(timed(CacheMiddleware(app, store=MemoryStore())))
    for visits in ("1", "2"):
        answer = browser.get()
        assert answer.text == visits
        assert names(answer) == ["app", "cache", "session"]


def test_a_hit_of_the_cache_has_its_own_times_and_stores_none():
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        return [b"kept"]

    layer = timed(CacheMiddleware(app, store=MemoryStore()))
    for _ in range(2):
        assert len(ask(layer).all("Server-Timing")) == 1


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "db",
        ("db",),
        ["db", 1.0, None],
        ("", 1.0, None),
        ("a b", 1.0, None),
        ("a\r\nSet-Cookie: b", 1.0, None),
        ("\xe9", 1.0, None),
        (7, 1.0, None),
        ("db", "1", None),
        ("db", float("nan"), None),
        ("db", float("inf"), None),
        ("db", -1.0, None),
        ("db", 10**400, None),
    ],
    ids=ascii,
)
def test_an_entry_that_cannot_be_told_is_left_out(odd):
    assert names(ask(timed(leaving(odd, ("db2", 1.0, None))))) == ["app", "db2"]


def test_control_characters_and_what_is_not_ascii_are_gone():
    assert field_value([("a", 1.0, "x\r\ny\x00z\x7f\x85\xe9\u2028!")]) == 'a;dur=1;desc="xyz!"'
    assert field_value([("a", 1.0, "\r\n")]) == field_value([("a", 1.0, 7)]) == "a;dur=1"


def test_twenty_entries_and_a_kibibyte_are_the_most():
    many = [(f"n{number}", 1.0, None) for number in range(50)]
    assert field_value(many).split(", ") == [f"n{number};dur=1" for number in range(20)]
    assert field_value([("a", 1.0, None), ("b", 1.0, '"' * 600), ("c", 1.0, None)]) == "a;dur=1"


def test_times_have_three_decimals_at_most():
    assert field_value([("a", 0.0004, None), ("b", 1 / 3, None), ("c", 100, None), ("d", 1.5e9, None)]) == (
        "a;dur=0, b;dur=0.333, c;dur=100, d;dur=1500000000"
    )


@given(
    st.lists(
        st.tuples(
            st.text() | st.sampled_from(["db", "app"]), st.none() | st.floats() | st.integers(), st.none() | st.text()
        )
        | st.text()
        | st.none()
    )
)
def test_whatever_is_left_there_the_field_can_be_sent(timings):
    value = field_value([("app", 1.0, None), *timings])
    assert value.isascii()
    assert value == "" or value.isprintable()
    assert len(value) <= 1024
    name, _, rest = value.partition(";")
    assert TOKEN.issuperset(name)
    assert rest.startswith("dur=")


@pytest.mark.parametrize("wrong", ["yes", 1, None])
def test_an_option_that_is_no_switch_and_no_function_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="server_timing="):
        timed(hello, wrong)


@pytest.mark.slow
def test_chromium_reads_it():
    path = program("chromium", "chromium-browser", "google-chrome")
    playwright = pytest.importorskip("playwright.sync_api")
    app = leaving(("cache", 1.25, "HIT, 304"), ("db", 2.0, 'a "b" \\ c\r\nSet-Cookie: x=y'), ("bare", None, None))
    with served(timed(app)) as port, playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{port}/")
            told = page.evaluate("JSON.stringify(performance.getEntriesByType('navigation')[0].serverTiming)")
            cookies = page.context.cookies()
        finally:
            browser.close()
    entries = {entry["name"]: (entry["duration"], entry["description"]) for entry in json.loads(told)}
    assert list(entries) == ["app", "cache", "db", "bare"]
    assert entries["cache"] == (1.25, "HIT, 304")
    assert entries["db"] == (2, 'a "b" \\ cSet-Cookie: x=y')
    assert entries["bare"] == (0, "")
    assert entries["app"][0] > 0
    assert cookies == []
