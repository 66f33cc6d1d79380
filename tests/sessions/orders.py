"""Requests that run at the same time, in every order of their calls to the store.

Each runs in a thread of its own, and one at a time goes on, to its next call. So a failing order can be run again.
"""

from __future__ import annotations

from threading import Lock, Thread, local

from sessions.kit import SpyStore
from sessions.races import PATIENCE

_this = local()  # of a thread on a stage: the stage, and its number there


class Stage:
    """Runs functions at once, in an order that `choose(those that may go on, the one that went on last)` gives.

    Who comes to a pause chooses, and mostly goes on: threads are woken for switches only, which is most of the time.
    """

    def __init__(self, works):
        self._works = works
        self._turns = [_shut() for _ in works]
        self._over = _shut()
        self._last = None
        self._done = set()
        self._resting = set()
        self._errors = []

    def pause(self):
        """Wait for the turn of this thread, if it is one of ours."""
        if getattr(_this, "stage", None) is self:
            self._hand_on(_this.number)

    def rest(self):
        """Wait until another one has gone on, if there is one."""
        self._resting.add(_this.number)
        self.pause()
        self._resting.discard(_this.number)

    def run(self, choose):
        """Come back when all are done. The first error of any is raised."""
        self._choose = choose
        threads = [Thread(target=self._act, args=pair) for pair in enumerate(self._works)]
        for thread in threads:
            thread.start()
        self._hand_on()
        assert self._over.acquire(timeout=PATIENCE)
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _act(self, number, work):
        _this.stage, _this.number = self, number
        self._wait(number)
        try:
            work()
        except BaseException as error:
            self._errors.append(error)
        self._done.add(number)
        self._hand_on()

    def _hand_on(self, number=None):
        """Let the next one go on, and wait for the turn of this one, if it has anything left to do."""
        left = [each for each in range(len(self._works)) if each not in self._done]
        if not left:
            self._over.release()
            return
        self._last = self._choose([each for each in left if each not in self._resting] or left, self._last)
        if self._last != number:
            self._turns[self._last].release()
            if number is not None:
                self._wait(number)

    def _wait(self, number):
        assert self._turns[number].acquire(timeout=PATIENCE)


def _shut():
    """A gate that lets one through for each `release`: a lock, for a semaphore takes twice as long."""
    lock = Lock()
    lock.acquire()
    return lock


def rest(seconds):
    """In the place of `time.sleep`: whoever waits for others lets them go on."""
    stage = getattr(_this, "stage", None)
    if stage is not None:
        stage.rest()


class Stepped(SpyStore):
    """A store whose calls wait for their turn on the stage."""

    stage = None

    def _call(self, verb, key, *arguments):
        if self.stage is not None:
            self.stage.pause()
        return super()._call(verb, key, *arguments)


def every_order(prepare, *, switches):
    """Play each order in which one request is interrupted by another so many times at most. How many there are.

    `prepare()` gives a new store, the functions to run on it, and one that checks what is there afterwards.
    """
    orders = [()]
    played = 0
    while orders:
        played += 1
        _play(prepare, orders.pop(), switches, orders)
    return played


def _play(prepare, start, switches, orders):
    """Play the order that starts like this and goes on without a switch, and note those that branch off from it."""
    store, works, check = prepare()
    store.stage = Stage(works)
    taken = []
    switched = 0

    def choose(left, last):
        nonlocal switched
        stays = last in left
        chosen = start[len(taken)] if len(taken) < len(start) else last if stays else left[0]
        if len(taken) >= len(start) and switched + stays <= switches:
            orders.extend((*taken, other) for other in left if other != chosen)
        switched += stays and chosen != last
        taken.append(chosen)
        return chosen

    try:
        store.stage.run(choose)
        store.stage = None
        check()
    except BaseException as error:
        error.add_note(f"in the order {taken}")
        raise
