"""Concurrent requests for what is not in the cache: one call of the application, and nobody held up by it for long."""

from __future__ import annotations

from functools import partial
from threading import Barrier, Event

import pytest
from asking import ask, make_environ
from cached_site import Site
from caching.flying import LONG, PATIENCE, at_once, site_in_one_process, start
from servers.programs import wait_until

from middleware.stores import MemoryStore
from middleware.testing.crowds import PROCESSES, in_processes

FRESH = ("Cache-Control", "max-age=60")
PRIVATE = ("Cache-Control", "private")


def site_of(act, **options):
    """A site whose application does `act(number of this call, environ)`, which gives fields and a body."""

    def app(environ, start_response):
        site.made.append(1)
        fields, body = act(len(site.made), environ)
        start_response("200 OK", [("Content-Type", "text/plain"), *fields])
        return body

    site = Site(app=app, **{"flight_timeout": LONG, **options})
    site.made = []
    return site


def test_fifty_requests_at_once_cost_one_call(others_wait):
    def act(number, environ):
        others_wait(49)
        return [FRESH], [b"made"]

    site = site_of(act)
    answers = at_once(50, site.ask)
    assert [answer.body for answer in answers] == [b"made"] * 50
    assert len(site.made) == 1
    assert sum("collapsed" in answer.header("Cache-Status") for answer in answers) == 49


@pytest.mark.slow
def test_two_hundred_requests_at_once_in_four_processes_cost_one_call(opener):
    assert sorted(in_processes(site_in_one_process, opener)) == [[0]] * (PROCESSES - 1) + [[1]]


@pytest.mark.slow
def test_an_application_that_hangs_holds_nobody_beyond_the_time_limit():
    def act(number, environ):
        if number == 1:
            hangs.set()
            assert goes_on.wait(PATIENCE)
        return [FRESH], [b"made"]

    hangs, goes_on = Event(), Event()
    site = site_of(act, flight_timeout=0.2)
    leader = start([site.ask])
    assert hangs.wait(PATIENCE)
    assert [answer.body for answer in at_once(20, site.ask)] == [b"made"] * 20
    goes_on.set()
    assert leader()[0].body == b"made"


@pytest.mark.slow
@pytest.mark.parametrize("closes", [True, False])
def test_a_client_that_reads_slowly_or_is_forgotten_by_its_server_holds_nobody_beyond_the_time_limit(closes):
    site = site_of(lambda number, environ: ([FRESH], iter([b"one,", b"two"])), flight_timeout=0.2)
    body = site.cache(make_environ("/a"), lambda status, headers, exc_info=None: None)
    assert next(iter(body)) == b"one,"
    assert [answer.body for answer in at_once(3, site.ask)] == [b"one,two"] * 3
    calls = len(site.made)
    if closes:
        body.close()
    assert site.ask().body == b"one,two"
    assert len(site.made) == calls


def test_when_the_answer_may_not_be_stored_nobody_queues_then_or_later():
    """Each answer waits, once its head is out, for all the others; so that one that queued would be missed there."""

    def act(number, environ):
        def body():
            together.wait(PATIENCE)
            yield b"for you alone"

        return [PRIVATE], body()

    together = Barrier(20)
    site = site_of(act)
    for _ in range(2):
        assert [answer.body for answer in at_once(20, site.ask)] == [b"for you alone"] * 20
    assert len(site.made) == 40


def test_requests_of_different_users_for_one_private_page_each_get_their_own():
    def act(number, environ):
        def body():
            together.wait(PATIENCE)
            yield environ["HTTP_COOKIE"].encode()

        return [PRIVATE], body()

    together = Barrier(2)
    site = site_of(act)
    works = [lambda user=user: site.ask(headers={"Cookie": user}).text for user in ("sid=1", "sid=2")]
    for _ in range(2):
        assert start(works)() == ["sid=1", "sid=2"]


