"""What one of several processes does to a session. A module of its own, so that a new process can import it."""

from __future__ import annotations

from contextlib import suppress

from middleware.sessions import SessionMiddleware
from middleware.sessions.in_store.cell import GaveUp

ROUNDS = 50


def layer_on(store):
    """Sessions that are used without HTTP."""
    return SessionMiddleware(None, store=store)


def write(cookie, store, number, barrier):
    """Set keys of its own and count, in turn; the counts that it was told."""
    layer = layer_on(store)
    counts = []
    barrier.wait(60)
    for turn in range(ROUNDS):

        def keep(session, turn=turn):
            session[f"{number} {turn}"] = turn
            session.save()

        acknowledged(layer, cookie, keep)
        counts.append(acknowledged(layer, cookie, lambda session: session.increment("count")))
    return counts


def acknowledged(layer, cookie, use):
    """What comes of it, done again where too many others wrote: then it was refused, which is no loss."""
    while True:
        with suppress(GaveUp):
            return use(layer.open(cookie))
