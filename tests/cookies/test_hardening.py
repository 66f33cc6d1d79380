"""The policy through the front door: every Set-Cookie of the wrapped application, and what is told about it.

C10, C11 and C16 to C21 of the catalogue.
"""

from __future__ import annotations

import sys

import pytest
from asking import ask

from middleware import Event, operators
from middleware.cookies import CookieMiddleware, CookieOptions, get_cookies
from middleware.errors import CookieTooLarge
from middleware.sessions import SessionMiddleware, get_session
from middleware.stores import MemoryStore

HTTPS = {"wsgi.url_scheme": "https"}
HARD = "Secure; HttpOnly; SameSite=Lax"
SECRET = "a secret of more than sixteen bytes"


@pytest.fixture(autouse=True)
def _nothing_said_yet():
    operators._said.clear()


def answer_with(*lines, status="200 OK", headers=(), **options):
    """The layer round an application that sets these cookies between two other fields."""

    def app(environ, start_response):
        cookies = [("Set-Cookie", line) for line in lines]
        start_response(status, [("Content-Type", "text/plain"), *cookies, ("X-Last", "1"), *headers])
        return [b"ok"]

    return CookieMiddleware(app, **options)


def left(*lines, environ=HTTPS, **options):
    """The Set-Cookie lines that leave; every other field must have passed."""
    answer = ask(answer_with(*lines, **options), **environ)
    others = [pair for pair in answer.headers if pair[0] != "Set-Cookie"]
    assert others == [("Content-Type", "text/plain"), ("X-Last", "1")]
    return answer.all("Set-Cookie")


class Told(list):
    """What happened, as (name, cookie) of each event."""

    def __call__(self, event):
        assert isinstance(event, Event)
        assert (event.layer, event.time, event.client) == ("cookies", 1000.0, "127.0.0.1")
        self.append((event.name, event.subject))
        self.details = dict(event.details)


def told(*lines, environ=HTTPS, **options):
    told = Told()
    left(*lines, environ=environ, on_event=told, clock=lambda: 1000.0, **options)
    return told


# What is added


def test_every_cookie_of_the_application_is_hardened_in_its_place():
    assert ask(answer_with("a=1", "b=2; Path=/b"), **HTTPS).headers == [
        ("Content-Type", "text/plain"),
        ("Set-Cookie", f"a=1; {HARD}"),
        ("Set-Cookie", f"b=2; Path=/b; {HARD}"),
        ("X-Last", "1"),
    ]


@pytest.mark.parametrize(
    ("environ", "line", "result"),
    [
        (HTTPS, "a=1", f"a=1; {HARD}"),
        ({}, "a=1", "a=1; HttpOnly; SameSite=Lax"),
        (HTTPS, "a=; Max-Age=0; Path=/x", f"a=; Max-Age=0; Path=/x; {HARD}"),
        (HTTPS, "a=1; SameSite=None", "a=1; SameSite=None; Secure; HttpOnly"),
        (HTTPS, "a=1; Partitioned", f"a=1; Partitioned; {HARD}"),
        (HTTPS, "__Host-a=1", f"__Host-a=1; Path=/; {HARD}"),
        (HTTPS, "a=1; Max-Age=34560000", f"a=1; Max-Age=34560000; {HARD}"),
        (HTTPS, "a=1; Max-Age=34646400", f"a=1; Max-Age=34560000; {HARD}"),
        (HTTPS, "a=1; Expires=Fri, 01-Jan-2038 00:00:00 GMT", f"a=1; Expires=Fri, 05 Feb 1971 00:16:40 GMT; {HARD}"),
        (HTTPS, "a=1; Expires=Fri, 05 Feb 1971 00:16:40 GMT", f"a=1; Expires=Fri, 05 Feb 1971 00:16:40 GMT; {HARD}"),
        (
            HTTPS,
            "a=1; Max-Age=34646400; Expires=Fri, 01-Jan-2038 00:00:00 GMT",
            f"a=1; Max-Age=34560000; Expires=Fri, 05 Feb 1971 00:16:40 GMT; {HARD}",
        ),
    ],
)
def test_a_cookie_gets_what_it_lacks_and_no_longer_life_than_browsers_give(environ, line, result):
    assert left(line, environ=environ, clock=lambda: 1000.0) == [result]