@pytest.mark.parametrize("other", [{"X": "2"}, {}])
def test_who_waits_takes_only_an_answer_that_fits(other, others_wait):
    def act(number, environ):
        if number == 1:
            waits.set()
            others_wait(3)
        return [FRESH, ("Vary", "X")], [environ.get("HTTP_X", "none").encode()]

    waits = Event()
    site = site_of(act)
    leader = start([partial(site.ask, headers={"X": "1"})])
    assert waits.wait(PATIENCE)
    others = at_once(3, partial(site.ask, headers=other))
    assert [answer.text for answer in others] == [other.get("X", "none")] * 3
    assert leader()[0].text == "1"
    assert len(site.made) == 2


def test_a_request_with_credentials_waits_for_nobody():
    def act(number, environ):
        together.wait(PATIENCE)
        return [FRESH], [environ.get("HTTP_AUTHORIZATION", "nobody").encode()]

    together = Barrier(3)
    site = site_of(act)
    credentials = [{}, {"Authorization": "Bearer a"}, {"Authorization": "Bearer b"}]
    texts = start([lambda headers=headers: site.ask(headers=headers).text for headers in credentials])()
    assert texts == ["nobody", "Bearer a", "Bearer b"]


class Meeting:
    """Calls that wait for each other until so many are there at once; later ones do not."""

    def __init__(self, number):
        self.over = Event()
        self._barrier = Barrier(number, action=self.over.set)

    def join(self):
        if not self.over.is_set():
            self._barrier.wait(PATIENCE)


def test_only_so_many_wait_and_the_others_ask_the_application_themselves():
    def act(number, environ):
        together.join()
        return [FRESH], [b"made"]

    together = Meeting(3)
    site = site_of(act, max_waiters=2)
    assert [answer.body for answer in at_once(5, site.ask)] == [b"made"] * 5


@pytest.mark.slow
def test_a_thousand_clients_of_one_page_hold_no_other_up():
    def act(number, environ):
        if environ["PATH_INFO"] == "/a":
            together.join()
        return [FRESH], [b"made"]

    together = Meeting(900 + 1)
    site = site_of(act)
    crowd = start([site.ask] * 1000)
    assert site.ask("/other").body == b"made"
    together.join()
    assert [answer.body for answer in crowd()] == [b"made"] * 1000


def test_an_application_may_ask_for_its_own_page_through_the_cache():
    def act(number, environ):
        return [FRESH], [b"inner"] if number == 2 else [b"outer of ", ask(site.cache, "/a").body]

    site = site_of(act)
    assert site.ask().body == b"outer of inner"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("late", [False, True])
def test_when_the_call_fails_one_other_makes_it_and_nobody_else_sees_the_error(error, late, others_wait):
    def act(number, environ):
        def body():
            yield b""
            others_wait(19)
            raise error

        if number > 1:
            return [FRESH], [b"made"]
        if late:
            return [FRESH], body()
        others_wait(19)
        raise error

    site = site_of(act)
    results = at_once(20, site.ask)
    assert [type(one) for one in results].count(error) == 1
    assert [one.body for one in results if type(one) is not error] == [b"made"] * 19
    assert len(site.made) == 2


def test_when_the_client_leaves_one_of_those_who_wait_asks_the_application(others_wait):
    site = site_of(lambda number, environ: ([FRESH], iter([b"one,", b"two"])))
    body = site.cache(make_environ("/a"), lambda status, headers, exc_info=None: None)
    assert next(iter(body)) == b"one,"
    others = start([site.ask] * 10)
    others_wait(10)
    body.close()
    assert [answer.body for answer in others()] == [b"one,two"] * 10
    assert len(site.made) == 2


def test_a_stale_answer_goes_to_all_at_once_and_is_refreshed_once():
    def act(number, environ):
        if number > 1:
            assert all_answered.wait(PATIENCE)
        return [("Cache-Control", "max-age=1, stale-while-revalidate=60")], [b"answer %d" % number]

    all_answered = Event()
    site = site_of(act, store=MemoryStore())
    assert site.ask().body == b"answer 1"
    site.now += 3
    assert [answer.body for answer in at_once(20, site.ask)] == [b"answer 1"] * 20
    all_answered.set()
    wait_until(lambda: site.ask().body == b"answer 2")
    assert len(site.made) == 2
