"""What counts as a use of the session, when it is too late for one, and what costs nothing. S1, S2, S4, S6 and S8."""

from __future__ import annotations

import pytest
from asking import Browser
from sessions.kit import SECRET, Site, SpyStore, everything, put

from middleware.errors import SessionClosed
from middleware.sessions import SessionMiddleware, get_session

KINDS = {
    "stored": lambda: {"store": SpyStore()},
    "signed": lambda: {"secret": SECRET},
    "sealed": lambda: {"secret": SECRET, "seal": True},
    "signed with revocations": lambda: {"secret": SECRET, "revocations": SpyStore()},
}


@pytest.fixture(params=KINDS)
def options(request):
    return KINDS[request.param]()


# A use of the session, beside those of a mapping (test_session.py)

USES = {
    "peek_flash": lambda s: s.peek_flash(),
    "csrf_token": lambda s: s.csrf_token,
    "check_csrf_token": lambda s: s.check_csrf_token("x"),
    "user": lambda s: s.user,
    "authenticated_at": lambda s: s.authenticated_at,
    "expires": lambda s: s.expires,
    "has_cookie": lambda s: s.has_cookie,
    "available": lambda s: s.available,
    "login": lambda s: s.login("ann"),
    "logout": lambda s: s.logout(),
    "remember": lambda s: s.remember(1),
    "save": lambda s: s.save(),
    "reversed": lambda s: list(s.items()),
    "dict": dict,
    "!=": lambda s: s != {},
    "keys of a set": lambda s: {"k"} & s.keys(),
}
NO_USES = {
    "repr": repr,
    "changed": lambda s: s.changed(),
    "users": lambda s: s.users,
    "ended": lambda s: s.ended,
    "accessed": lambda s: s.accessed,
    "closed": lambda s: s.closed,
    "update with nothing": lambda s: s.update(),
}


@pytest.mark.parametrize("use", USES)
def test_it_is_a_use(options, use):
    visitor = Site(**options).visitor()
    visitor(put(k=1))
    answer = visitor(lambda session: (session.accessed, USES[use](session), session.accessed)[::2])
    assert answer.text == "(False, True)"
    assert answer.header("Vary") == "Cookie"
    assert answer.header("Cache-Control") in ("private", "no-store")


@pytest.mark.parametrize("use", NO_USES)
def test_it_is_no_use(options, use):
    visitor = Site(**options).visitor()
    visitor(put(k=1))
    answer = visitor(lambda session: (NO_USES[use](session), session.accessed)[1])
    assert answer.text == "False"
    assert answer.headers == [("Content-Type", "text/plain")]


def test_a_request_that_does_not_use_its_session_reads_no_clock_and_no_cookie(options):
    class Field(str):
        """A Cookie field that notices."""

        def __getattribute__(self, name):
            pytest.fail(f"the cookie was read: {name}")

    def clock():
        pytest.fail("the clock was read")

    answer = Site(clock=clock, **options).ask(lambda session: "hello", HTTP_COOKIE=Field("id=" + "0" * 64))
    assert (answer.text, answer.headers) == ("'hello'", [("Content-Type", "text/plain")])


@pytest.mark.parametrize("cookie", ["", "theme=dark; ida=1"])
def test_whether_a_request_has_a_cookie_of_a_session_is_known_without_opening_one(options, cookie):
    stores = [store for store in options.values() if isinstance(store, SpyStore)]

    def clock():
        pytest.fail("a session was opened")

    answer = Site(clock=clock, **options).ask(lambda session: session.has_cookie, cookie)
    assert answer.text == "False"
    assert (answer.header("Vary"), answer.header("Cache-Control")) == ("Cookie", "private")
    assert [store.calls for store in stores if store.calls] == []


def test_a_request_has_a_cookie_of_a_session_be_it_valid_or_not(options):
    visitor = Site(**options).visitor()
    visitor(put(k=1))
    assert visitor(lambda session: session.has_cookie).text == "True"
    assert visitor.site.ask(lambda session: (session.has_cookie, session.is_new), "id=forged").text == "(True, True)"


def test_a_call_of_changed_changes_nothing(options):
    visitor = Site(**options).visitor()
    visitor(put(a=1))
    stores = [store for store in options.values() if isinstance(store, SpyStore)]
    for store in stores:
        store.forget_calls()
    assert visitor(lambda session: (len(session), session.changed())).all("Set-Cookie") == []
    assert [store.writes for store in stores if store.writes] == []


