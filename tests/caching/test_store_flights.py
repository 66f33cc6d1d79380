"""Of many who miss the same answer, one makes the call: in several processes on one store."""

from __future__ import annotations

from functools import partial

import pytest
from caching.flying import LONG, NAME, Page, start
from forking import forked, needs_fork
from hypothesis import given
from hypothesis import strategies as st
from sessions.kit import Clock, SpyStore
from sessions.orders import Stepped, every_order, rest

from middleware.caching.flights.flights import FAILED, PASSED, STORED, TIMED_OUT, Flights
from middleware.caching.shelf.guarded import GuardedStore
from middleware.errors import StoreError
from middleware.stores import MemoryStore, SQLiteStore

ADDRESS = f"cache flight {NAME}"


def processes(store, number=2, **options):
    """The flights of so many processes on this store."""
    return [Flights(GuardedStore(store), **{"timeout": LONG, **options}) for _ in range(number)]


@pytest.mark.parametrize("landing", [STORED, PASSED, FAILED])
def test_others_wait_for_the_leader_of_another_process_and_learn_how_it_ended(landing, elsewhere):
    one, other = processes(MemoryStore())
    flight = one.board(NAME)
    waiters = [elsewhere(lambda: other.board(NAME)) for _ in range(3)]
    assert [waiter.leads for waiter in waiters] == [False] * 3
    waits = start([waiter.wait for waiter in waiters])
    flight.land(landing)
    assert waits() == [landing] * 3
    again = other.board(NAME)
    assert again.leads
    assert one.board(NAME).leads == (landing == PASSED)


def test_one_thread_of_a_process_looks_into_the_store_and_tells_the_others(elsewhere):
    store = SpyStore()
    one, other = processes(store)
    flight = one.board(NAME)
    store.forget_calls()
    waiters = [elsewhere(lambda: other.board(NAME)) for _ in range(10)]
    assert store.calls == ["add", "get"]
    store.forget_calls()
    waits = start([waiter.wait for waiter in waiters])
    flight.land(STORED)
    assert waits() == [STORED] * 10
    assert set(store.calls) <= {"get", "swap"}


def test_a_flight_alone_costs_two_calls_of_the_store():
    store = SpyStore()
    (flights,) = processes(store, 1)
    flights.board(NAME).land(STORED)
    assert store.calls == ["add", "swap"]


def test_what_could_not_be_stored_is_remembered_in_all_processes_and_the_store_is_not_asked_each_time(elsewhere):
    store = SpyStore()
    one, other = processes(store)
    one.board(NAME).land(PASSED)
    other.board(NAME).land(PASSED)
    store.forget_calls()
    for flights in (one, other):
        held = flights.board(NAME)
        assert elsewhere(partial(flights.board, NAME)).leads
        held.land(PASSED)
    assert store.calls == []