def test_no_byte_of_name_and_value_is_touched():
    pair = ' ä\t= "a, b"=\xff\\  '
    assert left(f"{pair};Max-Age=99999999999") == [f"{pair};Max-Age=34560000; {HARD}"]


def test_cookies_that_scripts_read_get_no_httponly():
    lines = left("csrftoken=1", "XSRF-TOKEN=1", "a=1", readable=("csrftoken", "XSRF-TOKEN", "a"))
    assert not any("HttpOnly" in line for line in lines)


def test_exempt_cookies_pass_as_they_are():
    exempt = ["a=1", "a=2; Max-Age=99999999999", "a=" + "x" * 4096, "__Host-a=1; Path=/x"]
    assert left(*exempt, "b=1", exempt=["a", "__Host-a"]) == [*exempt, f"b=1; {HARD}"]


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "304 Not Modified", "404 Not Found", "500 Sorry"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_cookies_of_every_kind_of_answer_are_hardened(status, method):
    answer = ask(answer_with("a=1", status=status), method=method, **HTTPS)
    assert answer.all("Set-Cookie") == [f"a=1; {HARD}"]


def test_the_cookies_of_a_head_that_is_replaced_are_hardened():
    def app(environ, start_response):
        start_response("200 OK", [("Set-Cookie", "first=1")])
        try:
            raise ValueError("late")
        except ValueError:
            start_response("500 Sorry", [("set-cookie", "second=1")], sys.exc_info())
        return [b"sorry"]

    assert ask(CookieMiddleware(app), **HTTPS).headers == [("set-cookie", f"second=1; {HARD}")]


def test_an_answer_without_cookies_passes_as_it_is():
    assert left() == []


def test_a_lifetime_that_is_cut_is_said_once_and_told_each_time(caplog):
    events = Told()
    app = answer_with("a=1; Max-Age=99999999", on_event=events, clock=lambda: 1000.0)
    for _ in range(2):
        ask(app)
    assert events == [("capped", "a")] * 2
    assert [record.getMessage() for record in caplog.records] == [
        "the lifetime of cookie a is cut to 400 days: no browser keeps one longer"
    ]


# Over http


@pytest.mark.parametrize(
    "line", ["__Host-a=1; Path=/", "a=1; Secure", "__Host-a=1; Domain=e.com", "a=1; SameSite=None"]
)
def test_a_cookie_for_https_in_answer_to_http_passes_and_the_cure_is_logged_once(caplog, line):
    events = Told()
    app = answer_with(line, on_event=events, clock=lambda: 1000.0, on_bad="raise")
    for _ in range(2):
        assert ask(app).all("Set-Cookie")[0].startswith(line)
    assert len(caplog.records) == 1
    assert "secure=True" in caplog.records[0].getMessage()
    assert [name for name, _ in events] == ["for_https"] * 2


def test_where_a_proxy_hides_https_the_options_say_so_and_nothing_is_logged(caplog):
    options = CookieOptions(secure=True)
    assert left("a=1", "__Host-b=1; Secure", environ={}, options=options) == [
        f"a=1; {HARD}",
        "__Host-b=1; Secure; Path=/; HttpOnly; SameSite=Lax",
    ]
    assert caplog.records == []


def test_over_http_a_cookie_for_https_does_not_take_the_place_of_one_that_stays():
    assert len(left("a=1; Path=/", "a=2; Path=/; Secure", environ={})) == 2


# What no browser keeps

