"""A log-out is final: whatever a slow request does afterwards, and in every order of the calls to the store.

Numbers: S15 to S18 of the notes, point 2 of the issue.
"""

from __future__ import annotations

from functools import partial

import pytest
from sessions.kit import Clock, Site, SpyStore, everything, put
from sessions.orders import Stepped, every_order
from sessions.races import Crowded, cookie_of, during, live

from middleware.sessions import Timeouts
from middleware.stores.memory import MemoryStore


@pytest.fixture
def store():
    return SpyStore()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def events():
    return []


@pytest.fixture
def site(store, clock, events):
    return Site(store=store, clock=clock, on_event=events.append, rotate_on=["user_id"])


@pytest.fixture
def visitor(site):
    visitor = site.visitor()
    visitor(put(secret="of the user", n=1, deep=[1]))
    return visitor


def log_out(session):
    session.logout()


def dropped(events):
    return [event.details["keys"] for event in events if event.name == "late_write_dropped"]


def locked(session):
    with session.lock():
        session["n"] = 2


LATE = {  # by name: what is done, and the keys that are told to be dropped
    "nothing": (everything, []),
    "increment": (lambda s: s.increment("n"), [["n"]]),
    "lock": (locked, [["n"]]),
    "save": (lambda s: (put(late=1)(s), s.save()), [["late"]]),
    "flash": (lambda s: s.flash("late"), [["flash"]]),
    "csrf token": (lambda s: len(s.csrf_token), []),
    "remember": (lambda s: s.remember(30), []),
    "rotate": (lambda s: s.rotate(), []),
    "change of a key in rotate_on": (put(user_id=7), [["user_id"]]),
}
FIRST = ["nothing", "increment", "save", "csrf token", "remember", "rotate", "lock"]


@pytest.mark.parametrize("late", LATE)
def test_a_slow_request_brings_nothing_back_and_what_it_changed_is_told(visitor, events, store, late):
    visitor.site.app.app = visitor.site.serve
    use, told = LATE[late]
    old = visitor.cookie
    answer = during(visitor, lambda: visitor(log_out), use)
    assert (answer.code, answer.all("Set-Cookie")) == (200, [])
    assert dropped(events) == told
    assert visitor.site.ask(everything, old).text == "{}"
    assert not any(b"secret" in value for value in live(store))


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("second", ["rotate", "change of a key in rotate_on", "remember"])
def test_a_slow_request_brings_nothing_back_whatever_else_it_did_after_the_log_out(visitor, store, first, second):
    """Each of the first finds out that the session was ended; what comes then must not begin it anew."""
    old = visitor.cookie

    def use(session):
        LATE[first][0](session)
        LATE[second][0](session)
        session["late"] = 1

    answer = during(visitor, lambda: visitor(log_out), use)
    assert (answer.code, answer.all("Set-Cookie")) == (200, [])
    assert visitor.site.ask(everything, old).text == "{}"
    assert not any(b"secret" in value for value in live(store))


@pytest.mark.parametrize("first", FIRST)
def test_only_a_login_in_a_slow_request_sets_a_cookie_for_a_session_without_the_old_data(visitor, store, first):
    def use(session):
        LATE[first][0](session)
        session["mine"] = 1
        session.login("bob")
        session["new"] = 1

    visitor(lambda session: session.remember(30))
    late = visitor.twin()
    [line] = during(late, lambda: visitor(log_out), use).all("Set-Cookie")
    assert ("Max-Age" in line) is (first == "remember")  # in this request, that is
    found = visitor.site.ask(lambda session: (session.user, dict(session)), line.partition(";")[0]).text
    assert found == "('bob', {'new': 1})"
    assert not any(b"secret" in value for value in live(store))


def test_a_second_log_out_of_the_same_session_is_told_once(site, visitor, events):
    visitor(lambda session: session.login("ann"))
    other = visitor.twin()
    during(other, lambda: visitor(log_out), log_out)
    assert [(event.name, event.details["user"]) for event in events if event.name in ("logout", "ended")] == [
        ("logout", "ann")
    ]


