"""Requests that meet: one inside another, in between the calls of the store, all at once at a barrier, in processes."""

from __future__ import annotations

from functools import partial
from threading import Barrier, Thread

from asking import ask
from sessions.kit import Site, SpyStore, everything

from middleware.sessions import SessionMiddleware, get_session

PATIENCE = 60  # seconds to wait for the others, before a test gives up


def during(visitor, meanwhile, use, before=everything):
    """A slow request: it has read the session, then `meanwhile` happens, then it does this."""

    def slow(session):
        before(session)
        meanwhile()
        return use(session)

    return visitor.twin()(slow)


class Interleaved(SpyStore):
    """Lets other requests in between its calls: `waiting` holds, for each, the calls that are to come before it."""

    def __init__(self, inner=None):
        super().__init__(inner)
        self.waiting = []

    def _call(self, verb, key, *arguments):
        if self.waiting:
            calls, request = self.waiting.pop(0)
            if calls:
                self.waiting.insert(0, (calls - 1, request))
            else:
                request()
        return super()._call(verb, key, *arguments)


def live(store):
    """All that the store holds of sessions."""
    return [store.inner.get(key) or b"" for key in {one.decode() for one in store.values if one[:11] == b"middleware."}]


def at_once(works):
    """What each of these functions returns, all called at once in threads of their own. An error of any is raised."""
    results = [None] * len(works)
    errors = []

    def guarded(number, work):
        try:
            results[number] = work()
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=guarded, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


class Crowded(Site):
    """A site whose actions come with their requests, so that many can be served at once."""

    def serve(self, environ, start_response):
        result = environ["test.use"](get_session(environ))
        start_response(self.status, [("Content-Type", "text/plain"), *self.headers])
        return [repr(result).encode()]

    def ask(self, use, cookie=None, **environ):
        """One request that does this with its session."""
        return ask(self.app, headers={"Cookie": cookie} if cookie else None, **{"test.use": use}, **environ)

    def all_at_once(self, uses, cookie=None, **environ):
        """The answers of as many requests, which have all read the session before any of them goes on."""
        barrier = Barrier(len(uses))

        def meeting(use):
            def after_the_others(session):
                len(session)
                barrier.wait(PATIENCE)
                return use(session)

            return after_the_others

        return at_once([lambda use=use: self.ask(meeting(use), cookie, **environ) for use in uses])


def cookie_of(*answers):
    """What a browser sends after it got these answers, in this order; empty where it has no cookie."""
    cookie = ""
    for answer in answers:
        for line in answer.all("Set-Cookie"):
            cookie = "" if "Max-Age=0" in line else line.partition(";")[0]
    return cookie


def in_process(use, cookie, rounds, store, number, barrier):
    """What one of several processes does with a session, in turn with the others: what it was told.

    A request that was refused, for too many others wrote at the same moment, is sent again.
    """
    app = SessionMiddleware(_act, store=store)
    told = []
    for turn in range(rounds):
        barrier.wait(PATIENCE)
        while ask(app, headers={"Cookie": cookie}, **{"test.use": partial(use, number, turn, told)}).code == 503:
            pass
    return told


def _act(environ, start_response):
    environ["test.use"](get_session(environ))
    start_response("200 OK", [])
    return []


def counts(number, turn, told, session):
    """Exactly, and with a key of its own beside."""
    session[f"{number}-{turn}"] = 1
    told.append(session.increment("counter"))


def counts_in_a_lock(number, turn, told, session):
    """Read, add one, write."""
    with session.lock(timeout=PATIENCE):
        session["counter"] = session.get("counter", 0) + 1
    told.append(session["counter"])