BAD = [
    ("a=1\r\nX-Evil: 1", "a", "a control character"),
    ("a=1\x00", "a", "a control character"),
    ("a=1; Path=/\x7f", "a", "a control character"),
    ("a\n=1", None, "a control character"),
    ("a", None, "no name"),
    ("=a", None, "no name"),
    (" = __Host-id=V", None, "no name"),
    ("", None, "no name"),
    ("a=" + "x" * 4096, "a", "more than 4096 bytes of name and value"),
    ("__Host-a=1; Domain=e.com", "__Host-a", "a name whose prefix asks for other attributes"),
    ("__host-http-a=1; Path=/x", "__host-http-a", "a name whose prefix asks for other attributes"),
]


@pytest.mark.parametrize(("line", "name", "reason"), BAD)
def test_a_cookie_that_no_browser_keeps_is_dropped_told_and_said_once(line, name, reason, caplog):
    events = Told()
    app = answer_with("before=1", line, "after=1", on_event=events, clock=lambda: 1000.0)
    for _ in range(2):
        answer = ask(app, **HTTPS)
        assert answer.all("Set-Cookie") == [f"before=1; {HARD}", f"after=1; {HARD}"]
        assert answer.header("X-Last") == "1"
    assert events == [("dropped", name)] * 2
    assert events.details == {"reason": reason}
    assert len(caplog.records) == 1
    assert reason in caplog.text
    assert "xxx" not in caplog.text


@pytest.mark.parametrize(("line", "name", "reason"), BAD)
def test_a_cookie_that_no_browser_keeps_raises_where_that_is_asked_for(line, name, reason):
    closed = []

    class Body(list):
        def close(self):
            closed.append(True)

    def app(environ, start_response):
        start_response("200 OK", [("Set-Cookie", line)])
        return Body([b"ok"])

    with pytest.raises(ValueError, match=reason) as caught:
        ask(CookieMiddleware(app, on_bad="raise"), **HTTPS)
    assert isinstance(caught.value, CookieTooLarge) == ("4096" in reason)
    assert "xxx" not in str(caught.value)
    assert closed == [True]


def test_a_control_character_is_in_no_cookie_not_even_an_exempt_one():
    assert left("a=1\r\nX: 1", "b=1", exempt=["a"]) == [f"b=1; {HARD}"]


def test_what_is_not_understood_passes():
    odd = ["a=1; SameSite=Odd; Priority=High; =x; ;; Max-Age=soon; Expires=later; Path=x", "b[]=\xe4 {,}"]
    for line, passed in zip(odd, left(*odd), strict=True):
        assert passed.startswith(line)


# The lines of one answer beside each other


def test_of_two_lines_for_one_cookie_the_last_remains_and_the_order_is_kept():
    lines = ["a=1; Path=/", "b=1", "a=2; path=/; Domain=", "c=1; Domain=.E.com", "b=2", "c=2; Domain=e.com"]
    assert [line.partition(";")[0] for line in left(*lines)] == ["a=2", "b=2", "c=2"]
    assert told(*lines) == [("replaced", "a"), ("replaced", "b"), ("replaced", "c")]


@pytest.mark.parametrize(
    "other", ["a=2; Path=/old", "a=2", "a=2; Path=/; Domain=e.com", "a=2; Path=/; Secure; Partitioned"]
)
def test_one_name_with_another_path_or_domain_passes_with_an_event(other):
    assert len(left("a=1; Path=/", other)) == 2
    assert told("a=1; Path=/", other, "b=1") == [("same_name", "a")]


def test_cookies_are_never_folded_into_one_field():
    assert all(line.count("SameSite") == 1 for line in left("a=1", "b=1, c=1"))


def test_the_cookies_of_one_answer_have_8192_bytes_or_it_is_told(caplog):
    hardened = len(f"a=; {HARD}")
    lines = ["a=" + "x" * (4096 - hardened), "b=" + "x" * (4096 - hardened)]
    assert told(*lines) == []
    assert caplog.records == []
    assert told(*lines, "c=") == [("large", None)]
    assert len(caplog.records) == 1
    assert len(left(*lines, "c=")) == 3


def test_what_was_replaced_does_not_count():
    line = "a=" + "x" * 4000
    assert told(line, line, line) == [("replaced", "a")] * 2


