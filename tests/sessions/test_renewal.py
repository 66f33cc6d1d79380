"""The periodic new id, and the grace in which the old one still serves the requests that were sent with it.

Number: S22 of the notes, point 3 of the issue.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import pytest
from sessions.kit import Clock, Site, SpyStore, everything, put
from sessions.orders import Stepped, every_order
from sessions.races import Crowded, Interleaved, cookie_of, during, live

from middleware.errors import LockTimeout
from middleware.sessions import Timeouts
from middleware.stores.memory import MemoryStore

EVERY, GRACE = 60, 30
RENEWS = Timeouts(renew_every=EVERY, grace=GRACE)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store():
    return SpyStore()


@pytest.fixture
def events():
    return []


@pytest.fixture
def site(store, clock, events):
    return Site(store=store, clock=clock, timeouts=RENEWS, on_event=events.append)


@pytest.fixture
def visitor(site):
    visitor = site.visitor()
    visitor(lambda session: (session.login("ann"), put(a=1)(session)))
    return visitor


@pytest.fixture
def due(visitor, clock):
    """A visitor whose next request gets a new id."""
    clock.now += EVERY
    return visitor


def names(events):
    return [event.name for event in events]


def user(session):
    return session.user


# When


def test_a_session_gets_a_new_id_as_often_as_was_said_and_keeps_all_else(site, visitor, clock, events):
    began, first = clock.now, visitor.cookie
    clock.now += EVERY - 1
    visitor(everything)
    assert visitor.cookie == first
    clock.now += 1
    assert visitor(lambda s: (s.user, dict(s), s.created, s.authenticated_at)).text == repr(
        ("ann", {"a": 1}, began, began)
    )
    second = visitor.cookie
    assert second != first
    clock.now += EVERY - 1
    visitor(everything)
    assert visitor.cookie == second
    clock.now += 1
    visitor(everything)
    assert visitor.cookie != second
    assert names(events).count("renewed") == 2


def test_a_session_that_nobody_uses_or_whose_application_fails_keeps_its_id(due, store):
    store.forget_calls()
    due(lambda session: None)
    with pytest.raises(ZeroDivisionError):
        due(lambda session: len(session) / 0)
    assert store.writes == []


def test_an_answer_of_5xx_renews_too_and_keeps_no_change(due):
    first = due.cookie
    due.site.status = "500 Sorry"
    due(put(late=1))
    assert due.cookie != first
    assert due(everything).text == "{'a': 1}"


def test_a_new_id_prolongs_no_life(clock):
    store = MemoryStore(clock=clock)
    site = Site(store=store, clock=clock, timeouts=Timeouts(idle=900, lifetime=3600, renew_every=600))
    visitor = site.visitor()
    visitor(put(a=1))
    for _ in range(7):
        clock.now += 500
        assert visitor(everything).text == "{'a': 1}"
    clock.now += 100
    assert visitor(everything).text == "{}"


def test_a_session_that_was_renewed_is_over_when_it_was_idle_for_too_long(due, clock):
    due(everything)
    clock.now += 1799
    assert due(user).text == "'ann'"
    clock.now += 1800
    assert due(user).text == "None"


# Many at once


def test_eight_requests_with_an_id_that_is_due_agree_on_one_successor(any_store, clock):
    events = []
    site = Crowded(store=any_store, clock=clock, timeouts=RENEWS, on_event=events.append)
    cookie = cookie_of(site.ask(lambda session: (session.login("ann"), put(a=1)(session))))
    for turn in range(10):
        clock.now += EVERY
        uses = [lambda s, key=f"{turn}-{n}": (put(**{key: 1})(s), s.user) for n in range(8)]
        answers = site.all_at_once(uses, cookie)
        assert [answer.code for answer in answers] == [200] * 8
        assert {answer.text for answer in answers} == {"(None, 'ann')"}
        told = {line.partition(";")[0] for answer in answers for line in answer.all("Set-Cookie")}
        assert len(told) == 1
        [successor] = told - {cookie}
        assert names(events).count("renewed") == turn + 1
        for one in (cookie, successor):
            assert site.ask(len, one).text == str(1 + 8 * (turn + 1))
        cookie = successor
    assert len(site.app.users.sessions_of("ann")) == 1


WRITES = {  # what is done, and what shows that it was
    "read": (everything, lambda session: True),
    "write": (put(late=1), lambda session: session["late"] == 1),
    "increment": (lambda session: session.increment("late"), lambda session: session["late"] == 1),
    "flash": (lambda session: session.flash("late"), lambda session: session.peek_flash() == [("message", "late")]),
    "remember": (lambda session: session.remember(30), lambda session: session.expires > session.created + 86400),
}


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("switches", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("write", WRITES)
def test_in_every_order_there_is_one_successor_which_has_all_that_was_written(write, switches):
    use, shows = WRITES[write]

    def prepare():
        clock = Clock()
        store = Stepped(MemoryStore(clock=clock))
        site = Crowded(store=store, clock=clock, timeouts=RENEWS)
        cookie = cookie_of(site.ask(lambda session: (session.login("ann"), put(a=1)(session))))
        clock.now += EVERY
        answers = []

        def check():
            assert {answer.code for answer in answers} == {200}
            told = {line.partition(";")[0] for answer in answers for line in answer.all("Set-Cookie")}
            assert len(told - {cookie}) == 1
            for one in {cookie, *told}:
                assert site.ask(lambda s: (s.user, s["a"], s["mine"], shows(s)), one).text == "('ann', 1, 1, True)"
            assert len(site.app.users.sessions_of("ann")) == 1

        return store, [lambda one=one: answers.append(site.ask(one, cookie)) for one in (use, put(mine=1))], check

    assert every_order(prepare, switches=switches) > 1


# The grace


def test_in_the_grace_the_old_id_reaches_the_same_session_and_is_told_the_new_one(site, due, clock):
    late = due.twin()
    due(put(b=1))
    clock.now += GRACE - 1
    answer = late(lambda session: (put(c=1)(session), session.user, dict(session)))
    assert answer.text == repr((None, "ann", {"a": 1, "b": 1, "c": 1}))
    assert late.cookie == due.cookie
    assert due(everything).text == "{'a': 1, 'b': 1, 'c': 1}"


def test_after_the_grace_the_old_id_is_anonymous_creates_nothing_and_is_told(site, due, clock, store, events):
    old = due.twin()
    replaced = eval(due(lambda session: session.id).text)
    clock.now += GRACE
    events.clear()
    store.forget_calls()
    for use in (
        everything,
        put(late=1),
        user,
        lambda session: session.increment("n"),
        lambda session: session.flash("x"),
    ):
        answer = old(use)
        assert answer.code == 200
        assert answer.all("Set-Cookie") == []
    assert store.writes == []
    assert [(event.name, event.subject) for event in events if event.name == "stale_id"] == [("stale_id", replaced)] * 5
    assert old(user).text == "None"
    assert due(lambda session: (session.user, dict(session))).text == "('ann', {'a': 1})"


def test_a_visitor_who_comes_back_with_the_old_id_long_after_begins_a_session_of_its_own(due, clock):
    old = due.twin()
    due(everything)
    clock.now += 2 * GRACE + 1
    old(put(b=1))
    assert old.cookie not in ("", due.cookie)
    assert old(lambda session: (session.user, dict(session))).text == "(None, {'b': 1})"
    assert due(user).text == "'ann'"


@pytest.mark.parametrize("renewals", [1, 2, 3])
def test_what_a_slow_request_does_reaches_the_session_under_its_latest_id(site, due, clock, renewals):
    def renew():
        for _ in range(renewals):
            due(everything)
            clock.now += EVERY

    def use(session):
        assert session.increment("n") == 1
        with session.lock():
            session["locked"] = 1
        session.flash("late")
        session["token"] = session.csrf_token
        session.remember(30)
        session["late"] = 1

    answer = during(due, renew, use)
    assert answer.code == 200
    assert "Max-Age=2592000" in answer.all("Set-Cookie")[-1]
    seen = site.ask(lambda s: (s.check_csrf_token(s.pop("token")), s.pop_flash(), dict(s)), cookie_of(answer)).text
    assert eval(seen) == (True, [("message", "late")], {"a": 1, "n": 1, "locked": 1, "late": 1})
    assert site.ask(user, cookie_of(answer)).text == due(user).text == "'ann'"


@pytest.mark.parametrize("comes", ["in the grace", "before, and is slow", "long after, and is slow"])
def test_a_log_out_with_the_old_id_ends_the_successor(site, due, clock, store, comes):
    late = due.twin()

    def renew():
        for _ in range(1 if comes == "in the grace" else 3):
            due(everything)
            clock.now += 1 if "grace" in comes else EVERY

    def log_out(session):
        session.logout()

    if comes == "in the grace":
        renew()
        answer = late(log_out)
    else:
        answer = during(late, renew, log_out)
    assert "Max-Age=0" in answer.all("Set-Cookie")[0]
    assert due(user).text == "None"
    assert site.app.users.sessions_of("ann") == []
    assert not any(b"ann" in value for value in live(store) if value[:3] == b"s2=")


def test_a_rotation_in_the_grace_ends_both_ids(site, due, clock, events):
    first = due.cookie
    due(everything)
    second = due.cookie
    due(lambda session: session.rotate())
    events.clear()
    assert site.ask(user, first).text == site.ask(user, second).text == "None"
    assert names(events) == ["stale_id", "stale_id"]
    assert due(user).text == "'ann'"


# What the store has


def test_no_id_is_in_the_store_nor_is_its_successor(due, store):
    first = due.cookie
    due(everything)
    for cookie in (first, due.cookie):
        identifier = cookie.partition("=")[2]
        assert not any(identifier.encode() in value or bytes.fromhex(identifier) in value for value in store.values)


def test_what_is_in_the_store_opens_nothing(site, due, store):
    due(everything)
    found = {value[start : start + 32].hex() for value in store.values for start in range(max(len(value) - 31, 0))}
    texts = {value[start : start + 64] for value in store.values for start in range(max(len(value) - 63, 0))}
    candidates = {one.encode() for one in found} | {text for text in texts if not text.strip(b"0123456789abcdef")}
    assert len(candidates) > 100
    assert due.cookie.partition("=")[2].encode() not in candidates
    shown = [text.decode() for text in candidates if text in texts]
    assert shown
    assert {site.ask(user, f"id={one}").text for one in shown} == {"None"}


# Beside a lock


def test_a_session_is_not_renewed_while_somebody_is_inside_its_lock(due, clock):
    def inside(session):
        with session.lock():
            old = due.cookie
            due(put(b=1))
            assert due.cookie == old

    due.twin()(inside)
    old = due.cookie
    due(everything)
    assert due.cookie != old
    assert due(everything).text == "{'a': 1, 'b': 1}"


@pytest.mark.usefixtures("elsewhere")
def test_no_two_requests_are_inside_the_lock_of_a_session_that_gets_a_new_id():
    """One enters at any moment of the renewal, and another with the new id."""
    entered = []
    for calls in range(16):
        clock = Clock()
        store = Interleaved(MemoryStore(clock=clock))
        site = Site(store=store, clock=clock, timeouts=RENEWS)
        visitor = site.visitor()
        visitor(put(a=1))
        clock.now += EVERY
        inside = []

        def enter(session, inside=inside):
            with suppress(LockTimeout):
                session.lock(timeout=0.001).__enter__()
                inside.append(session)

        twin = visitor.twin()
        store.waiting = [(calls, partial(twin, enter))]
        visitor(everything)
        if store.waiting:
            break
        store.waiting.clear()
        entered.append(len(inside))
        visitor(enter)
        assert len(inside) == 1
    assert {0, 1} <= set(entered)


# While the store fails


@pytest.mark.parametrize("recovers", [True, False])
def test_a_store_that_fails_during_a_renewal_costs_nobody_the_session(recovers):
    for calls in range(20):
        clock = Clock()
        store = Interleaved()
        site = Site(store=store, clock=clock, timeouts=RENEWS)
        visitor = site.visitor()
        visitor(lambda session: session.login("ann"))
        clock.now += EVERY

        def fails(store=store):
            store.down = True
            if recovers:
                store.waiting = [(1, lambda: setattr(store, "down", False))]

        def use(session, store=store, calls=calls, fails=fails):
            len(session)
            store.waiting = [(calls, fails)]

        assert visitor(use).code == 200
        failed = store.down or not store.waiting
        store.waiting.clear()
        store.down = False
        if not failed:
            break
        clock.now += GRACE - 1
        assert visitor(user).text == "'ann'", calls
        clock.now += EVERY
        assert visitor(user).text == "'ann'", calls
        clock.now += EVERY + 2 * GRACE
        assert visitor(user).text == "'ann'", calls
    else:
        raise AssertionError("more calls than were tried")


@pytest.mark.slow
def test_a_store_that_refuses_every_swap_leaves_the_session_under_its_id(due, store):
    swap, store.swap = store.swap, lambda key, old, new, ttl=None: False
    old = due.cookie
    assert due(user).text == "'ann'"
    store.swap = swap
    assert due(user).text == "'ann'"
    assert due.cookie == old  # until the lock that it holds while it renews is over, too
