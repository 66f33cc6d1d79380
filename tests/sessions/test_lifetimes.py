"""How long a session lives, idle, in all and remembered, and what of it the browser sees. S3, S23, S26-S30."""

from __future__ import annotations

import pytest
from sessions.kit import HTTPS, SECRET, Clock, Site, SpyStore, everything, put

from middleware.cookies import CookieOptions
from middleware.errors import ReauthenticationRequired
from middleware.sessions import Timeouts
from middleware.stores.sqlite import SQLiteStore

KINDS = {"stored": lambda: {"store": SpyStore()}, "signed": lambda: {"secret": SECRET}}
DAY = 86400
START = 1_700_000_000


@pytest.fixture(params=KINDS)
def options(request):
    return KINDS[request.param]()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store():
    return SpyStore()


def remembered(days, **values):
    def use(session):
        session.remember(days)
        session.update(values)

    return use


def lines(answer):
    """The Set-Cookie lines of an answer, with V for the value."""
    shown = []
    for line in answer.all("Set-Cookie"):
        pair, _, attributes = line.partition("; ")
        name, _, value = pair.partition("=")
        shown.append(f"{name}={'V' if value else ''}; {attributes}")
    return shown


# Idle, and in all


def test_it_is_alive_until_the_last_second_of_its_idle_timeout_and_dead_from_then_on(options, clock):
    visitor = Site(clock=clock, **options).visitor()
    visitor(put(a=1))
    clock.now += 1620  # 0.9 of the default
    assert visitor(everything).text == "{'a': 1}"
    clock.now += 1799
    assert visitor(everything).text == "{'a': 1}"
    clock.now += 1800
    assert visitor(everything).text == "{}"


@pytest.mark.slow
def test_a_session_that_is_asked_for_each_minute_is_over_after_twelve_hours(options, clock):
    visitor = Site(clock=clock, **options).visitor()
    visitor(put(a=1))
    for _ in range(12 * 60 - 1):
        clock.now += 60
        assert visitor(lambda session: session["a"]).text == "1"
    clock.now += 60
    assert visitor(everything).text == "{}"


def test_a_login_moves_the_absolute_limit_and_a_new_id_does_not(options, clock):
    site = Site(clock=clock, timeouts=Timeouts(idle=1000, lifetime=1000), **options)
    visitor = site.visitor()
    visitor(lambda session: session.login("ann"))
    clock.now += 600
    visitor(lambda session: session.rotate())
    assert visitor(lambda session: float(session.expires - START)).text == "1000.0"
    visitor(lambda session: session.login("ann"))
    assert visitor(lambda session: float(session.expires - START)).text == "1600.0"
    clock.now += 999
    assert visitor(lambda session: session.user).text == "'ann'"
    clock.now += 1
    assert visitor(lambda session: session.user).text == "None"


def test_an_edited_cookie_does_not_live_longer(clock):
    site = Site(clock=clock, secret=SECRET)
    visitor = site.visitor()
    visitor(put(a=1))
    clock.now += 900
    later = Site(clock=clock, secret="another secret of sixteen bytes or more").visitor()
    later(put(a=1))
    payload, _, signature = visitor.cookie.rsplit(".", 2)
    edited = ".".join((payload, later.cookie.rsplit(".", 2)[1], signature))
    assert site.ask(everything, edited).text == "{}"
    assert site.ask(everything, visitor.cookie).text == "{'a': 1}"


def test_a_shorter_timeout_counts_for_the_sessions_that_there_are(options, clock):
    visitor = Site(clock=clock, **options).visitor()
    visitor(put(a=1))
    clock.now += 900
    stricter = Site(clock=clock, timeouts=Timeouts(idle=600), **options)
    assert stricter.ask(everything, visitor.cookie).text == "{}"
    shorter = Site(clock=clock, timeouts=Timeouts(lifetime=600), **options)
    assert shorter.ask(everything, visitor.cookie).text == "{}"
    assert visitor(everything).text == "{'a': 1}"  # nothing was deleted: the old rule may come back


