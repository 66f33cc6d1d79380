"""While the store is down: 503 and the cookie left alone, or a site that goes on with empty sessions. S50 and S51."""

from __future__ import annotations

import sys

import pytest
from asking import Browser, ask, call, make_environ
from sessions.kit import Clock, Site, SpyStore, everything, put

from middleware.errors import ConfigurationError, StoreError
from middleware.sessions import SessionMiddleware, Timeouts, get_session

READS = {
    "everything": everything,
    "len": len,
    "user": lambda session: session.user,
    "times": lambda session: (session.created, session.last_seen, session.expires, session.is_new, session.id),
    "peek": lambda session: session.peek_flash(),
    "check of a token": lambda session: session.check_csrf_token("0" * 64),
}
WRITES = {
    "set": put(a=2),
    "delete": lambda session: session.__delitem__("a"),
    "pop": lambda session: session.pop("a", None),
    "clear": lambda session: session.clear(),
    "setdefault": lambda session: session.setdefault("b", 1),
    "flash": lambda session: session.flash("hello"),
    "csrf_token": lambda session: session.csrf_token,
    "increment": lambda session: session.increment("n"),
    "lock": lambda session: session.lock().__enter__(),
    "login": lambda session: session.login("bob"),
    "logout": lambda session: session.logout(),
    "invalidate": lambda session: session.invalidate(),
    "rotate": lambda session: session.rotate(),
    "remember": lambda session: session.remember(30),
    "save": lambda session: (session.update(a=2), session.save()),
}


@pytest.fixture
def store():
    return SpyStore()


@pytest.fixture
def events():
    return []


def known(store, **options):
    """A visitor with something in the session, and nothing of a CSRF token yet."""
    visitor = Site(store=store, **options).visitor()
    visitor(put(a=1))
    return visitor


def refused(answer):
    return (
        answer.code == 503
        and answer.header("Retry-After") == "5"
        and answer.header("Cache-Control") == "no-store"
        and answer.header("Vary") == "Cookie"
        and answer.all("Set-Cookie") == []
    )


# 503


@pytest.mark.parametrize("use", [*READS, *WRITES])
def test_whatever_needs_the_store_is_answered_503_and_the_cookie_and_the_data_stay(store, events, use):
    visitor = known(store, on_event=events.append)
    cookie = visitor.cookie
    store.down = True
    assert refused(visitor({**READS, **WRITES}[use]))
    assert [event.name for event in events] == ["created", "store_error"]
    assert "the store is down" in events[-1].details["error"]
    assert visitor.cookie == cookie
    store.down = False
    assert visitor(everything).text == "{'a': 1}"


@pytest.mark.parametrize("use", WRITES)
def test_what_cannot_be_kept_by_a_store_that_died_since_is_answered_503(store, events, use):
    visitor = known(store, on_event=events.append)
    cookie = visitor.cookie

    def act(session):
        everything(session)
        store.down = True
        WRITES[use](session)

    assert refused(visitor(act))
    assert [event.name for event in events] == ["created", "store_error"]
    assert events[-1].subject == events[0].subject
    assert visitor.cookie == cookie
    store.down = False
    assert visitor(lambda session: (session.user, everything(session))).text == "(None, {'a': 1})"


@pytest.mark.parametrize("use", READS)
def test_what_was_read_already_is_answered_though_the_store_died_since(store, use):
    clock = Clock()
    visitor = known(store, clock=clock, timeouts=Timeouts(renew_every=600))

    def act(session):
        everything(session)
        store.down = True
        READS[use](session)

    for later in (0, 200, 700):  # nothing to note, to be noted as used, and to get a new id
        clock.now += later
        answer = visitor(act)
        assert (answer.code, answer.all("Set-Cookie")) == (200, [])
        store.down = False
    assert visitor(everything).text == "{'a': 1}"


def test_a_page_that_does_not_use_its_session_does_not_notice(store, events):
    visitor = known(store, on_event=events.append)
    store.forget_calls()
    store.down = True
    answer = visitor(lambda session: "hello")
    assert (answer.code, answer.text, answer.headers) == (200, "'hello'", [("Content-Type", "text/plain")])
    assert store.calls == []
    assert len(events) == 1