# The jar and a session inside


def jar_sets(name, value, *headers, **attributes):
    def app(environ, start_response):
        get_cookies(environ).set(name, value, **attributes)
        start_response("200 OK", list(headers))
        return []

    return app


def test_a_cookie_that_the_application_sets_itself_goes_before_one_of_the_jar():
    events = Told()
    app = CookieMiddleware(jar_sets("a", "jar", ("Set-Cookie", "a=own; Path=/")), on_event=events, clock=lambda: 1000.0)
    assert ask(app, **HTTPS).all("Set-Cookie") == [f"a=own; Path=/; {HARD}"]
    assert events == [("replaced", "a")]


def test_a_cookie_of_the_jar_beside_one_of_the_application_with_another_path_passes_with_an_event():
    events = Told()
    app = CookieMiddleware(
        jar_sets("a", "1", ("Set-Cookie", "a=; Path=/old; Max-Age=0")), on_event=events, clock=lambda: 1000.0
    )
    assert len(ask(app, **HTTPS).all("Set-Cookie")) == 2
    assert events == [("same_name", "a")]


@pytest.mark.parametrize("kind", [{"store": MemoryStore()}, {"secret": SECRET}], ids=["stored", "signed"])
@pytest.mark.parametrize(("environ", "name"), [({}, "id"), (HTTPS, "__Host-id")])
def test_where_application_and_session_set_one_cookie_the_sessions_remains(kind, environ, name):
    def app(environ, start_response):
        get_session(environ)["user"] = "ann"
        get_cookies(environ).set(name, "jar")
        start_response("200 OK", [("Set-Cookie", f"{name}=own; Path=/")])
        return []

    events = Told()
    stack = CookieMiddleware(SessionMiddleware(app, **kind), on_event=events, clock=lambda: 1000.0)
    [line] = ask(stack, **environ).all("Set-Cookie")
    assert line.startswith(f"{name}=")
    assert len(line.partition(";")[0]) > len(f"{name}=") + 30
    assert events == [("replaced", name)] * 2

    def reading(environ, start_response):
        start_response("200 OK", [])
        return [get_session(environ)["user"].encode()]

    again = CookieMiddleware(SessionMiddleware(reading, **kind))
    assert ask(again, headers={"Cookie": line.partition(";")[0]}, **environ).text == "ann"


@pytest.mark.parametrize("environ", [{}, HTTPS])
def test_the_cookie_of_a_session_is_hard_already_and_passes_as_it_is(environ):
    def app(environ, start_response):
        get_session(environ)["a"] = 1
        start_response("200 OK", [])
        return []

    seen = []

    def spy(environ, start_response):
        def started(status, headers, exc_info=None):
            seen.extend(value for name, value in headers if name == "Set-Cookie")
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        return SessionMiddleware(app, store=MemoryStore())(environ, started)

    assert ask(CookieMiddleware(spy), **environ).all("Set-Cookie") == seen
    assert len(seen) == 1


# Listeners


def test_a_listener_that_fails_changes_no_answer(caplog):
    def fails(event):
        raise RuntimeError("no network")

    assert left("a=1\x00", "b=1", on_event=fails) == [f"b=1; {HARD}"]
    assert "on_event= failed" in caplog.text


def test_without_a_listener_all_is_the_same():
    lines = [
        "a=1; Path=/",
        "a=2; Path=/",
        "a=3",
        "=x",
        "b=1; Max-Age=99999999999",
        "c=" + "x" * 4000,
        "d=" + "x" * 4000,
    ]
    events = Told()
    with_one = left(*lines, on_event=events, clock=lambda: 1000.0)
    assert left(*lines, clock=lambda: 1000.0) == with_one
    assert {name for name, _ in events} == {"replaced", "same_name", "dropped", "capped", "large"}


def test_an_ordinary_answer_tells_nothing(caplog):
    assert told("a=1; Path=/", "b=1; Max-Age=60; Secure; SameSite=Strict", "c=; Max-Age=0") == []
    assert caplog.records == []