def test_the_presets_are_those_of_nist_sp_800_63b():
    assert Timeouts(idle=30 * DAY, lifetime=30 * DAY) == Timeouts.AAL1
    assert Timeouts(idle=30 * 60, lifetime=12 * 3600) == Timeouts.AAL2
    assert Timeouts(idle=15 * 60, lifetime=12 * 3600) == Timeouts.AAL3


def test_it_tells_when_it_is_over_if_nobody_comes_back(options, clock):
    visitor = Site(clock=clock, timeouts=Timeouts(idle=1000, lifetime=1500), **options).visitor()

    def about(session):
        return float(session.expires - START)

    visitor(put(a=1))
    clock.now += 50  # too little to be written
    assert visitor(about).text == "1050.0"
    clock.now += 750
    assert visitor(about).text == "1500.0"
    visitor(lambda session: session.remember(2))
    assert visitor(about).text == f"{800.0 + 2 * DAY}"


# What was used, and no more


def test_a_refresh_moves_when_it_was_last_seen_and_nothing_else(store, clock):
    visitor = Site(clock=clock, store=store).visitor()
    visitor(lambda session: (session.login("ann"), session.update(a=[1, {"b": 2}])))

    def about(session):
        return session.created, session.authenticated_at, session.id, session.last_seen - START

    before = visitor(about).text
    [key] = {key.decode() for key in store.values if key.startswith(b"middleware.session:")}
    old = store.get(key)
    clock.now += 180
    visitor(about)
    new = store.get(key)
    moved = [at for at in range(len(old)) if old[at] != new[at]]
    assert len(old) == len(new)
    assert moved
    assert set(moved) <= set(range(3 + 3 * 8, 3 + 4 * 8))  # of five times the fourth
    assert visitor(about).text == before.replace(" 0.0)", " 180.0)")


@pytest.mark.parametrize("days", [0, 30])
def test_nothing_is_set_where_nothing_moved(options, clock, days):
    visitor = Site(clock=clock, **options).visitor()
    visitor(remembered(days, a=1))
    for _ in range(3):
        clock.now += 50
        assert visitor(everything).all("Set-Cookie") == []
        assert visitor(put(a=1)).all("Set-Cookie") == []


@pytest.mark.parametrize("idle", [10, 1800, 30 * DAY])
def test_a_refresh_comes_at_most_once_in_a_tenth_of_the_idle_timeout(store, clock, idle):
    visitor = Site(clock=clock, store=store, timeouts=Timeouts(idle=idle, lifetime=100 * DAY)).visitor()
    visitor(put(a=1))
    store.forget_calls()
    for _ in range(100):
        clock.now += idle / 50
        visitor(everything)
    assert store.writes == ["swap"] * 20


# Recent authentication


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (299, True), (300, False), (301, False)])
def test_recent_means_younger_than_that(options, clock, age, fresh):
    visitor = Site(clock=clock, **options).visitor()
    visitor(lambda session: session.login("ann"))
    clock.now += age
    if fresh:
        assert visitor(lambda session: session.require_fresh(300)).text == "None"
    else:
        with pytest.raises(ReauthenticationRequired, match="300 seconds"):
            visitor(lambda session: session.require_fresh(300))


def test_to_authenticate_again_makes_it_fresh_and_gives_it_a_new_id(options, clock):
    visitor = Site(clock=clock, **options).visitor()
    visitor(lambda session: (session.login("ann"), session.update(a=1)))
    clock.now += 301
    before = visitor.cookie, visitor(lambda session: session.id).text
    visitor(lambda session: session.login("ann"))
    assert visitor.cookie != before[0]
    assert visitor(lambda session: session.id).text != before[1]
    assert visitor(lambda session: (session.require_fresh(300), session["a"])).text == "(None, 1)"


def test_a_session_without_a_user_is_never_fresh(options):
    visitor = Site(**options).visitor()
    visitor(put(a=1))
    with pytest.raises(ReauthenticationRequired):
        visitor(lambda session: session.require_fresh(1e9))