def test_a_new_visitor_gets_no_cookie_for_what_was_not_kept(store):
    store.down = True
    visitor = Site(store=store).visitor()
    assert refused(visitor(put(a=1)))
    assert visitor(lambda session: session.update({})).code == 200  # without a cookie there is nothing to ask


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_the_answer_has_a_body_where_one_is_due(store, method):
    visitor = known(store)
    store.down = True
    answer = visitor.site.ask(everything, visitor.cookie, REQUEST_METHOD=method)
    assert refused(answer)
    assert (answer.body == b"") is (method == "HEAD")


def test_an_outage_in_the_middle_of_a_log_out_is_tried_again(store):
    visitor = known(store)

    def use(session):
        everything(session)
        store.before["delete"] = lambda: setattr(store, "down", True)
        session.logout()

    thief = visitor.twin()
    assert visitor(use).code == 503
    store.down = False
    visitor(lambda session: session.logout())
    assert thief(everything).text == "{}"


# Applications that start late


def late(act, *, before=b""):
    def app(environ, start_response):
        session = get_session(environ)
        act_now = None if environ["PATH_INFO"] == "/untouched" else act
        start_response("200 OK", [("Content-Type", "text/html")])
        if before:
            yield before
        yield repr(act_now and act_now(session)).encode()
        yield b"!"

    return app


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("use", [*READS, *WRITES])
def test_a_generator_that_fails_in_its_first_step_is_answered_503(store, use, method):
    browser = Browser(SessionMiddleware(late({**READS, **WRITES}[use]), store=store), REQUEST_METHOD=method)
    browser.cookies["id"] = "0" * 64
    store.down = True
    answer = browser.get()
    assert refused(answer)
    assert answer.header("Content-Type") == "text/plain; charset=utf-8"
    assert (b"" if method == "HEAD" else b"Sessions are not available") in answer.body
    assert b"!" not in answer.body
    assert browser.get("/untouched").text == "None!"
    assert browser.cookies == {"id": "0" * 64}


def test_a_generator_is_closed_once_when_it_is_answered_503(store):
    closed = []

    class Body:
        def __iter__(self):
            return self

        def __next__(self):
            return session["a"]

        def close(self):
            closed.append(True)

    def app(environ, start_response):
        nonlocal session
        session = get_session(environ)
        return Body()

    session = None
    store.down = True
    assert refused(ask(SessionMiddleware(app, store=store), headers={"Cookie": "id=" + "0" * 64}))
    assert closed == [True]


def test_a_generator_whose_error_is_its_own_keeps_it(store):
    def fail(session):
        everything(session)
        raise StoreError("the application's own")

    with pytest.raises(StoreError, match="own"):
        Browser(SessionMiddleware(late(fail), store=store)).get()


def test_a_generator_that_answers_itself_is_left_alone(store):
    def app(environ, start_response):
        try:
            get_session(environ)["a"] = 1
            len(get_session(environ))
        except StoreError:
            start_response("200 OK", [], sys.exc_info())
        yield b"sorry"

    store.down = True
    answer = ask(SessionMiddleware(app, store=store), headers={"Cookie": "id=" + "0" * 64})
    assert (answer.code, answer.text, answer.all("Set-Cookie")) == (200, "sorry", [])


def test_an_outage_after_the_head_is_an_error_of_the_body(store):
    def use(_):
        raise StoreError("too late")

    layer = SessionMiddleware(late(use, before=b"one"), store=store)
    with pytest.raises(StoreError):
        call(layer, make_environ())


# Any other error of a store


@pytest.mark.parametrize("use", [everything, put(b=1), lambda session: session.logout()])
def test_an_error_that_is_no_store_error_flies_and_leaves_the_cookie_alone(store, use):
    class Broken(SpyStore):
        def get(self, key):
            raise OSError("not wrapped")

    visitor = known(store)
    with pytest.raises(OSError, match="not wrapped"):
        Site(store=Broken(), on_outage="anonymous").ask(use, visitor.cookie)
    assert visitor(everything).text == "{'a': 1}"


# Anonymous


@pytest.mark.parametrize("use", READS)
def test_a_site_may_go_on_with_an_empty_session(store, events, use):
    visitor = known(store, on_outage="anonymous", on_event=events.append)
    store.down = True
    answer = visitor(lambda session: (READS[use](session), session.available, everything(session)))
    assert answer.code == 200
    assert answer.text.endswith("False, {})")
    assert answer.all("Set-Cookie") == []
    assert (answer.header("Vary"), answer.header("Cache-Control")) == ("Cookie", "private")
    assert [event.name for event in events] == ["created", "store_error"]
    store.down = False
    assert visitor(lambda session: (session.available, everything(session))).text == "(True, {'a': 1})"


