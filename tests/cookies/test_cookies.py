"""The cookie layer through the front door: the jar, signed values, hardened lines, and what caches are told."""

from __future__ import annotations

import logging

import pytest
from asking import Browser, ask
from cookies.kit import HTTPS, SECRET, serve, used

from middleware import operators
from middleware.cookies import CookieMiddleware, CookieOptions, get_cookies
from middleware.errors import ConfigurationError, LayerMissing


@pytest.fixture(autouse=True)
def _nothing_said_yet():
    operators._said.clear()


def answer_with(*lines, headers=(), **options):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain"), *[("Set-Cookie", line) for line in lines], *headers])
        return [b"ok"]

    return CookieMiddleware(app, **options)


# The jar


def test_a_cookie_is_read_verbatim():
    assert used(lambda jar: jar.get("a"), 'b=1; a="x y"').text == repr('"x y"')
    assert used(lambda jar: jar.get("a"), "b=1").text == "None"
    assert used(lambda jar: jar.get("a")).text == "None"


def test_of_several_cookies_with_one_name_the_first_counts_and_all_can_be_read():
    assert used(lambda jar: (jar.get("a"), jar.get_all("a")), "a=1; b=2; a=3").text == "('1', ['1', '3'])"


def test_the_jar_knows_its_names():
    def use(jar):
        jar.set("new", "1")
        jar.delete("a")
        return sorted(jar), len(jar), "a" in jar, "b" in jar, "new" in jar

    assert used(use, "a=1; b=2; b=3").text == "(['b', 'new'], 2, False, True, True)"


def test_read_after_set_sees_the_new_value_and_the_request_is_not_changed():
    def app(environ, start_response):
        jar = get_cookies(environ)
        jar.set("a", "new")
        start_response("200 OK", [])
        return [f"{jar.get('a')} {jar.get_all('a')} {environ['HTTP_COOKIE']}".encode()]

    assert ask(CookieMiddleware(app), headers={"Cookie": "a=old"}).text == "new ['new'] a=old"


def test_read_after_delete_sees_nothing():
    def use(jar):
        jar.delete("a")
        return jar.get("a"), jar.get_all("a")

    assert used(use, "a=1").text == "(None, [])"


def test_a_cookie_set_twice_gives_one_line():
    def use(jar):
        jar.set("a", "1")
        jar.set("b", "1")
        jar.set("a", "2", max_age=60)

    assert [line.partition(";")[0] for line in used(use).all("Set-Cookie")] == ["a=2", "b=1"]


def test_reading_alone_sets_no_cookie():
    assert used(lambda jar: jar.get("a"), "a=1").all("Set-Cookie") == []


def test_a_cookie_has_safe_attributes_unless_others_are_given():
    assert used(lambda jar: jar.set("a", "1")).all("Set-Cookie") == ["a=1; Path=/; HttpOnly; SameSite=Lax"]
    https = ask(serve(lambda jar: jar.set("a", "1")), **HTTPS)
    assert https.all("Set-Cookie") == ["a=1; Path=/; Secure; HttpOnly; SameSite=Lax"]
    given = used(lambda jar: jar.set("a", "1", path="/x", domain="e.com", httponly=False, samesite="Strict", max_age=5))
    assert given.all("Set-Cookie") == ["a=1; Max-Age=5; Domain=e.com; Path=/x; SameSite=Strict"]


def test_the_attributes_of_the_layer_are_those_of_its_options():
    app = serve(lambda jar: jar.set("a", "1"), options=CookieOptions(secure=True, path="/x"))
    assert ask(app).all("Set-Cookie") == ["a=1; Path=/x; Secure; HttpOnly; SameSite=Lax"]


@pytest.mark.parametrize("attributes", [{}, {"path": "/x"}, {"domain": "example.com"}, {"partitioned": True}])
def test_a_deletion_repeats_the_attributes_it_was_set_with(attributes):
    browser = Browser(
        serve(lambda jar: jar.delete("a", **attributes) if "a" in jar else jar.set("a", "1", **attributes))
    )
    setting = browser.get(**HTTPS).all("Set-Cookie")[0]
    deletion = browser.get(**HTTPS).all("Set-Cookie")[0]
    assert browser.cookies == {}
    assert deletion.replace("Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; ", "") == setting.replace("a=1", "a=")


def test_a_deletion_keeps_the_prefix():
    app = serve(lambda jar: jar.delete("__Host-a"))
    assert ask(app, **HTTPS).all("Set-Cookie") == [
        "__Host-a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax"
    ]


def test_the_jar_shows_nothing_of_itself():
    assert used(lambda jar: (jar.get("a"), repr(jar))[1], "a=hidden").text == repr("<CookieJar>")


# When


def test_a_cookie_set_after_start_response_is_sent():
    def app(environ, start_response):
        start_response("200 OK", [])
        get_cookies(environ).set("a", "1")
        return [b"ok"]

    assert len(ask(CookieMiddleware(app)).all("Set-Cookie")) == 1


def test_a_generator_may_set_cookies_before_its_first_chunk_and_not_later():
    def app(environ, start_response):
        start_response("200 OK", [])
        get_cookies(environ).set("a", "1")
        yield b"one"
        with pytest.raises(RuntimeError, match="before the first chunk"):
            get_cookies(environ).set("b", "1")
        yield b"two"

    # A generator calls start_response late, so its first chunk is the moment.
    answer = ask(CookieMiddleware(app))
    assert answer.text == "onetwo"
    assert [line.partition(";")[0] for line in answer.all("Set-Cookie")] == ["a=1"]


