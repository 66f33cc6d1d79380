"""Of many who miss the same answer, one makes the call: in the threads of one process."""

from __future__ import annotations

import os
from functools import partial
from random import Random
from sys import getswitchinterval, setswitchinterval
from threading import Barrier, Event
from time import sleep

import pytest
from caching.flying import LONG, NAME, PATIENCE, Page, at_once, start
from forking import forked, needs_fork
from sessions.kit import Clock

from middleware.caching import CacheMiddleware
from middleware.caching.flights.flights import FAILED, PASSED, STORED, TIMED_OUT, Flights, Waiter
from middleware.caching.shelf.guarded import GuardedStore
from middleware.errors import ConfigurationError
from middleware.stores import MemoryStore


def page(make, **options):
    return Page(make, MemoryStore(), **{"timeout": LONG, **options})


def test_of_fifty_threads_that_miss_one_makes_the_call():
    def make(site):
        site.others_wait(49)
        return "made"

    site = page(make)
    assert at_once(50, site.ask) == ["made"] * 50
    assert len(site.calls) == 1


def test_who_missed_before_the_landing_and_boards_after_it_makes_no_second_call():
    site = page(lambda site: "made")
    assert site.pages.get("page") is None
    site.ask()
    assert site.miss() == "made"
    assert len(site.calls) == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 20])
def test_a_leader_that_hangs_holds_nobody_beyond_the_time_limit(number):
    def make(site):
        if len(site.calls) == 1:
            hangs.set()
            assert goes_on.wait(PATIENCE)
        return "made"

    hangs, goes_on = Event(), Event()
    site = page(make, timeout=0.2)
    leader = start([site.ask])
    assert hangs.wait(PATIENCE)
    assert at_once(number, site.ask) == ["made"] * number
    assert len(site.calls) > 1
    goes_on.set()
    assert leader() == ["made"]


def test_a_flight_that_was_never_landed_is_replaced_after_the_time_limit(elsewhere):
    clock = Clock()
    flights = Flights(timeout=5, clock=clock)
    flights.board(NAME)
    clock.now += 4.9
    assert not elsewhere(lambda: flights.board(NAME)).leads
    clock.now += 0.2
    assert flights.board(NAME).leads
    assert not elsewhere(lambda: flights.board(NAME)).leads


def test_a_flight_begun_before_the_clock_was_set_back_is_replaced(elsewhere):
    clock = Clock()
    flights = Flights(timeout=5, clock=clock)
    flights.board(NAME)
    clock.now -= 3600
    assert elsewhere(lambda: flights.board(NAME)).leads


def test_who_read_the_clock_just_before_the_leader_did_waits_all_the_same(elsewhere):
    clock = Clock()
    flights = Flights(clock=clock)
    flight = flights.board(NAME)
    clock.now -= 1e-6
    assert not elsewhere(lambda: flights.board(NAME)).leads
    assert flights.try_lead(NAME) is None
    clock.now += 1e-6
    flight.land(PASSED)
    clock.now -= 1e-6
    assert leads_alone(flights, elsewhere)


def test_flights_that_were_never_landed_do_not_pile_up():
    clock = Clock()
    flights = Flights(timeout=5, clock=clock)
    for number in range(10_000):
        clock.now += 1
        flights.board(f"{NAME}?{number}")
    assert len(flights._under_way) < 200


def test_who_was_overtaken_and_comes_home_first_brings_the_answer_to_all():
    clock = Clock()
    flights = Flights(timeout=LONG, clock=clock)
    first = flights.board(NAME)
    clock.now += LONG
    second = flights.board(NAME)
    waiting = Event()

    def wait():
        waiter = flights.board(NAME)
        waiting.set()
        return waiter.wait()

    waits = start([wait])
    assert waiting.wait(PATIENCE)
    first.land(STORED)
    assert waits() == [STORED]
    second.land(FAILED)
    assert flights.board(NAME).leads


def test_who_was_overtaken_and_fails_leaves_the_other_flight_alone(elsewhere):
    clock = Clock()
    flights = Flights(timeout=LONG, clock=clock)
    first = flights.board(NAME)
    clock.now += LONG
    flights.board(NAME)
    first.land(FAILED)
    assert not elsewhere(lambda: flights.board(NAME)).leads


def test_when_an_answer_may_not_be_stored_all_go_on_at_once_and_the_next_do_not_queue():
    """Each call waits inside for all the others, so that one that queued would be missed there."""

    def make(site):
        together.wait(PATIENCE)

    def lead():
        flight = site.flights.board(NAME)
        leads.set()
        site.others_wait(19)
        flight.land(PASSED)  # with the head, long before the answer is over
        site.make(site)

    together = Barrier(20)
    leads = Event()
    site = page(make)
    leader = start([lead])
    assert leads.wait(PATIENCE)
    assert at_once(19, site.ask) == [None] * 19
    assert leader() == [None]
    assert at_once(20, site.ask) == [None] * 20