@pytest.mark.parametrize("use", WRITES)
@pytest.mark.parametrize("caught", [False, True])
def test_a_change_of_it_raises_and_nothing_is_begun(store, use, caught):
    visitor = known(store, on_outage="anonymous")
    cookie = visitor.cookie
    writes = list(store.writes)

    def act(session):
        assert everything(session) == {}
        if not caught:
            return WRITES[use](session)
        with pytest.raises(StoreError, match="can only be read"):
            WRITES[use](session)
        assert everything(session) == {}
        return "caught"

    store.down = True
    answer = visitor(act)
    assert refused(answer) if not caught else (answer.code, answer.all("Set-Cookie")) == (200, [])
    store.down = False
    assert store.writes == writes
    assert visitor.cookie == cookie
    assert visitor(everything).text == "{'a': 1}"


def test_a_session_that_was_there_when_the_request_began_is_not_anonymous(store):
    visitor = known(store, on_outage="anonymous")

    def act(session):
        everything(session)
        store.down = True
        session["a"] = 2
        return session.available

    assert refused(visitor(act))


# A function that decides


@pytest.mark.parametrize("decision", ["503", "anonymous"])
def test_a_function_decides_once_a_request(store, decision):
    asked = []
    visitor = known(store, on_outage=lambda error: (asked.append(error), decision)[1])
    store.down = True

    def use(session):
        for _ in range(3):
            try:
                len(session)
            except StoreError:
                continue
        return session.get("a")

    answer = visitor(use)
    assert refused(answer) if decision == "503" else answer.text == "None"
    assert [str(error) for error in asked] == ["the store is down"]
    visitor(lambda session: None)
    assert len(asked) == 1
    visitor(use)
    assert len(asked) == 2


@pytest.mark.parametrize("answer", [None, "", 503, "Anonymous", True, []])
def test_another_answer_is_the_operators_mistake_and_says_so(store, answer):
    visitor = known(store, on_outage=lambda error: answer)
    store.down = True
    with pytest.raises(ConfigurationError, match=r'on_outage.*"503" or "anonymous"'):
        visitor(everything)
    store.down = False
    assert visitor(everything).text == "{'a': 1}"


def test_what_the_function_raises_flies(store):
    def fail(error):
        raise LookupError("the function's own")

    visitor = known(store, on_outage=fail)
    store.down = True
    with pytest.raises(LookupError):
        visitor(everything)


# For good


def test_the_log_tells_what_failed_and_no_id(store, caplog):
    visitor = known(store)
    store.down = True
    visitor(everything)
    [record] = caplog.records
    assert record.getMessage() == "answered 503, for the store of sessions failed: the store is down"
    assert visitor.cookie.partition("=")[2] not in caplog.text


# The sessions of a user

ASKED = {
    "list": lambda session: session.users.sessions_of("ann"),
    "end": lambda session: session.users.end("ann", "0" * 64),
    "end all": lambda session: session.users.end_all("ann", but=session.id),
}


@pytest.mark.parametrize("ask_for", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("outage", ["503", "anonymous"])
def test_a_user_s_sessions_are_not_to_be_had_from_a_store_that_fails_after_the_session_was_read(store, ask_for, outage):
    visitor = Site(store=store, on_outage=outage).visitor()
    visitor(lambda session: session.login("ann"))

    def use(session):
        assert session.user == "ann"
        store.down = True
        ask_for(session)

    assert refused(visitor(use))
    store.down = False
    assert visitor(lambda session: session.user).text == "'ann'"


def test_the_end_of_sessions_in_cookies_that_the_store_does_not_take_is_503(store):
    visitor = Site(secret="a secret of more than sixteen bytes", revocations=store).visitor()
    visitor(lambda session: session.login("ann"))

    def use(session):
        assert session.user == "ann"
        store.down = True
        session.users.end_all("ann")

    assert refused(visitor(use))


def test_outside_of_a_request_the_store_s_error_is_the_caller_s(store):
    layer = SessionMiddleware(Site.serve, store=store)
    store.down = True
    with pytest.raises(StoreError):
        layer.users.sessions_of("ann")