def test_a_login_is_fresh_on_a_machine_whose_clock_is_a_little_behind(options, clock):
    visitor = Site(clock=clock, **options).visitor()
    visitor(lambda session: session.login("ann"))
    clock.now -= 2
    assert visitor(lambda session: session.require_fresh(300)).text == "None"
    clock.now -= 298
    with pytest.raises(ReauthenticationRequired):
        visitor(lambda session: session.require_fresh(300))


# Remembered


@pytest.mark.parametrize(
    ("environ", "name", "secure"), [({}, "id", ""), (HTTPS, "__Host-id", "Secure; ")], ids=["http", "https"]
)
def test_a_remembered_session_has_a_cookie_with_max_age_and_no_other_has(options, clock, environ, name, secure):
    visitor = Site(clock=clock, **options).visitor(**environ)
    assert lines(visitor(put(a=1))) == [f"{name}=V; Path=/; {secure}HttpOnly; SameSite=Lax"]
    assert lines(visitor(lambda session: session.remember(30))) == [
        f"{name}=V; Max-Age=2592000; Path=/; {secure}HttpOnly; SameSite=Lax"
    ]
    clock.now += 3 * DAY
    assert lines(visitor(lambda session: session.rotate())) == [
        f"{name}=V; Max-Age=2332800; Path=/; {secure}HttpOnly; SameSite=Lax"
    ]
    assert lines(visitor(lambda session: session.remember(0.5))) == [
        f"{name}=V; Max-Age=43200; Path=/; {secure}HttpOnly; SameSite=Lax"
    ]
    assert lines(visitor(lambda session: session.invalidate())) == [
        f"{name}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; {secure}HttpOnly; SameSite=Lax"
    ]


def test_remember_0_goes_back_to_a_cookie_that_goes_with_the_browser(options, clock):
    visitor = Site(clock=clock, **options).visitor()
    visitor(remembered(30, a=1))
    clock.now += 3600
    assert lines(visitor(lambda session: session.remember(0))) == ["id=V; Path=/; HttpOnly; SameSite=Lax"]
    assert visitor(everything).text == "{'a': 1}"
    clock.now += 1800
    assert visitor(everything).text == "{}"


def test_remember_0_after_its_lifetime_lets_the_session_end(options, clock):
    visitor = Site(clock=clock, **options).visitor()
    visitor(remembered(30, a=1))
    clock.now += DAY
    assert visitor(lambda session: (session.remember(0), session["a"])).text == "(None, 1)"
    assert visitor(everything).text == "{}"


def test_a_remembered_session_lives_to_its_day_without_an_idle_timeout(options, clock):
    visitor = Site(clock=clock, **options).visitor()
    visitor(remembered(30, a=1))
    clock.now += 30 * DAY - 1
    assert visitor(everything).text == "{'a': 1}"
    clock.now += 1
    assert visitor(everything).text == "{}"


def test_a_session_may_be_remembered_before_there_is_anything_in_it(options, clock):
    site = Site(clock=clock, **options)
    visitor = site.visitor()
    assert visitor(lambda session: session.remember(30)).all("Set-Cookie") == []
    assert lines(visitor(remembered(30, a=1))) == ["id=V; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax"]
    signed_in = site.visitor()
    assert lines(signed_in(lambda session: (session.remember(30), session.login("ann")))) == [
        "id=V; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax"
    ]
    clock.now += 29 * DAY
    assert visitor(everything).text == "{'a': 1}"
    assert signed_in(lambda session: session.user).text == "'ann'"


def test_a_login_and_a_renewal_leave_a_session_remembered(options, clock):
    visitor = Site(clock=clock, timeouts=Timeouts(renew_every=3600), **options).visitor()
    visitor(remembered(30, a=1))
    clock.now += 10 * DAY
    assert lines(visitor(everything)) == ["id=V; Max-Age=1728000; Path=/; HttpOnly; SameSite=Lax"]
    clock.now += 10 * DAY
    assert lines(visitor(lambda session: session.login("ann"))) == [
        "id=V; Max-Age=864000; Path=/; HttpOnly; SameSite=Lax"
    ]
    clock.now += 10 * DAY
    assert visitor(everything).text == "{}"