@pytest.mark.slow
def test_a_thousand_visitors_who_leave_nothing_write_nothing(options):
    site = Site(**options)
    stores = [store for store in options.values() if isinstance(store, SpyStore)]
    forged = [None, "id=" + "0" * 64, "id=garbage", "id=", "id=..", "id=*", 'id="', "id=a.b.c", "id=" + "f" * 64, "x=1"]
    for number in range(1000):
        use = everything if number % 2 else (lambda session: session.logout())
        assert site.ask(use, forged[number // 2 % len(forged)]).code == 200
    assert [store.writes for store in stores if store.writes] == []


# Too late


def late(acts, problems, before=None):
    """An application that uses its session after the first chunk."""

    def app(environ, start_response):
        session = get_session(environ)
        if before is not None:
            before(session)
        start_response("200 OK", [])
        yield b"one"
        for name, act in acts.items():
            try:
                problems[name] = act(session)
            except SessionClosed as error:
                problems[name] = error
        yield b"two"

    return app


CHANGES = {
    "'late'": lambda s: s.__setitem__("late", 1),
    "'a'": lambda s: s.__delitem__("a"),
    "'other'": lambda s: s.setdefault("other", 1),
    "'more'": lambda s: s.update(more=1),
    "'*'": lambda s: s.clear(),
    "'flash'": lambda s: s.flash("late"),
    "'login()'": lambda s: s.login("ann"),
    "'invalidate()'": lambda s: s.logout(),
    "'rotate()'": lambda s: s.rotate(),
    "'remember()'": lambda s: s.remember(1),
    "'n'": lambda s: s.increment("n"),
    "'lock()'": lambda s: s.lock(),
    "'save()'": lambda s: s.save(),
    "'csrf_token'": lambda s: s.csrf_token,
}
READINGS = {
    "[]": lambda s: s["a"],
    "len": len,
    "dict": dict,
    "user": lambda s: s.user,
    "id": lambda s: s.id,
    "expires": lambda s: s.expires,
    "peek": lambda s: s.peek_flash(),
    "check": lambda s: s.check_csrf_token("x"),
    "missing": lambda s: s.pop("missing", None),
}


def test_every_change_after_the_head_raises_and_names_itself(options):
    problems = {}
    visitor = Site(**options).visitor()
    visitor(put(a=1))
    browser = Browser(SessionMiddleware(late(CHANGES, problems, before=len), **options))
    browser.cookies = visitor.browser.cookies
    assert browser.get().text == "onetwo"
    for name, error in problems.items():
        assert isinstance(error, SessionClosed), name
        assert name in str(error)
        assert "before the first chunk" in str(error)
    assert (
        visitor(lambda session: (session.user, everything(session), session.peek_flash())).text
        == "(None, {'a': 1}, [])"
    )


def test_what_was_loaded_can_be_read_to_the_end(options):
    problems = {}
    visitor = Site(**options).visitor()
    visitor(put(a=1))
    browser = Browser(SessionMiddleware(late(READINGS, problems, before=len), **options))
    browser.cookies = visitor.browser.cookies
    assert browser.get().text == "onetwo"
    assert not [answer for answer in problems.values() if isinstance(answer, SessionClosed)]
    assert problems["dict"] == {"a": 1}


def test_a_first_use_after_the_head_raises_whatever_it_is(options):
    problems = {}
    visitor = Site(**options).visitor()
    visitor(put(a=1))
    acts = {**READINGS, **USES, "change": put(a=2)}
    browser = Browser(SessionMiddleware(late(acts, problems), **options))
    browser.cookies = visitor.browser.cookies
    answer = browser.get()
    assert answer.headers == []
    for name, error in problems.items():
        assert isinstance(error, SessionClosed), name
        assert "before the first chunk" in str(error)
    assert visitor(everything).text == "{'a': 1}"


def test_a_first_use_after_the_head_names_its_key(options):
    problems = {}
    acts = {"[]": lambda s: s["key"], "get": lambda s: s.get("key"), "in": lambda s: "key" in s, "set": put(key=1)}
    Browser(SessionMiddleware(late(acts, problems), **options)).get()
    assert [name for name, error in problems.items() if "'key'" in str(error)] == list(acts)
