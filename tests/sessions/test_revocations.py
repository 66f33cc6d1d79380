"""Sessions in cookies with `revocations=`: what is ended stays ended, for every copy. S15-S17, S20, S32 and S44."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode

import pytest
from sessions.kit import SECRET, Clock, Site, SpyStore, everything, put

from middleware.sessions import Timeouts

KINDS = {"signed": {"secret": SECRET}, "sealed": {"secret": SECRET, "seal": True}}
DAY = 86400
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
def site(kind, store, clock, events):
    return Site(revocations=store, clock=clock, on_event=events.append, **kind)


@pytest.fixture
def visitor(site):
    """Ann, signed in."""
    visitor = site.visitor()
    visitor(lambda session: (session.login("ann"), session.update(a=1)))
    return visitor


@pytest.fixture
def renewing(kind, store, clock, events):
    """Ann, signed in where ids are renewed."""
    site = Site(revocations=store, clock=clock, timeouts=RENEWING, on_event=events.append, **kind)
    visitor = site.visitor()
    visitor(lambda session: (session.login("ann"), session.update(a=1)))
    return visitor


def during(visitor, meanwhile, use):
    """A slow request: it has read the session, then `meanwhile` happens, then it does this."""

    def slow(session):
        everything(session)
        meanwhile()
        return use(session)

    return visitor.twin()(slow)


def logout(session):
    session.logout()


def user(session):
    return session.user


def names(events):
    return [event.name for event in events]


# Log-out


def test_a_copy_of_the_cookie_opens_nothing_after_log_out(visitor, events):
    thief = visitor.twin()
    [line] = visitor(logout).all("Set-Cookie")
    assert "Max-Age=0" in line
    events.clear()
    for _ in range(2):
        assert thief(everything).text == "{}"
    assert names(events) == ["stale_id", "stale_id"]


def test_log_out_happens_at_the_call_also_where_the_application_fails_then(visitor):
    thief = visitor.twin()
    with pytest.raises(ZeroDivisionError):
        visitor(lambda session: (session.logout(), 1 / 0))
    assert thief(user).text == "None"


@pytest.mark.parametrize(
    ("late", "dropped"),
    [
        (put(b=1), ["b"]),
        (lambda session: session.flash("hello"), ["flash"]),
        (everything, None),
        (lambda session: session.rotate(), None),
        (lambda session: session.remember(30), None),
        (lambda session: session.csrf_token, None),
        (lambda session: (session.rotate(), session.update(b=1)), ["b"]),
    ],
)
def test_a_late_request_sets_no_cookie_after_log_out(visitor, clock, events, late, dropped):
    thief = visitor.twin()
    clock.now += 200  # due for a refresh
    answer = during(visitor, lambda: visitor(logout), late)
    assert (answer.code, answer.all("Set-Cookie")) == (200, [])
    told = [event.details["keys"] for event in events if event.name == "late_write_dropped"]
    assert told == ([dropped] if dropped else [])
    assert thief(user).text == "None"


def test_only_a_login_begins_a_session_after_that_and_without_the_old_data(visitor):
    late = visitor.twin()

    def slow(session):
        everything(session)
        visitor(logout)
        session["b"] = 1
        session.login("bob")
        session["c"] = 1

    assert len(late(slow).all("Set-Cookie")) == 1
    assert late(lambda session: (session.user, everything(session))).text == "('bob', {'c': 1})"


def test_an_end_lasts_as_long_as_a_cookie_that_the_session_got_meanwhile(visitor, clock):
    earlier = visitor.twin()
    visitor(lambda session: session.remember(30))
    remembered = visitor.twin()
    assert earlier(logout).code == 200
    for _ in range(28):
        clock.now += DAY
        assert remembered(user).text == "None"


def test_a_session_is_remembered_under_an_id_of_its_own_and_once(visitor, clock, store):
    before = visitor(lambda session: session.id).text
    store.forget_calls()
    visitor(lambda session: session.remember(30))
    assert store.writes == ["add"]
    assert visitor(lambda session: session.id).text != before
    assert visitor(lambda session: (session.user, everything(session))).text == "('ann', {'a': 1})"
    clock.now += 29 * DAY
    assert visitor(user).text == "'ann'"


@pytest.mark.parametrize("act", [lambda session: session.rotate(), lambda session: session.login("ann")])
def test_a_new_id_ends_the_old_copy_at_once(visitor, act):
    old = visitor.twin()
    visitor(act)
    assert old(user).text == "None"
    assert visitor(lambda session: (session.user, everything(session))).text == "('ann', {'a': 1})"


def test_of_two_requests_that_change_the_id_one_goes_on(visitor):
    other = visitor.twin()

    def slow(session):
        everything(session)
        other(lambda session: session.rotate())
        session.rotate()
        session["b"] = 1

    assert visitor(slow).all("Set-Cookie") == []
    assert visitor(user).text == "None"
    assert other(everything).text == "{'a': 1}"


@pytest.mark.parametrize(
    "act", [lambda session: session.rotate(), lambda session: session.login("ann"), lambda session: session.remember(9)]
)
def test_a_log_out_that_began_before_a_new_id_ends_the_session_all_the_same(visitor, act):
    answer = during(visitor, lambda: visitor(act), logout)
    assert "Max-Age=0" in answer.all("Set-Cookie")[0]
    assert visitor(user).text == "None"


def test_a_clock_that_is_behind_does_not_let_an_ended_session_in(visitor, clock):
    thief = visitor.twin()
    visitor(logout)
    clock.now -= 600
    assert thief(user).text == "None"
    clock.now += 600 + 12 * 3600 - 1
    assert thief(user).text == "None"


# The store


def test_a_request_that_does_not_use_its_session_asks_nothing(visitor, store):
    store.forget_calls()
    store.down = True
    assert visitor(lambda session: None).code == 200
    assert store.calls == []


def test_a_visitor_without_a_good_cookie_costs_the_store_nothing(site, store):
    for cookie in (None, "id=" + "0" * 64, "id=garbage", "id="):
        for use in (everything, put(a=1), logout, lambda session: session.rotate()):
            assert site.ask(use, cookie).code == 200
    assert store.calls == []


@pytest.mark.parametrize(
    "use",
    [
        everything,
        put(b=1),
        logout,
        lambda session: session.rotate(),
        lambda session: session.login("ann"),
        lambda session: session.remember(1),
    ],
)
@pytest.mark.parametrize("since", ["the start", "the end"])
def test_while_the_store_is_down_the_answer_is_503_and_the_cookie_stays(visitor, store, use, since):
    before = visitor.cookie

    def act(session):
        if since == "the end":
            everything(session)
            store.down = True
        use(session)

    store.down = since == "the start"
    answer = visitor(act)
    if use is everything and since == "the end":
        assert answer.code == 200
    else:
        assert (answer.code, answer.header("Retry-After")) == (503, "5")
    assert answer.all("Set-Cookie") == []
    store.down = False
    assert visitor.cookie == before
    assert visitor(lambda session: (session.user, everything(session))).text == "('ann', {'a': 1})"


def test_a_reading_that_cannot_note_that_it_was_is_answered(renewing, store, clock):
    def act(session):
        everything(session)
        store.down = True

    for later in (200, 700):  # due for a refresh, and for a new id
        clock.now += later
        answer = renewing(act)
        assert (answer.code, answer.all("Set-Cookie")) == (200, [])
        store.down = False


def test_on_outage_decides_for_sessions_in_cookies_too(kind, store):
    visitor = Site(revocations=store, on_outage="anonymous", **kind).visitor()
    visitor(put(a=1))
    store.down = True
    assert visitor(lambda session: (session.available, everything(session))).text == "(False, {})"
    assert visitor(put(a=2)).code == 503
    store.down = False
    assert visitor(everything).text == "{'a': 1}"


def test_the_store_holds_nothing_of_a_session_but_its_id_in_hashed_form(store, clock):
    visitor = Site(secret=SECRET, revocations=store, clock=clock, timeouts=RENEWING).visitor()
    visitor(lambda session: (session.login("ann"), session.update(a="a value to hide")))
    seen = [visitor.cookie]
    for use in (
        everything,
        lambda session: session.users.end_all("ann", but=session.id),
        lambda session: session.rotate(),
        lambda session: session.remember(1),
        logout,
    ):
        clock.now += 700
        visitor(use)
        seen.append(visitor.cookie)
    ids = [decoded(cookie)[0].encode() for cookie in seen if cookie]
    assert len(set(ids)) > 3
    for text in store.values:
        assert not [id for id in ids if id in text]
        assert b"hide" not in text


def decoded(cookie):
    """What a signed cookie holds."""
    text = cookie.partition("=")[2].partition(".")[0]
    return json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))


# Everywhere


def test_all_sessions_of_a_user_are_ended_and_nobody_elses(site, visitor):
    others = [site.visitor() for _ in range(3)]
    for other in others:
        other(lambda session: session.login("ann"))
    bob, anonymous = site.visitor(), site.visitor()
    bob(lambda session: session.login("bob"))
    anonymous(put(a=1))
    assert site.app.users.end_all("ann") == 0
    assert [each(user).text for each in (visitor, *others)] == ["None"] * 4
    assert bob(user).text == "'bob'"
    assert anonymous(everything).text == "{'a': 1}"


def test_all_others_are_ended_and_a_late_write_of_theirs_is_dropped(site, visitor, events):
    other = site.visitor()
    other(lambda session: session.login("ann"))
    late = during(other, lambda: visitor(lambda session: session.users.end_all("ann", but=session.id)), put(b=1))
    assert (late.code, late.all("Set-Cookie")) == (200, [])
    assert "late_write_dropped" in names(events)
    assert other(user).text == "None"
    assert visitor(user).text == "'ann'"


@pytest.mark.parametrize(
    "act",
    [
        put(b=1),
        lambda session: session.rotate(),
        lambda session: session.login("ann"),
        lambda session: session.remember(30),
        lambda session: session.users.end_all("ann", but=session.id),
    ],
)
@pytest.mark.parametrize("later", [0, 10, 700])
def test_the_session_that_was_spared_goes_on_under_every_id_that_it_gets(renewing, clock, act, later):
    renewing(lambda session: session.users.end_all("ann", but=session.id))
    for _ in range(4):
        clock.now += later
        renewing(act)
        assert renewing(lambda session: (session.user, session["a"])).text == "('ann', 1)"


def test_who_signs_in_after_that_in_the_same_request_too_is_signed_in(visitor, clock):
    def change_password(session):
        everything(session)
        session.users.end_all("ann")
        session.login("ann")
        session.rotate()
        session["fresh"] = True

    for _ in range(3):
        other = visitor.twin()
        visitor(change_password)
        assert visitor(user).text == "'ann'"
        assert other(user).text == "None"
        visitor.site.app.users.end_all("ann")
        assert visitor(user).text == "None"


def test_a_session_that_was_ended_is_not_spared_by_what_it_asks_for_later(site, visitor):
    late = visitor.twin()

    def slow(session):
        everything(session)
        site.app.users.end_all("ann")
        session.users.end_all("ann", but=session.id)

    late(slow)
    assert visitor(user).text == "None"


def test_of_two_that_spare_only_themselves_the_later_one_stays(site, visitor):
    other = site.visitor()
    other(lambda session: session.login("ann"))

    def both(session):
        everything(session)
        visitor(lambda session: session.users.end_all("ann", but=session.id))
        session.users.end_all("ann", but=session.id)

    other(both)
    assert visitor(user).text == "None"
    assert other(user).text == "None"  # the first had ended it
    other(lambda session: session.login("ann"))
    assert other(user).text == "'ann'"


def test_an_administrator_ends_one_session_by_its_hashed_id(site, visitor, events):
    id = visitor(lambda session: session.id).text.strip("'")
    assert site.app.users.end("ann", id) is True
    assert site.app.users.end("ann", id) is False
    assert visitor(user).text == "None"
    assert names(events).count("ended") == 1
