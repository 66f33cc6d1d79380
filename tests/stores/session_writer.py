"""What one of several processes does to a session. A module of its own, so that a new process can import it."""

from __future__ import annotations

from middleware.sessions import SessionMiddleware

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
        session = layer.open(cookie)
        session[f"{number} {turn}"] = turn
        session.save()
        counts.append(layer.open(cookie).increment("count"))
    return counts
