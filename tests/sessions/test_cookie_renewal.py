"""Sessions in cookies with `revocations=` whose ids are renewed: parallel requests agree, and nothing forks. S22."""

from __future__ import annotations

import threading

import pytest
from sessions.kit import SECRET, Clock, Site, SpyStore, everything, put
from sessions.races import PATIENCE

from middleware.sessions import Timeouts

KINDS = {"signed": {"secret": SECRET}, "sealed": {"secret": SECRET, "seal": True}}
RENEWING = Timeouts(renew_every=600, grace=30)


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


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
def renewing(kind, store, clock, events):
    """Ann, signed in where ids are renewed."""
    site = Site(revocations=store, clock=clock, timeouts=RENEWING, on_event=events.append, **kind)
    visitor = site.visitor()
    visitor(lambda session: (session.login("ann"), session.update(a=1)))
    return visitor


def logout(session):
    session.logout()


def user(session):
    return session.user


def names(events):
    return [event.name for event in events]


def test_an_id_that_is_due_is_replaced_and_the_old_one_serves_for_the_grace(renewing, clock, events):
    old = renewing.twin()
    clock.now += 600
    assert len(renewing(everything).all("Set-Cookie")) == 1
    assert names(events).count("renewed") == 1
    clock.now += 29
    assert old(lambda session: (session.user, everything(session))).text == "('ann', {'a': 1})"
    assert old(lambda session: session.id).text == renewing(lambda session: session.id).text
    assert renewing(everything).all("Set-Cookie") == []


def test_after_the_grace_the_old_id_is_anonymous_and_creates_nothing(renewing, clock, events):
    old = renewing.twin()
    clock.now += 600
    renewing(everything)
    clock.now += 30
    events.clear()
    assert (old(user).text, old(everything).all("Set-Cookie")) == ("None", [])
    assert set(names(events)) == {"stale_id"}
    assert renewing(user).text == "'ann'"


def test_a_browser_that_missed_the_new_cookie_gets_it_with_its_next_request(renewing, clock):
    lost = renewing.twin()
    clock.now += 600
    renewing(everything)
    clock.now += 10
    assert len(lost(everything).all("Set-Cookie")) == 1
    clock.now += 500
    assert lost(user).text == "'ann'"


def test_eight_parallel_requests_with_a_due_id_agree_on_one_successor(renewing, clock, events):
    barrier = threading.Barrier(8)
    answers = []

    def use(session):
        everything(session)
        barrier.wait(PATIENCE)
        return session.user

    def request(window):
        answers.append(window.browser.get())

    clock.now += 600
    renewing.site.use = use
    windows = [renewing.twin() for _ in range(8)]
    threads = [threading.Thread(target=request, args=[window]) for window in windows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [(answer.code, answer.text) for answer in answers] == [(200, "'ann'")] * 8
    assert names(events).count("renewed") == 1
    assert len({window(lambda session: session.id).text for window in windows}) == 1
    clock.now += 60
    told = [window for window in windows if window.cookie != renewing.cookie]
    assert told
    assert {window(user).text for window in told} == {"'ann'"}
    assert renewing(user).text == "None"


@pytest.mark.parametrize("who", ["the browser", "whoever has the old cookie"])
def test_a_log_out_in_the_grace_ends_the_session_under_both_ids(renewing, clock, who):
    old = renewing.twin()
    clock.now += 600
    renewing(everything)
    new = renewing.twin()
    clock.now += 10
    (renewing if who == "the browser" else old.twin())(logout)
    assert new(user).text == "None"
    assert old(user).text == "None"


def test_a_copy_that_is_renewed_beside_the_session_does_not_outlive_its_log_out(renewing, clock):
    thief = renewing.twin()
    clock.now += 600
    renewing(everything)
    for _ in range(3):
        thief(put(a=2))
    renewing(logout)
    clock.now += 60
    assert thief(user).text == "None"


@pytest.mark.parametrize("late", [put(b=1), lambda session: session.rotate(), lambda session: session.login("ann")])
def test_what_a_late_request_does_follows_a_renewal(renewing, clock, late):
    other = renewing.twin()
    clock.now += 590

    def slow(session):
        everything(session)
        clock.now += 10
        other(everything)
        late(session)

    assert len(renewing(slow).all("Set-Cookie")) == 1
    assert renewing(lambda session: (session.user, session["a"])).text == "('ann', 1)"
    clock.now += 300
    assert renewing(user).text == "'ann'"


@pytest.mark.slow
@pytest.mark.parametrize("renews", [True, False])
def test_whatever_seven_threads_do_nothing_is_left_after_a_log_out(kind, store, clock, renews):
    acts = [
        everything,
        put(b=1),
        lambda session: session.rotate(),
        lambda session: (session.rotate(), session.update(c=1)),
        lambda session: session.remember(1),
        put(d=1),
        logout,
    ]
    site = Site(revocations=store, clock=clock, timeouts=RENEWING if renews else Timeouts(), **kind)
    for _ in range(20):
        visitor = site.visitor()
        visitor(lambda session: session.login("ann"))
        clock.now += 600 if renews else 0
        barrier = threading.Barrier(len(acts))
        left = list(acts)

        def use(session, barrier=barrier, left=left):
            act = left.pop()
            everything(session)
            barrier.wait(PATIENCE)
            act(session)

        site.use = use
        windows = [visitor.twin() for _ in acts]
        threads = [threading.Thread(target=window.browser.get) for window in windows]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert {window(user).text for window in [*windows, visitor]} == {"None"}


def test_a_log_out_while_an_id_is_renewed_leaves_neither(renewing, store, clock):
    thief, late = renewing.twin(), renewing.twin()
    clock.now += 600
    store.before["add"] = lambda: renewing(logout)  # between the look and the new id
    answer = late(everything)
    assert (answer.code, answer.all("Set-Cookie")) == (200, [])
    assert thief(user).text == "None"
