"""The cookie layer through the front door: the jar, signed values, hardened lines, and what caches are told."""

from __future__ import annotations

import logging

import pytest
from asking import Browser, ask

from middleware import operators
from middleware.cookies import CookieMiddleware, CookieOptions, get_cookies
from middleware.errors import ConfigurationError, CookieTooLarge, LayerMissing

SECRET = "a secret of more than sixteen bytes"
OLDER = "an older secret, also long enough"
HTTPS = {"wsgi.url_scheme": "https"}


@pytest.fixture(autouse=True)
def _nothing_said_yet():
    operators._said.clear()


def serve(use, headers=(), **options):
    """An application that does something with its jar and answers the repr of what comes back."""

    def app(environ, start_response):
        result = use(get_cookies(environ))
        start_response("200 OK", [("Content-Type", "text/plain"), *headers])
        return [repr(result).encode()]

    return CookieMiddleware(app, **options)


def answer_with(*lines, headers=(), **options):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain"), *[("Set-Cookie", line) for line in lines], *headers])
        return [b"ok"]

    return CookieMiddleware(app, **options)


def used(use, cookie=None, **options):
    return ask(serve(use, **options), headers={"Cookie": cookie} if cookie else None)


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


@pytest.mark.parametrize(
    ("error", "use"),
    [
        (ValueError, lambda jar: jar.set("a", "x; Domain=evil")),
        (ValueError, lambda jar: jar.set("a b", "x")),
        (ValueError, lambda jar: jar.set("a", "x", path="/; Domain=evil")),
        (ValueError, lambda jar: jar.set("__Host-a", "x")),  # over http
        (ValueError, lambda jar: jar.set("a", "x", samesite="None")),  # over http
        (ValueError, lambda jar: jar.set("a", "x", secure=False, partitioned=True)),
        (ValueError, lambda jar: jar.delete("a\r\n")),
        (TypeError, lambda jar: jar.set("a", "x", HttpOnly=True)),
        (TypeError, lambda jar: jar.set("a", "x", expires=5)),
        (TypeError, lambda jar: jar.set("a", 5)),
        (TypeError, lambda jar: jar.set(b"a", "x")),
        (ValueError, lambda jar: jar.set("a", "x", secure="no")),
        (TypeError, lambda jar: jar.set("a", "x", max_age="1; Domain=evil")),
        (CookieTooLarge, lambda jar: jar.set("a", "x" * 5000)),
        (ConfigurationError, lambda jar: jar.set_signed("a", "x")),
        (ConfigurationError, lambda jar: jar.get_signed("a")),
    ],
)
def test_a_bad_cookie_is_refused_in_the_line_that_sets_it(error, use):
    def attempt(jar):
        with pytest.raises(error):
            use(jar)
        return "refused"

    answer = used(attempt)
    assert answer.text == "'refused'"
    assert answer.all("Set-Cookie") == []


def test_same_site_none_gets_secure_over_https():
    answer = ask(serve(lambda jar: jar.set("a", "1", samesite="None")), **HTTPS)
    assert answer.all("Set-Cookie") == ["a=1; Path=/; Secure; HttpOnly; SameSite=None"]


def test_a_lifetime_above_400_days_is_cut_and_said_once(caplog):
    app = serve(lambda jar: jar.set("a", "1", max_age=401 * 86400))
    for _ in range(2):
        assert "Max-Age=34560000;" in ask(app).all("Set-Cookie")[0]
    assert len(caplog.records) == 1


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


# Signed values


def test_a_signed_text_comes_back():
    browser = Browser(serve(lambda jar: jar.get_signed("a") or jar.set_signed("a", "grüße; ☃"), secret=SECRET))
    browser.get()
    assert browser.get().text == repr("grüße; ☃")


def signed_cookie(secret=SECRET, name="a", text="7", **options):
    answer = used(lambda jar: jar.set_signed(name, text), secret=secret, **options)
    return answer.all("Set-Cookie")[0].partition(";")[0].partition("=")[2]


def opened(cookie, secret=SECRET, name="a", max_age=None, **options):
    return used(lambda jar: jar.get_signed(name, max_age=max_age), cookie, secret=secret, **options).text


def test_a_signed_text_is_read_at_once_by_the_request_that_sets_it():
    def use(jar):
        jar.set_signed("a", "7")
        return jar.get_signed("a")

    assert used(use, secret=SECRET).text == "'7'"


