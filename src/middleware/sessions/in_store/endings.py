"""To end a stored session for good, under whatever id it has got meanwhile."""

from __future__ import annotations

from middleware.sessions.codec import content_of, decoded
from middleware.sessions.in_store.turns import ATTEMPTS, wait
from middleware.sessions.records import ENDED, Pointer, Stamped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.stores.base import Store


def end_session(
    store: Store, key: str, raw: bytes | None, marked_for: float, *, follows: bool = True
) -> list[tuple[str, str | None]]:
    """End the session whose record was seen under `key`, as `raw`. What was ended: its key, and the user it was of.

    `marked_for`: seconds for which a request that is half-way through the same finds out what happened. `follows`:
    whether to end what got another id under that one.
    """
    following = (key, store.get(key) if raw is None else raw)
    passed: list[str] = []
    ended: list[tuple[str, str | None]] = []
    while following[1] is not None and following[0] not in passed:
        key, there = following[0], _mark(store, following[0], following[1], marked_for)
        pointer = None if there is None else Pointer.read(there)
        if pointer and not follows:
            break
        passed.append(key)
        following = (pointer.target, store.get(pointer.target)) if pointer else ("", None)
        if there is not None and Stamped.read(there) is not None:
            ended.append((key, user_of(there)))
    # Last, for a log-out that fails half-way finds the rest of the way by the pointers when it is tried again.
    for key in passed:
        store.delete(key)
    return ended


def _mark(store: Store, key: str, raw: bytes, marked_for: float) -> bytes | None:
    """Put the mark of an end in the place of what is there: what that was. A pointer stays, and is returned.

    None where nothing is there any more, for somebody else has ended it.
    """
    for attempt in range(ATTEMPTS):
        # Not just a delete: that could take away the pointer of a rotation and leave its session alive.
        if Pointer.read(raw) is not None or store.swap(key, raw, ENDED, marked_for):
            return raw
        now_there = store.get(key)
        if now_there is None:
            return None
        raw = now_there
        wait(attempt)
    return raw


def user_of(raw: bytes) -> str | None:
    """Whose session this record is."""
    found = Stamped.read(raw)
    try:
        user = None if found is None else content_of(decoded(found.content))[2].get("user")
    except ValueError:
        return None
    return user if isinstance(user, str) else None
