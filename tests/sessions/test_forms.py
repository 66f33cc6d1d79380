"""Messages and tokens for forms, over requests, new ids and failures. S35 and S36; what is a token: test_csrf.py."""

from __future__ import annotations

import threading

import pytest
from sessions.kit import SECRET, Clock, Site, SpyStore, everything, put
from sessions.races import PATIENCE

from middleware.sessions import Timeouts

KINDS = {
    "stored": lambda: {"store": SpyStore()},
    "signed": lambda: {"secret": SECRET},
    "sealed": lambda: {"secret": SECRET, "seal": True},
}


@pytest.fixture(params=KINDS)
def options(request):
    return KINDS[request.param]()


@pytest.fixture
def store():
    return SpyStore()


def peek(session):
    return session.peek_flash()


def pop(session):
    return session.pop_flash()


def leave(*messages):
    return lambda session: [session.flash(message) for message in messages]


def texts(answer):
    return [message for _, message in eval(answer.text)]


# Messages


def test_a_look_at_the_messages_leaves_them_and_costs_nothing(options):
    visitor = Site(**options).visitor()
    visitor(lambda session: (session.flash("one", "error"), session.flash("two")))
    for _ in range(3):
        answer = visitor(peek)
        assert answer.text == "[('error', 'one'), ('message', 'two')]"
        assert answer.all("Set-Cookie") == []
    assert visitor(pop).text == "[('error', 'one'), ('message', 'two')]"
    assert visitor(peek).text == visitor(pop).text == "[]"


def test_messages_of_this_request_are_seen_by_it_and_taken_at_once(options):
    def use(session):
        session.flash("new")
        return session.peek_flash(), session.pop_flash(), session.peek_flash(), session.pop_flash()

    visitor = Site(**options).visitor()
    visitor(leave("old"))
    both = [("message", "old"), ("message", "new")]
    assert visitor(use).text == repr((both, both, [], []))
    assert visitor(pop).text == "[]"


@pytest.mark.parametrize("status", ["302 Found", "303 See Other", "404 Not Found"])
def test_a_message_survives_any_answer_that_is_no_failure(options, status):
    site = Site(**options)
    site.status = status
    visitor = site.visitor()
    for number in range(3):
        visitor(leave(str(number)))
    assert texts(visitor(pop)) == ["0", "1", "2"]
    assert texts(visitor(pop)) == []


def test_a_failure_leaves_no_message_and_takes_none(options):
    site = Site(**options)
    visitor = site.visitor()
    visitor(leave("before"))
    site.status = "500 Sorry"
    visitor(lambda session: (session.pop_flash(), session.flash("lost")))
    site.status = "200 OK"
    with pytest.raises(ZeroDivisionError):
        visitor(lambda session: (session.pop_flash(), session.flash("lost"), 1 / 0))
    assert texts(visitor(pop)) == ["before"]


def test_message_51_drops_the_oldest_with_an_event(options):
    events = []
    visitor = Site(on_event=events.append, **options).visitor()
    visitor(leave(*map(str, range(50))))
    assert [event.name for event in events] == ["created"]
    visitor(leave("50"))
    visitor(leave("51", "52"))
    assert texts(visitor(peek)) == [str(number) for number in range(3, 53)]
    dropped = [event for event in events if event.name == "flash_dropped"]
    assert [event.details["count"] for event in dropped] == [1, 2]
    assert {event.subject for event in dropped} == {visitor(lambda session: session.id).text.strip("'")}


def test_a_new_id_and_a_login_keep_the_messages_and_a_log_out_does_not(options):
    visitor = Site(**options).visitor()
    visitor(leave("one"))
    visitor(lambda session: session.rotate())
    assert texts(visitor(peek)) == ["one"]
    visitor(lambda session: session.login("ann"))
    assert texts(visitor(peek)) == ["one"]
    visitor(lambda session: (session.logout(), session.flash("Goodbye.")))
    assert texts(visitor(pop)) == ["Goodbye."]


@pytest.mark.parametrize("of_them", [0, 1, 49, 50])
def test_messages_of_two_requests_at_once_are_all_shown_but_for_what_has_no_room(store, of_them):
    events = []
    visitor = Site(store=store, on_event=events.append).visitor()
    visitor(leave(*[f"old {number}" for number in range(of_them)]))
    other = visitor.twin()
    other.browser.cookies = visitor.browser.cookies

    def slow(session):
        len(session)
        if visitor.cookie:
            other(leave("theirs"))
        session.flash("mine")

    visitor(put(a=1))
    visitor(slow)
    expected = [*[f"old {number}" for number in range(of_them)], "theirs", "mine"][-50:]
    assert texts(visitor(pop)) == expected
    dropped = sum(event.details["count"] for event in events if event.name == "flash_dropped")
    assert dropped == of_them + 2 - len(expected)


