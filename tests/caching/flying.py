"""A page that costs one call for all who miss it, as the cache asks for it, but with nothing of HTTP around."""

from __future__ import annotations

from functools import partial
from threading import Barrier, Semaphore, Thread

from middleware.caching.flights import FAILED, PASSED, STORED, Flights
from middleware.caching.guarded import GuardedStore

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


THREADS = 50


def in_one_process(store, number, barrier):
    """Fifty threads of one of several processes miss the same page; how many calls were made here."""

    def make(page):
        page.others_wait(THREADS - 1)
        return "made"

    at_once(THREADS, partial(store.get, "page"))  # connected; some may have to wait too long for that
    page = Page(make, store, store, timeout=LONG)
    start_together = Barrier(THREADS, action=partial(barrier.wait, PATIENCE))

    def ask():
        start_together.wait(PATIENCE)
        return page.ask()

    assert at_once(THREADS, ask) == ["made"] * THREADS
    return [len(page.calls)]
