"""A page that costs one call for all who miss it, as the cache asks for it, but with nothing of HTTP around."""

from __future__ import annotations

from threading import Barrier, Event, Semaphore, Thread

from asking import ask
from sqlalchemy import create_engine

from middleware.caching import CacheMiddleware
from middleware.caching.flights.flights import FAILED, PASSED, STORED, Flights, Waiter
from middleware.caching.shelf.guarded import GuardedStore
from middleware.stores import SQLStore

PATIENCE = 60  # seconds to wait for the others, before a test gives up
LONG = 2 * PATIENCE  # a time limit that no test waits for
NAME = "http://example.com/a"


class Page:
    """`ask()` finds it, or boards; who leads calls `make(page)`, which returns the text, or None where it may not be
    stored.
    """

    def __init__(self, make, pages, store=None, **options):
        self.pages = pages  # where the page is stored: any store
        self.flights = Flights(None if store is None else GuardedStore(store), **options)
        self.make = make
        self.calls = []
        self.waiting = Semaphore(0)

    def ask(self):
        page = self.pages.get("page")
        return self.miss() if page is None else page.decode()

    def miss(self):
        flight = self.flights.board(NAME)
        if not flight.leads:
            self.waiting.release()
        while not flight.leads:
            outcome = flight.wait()
            page = self.pages.get("page")
            if page is not None:
                return page.decode()
            if outcome != FAILED:
                return self.call()
            flight = flight.board_again()
        landing = FAILED
        try:
            page = self.pages.get("page")
            if page is not None:
                landing = STORED
                return page.decode()
            made = self.call()
            if made is None:
                landing = PASSED
            else:
                self.pages.set("page", made.encode(), 60)
                landing = STORED
            return made
        finally:
            flight.land(landing)

    def call(self):
        self.calls.append(1)
        return self.make(self)

    def others_wait(self, number):
        """Come back when so many requests wait, or are about to."""
        for _ in range(number):
            assert self.waiting.acquire(timeout=PATIENCE)


def count_waits(replace):
    """Count the requests that wait anywhere in this process; comes back as `others_wait`."""

    def counted(waiter):
        waiting.release()
        return wait(waiter)

    def others_wait(number):
        for _ in range(number):
            assert waiting.acquire(timeout=PATIENCE)

    waiting = Semaphore(0)
    wait = Waiter.wait
    replace(Waiter, "wait", counted)
    return others_wait


def start(works):
    """Each of these functions in a thread of its own, all at once. `join` gives what they returned, or raised."""
    barrier = Barrier(len(works))
    results = [None] * len(works)

    def guarded(number, work):
        barrier.wait(PATIENCE)
        try:
            results[number] = work()
        except BaseException as error:
            results[number] = error

    threads = [Thread(target=guarded, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()

    def join():
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        return results

    return join


def at_once(number, work):
    """What each of so many threads got that do this at the same time."""
    return start([work] * number)()


def on_database(url, table):
    """A store for many threads: who finds no connection free waits for one, and finds no time to be up."""
    engine = create_engine(url, pool_size=15, max_overflow=0, pool_timeout=PATIENCE)
    return SQLStore(engine, table=table)


THREADS = 50


def site_in_one_process(store, number, barrier):
    """Fifty threads of one of several processes ask a cache for the same page; how many calls were made here.

    The call ends when nearly all threads of all processes wait for it.
    """

    def app(environ, start_response):
        calls.append(1)
        assert all_wait.wait(PATIENCE)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Cache-Control", "max-age=60")])
        return [b"made"]

    all_wait = Event()
    calls = []
    others_wait = count_waits(setattr)
    cache = CacheMiddleware(app, store=store, flight_timeout=LONG)
    join = start([lambda: ask(cache, "/a").body] * THREADS)
    others_wait(THREADS - 1)
    barrier.wait(PATIENCE)
    all_wait.set()
    assert join() == [b"made"] * THREADS
    return [len(calls)]
