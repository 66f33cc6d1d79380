"""No more sessions of a user than `max_sessions`: the oldest is ended, or the login refused. Number S33 of the notes.

Two logins at once in every order are in test_users_at_once.py.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from sessions.kit import Clock, Site, SpyStore, everything, put
from sessions.races import Crowded, cookie_of

from middleware.errors import StoreError, TooManySessions
from middleware.sessions import Timeouts


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store():
    return SpyStore()


def login(user="ann", label=""):
    return lambda session: session.login(user, label=label)


def visitors(site, *labels, user="ann"):
    """A browser for each label, in which the user is logged in."""
    found = []
    for label in labels:
        visitor = site.visitor()
        visitor(login(user, label))
        found.append(visitor)
    return found


def labels_of(site, user="ann"):
    return sorted(info.label for info in site.app.users.sessions_of(user))


def user_of(visitor):
    return eval(visitor(lambda session: session.user).text)


def id_in(visitor):
    return eval(visitor(lambda session: session.id).text)


def test_of_too_many_sessions_the_one_that_logged_in_first_is_ended(store, clock):
    events = []
    site = Site(store=store, clock=clock, max_sessions=2, on_event=events.append)
    [phone] = visitors(site, "phone")
    clock.now += 10
    [laptop] = visitors(site, "laptop")
    clock.now += 10
    phone(lambda session: session.rotate())  # which is no login
    ended = id_in(phone)
    [tablet] = visitors(site, "tablet")
    assert [user_of(one) for one in (phone, laptop, tablet)] == [None, "ann", "ann"]
    assert labels_of(site) == ["laptop", "tablet"]
    assert [(event.subject, dict(event.details)) for event in events if event.name == "ended"] == [
        (ended, {"user": "ann"})
    ]


def test_one_login_too_many_is_refused_where_that_is_asked_for(store, clock):
    site = Site(store=store, clock=clock, max_sessions=2, when_too_many="refuse")
    phone, laptop = visitors(site, "phone", "laptop")

    def refused(session):
        session["cart"] = [1]
        with pytest.raises(TooManySessions, match="max_sessions=2"):
            session.login("ann")
        return session.user

    tablet = site.visitor()
    assert tablet(refused).text == "None"
    assert tablet(lambda session: (session.user, dict(session))).text == "(None, {'cart': [1]})"
    visitors(site, "desk", user="bob")
    assert (user_of(phone), user_of(laptop)) == ("ann", "ann")
    phone(lambda session: session.logout())
    tablet(login(label="tablet"))
    assert labels_of(site) == ["laptop", "tablet"]


@pytest.mark.parametrize("policy", ["end_oldest", "refuse"])
def test_whoever_is_logged_in_may_log_in_again_rotate_and_be_remembered(store, clock, policy):
    site = Site(store=store, clock=clock, max_sessions=1, when_too_many=policy, timeouts=Timeouts(renew_every=60))
    [phone] = visitors(site, "phone")
    for use in (login(label="phone"), lambda s: s.rotate(), lambda s: s.remember(30), put(a=1), everything):
        clock.now += 61
        assert phone(use).code == 200
        assert user_of(phone) == "ann"
    assert labels_of(site) == ["phone"]


@pytest.mark.parametrize("policy", ["end_oldest", "refuse"])
def test_a_limit_that_was_lowered_is_for_the_next_login(store, clock, policy):
    site = Site(store=store, clock=clock)
    browsers = visitors(site, "phone", "laptop", "tablet")
    site.app = Site(
        store=store, clock=clock, max_sessions=1, when_too_many=policy, timeouts=Timeouts(renew_every=60)
    ).app
    site.app.app = site.serve
    for browser in browsers:
        browser.browser.app = site.app
        clock.now += 61
        for use in (everything, lambda session: session.rotate(), lambda session: session.remember(30)):
            assert browser(use).code == 200
    assert [user_of(one) for one in browsers] == ["ann"] * 3


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["end_oldest", "refuse"])
@pytest.mark.parametrize("limit", [1, 2])
def test_of_logins_at_once_as_many_stay_as_may(any_store, policy, limit):
    for _ in range(10):
        site = Crowded(store=any_store, max_sessions=limit, when_too_many=policy)

        def use(session):
            try:
                session.login("ann")
            except TooManySessions:
                return "refused"

        answers = site.all_at_once([use] * 4)
        assert [answer.code for answer in answers] == [200] * 4
        cookies = [cookie_of(answer) for answer in answers]
        alive = [one for one in cookies if one and site.ask(lambda session: session.user, one).text == "'ann'"]
        assert len(alive) == limit
        assert len(site.app.users.sessions_of("ann")) == limit
        if policy == "refuse":
            assert [answer.text for answer in answers].count("'refused'") == 4 - limit
        assert site.app.users.end_all("ann") == limit


def test_sessions_that_are_over_do_not_count(store, clock):
    site = Site(store=store, clock=clock, max_sessions=2, when_too_many="refuse")
    visitors(site, "phone", "laptop")
    clock.now += 1800
    visitors(site, "tablet")
    assert labels_of(site) == ["tablet"]


@pytest.mark.parametrize("policy", ["end_oldest", "refuse"])
def test_a_session_whose_end_failed_half_way_takes_its_room_or_is_ended_by_the_next_login(store, clock, policy):
    """Whichever call to the store fails."""
    for call in range(40):
        user = f"ann {call}"
        site = Site(store=store, clock=clock, max_sessions=2, when_too_many=policy)
        browsers = visitors(site, "first", "second", user=user)
        first = id_in(browsers[0])
        browsers += [site.visitor(), site.visitor()]
        store.fails_after = call
        if policy == "refuse":
            with suppress(StoreError):
                site.app.users.end(user, first)
        else:
            browsers[2](login(user))
        has_failed = store.fails_after is None
        store.fails_after = None
        clock.now += 90  # a login that failed is on its way no more
        browsers[3](lambda session, user=user: tried(session, user))
        assert sum(user_of(one) == user for one in browsers) <= 2
        if not has_failed:
            return
    raise AssertionError("more calls than were tried")


def tried(session, user):
    with suppress(TooManySessions):
        session.login(user)