def leads_alone(flights, elsewhere):
    """Whether one who boards while another leads makes the call too."""
    first = flights.board(NAME)
    second = elsewhere(lambda: flights.board(NAME))
    first.land(FAILED)
    return second.leads


def test_that_an_answer_could_not_be_stored_is_remembered_for_half_a_minute(elsewhere):
    clock = Clock()
    flights = Flights(clock=clock)
    assert not leads_alone(flights, elsewhere)
    flights.board(NAME).land(PASSED)
    clock.now += 29
    assert leads_alone(flights, elsewhere)
    clock.now += 2
    assert not leads_alone(flights, elsewhere)


def test_a_clock_that_is_set_back_makes_no_memory_longer(elsewhere):
    clock = Clock()
    flights = Flights(clock=clock)
    flights.board(NAME).land(PASSED)
    clock.now -= 3600
    assert not leads_alone(flights, elsewhere)


def test_an_answer_that_was_stored_after_all_is_waited_for_again(elsewhere):
    flights = Flights()
    flights.board(NAME).land(PASSED)
    flights.board(NAME).land(STORED)
    assert not leads_alone(flights, elsewhere)


def test_the_memory_of_answers_that_could_not_be_stored_is_bounded_and_keeps_the_latest():
    flights = Flights()
    for number in range(25_000):
        flights.board(f"{NAME}?{number}").land(PASSED)
    assert len(flights._passed_over.until) <= 10_000
    assert flights._passed_over.remembers(f"{NAME}?24999", flights._clock())


def test_only_so_many_wait_and_the_others_make_the_call_themselves():
    def make(site):
        calls.wait(PATIENCE)
        return "made"

    calls = Barrier(3)
    site = page(make, max_waiters=2)
    assert at_once(5, site.ask) == ["made"] * 5
    assert len(site.calls) == 3


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 3])
def test_in_a_crowd_there_is_one_leader_at_a_time_and_nobody_is_forgotten(processes):
    def crowd(number):
        chance = Random(number)
        flights = of_each[number % processes]
        for _ in range(100):
            name = chance.choice("ab")
            flight = flights.try_lead(name) if chance.random() < 0.2 else flights.board(name)
            while isinstance(flight, Waiter):
                outcome = flight.wait()
                assert outcome != TIMED_OUT
                flight = flight.board_again() if outcome == FAILED else None
            if flight is not None:
                assert leading.setdefault(name, number) == number
                sleep(chance.choice([0, 0.001]))
                del leading[name]
                flight.land(chance.choice([STORED, FAILED]))

    leading = {}
    store = GuardedStore(MemoryStore()) if processes > 1 else None
    of_each = [Flights(store, timeout=LONG) for _ in range(processes)]
    before = getswitchinterval()
    setswitchinterval(1e-6)
    try:
        assert start([partial(crowd, number) for number in range(9)])() == [None] * 9
    finally:
        setswitchinterval(before)


def test_nobody_waits_where_nobody_may(elsewhere):
    assert leads_alone(Flights(max_waiters=0), elsewhere)


@pytest.mark.slow
def test_a_thousand_clients_of_one_page_hold_no_more_than_a_hundred_threads(elsewhere):
    def make(site):
        calls.wait(PATIENCE)
        return "made"

    calls = Barrier(1000 - 100)
    site = page(make)
    assert at_once(1000, site.ask) == ["made"] * 1000
    assert len(site.calls) == 1000 - 100
    assert elsewhere(lambda: site.flights.board("http://example.com/other").leads)


def test_a_request_from_inside_its_own_flight_does_not_wait():
    def make(site):
        return "inner" if len(site.calls) == 2 else f"outer round {site.ask()}"

    site = page(make)
    assert site.ask() == "outer round inner"


def test_flights_that_ask_for_each_other_do_not_wait_in_a_circle():
    """The first leads and waits for the second, which waits for the third, which asks for the first."""
    flights = Flights(timeout=LONG)
    names = ["one", "two", "three"]
    all_lead = Barrier(len(names))

    def lead(number):
        flight = flights.board(names[number])
        all_lead.wait(PATIENCE)
        other = flights.board(names[(number + 1) % len(names)])
        outcome = None if other.leads else other.wait()
        flight.land(STORED)
        return outcome

    outcomes = start([lambda number=number: lead(number) for number in range(len(names))])()
    assert sorted(outcomes, key=str) == [None, STORED, STORED]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_when_the_leader_fails_one_of_the_waiters_makes_the_call_and_nobody_else_sees_the_error(error):
    def make(site):
        if len(site.calls) == 1:
            site.others_wait(19)
            raise error
        return "made"

    site = page(make)
    results = at_once(20, site.ask)
    assert [type(one) for one in results].count(error) == 1
    assert results.count("made") == 19
    assert len(site.calls) == 2