def test_a_first_reading_after_the_head_has_left_raises():
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"one"
        with pytest.raises(RuntimeError, match="before the first chunk"):
            get_cookies(environ).get("a")

    assert ask(CookieMiddleware(app), headers={"Cookie": "a=1"}).header("Vary") is None


def test_a_head_that_is_replaced_carries_the_cookies_once():
    def app(environ, start_response):
        get_cookies(environ).set("a", "1")
        start_response("200 OK", [("X-First", "1")])
        try:
            raise ValueError("late")
        except ValueError:
            import sys

            start_response("500 Sorry", [("X-Second", "1")], sys.exc_info())
        return [b"sorry"]

    answer = ask(CookieMiddleware(app))
    assert answer.code == 500
    assert len(answer.all("Set-Cookie")) == 1
    assert answer.header("X-First") is None


# Caches


@pytest.mark.parametrize(
    ("stated", "read", "written"),
    [
        (None, "private", "no-store"),
        ("no-store", "no-store", "no-store"),
        ("Private", "Private", "Private"),
        ("max-age=60", "max-age=60", "max-age=60, private"),
        ("public, max-age=60", "public, max-age=60", "max-age=60, private"),
        ("s-maxage=60", "s-maxage=60", "private"),
    ],
)
def test_an_answer_that_used_the_jar_tells_caches(stated, read, written):
    headers = [("Cache-Control", stated)] if stated else []
    reading = used(lambda jar: jar.get("a"), headers=[*headers, ("Vary", "Accept")])
    assert (reading.header("Cache-Control"), reading.header("Vary")) == (read, "Accept, Cookie")
    setting = used(lambda jar: jar.set("a", "1"), headers=headers)
    assert (setting.header("Cache-Control"), setting.header("Vary")) == (written, "Cookie")
    untouched = used(lambda jar: None, headers=headers)
    assert (untouched.header("Cache-Control"), untouched.header("Vary")) == (stated, None)


@pytest.mark.parametrize(
    "use", [lambda jar: jar.get("a"), lambda jar: "a" in jar, len, list, lambda jar: jar.set("a", "1")]
)
def test_every_use_of_the_jar_is_an_access_at_once(use):
    def check(jar):
        before = jar.accessed
        use(jar)
        return before, jar.accessed

    assert used(check).text == "(False, True)"


def test_nothing_is_logged_in_an_ordinary_life(caplog):
    caplog.set_level(logging.DEBUG)
    used(lambda jar: (jar.set_signed("a", "1"), jar.set_sealed("b", "2")), secret=SECRET, seal=True)
    ask(answer_with("a=1"), **HTTPS)
    assert caplog.records == []


# Construction


def test_the_accessor_names_the_layer_that_is_missing():
    with pytest.raises(LayerMissing, match="CookieMiddleware"):
        get_cookies({})


@pytest.mark.parametrize(
    "options",
    [
        {"secret": "short"},
        {"secret": []},
        {"options": CookieOptions("named")},
        {"options": {"secure": True}},
        {"readable": "csrftoken"},
        {"exempt": "a"},
        {"on_bad": "ignore"},
        {"on_event": "told"},
    ],
)
def test_a_wrong_option_is_an_error_at_construction(options):
    with pytest.raises(ConfigurationError):
        CookieMiddleware(answer_with(), **options)


@pytest.mark.parametrize("option", ["readable", "exempt"])
@pytest.mark.parametrize("names", [3, None, "csrftoken", b"csrftoken", [1], [["a"]], ["a", None]])
def test_what_is_no_list_of_names_is_an_error_that_says_what_to_write(option, names):
    with pytest.raises(ConfigurationError, match=f'^{option}= .*"csrftoken"'):
        CookieMiddleware(answer_with(), **{option: names})


def test_cookie_options_are_a_frozen_value():
    options = CookieOptions("a", max_age=5)
    assert options == CookieOptions("a", max_age=5)
    assert len({options, CookieOptions("a", max_age=5), CookieOptions("a")}) == 2
    assert options.replace(max_age=6).max_age == 6
    assert "max_age=5" in repr(options)
    with pytest.raises(AttributeError):
        options.max_age = 7
    with pytest.raises(AttributeError):
        del options.max_age
    with pytest.raises(TypeError):
        options.replace(expires=5)


@pytest.mark.parametrize(
    "options",
    [
        {"name": "a b"},
        {"name": "__Host-a", "path": "/b"},
        {"name": "__Host-a", "secure": False},
        {"samesite": "None", "secure": False},
        {"partitioned": True, "secure": False},
        {"samesite": "lax"},
        {"path": "b"},
        {"domain": "e.com; Secure"},
        {"secure": "no"},
        {"secure": 0},
        {"httponly": "no"},
        {"partitioned": None},
        {"name": 5},
        {"path": 5},
        {"domain": b"e.com"},
    ],
)
def test_options_no_browser_would_keep_are_refused_when_made(options):
    with pytest.raises(ConfigurationError):
        CookieOptions(**options)