def test_of_two_requests_at_once_that_take_the_messages_both_may_show_them_and_nobody_later_does(store):
    visitor = Site(store=store).visitor()
    visitor(leave("one", "one", "two"))
    other = visitor.twin()

    def slow(session):
        peek(session)
        other(lambda session: (session.pop_flash(), session.flash("later")))
        return session.pop_flash()

    assert texts(visitor(slow)) == ["one", "one", "two"]
    assert texts(visitor(pop)) == ["later"]


def test_nothing_of_a_message_that_came_too_late_is_kept(store):
    events = []
    visitor = Site(store=store, on_event=events.append).visitor()
    visitor(put(a=1))
    late = visitor.twin()

    def slow(session):
        len(session)
        visitor(lambda session: session.logout())
        session.flash("late")

    assert late(slow).all("Set-Cookie") == []
    assert [event.details["keys"] for event in events if event.name == "late_write_dropped"] == [["flash"]]
    assert late(lambda session: (everything(session), session.peek_flash())).text == "({}, [])"


# Tokens


def token_of(visitor):
    return visitor(lambda session: session.csrf_token).text.strip("'")


def accepts(visitor, *tokens):
    return visitor(lambda session: [session.check_csrf_token(token) for token in tokens]).text == repr(
        [True] * len(tokens)
    )


def test_a_token_that_nobody_reads_costs_a_known_session_nothing(store):
    visitor = Site(store=store).visitor()
    visitor(put(a=1))
    store.forget_calls()
    assert visitor(lambda session: session.check_csrf_token("0" * 64)).text == "False"
    assert store.calls == ["get"]
    token_of(visitor)
    assert store.calls == ["get", "get", "swap"]
    store.forget_calls()
    token_of(visitor)
    assert store.calls == ["get"]


def test_the_first_token_is_all_that_a_new_session_needs(options):
    visitor = Site(**options).visitor()
    answer = visitor(lambda session: session.csrf_token)
    assert len(answer.all("Set-Cookie")) == 1
    assert accepts(visitor, answer.text.strip("'"))
    assert visitor(everything).text == "{}"
    assert visitor(lambda session: session.csrf_token).all("Set-Cookie") == []


def test_tokens_stay_good_under_every_new_id_but_that_of_a_login_or_of_a_changed_user(options):
    clock = Clock()
    site = Site(clock=clock, timeouts=Timeouts(renew_every=600), rotate_on=["user_id"], **options)
    visitor = site.visitor()
    visitor(put(a=1))
    token = token_of(visitor)
    visitor(lambda session: session.rotate())
    assert accepts(visitor, token)
    for _ in range(3):
        clock.now += 700
        id = visitor(lambda session: session.id).text
        assert visitor(lambda session: session.id).text != id
        assert accepts(visitor, token)
    visitor(lambda session: session.remember(30))
    assert accepts(visitor, token)
    visitor(put(user_id=7))
    assert not accepts(visitor, token)
    later = token_of(visitor)
    visitor(lambda session: session.login("ann"))
    assert not accepts(visitor, later)
    assert not accepts(visitor, token)


def test_a_token_read_before_the_login_of_its_own_request_is_worthless_and_one_read_after_it_is_good(options):
    visitor = Site(**options).visitor()

    def use(session):
        before = session.csrf_token
        session.login("ann")
        return before, session.csrf_token, session.csrf_token

    before, *after = eval(visitor(use).text)
    assert accepts(visitor, *after)
    assert not accepts(visitor, before)


def test_parallel_requests_that_are_the_first_to_read_a_token_get_tokens_of_one_secret(options):
    site = Site(**options)
    visitor = site.visitor()
    visitor(put(a=1))
    barrier = threading.Barrier(8)
    tokens = []

    def use(session):
        everything(session)
        barrier.wait(PATIENCE)
        tokens.append(session.csrf_token)

    site.use = use
    windows = [visitor.twin() for _ in range(8)]
    threads = [threading.Thread(target=window.browser.get) for window in windows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(set(tokens)) == 8
    for window in windows:  # whichever answer comes last to the browser
        assert accepts(window, *tokens)


def test_a_token_and_a_change_at_once_are_both_kept(store):
    visitor = Site(store=store).visitor()
    visitor(put(a=1))
    other = visitor.twin()

    def slow(session):
        session["b"] = 1
        other(put(c=1))
        return session.csrf_token

    token = visitor(slow).text.strip("'")
    assert accepts(visitor, token)
    assert visitor(everything).text == "{'a': 1, 'c': 1, 'b': 1}"


def test_an_ended_session_gives_tokens_that_no_other_takes(store):
    visitor = Site(store=store).visitor()
    visitor(put(a=1))
    late = visitor.twin()

    def slow(session):
        len(session)
        visitor(lambda session: session.logout())
        return session.csrf_token

    answer = late(slow)
    assert answer.all("Set-Cookie") == []
    assert not accepts(late, answer.text.strip("'"))
    assert not accepts(visitor, answer.text.strip("'"))
