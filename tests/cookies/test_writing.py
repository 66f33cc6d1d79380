"""What the jar refuses to write, and what it writes. C8, C10, C11, C14 and C15 of the catalogue."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from asking import ask
from cookies.kit import HTTPS, SECRET, serve, used
from hypothesis import given
from hypothesis import strategies as st

from middleware import operators
from middleware.cookies import CookieOptions
from middleware.cookies.percent import quoted, unquoted
from middleware.errors import CookieTooLarge

TESTS = str(Path(__file__).parent.parent)


@pytest.fixture(autouse=True)
def _nothing_said_yet():
    operators._said.clear()


# The name of the error, and the arguments of `jar.set`: name and value are `a` and `x` where they are not given.
REFUSED = [
    *[("ValueError", {"value": value}) for value in ("x\r\nSet-Cookie: evil=1", "x\x00y", "x; Domain=evil")],
    *[("ValueError", {"value": value}) for value in ("☃", 'a"b\\c', "a, b", " a", "a\tb", "x\x7f", "é")],
    *[("ValueError", {"name": name}) for name in ("", "a; Domain=evil", "a=b", "a b", "a\r\n", "é", "a\x00")],
    *[("ValueError", {"domain": domain}) for domain in ("e.com; Secure", "", ".", "e.com\r\n", "e\x00", "a" * 1025)],
    *[("ValueError", {"path": path}) for path in ("/; Domain=evil", "/\r\nX: y", "/\x00", "", "a", "/é", "/" * 1025)],
    *[("ValueError", {"samesite": samesite}) for samesite in ("Lax; Domain=evil", "Weak", "lax", "", None)],
    *[("TypeError", {"max_age": max_age}) for max_age in ("1; Domain=evil", "1", 1.5, True)],
    *[("ValueError", {"name": name, "secure": False}) for name in ("__Host-a", "__host-a", "__Secure-a", "__SECURE-a")],
    *[("ValueError", {"name": name, "domain": "e.com"}) for name in ("__Host-a", "__HOST-a", "__Host-Http-a")],
    *[("ValueError", {"name": name, "path": "/b"}) for name in ("__Host-a", "__host-a", "__Host-Http-a")],
    *[("ValueError", {"name": name, "httponly": False}) for name in ("__Http-a", "__http-a", "__Host-Http-a")],
    ("ValueError", {"samesite": "None", "secure": False}),
    ("ValueError", {"partitioned": True, "secure": False}),
    ("CookieTooLarge", {"value": "x" * 5000}),
    *[("TypeError", {word: "x"}) for word in ("HttpOnly", "Secure", "SameSite", "expires", "Max_Age", "https")],
    *[("TypeError", {"value": value}) for value in (5, None, b"x", ["x"])],
    *[("TypeError", {"name": name}) for name in (5, None, b"a", ["a"])],
    *[("ValueError", {word: "x; Domain=evil"}) for word in ("secure", "httponly", "partitioned")],
    *[("ValueError", {word: text}) for word in ("domain", "path") for text in (5, b"/", 1.5)],
    ("ValueError", {"path": None}),
]  # fmt: skip


def refusal(call, **environ):
    """The error that the call of `jar.set` gives, by its name and the names of what it inherits; the answer too."""
    raised = []

    def attempt(jar):
        given = {"name": "a", "value": "x", **call}
        try:
            jar.set(given.pop("name"), given.pop("value"), **given)
        except Exception as error:
            raised.extend(kind.__name__ for kind in type(error).__mro__)
            raised.append(str(error))

    return raised, used(attempt, environ=environ).all("Set-Cookie")


@pytest.mark.parametrize(("error", "call"), REFUSED, ids=str)
def test_a_bad_cookie_is_refused_in_the_line_that_sets_it(error, call):
    for environ in ({}, HTTPS):
        raised, lines = refusal(call, **environ)
        assert error in raised
        assert lines == []


@pytest.mark.parametrize(
    "call", [{"name": "__Host-a"}, {"name": "__Secure-a"}, {"samesite": "None"}, {"partitioned": True}], ids=str
)
def test_a_cookie_for_https_is_refused_over_http_and_gets_secure_over_https(call):
    raised, lines = refusal(call)
    assert "ValueError" in raised
    assert lines == []
    raised, [line] = refusal(call, **HTTPS)
    assert raised == []
    assert "; Secure" in line


@pytest.mark.slow
def test_all_that_is_refused_is_refused_under_python_o():
    code = (
        "from cookies.test_writing import REFUSED, refusal\n"
        "assert False, 'asserts are on'\n"
        "wrong = [call for error, call in REFUSED if error not in refusal(call)[0] or refusal(call)[1]]\n"
        "raise SystemExit(f'let through: {wrong}' if wrong else 0)\n"
    )
    subprocess.run([sys.executable, "-O", "-c", code], check=True, env={"PYTHONPATH": TESTS})


def test_what_was_refused_leaves_what_was_set_before():
    def use(jar):
        jar.set("a", "1")
        with pytest.raises(ValueError):
            jar.set("a", "x; Domain=evil")
        with pytest.raises(CookieTooLarge):
            jar.set("a", "x" * 5000)
        return jar.get("a")

    answer = used(use)
    assert answer.text == "'1'"
    assert len(answer.all("Set-Cookie")) == 1


def test_no_error_shows_the_value():
    for value in ("a secret; value", "a-secret-value" * 400):
        raised, _ = refusal({"value": value})
        assert "secret" not in raised[-1]


# Quoted


def test_a_value_that_cookies_cannot_carry_names_what_quotes_it():
    raised, _ = refusal({"value": "☃"})
    assert "quoted=True" in raised[-1]


@pytest.mark.parametrize("text", ["☃", 'a"b\\c', "a, b", " a", "100%", "", "a+b&c=d", "x\r\n", "\x00", "😀"])
def test_quoted_any_text_comes_back(text):
    line = used(lambda jar: jar.set("a", text, quoted=True)).all("Set-Cookie")[0]
    sent = line.partition(";")[0]
    assert used(lambda jar: jar.get("a", quoted=True), sent).text == repr(text)


def test_quoted_every_byte_value_comes_back():
    text = "".join(map(chr, range(256)))
    line = used(lambda jar: jar.set("a", text, quoted=True)).all("Set-Cookie")[0]
    assert used(lambda jar: jar.get("a", quoted=True), line.partition(";")[0]).text == repr(text)


def test_quoted_text_is_what_scripts_write_and_read():
    line = used(lambda jar: jar.set("a", "Ünï ☃; -_.!~*'()/", quoted=True)).all("Set-Cookie")[0]
    assert line.partition(";")[0] == "a=%C3%9Cn%C3%AF%20%E2%98%83%3B%20-_.!~*'()%2F"


def test_a_quoted_text_is_read_at_once_by_the_request_that_sets_it():
    def use(jar):
        jar.set("a", "☃", quoted=True)
        return jar.get("a", quoted=True), jar.get("a")

    assert used(use).text == repr(("☃", "%E2%98%83"))


@pytest.mark.parametrize("value", ["%", "%2", "%zz", "%+1", "% 1", "a%", "%ff", "%C3", "\xff", "%E2%98", "%\xb2\xb2"])
def test_what_is_not_quoted_text_is_absent(value):
    assert used(lambda jar: (jar.get("a", quoted=True), jar.get("a")), f"a={value}").text == repr((None, value))


def test_what_needs_no_quoting_reads_as_it_is():
    assert used(lambda jar: jar.get("a", quoted=True), "a=caf\xc3\xa9 x+y").text == repr("café x+y")
    assert used(lambda jar: jar.get("b", quoted=True), "a=1").text == "None"


@given(st.text())
def test_quoting_comes_back_and_no_text_raises(text):
    assert unquoted(text) is None or isinstance(unquoted(text), str)
    try:
        value = quoted(text)
    except UnicodeEncodeError:
        return
    assert unquoted(value) == text


def test_a_text_that_is_no_unicode_and_one_that_is_too_long_when_quoted_are_refused():
    assert "ValueError" in refusal({"value": "\ud800", "quoted": True})[0]
    assert "CookieTooLarge" in refusal({"value": "☃" * 1000, "quoted": True})[0]


# Sizes and lifetimes


def test_name_and_value_have_4096_bytes_at_most():
    assert len(used(lambda jar: jar.set("a", "x" * 4095)).all("Set-Cookie")) == 1
    assert "CookieTooLarge" in refusal({"value": "x" * 4096})[0]
    assert "CookieTooLarge" in refusal({"name": "a" * 4096})[0]


def test_an_attribute_has_1024_bytes_at_most():
    assert len(used(lambda jar: jar.set("a", "x", path="/" * 1024, domain="e" * 1024)).all("Set-Cookie")) == 1
    assert "ValueError" in refusal({"path": "/" * 1025})[0]
    assert "ValueError" in refusal({"domain": "e" * 1025})[0]


def test_400_days_pass_and_401_are_cut_and_said_once(caplog):
    line = used(lambda jar: jar.set("a", "1", max_age=400 * 86400)).all("Set-Cookie")[0]
    assert line == "a=1; Max-Age=34560000; Path=/; HttpOnly; SameSite=Lax"
    assert caplog.records == []
    app = serve(lambda jar: jar.set("a", "1", max_age=401 * 86400))
    for _ in range(2):
        assert ask(app).all("Set-Cookie") == [line]
    assert len(caplog.records) == 1


def test_the_default_line():
    assert used(lambda jar: jar.set("a", "x")).all("Set-Cookie") == ["a=x; Path=/; HttpOnly; SameSite=Lax"]
    assert used(lambda jar: jar.set("a", "x"), environ=HTTPS).all("Set-Cookie") == [
        "a=x; Path=/; Secure; HttpOnly; SameSite=Lax"
    ]


def test_lines_that_are_kept_for_the_next_request_are_those_of_their_attributes():
    calls = [{}, {"max_age": 1}, {"secure": True}, {"secure": False}, {"path": "/x"}, {"domain": "e.com"}]
    layer = serve(lambda jar: None)
    for _ in range(2):
        for call in calls:
            layer.app = serve(lambda jar, call=call: jar.set("a", "x", **call)).app
            fresh = used(lambda jar, call=call: jar.set("a", "x", **call)).all("Set-Cookie")
            assert ask(layer).all("Set-Cookie") == fresh
    layer.app = serve(lambda jar: jar.set("a", "x", max_age=True)).app
    with pytest.raises(TypeError):
        ask(layer)


def test_an_unbounded_number_of_names_does_not_stay():
    app = serve(lambda jar: [jar.set(f"a{number}", "x") for number in range(1000)], secret=SECRET)
    assert len(ask(app).all("Set-Cookie")) == 1000
    assert app._settings.line.cache_info().currsize <= 256


def test_a_line_is_written_with_another_lifetime_than_its_options_say():
    for line in (CookieOptions(max_age=60).line("a", True), CookieOptions().line("a", True)):
        rest = "; Path=/; Secure; HttpOnly; SameSite=Lax"
        assert line.setting_checked("1", 5) == f"a=1; Max-Age=5{rest}"
        assert line.setting_checked("1", 500 * 86400) == f"a=1; Max-Age=34560000{rest}"
        assert line.setting_checked("1", 0) == line.deletion
        assert line.setting_checked("1") == line.setting("1")