def test_the_whole_of_a_requests_waiting_has_one_limit_however_many_leaders_fail():
    clock = Clock()
    flights = Flights(timeout=5, clock=clock)
    waiting = Event()

    def wait():
        waiter = flights.board(NAME)
        waiting.set()
        assert waiter.wait() == FAILED
        again = waiter.board_again()
        return again.leads

    first = flights.board(NAME)
    waits = start([wait])
    assert waiting.wait(PATIENCE)
    clock.now += 5
    second = flights.board(NAME)  # the first is overtaken, and lands now
    first.land(FAILED)
    assert waits() == [True]
    second.land(FAILED)


def test_who_has_time_left_when_the_flight_has_not_becomes_the_leader(elsewhere):
    clock = Clock()
    flights = Flights(timeout=0.05, clock=clock)
    flights.board(NAME)
    clock.now += 0.04
    waiter = elsewhere(lambda: flights.board(NAME))
    assert waiter.wait() == FAILED
    again = waiter.board_again()
    assert again.leads
    assert not elsewhere(lambda: flights.board(NAME)).leads


def test_who_has_no_time_left_makes_the_call(elsewhere):
    clock = Clock()  # it stands still
    flights = Flights(timeout=0.05, clock=clock)
    flights.board(NAME)
    assert elsewhere(lambda: flights.board(NAME)).wait() == TIMED_OUT


def test_who_waits_for_another_flight_after_the_first_has_only_the_rest_of_the_time(elsewhere):
    clock = Clock()
    flights = Flights(timeout=5, clock=clock)
    first = flights.board(NAME)
    other = "http://example.com/b"
    flights.board(other)
    waiter, late = (elsewhere(lambda: flights.board(NAME)) for _ in range(2))
    first.land(STORED)
    assert [waiter.wait(), late.wait()] == [STORED, STORED]
    clock.now += 4.9
    flights.board(other).land(FAILED)
    assert not elsewhere(lambda: waiter.board_again(other)).leads
    clock.now += 0.1
    assert elsewhere(lambda: late.board_again(other)).leads


def test_the_first_landing_counts(elsewhere):
    flights = Flights()
    flight = flights.board(NAME)
    flight.land(STORED)
    flight.land(PASSED)
    assert not leads_alone(flights, elsewhere)
    next_one = flights.board(NAME)
    flight.land(FAILED)
    assert not elsewhere(lambda: flights.board(NAME)).leads
    next_one.land(STORED)


def test_a_refresh_is_led_by_one_and_nobody_waits_for_the_lead(elsewhere):
    flights = Flights()
    flight = flights.try_lead(NAME)
    assert at_once(10, lambda: flights.try_lead(NAME)) == [None] * 10
    assert not elsewhere(lambda: flights.board(NAME)).leads
    flight.land(STORED)
    flights.try_lead(NAME).land(PASSED)
    assert flights.try_lead(NAME).leads  # which is remembered for those who queue, and here is no queue


def test_a_refresh_that_was_never_landed_is_replaced_after_the_time_limit():
    clock = Clock()
    flights = Flights(timeout=5, clock=clock)
    flights.try_lead(NAME)
    clock.now += 4.9
    assert flights.try_lead(NAME) is None
    clock.now += 0.2
    assert flights.try_lead(NAME).leads


@needs_fork
def test_a_forked_child_waits_for_none_of_its_parents_flights(elsewhere):
    flights = Flights(timeout=LONG)
    flight = flights.board(NAME)
    with forked() as in_child:
        if in_child:
            assert flights.board(NAME).leads
            flight.land(FAILED)  # the child goes on with the request in which it was made
            assert not elsewhere(lambda: flights.board(NAME)).leads
    assert not elsewhere(lambda: flights.board(NAME)).leads
    flight.land(STORED)
    assert flights.board(NAME).leads


@pytest.mark.slow
@needs_fork
def test_forks_in_the_midst_of_flights_leave_no_lock_behind():
    def fly():
        while not over.is_set():
            flights.board(os.urandom(8).hex()).land(PASSED)
            flights.board(os.urandom(8).hex()).land(STORED)

    flights = Flights()
    over = Event()
    threads = start([fly] * 3)
    for _ in range(4):
        with forked() as in_child:
            if in_child:
                flights.board("another").land(STORED)
    over.set()
    assert threads() == [None] * 3


@pytest.mark.parametrize("timeout", [0, -1, True, "5", float("nan"), float("inf"), 3601, None])
def test_a_time_limit_is_a_number_of_seconds(timeout):
    with pytest.raises(ConfigurationError, match="flight_timeout="):
        CacheMiddleware(print, store=MemoryStore(), flight_timeout=timeout)


@pytest.mark.parametrize("number", [-1, True, 1.5, "1", None])
def test_the_waiters_are_a_number_of_requests(number):
    with pytest.raises(ConfigurationError, match="max_waiters="):
        CacheMiddleware(print, store=MemoryStore(), max_waiters=number)