def test_a_tampered_value_is_absent():
    token = signed_cookie()
    places = [0, 2, 5, len(token) // 2, len(token) - 5, len(token) - 1]
    wrong = [token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in places]
    wrong += [token[:-1], token[: len(token) // 2], token + "A", token + token, '"7"', "7", "", f'"{token}"']
    assert [value for value in wrong if opened(f"a={value}") != "None"] == []


def test_a_value_under_another_name_is_absent():
    assert opened(f"b={signed_cookie()}", name="b") == "None"
    assert opened(f"ab={signed_cookie(name='a')}", name="ab") == "None"


def test_the_oldest_acceptable_value_is_said_by_the_reader():
    token = signed_cookie(clock=lambda: 1000)
    assert opened(f"a={token}", max_age=60, clock=lambda: 1060) == "'7'"
    assert opened(f"a={token}", max_age=60, clock=lambda: 1061) == "None"
    assert opened(f"a={token}", clock=lambda: 10**9) == "'7'"


@pytest.mark.parametrize("max_age", [60, float("nan")])
def test_a_value_signed_by_a_clock_that_was_ahead_does_not_open_until_then(max_age):
    assert opened(f"a={signed_cookie(clock=lambda: 10**9)}", max_age=max_age, clock=lambda: 1000) == "None"


@pytest.mark.parametrize("value", [5, None, b"x", ["x"]])
def test_what_is_no_text_is_not_signed_for_it_would_not_come_back(value):
    def attempt(jar):
        with pytest.raises(TypeError, match="text"):
            jar.set_signed("a", value)

    assert used(attempt, secret=SECRET).all("Set-Cookie") == []


def test_the_newest_secret_signs_and_all_open():
    assert opened(f"a={signed_cookie(OLDER)}", [OLDER, SECRET]) == "'7'"
    assert opened(f"a={signed_cookie([OLDER, SECRET])}", SECRET) == "'7'"
    assert opened(f"a={signed_cookie(OLDER)}", SECRET) == "None"


def test_the_first_of_several_that_was_signed_by_us_counts():
    token = signed_cookie()
    assert opened(f"a=x; a={token}") == "'7'"
    assert opened("; ".join(["a=x"] * 8) + f"; a={token}") == "None"


def test_itsdangerous_reads_a_signed_cookie():
    import hashlib

    from itsdangerous import URLSafeTimedSerializer

    from middleware.signing import salt_for

    serializer = URLSafeTimedSerializer(
        SECRET, salt=salt_for("cookie", "a"), signer_kwargs={"digest_method": hashlib.sha256}
    )
    assert serializer.loads(signed_cookie()) == "7"
    assert opened(f"a={serializer.dumps({'no': 'text'})}") == "None"


# The policy


def test_every_cookie_of_the_application_is_hardened_in_its_place():
    app = answer_with("a=1", "b=2; Path=/b", headers=[("X-Last", "1")])
    answer = ask(app, **HTTPS)
    assert answer.headers == [
        ("Content-Type", "text/plain"),
        ("Set-Cookie", "a=1; Secure; HttpOnly; SameSite=Lax"),
        ("Set-Cookie", "b=2; Path=/b; Secure; HttpOnly; SameSite=Lax"),
        ("X-Last", "1"),
    ]


def test_cookies_that_scripts_read_get_no_httponly():
    app = answer_with("csrftoken=1", "XSRF-TOKEN=1", "a=1", readable=("csrftoken", "XSRF-TOKEN", "a"))
    assert not any("HttpOnly" in line for line in ask(app).all("Set-Cookie"))


def test_exempt_cookies_pass_as_they_are():
    assert ask(answer_with("a=1", "b=1", exempt=["a"]), **HTTPS).all("Set-Cookie") == [
        "a=1",
        "b=1; Secure; HttpOnly; SameSite=Lax",
    ]


@pytest.mark.parametrize("control", ["\r\n", "\0", "\x1f", "\x7f", "\n"])
def test_a_line_with_a_control_character_is_dropped(control):
    assert ask(answer_with(f"a=1{control}Set-Cookie: b=2", "c=3")).all("Set-Cookie") == ["c=3; HttpOnly; SameSite=Lax"]


def test_a_line_with_a_control_character_is_dropped_and_said_once(caplog):
    app = answer_with("a=1\r\nX-Evil: 1", "b=2", "c=1\x00", exempt=["c"])
    for _ in range(2):
        assert ask(app).all("Set-Cookie") == ["b=2; HttpOnly; SameSite=Lax"]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("line", ["__Host-a=1; Path=/", "a=1; Secure"])
def test_a_secure_cookie_in_answer_to_http_passes_and_the_cure_is_logged_once(caplog, line):
    app = answer_with(line)
    for _ in range(2):
        assert ask(app).all("Set-Cookie")[0].startswith(line)
    assert len(caplog.records) == 1
    assert "secure=True" in caplog.records[0].getMessage()


def test_an_answer_without_cookies_passes_as_it_is():
    assert ask(answer_with()).headers == [("Content-Type", "text/plain")]


def test_nothing_is_logged_in_an_ordinary_life(caplog):
    caplog.set_level(logging.DEBUG)
    signed_cookie()
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
    ],
)
def test_a_wrong_option_is_an_error_at_construction(options):
    with pytest.raises(ConfigurationError):
        CookieMiddleware(answer_with(), **options)


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


def test_a_line_is_written_with_another_lifetime_than_its_options_say():
    for line in (CookieOptions(max_age=60).line("a", True), CookieOptions().line("a", True)):
        rest = "; Path=/; Secure; HttpOnly; SameSite=Lax"
        assert line.setting_checked("1", 5) == f"a=1; Max-Age=5{rest}"
        assert line.setting_checked("1", 500 * 86400) == f"a=1; Max-Age=34560000{rest}"
        assert line.setting_checked("1", 0) == line.deletion
        assert line.setting_checked("1") == line.setting("1")