def test_a_log_out_with_an_id_that_was_just_replaced_is_told_of_the_session_that_it_ended(site, visitor, events):
    visitor(lambda session: session.login("ann"))
    late = visitor.twin()
    visitor(lambda session: session.rotate())
    ended = eval(visitor(lambda session: session.id).text)
    late(log_out)
    assert [(e.subject, dict(e.details)) for e in events if e.name == "logout"] == [(ended, {"user": "ann"})]
    assert [event for event in events if event.name == "ended"] == []


# A late anonymous answer


@pytest.mark.parametrize("late", [put(seen=1), lambda s: s.increment("seen"), lambda s: s.flash("x"), locked])
@pytest.mark.parametrize("arrives", ["before", "after"])
def test_a_late_anonymous_answer_does_not_log_the_user_out(site, events, late, arrives):
    visitor = site.visitor()
    visitor(put(cart=[1]))
    slow = visitor.twin()

    def login(session):
        session.login("ann")

    answer = during(slow, lambda: visitor(login), late) if arrives == "before" else (visitor(login), slow(late))[1]
    assert (answer.code, answer.all("Set-Cookie")) == (200, [])
    assert len(dropped(events)) == 1
    assert visitor(lambda session: (session.user, dict(session))).text == "('ann', {'cart': [1]})"


# In every order

ACTS = {
    "write": put(late=1),
    "write twice": lambda s: (put(late=1)(s), s.save(), put(later=1)(s)),
    "increment and write": lambda s: (s.increment("n"), put(late=1)(s)),
    "lock": locked,
    "rotate": lambda s: s.rotate(),
    "rotate twice and write": lambda s: (s.rotate(), s.rotate(), put(late=1)(s)),
    "renewal": everything,
    "remember": lambda s: s.remember(30),
    "login": lambda s: s.login("ann"),
    "login and rotate": lambda s: (s.login("ann"), s.rotate(), put(late=1)(s)),
}


def play(acts, switches, before=lambda session: session.login("ann")):
    """Requests of one browser and a log-out, all with the same cookie, in every order."""

    def prepare():
        clock = Clock()
        store = Stepped(MemoryStore(clock=clock))
        site = Crowded(store=store, clock=clock, timeouts=Timeouts(renew_every=60 if "renewal" in acts else None))
        cookie = cookie_of(site.ask(lambda session: (before(session), put(secret="of the user")(session))))
        clock.now += 90
        answers = []

        def act(use):
            answers.append(site.ask(use, cookie))

        def check():
            assert {answer.code for answer in answers} == {200}
            for one in {cookie, *map(cookie_of, answers)} - {""}:
                user, data = eval(site.ask(lambda session: (session.user, dict(session)), one).text)
                assert "secret" not in data  # a request that reads after the log-out begins a session of its own
                assert user is None or any("login" in name for name in acts)
            assert not any(b"of the user" in value for value in live(store))
            site.app.users.end_all("ann")
            assert not any(b'"ann"' in value for value in live(store))

        return store, [*[partial(act, ACTS[name]) for name in acts], partial(act, log_out)], check

    assert every_order(prepare, switches=switches) > 1


@pytest.mark.slow
@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("before", [everything, lambda session: session.login("ann")], ids=["anonymous", "ann"])
def test_nothing_of_a_session_survives_its_log_out(before, act):
    play([act], 1, before)


@pytest.mark.slow
@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("act", ACTS)
def test_nothing_of_a_session_survives_its_log_out_in_any_order(act):
    play([act], 2)


@pytest.mark.slow
@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("acts", [("rotate", "rotate"), ("rotate", "renewal")], ids=" and ".join)
def test_nothing_of_a_session_survives_its_log_out_where_two_more_run(acts):
    play(acts, 1)
