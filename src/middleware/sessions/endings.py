"""To end a stored session for good, under whatever id it has got meanwhile."""

from __future__ import annotations

from middleware.sessions.codec import content_of, decoded
from middleware.sessions.records import ENDED, Pointer, Stamped
from middleware.sessions.turns import wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.stores.base import Store

ATTEMPTS = 10  # at one write, while other requests of the visitor keep writing


def end_session(store: Store, key: str, raw: bytes | None, marked_for: float) -> list[tuple[str, str | None]]:
    """End the session whose record was seen under `key`, as `raw`. What was ended: each key, and the user it was of.

    `marked_for`: seconds for which a request that is half-way through the same finds out what happened.
    """
    following = (key, store.get(key) if raw is None else raw)
    ended: list[tuple[str, str | None]] = []
    while following[1] is not None and following[0] not in [key for key, _ in ended]:
        user, target = _end_one(store, following[0], following[1], marked_for)
        ended.append((following[0], user))
        following = (target, store.get(target)) if target else ("", None)
    # Last, for a log-out that fails half-way finds the rest of the way by the pointers when it is tried again.
    for key, _ in ended:
        store.delete(key)
    return ended


def _end_one(store: Store, key: str, raw: bytes, marked_for: float) -> tuple[str | None, str]:
    """End the record: its user. Where the session got another id, what the pointer in its place points at."""
    for attempt in range(ATTEMPTS):
        pointer = Pointer.read(raw)
        if pointer is not None:
            return None, pointer.target
        # Not just a delete: that could take away the pointer of a rotation and leave its session alive.
        if store.swap(key, raw, ENDED, marked_for):
            return user_of(raw), ""
        now_there = store.get(key)
        if now_there is None:
            break
        raw = now_there
        wait(attempt)
    return None, ""


def user_of(raw: bytes) -> str | None:
    """Whose session this record is."""
    found = Stamped.read(raw)
    try:
        user = None if found is None else content_of(decoded(found.content))[2].get("user")
    except ValueError:
        return None
    return user if isinstance(user, str) else None