def test_the_memory_in_the_store_is_no_longer_than_that_in_the_process(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    store = MemoryStore(clock=lambda: 0)  # it rounds up, and here nothing ever expires
    one, other, third = processes(store, 3, clock=clock)
    one.board(NAME).land(PASSED)
    clock.now += 20
    other.board(NAME).land(FAILED)
    assert other.board(NAME).leads
    clock.now += 11
    leader = other.board(NAME)
    assert leader.leads
    assert not third.board(NAME).leads


def test_the_lock_of_a_process_that_died_ends_by_itself():
    clock = Clock()
    one, other = processes(MemoryStore(clock=clock), timeout=5, clock=clock)
    one.board(NAME)
    clock.now += 4.9
    waiter = other.board(NAME)
    assert not waiter.leads
    clock.now += 0.2
    assert waiter.wait() == FAILED
    assert waiter.board_again().leads


def test_a_leader_that_hangs_in_another_process_holds_nobody_beyond_the_time_limit(elsewhere):
    one, other = processes(MemoryStore(clock=lambda: 0), timeout=0.05, clock=lambda: 0)
    one.board(NAME)
    waiter = other.board(NAME)
    sibling = elsewhere(lambda: other.board(NAME))
    waits = start([waiter.wait, sibling.wait])
    assert waits() in ([TIMED_OUT, FAILED], [TIMED_OUT, TIMED_OUT])


def test_who_was_overtaken_does_not_take_away_the_lock_of_the_next():
    clock = Clock()
    one, other, third = processes(MemoryStore(clock=clock), 3, timeout=5, clock=clock)
    first = one.board(NAME)
    clock.now += 5
    assert other.board(NAME).leads
    for landing in (STORED, PASSED, FAILED):
        first.land(landing)
    assert not third.board(NAME).leads


def test_a_process_whose_application_waits_for_nobody_looks_at_no_lock_for_long(elsewhere):
    one, other = processes(MemoryStore(), max_waiters=0)
    assert one.board(NAME).leads
    assert other.board(NAME).leads
    assert elsewhere(lambda: other.board(NAME)).leads


def test_a_refresh_is_led_by_one_of_all_processes(elsewhere):
    one, other = processes(MemoryStore())
    flight = one.try_lead(NAME)
    assert other.try_lead(NAME) is None
    assert not elsewhere(lambda: other.board(NAME)).leads
    flight.land(STORED)
    assert other.try_lead(NAME) is None  # somebody waits there; that one has not looked yet


def test_a_refresh_is_led_again_when_the_last_is_over_and_also_where_it_could_not_be_stored():
    one, other = processes(MemoryStore())
    for landing in (STORED, PASSED, FAILED):
        one.try_lead(NAME).land(landing)
        other.try_lead(NAME).land(landing)
    leader = other.try_lead(NAME)
    assert one.try_lead(NAME) is None
    leader.land(STORED)


def test_a_refresh_that_another_process_leads_holds_nobody_here(elsewhere):
    one, other = processes(MemoryStore())
    one.board(NAME)
    assert other.try_lead(NAME) is None
    waiter = elsewhere(lambda: other.board(NAME))
    assert not waiter.leads


@pytest.mark.parametrize("verbs", [["add"], ["get"], ["swap"], ["add", "get", "swap"]])
def test_a_store_that_fails_makes_nothing_fail(verbs, elsewhere):
    class Broken(MemoryStore):
        pass

    def fail(*arguments):
        raise StoreError("down")

    for verb in verbs:
        setattr(Broken, verb, fail)
    one, other = processes(Broken())
    for landing in (FAILED, PASSED, STORED):
        flight = one.board(f"{NAME}?{landing}")
        assert flight.leads
        flight.land(landing)
        refresh = one.try_lead(f"{NAME}?refresh={landing}")
        if refresh is not None:
            refresh.land(landing)
    if verbs != ["swap"]:  # then a lock cannot be left, and ends by itself
        assert one.board(NAME).leads
        assert elsewhere(lambda: one.board(NAME)).leads == ("add" in verbs)
        assert other.board(NAME).leads


def test_a_store_that_fails_meanwhile_lets_all_go_on(elsewhere):
    store = SpyStore()
    one, other = processes(store)
    one.board(NAME)
    waiters = [elsewhere(lambda: other.board(NAME)) for _ in range(3)]
    store.down = True
    assert start([waiter.wait for waiter in waiters])() == [PASSED] * 3
    store.down = False
    assert not other.board(NAME).leads  # which is not remembered: another leads


def test_whoever_is_interrupted_while_it_asks_the_store_releases_those_who_wait_here(elsewhere):
    def interrupt():
        waiters.append(elsewhere(lambda: flights.board(NAME)))
        raise KeyboardInterrupt

    store = SpyStore()
    waiters = []
    (flights,) = processes(store, 1)
    for board in (flights.board, flights.try_lead):
        store.before["add"] = interrupt
        with pytest.raises(KeyboardInterrupt):
            board(NAME)
        assert waiters.pop().wait() == FAILED
    flights.board(NAME).land(FAILED)
    other = Flights(GuardedStore(store), timeout=LONG)
    other.board(NAME)
    waiter = flights.board(NAME)
    store.before["get"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        waiter.wait()
    assert waiters.pop().wait() == FAILED


@given(st.binary().filter(lambda value: not value.startswith(b"flight ")))
def test_whatever_stands_in_the_place_of_a_lock_somebody_leads(value):
    store = MemoryStore()
    store.set(ADDRESS, value)
    (flights,) = processes(store, 1)
    flight = flights.board(NAME)
    assert flight.leads
    flight.land(STORED)
    assert flights.try_lead(NAME).leads


@needs_fork
def test_a_child_that_goes_on_with_its_parents_request_does_not_take_away_the_lock(tmp_path):
    with SQLiteStore(tmp_path / "cache.db") as store:
        one, other = processes(store)
        flight = one.board(NAME)
        with forked() as in_child:
            if in_child:
                flight.land(STORED)
        assert not other.board(NAME).leads


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 3])
def test_in_every_order_of_what_processes_ask_the_store_one_makes_the_call(number, monkeypatch):
    """In every order with three interruptions where there are two processes, and with two where there are three."""
    monkeypatch.setattr("time.sleep", rest)

    def prepare():
        store = Stepped(MemoryStore())
        pages = [Page(lambda page: "made", store, store, timeout=LONG) for _ in range(number)]
        answers = []

        def check():
            assert answers == ["made"] * number
            assert sum(len(page.calls) for page in pages) == 1

        return store, [lambda page=page: answers.append(page.ask()) for page in pages], check

    assert every_order(prepare, switches=5 - number) > 1


@pytest.mark.slow
def test_in_every_order_of_what_processes_ask_the_store_a_failure_has_one_successor(monkeypatch):
    monkeypatch.setattr("time.sleep", rest)

    def prepare():
        def make(page):
            failures.append(1)
            if len(failures) == 1:
                raise OSError
            return "made"

        def ask(page):
            try:
                answers.append(page.ask())
            except OSError:
                answers.append("failed")

        def check():
            assert sorted(answers) == ["failed", "made", "made"]
            assert len(failures) == 2

        failures = []
        answers = []
        store = Stepped(MemoryStore())
        pages = [Page(make, store, store, timeout=LONG) for _ in range(3)]
        return store, [partial(ask, page) for page in pages], check

    assert every_order(prepare, switches=2) > 1