def test_four_hundred_days_are_the_most_and_are_kept_whatever_the_clocks_say(options):
    clock = Clock(START + 0.0006)
    visitor = Site(clock=clock, **options).visitor()
    assert "; Max-Age=34560000; " in visitor(remembered(400, a=1)).all("Set-Cookie")[0]
    assert visitor(everything).text == "{'a': 1}"
    clock.now -= 5  # another machine
    assert visitor(everything).text == "{'a': 1}"
    clock.now += 400 * DAY
    assert visitor(everything).text == "{'a': 1}"
    for wrong in (-1, 400.5, True, "30", float("nan"), None):
        with pytest.raises(ValueError, match="from 0 to 400"):
            visitor(lambda session, wrong=wrong: session.remember(wrong))


def test_a_cookie_with_a_max_age_of_its_own_has_it_again_after_remember_0(options, clock):
    visitor = Site(clock=clock, cookie=CookieOptions(max_age=7200), **options).visitor()
    assert lines(visitor(remembered(30, a=1))) == ["id=V; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax"]
    assert lines(visitor(lambda session: session.remember(0))) == ["id=V; Max-Age=7200; Path=/; HttpOnly; SameSite=Lax"]


@pytest.mark.parametrize("late", [put(b=1), lambda session: session.increment("b"), everything])
def test_a_late_request_does_not_undo_that_the_session_is_remembered(store, clock, late):
    visitor = Site(clock=clock, store=store).visitor()
    visitor(put(a=1))
    other = visitor.twin()

    def slow(session):
        len(session)
        clock.now += 300
        other(lambda session: session.remember(30))
        late(session)

    visitor(slow)
    clock.now += DAY
    assert visitor(lambda session: session["a"]).text == "1"


def test_a_late_answer_does_not_shorten_the_cookie_of_a_session_that_is_remembered_meanwhile(store, clock):
    visitor = Site(clock=clock, store=store, cookie=CookieOptions(max_age=7200)).visitor()
    visitor(put(a=1))
    other = visitor.twin()

    def slow(session):
        len(session)
        clock.now += 300
        other(lambda session: session.remember(30))
        session["b"] = 1

    clock.now += 300
    assert lines(visitor(slow)) == ["id=V; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax"]


def test_a_session_that_takes_the_place_of_an_ended_one_is_not_remembered_for_it(store, clock):
    visitor = Site(clock=clock, store=store).visitor()
    visitor(remembered(30, a=1))
    other = visitor.twin()

    def slow(session):
        len(session)
        other(lambda session: session.logout())
        session.login("ann")

    assert "Max-Age" not in visitor(slow).all("Set-Cookie")[0]


# Clocks


def test_a_clock_that_runs_ahead_for_a_while_does_not_end_a_session(options, clock):
    visitor = Site(clock=clock, **options).visitor()
    visitor(put(a=1))
    clock.now += 1700
    assert visitor(everything).text == "{'a': 1}"  # noted at a time that is to come
    clock.now -= 1700
    for _ in range(4):
        clock.now += 900
        assert visitor(everything).text == "{'a': 1}"
    assert visitor(lambda session: session.last_seen <= clock.now).text == "True"


def test_what_a_clock_far_ahead_found_over_is_there_when_it_is_right_again(options, clock):
    visitor = Site(clock=clock, **options).visitor()
    visitor(put(a=1))
    clock.now += 100 * DAY
    assert visitor(everything).text == "{}"
    clock.now -= 100 * DAY
    assert visitor(everything).text == "{'a': 1}"


# What is over goes away


@pytest.mark.slow
def test_expired_sessions_leave_a_store_in_batches(tmp_path):
    now = Clock()
    with SQLiteStore(tmp_path / "sessions.db", clock=now) as store:
        site = Site(store=store, clock=now)
        for number in range(1000):
            site.ask(put(number=number))
        now.now += 1801
        assert store.purge() == 1000
        assert store.purge() == 0
