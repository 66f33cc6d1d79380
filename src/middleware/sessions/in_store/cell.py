"""One place in a store where a session is kept, and how it is written while others write: read, swap, try again.

Its rule: a record is added once, swapped ever after, and swapped for a mark or a pointer before it goes. No write of a
request that came too late can bring back what was ended.
"""

from __future__ import annotations

import os

from middleware.errors import StoreError
from middleware.sessions.in_store.turns import ATTEMPTS, Turn, wait
from middleware.sessions.records import ID_BYTES, NONCE_BYTES, Pointer, Stamped, id_of, key_of, successor_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from middleware.sessions.in_store.sessions import StoredSessions
    from middleware.sessions.timeouts import Times

    Put = Callable[[Stamped], tuple[Times, bytes]]  # what is held by now, to the times and content in its place
    Moved = Literal["moved", "followed", "ended"]
    Owner = tuple[str, str]  # a user, and the label of the login


class Cell:
    """Where the session of one request is: `held` is what the store was last seen to hold there, None where nothing."""

    __slots__ = ("displaced", "held", "identifier", "key", "now", "sessions", "timeouts")

    def __init__(
        self, sessions: StoredSessions, now: float, identifier: str = "", key: str = "", held: Stamped | None = None
    ) -> None:
        self.sessions = sessions
        self.timeouts = sessions.terms.timeouts
        self.now = now
        self.identifier = identifier
        self.key = key
        self.held = held
        self.displaced: tuple[str, ...] = ()  # other sessions of the user that were ended to make room

    @property
    def id(self) -> str | None:
        """The id in hashed form."""
        return id_of(self.key) or None

    def hold(self, identifier: str, key: str, held: Stamped | None) -> None:
        """Be in this place."""
        self.identifier = identifier
        self.key = key
        self.held = held

    def begin(self, times: Times, content: bytes, owner: Owner | None) -> bool:
        """Add a record under a new id. False where all sessions of its owner are being ended at this moment."""
        self._add(Stamped.of(times, content), owner, is_login=True)
        return self._outlives_the_look(owner, is_login=True)

    def swap(self, times: Times, content: bytes) -> bool:
        """Put this in the place of what is held. False where somebody else has written meanwhile."""
        held = self.held
        assert held is not None
        fresh = Stamped.of(times, content)
        if not self.sessions.store.swap(self.key, held.raw, fresh.raw, self.timeouts.seconds_left(times, self.now)):
            return False
        self.held = fresh
        return True

    def change(self, put: Put, *, first: int = 0) -> bool:
        """Write, whatever the store holds by now. False where the session was ended meanwhile.

        Requests of this process that do so wait for each other. `first`: 0 to try with what was read last, 1 to read
        again before. Raises GaveUp where all attempts fail.
        """
        with Turn(self.key):
            for attempt in range(first, ATTEMPTS):
                if attempt:
                    wait(attempt - 1)
                    self.held = self.read_again()
                if self.held is None:
                    return False
                if self.swap(*put(self.held)):
                    return True
        raise GaveUp(f"the session could not be written in {ATTEMPTS} attempts: the store refuses every swap")

    def read_again(self) -> Stamped | None:
        """What the store holds by now; None where the session was ended.

        After a periodic renewal that is under the successor's id, and this goes there.
        """
        while (raw := self.sessions.store.get(self.key)) is not None:
            pointer = Pointer.read(raw)
            if pointer is None:
                return Stamped.read(raw)
            if not pointer.nonce:
                return None
            self.identifier = successor_of(self.identifier, pointer.nonce)
            self.key = pointer.target
        return None

    def move(self, put: Put, before: Owner | None, after: Owner | None, *, renews: bool = False) -> Moved:
        """Give the session a new id.

        "ended" where it was ended meanwhile; "followed" where this `renews` and another request was faster.

        From the moment of the swap the old id opens nothing or, where this `renews`, leads to the new one for a while.
        That the swap succeeds proves that nobody has ended or changed the session since it was copied.
        """
        assert self.held is not None
        old_key = self.key
        nonce = os.urandom(NONCE_BYTES) if renews else b""
        new = Cell(self.sessions, self.now)
        new._add(Stamped.of(*put(self.held)), after, instead_of=self, nonce=nonce, is_login=before is None)
        self.displaced += new.displaced
        for attempt in range(ATTEMPTS):
            if self.sessions.store.swap(
                self.key, self.held.raw, Pointer(new.key, self.now, nonce).raw, self.timeouts.idle
            ):
                old_id = id_of(self.key)
                self.hold(new.identifier, new.key, new.held)
                self._leave(before, old_id)
                return "moved" if self._outlives_the_look(after, is_login=before is None) else "ended"
            self.held = self.read_again()
            if self.held is None or (renews and self.key != old_key):  # or: another request has renewed it
                new._undo(after)
                return "ended" if self.held is None else "followed"
            new._copy(put(self.held), after, id_of(self.key))
            wait(attempt)
        new._undo(after)
        raise GaveUp(f"the session could not be given a new id in {ATTEMPTS} attempts: the store refuses every swap")

    def end(self, *, follows: bool = True) -> list[tuple[str, str | None]]:
        """End the session under every id that it has got since. What was ended: its id in hashed form, and its user."""
        raw = None if self.held is None else self.held.raw
        found = []
        if self.key:
            from middleware.sessions.in_store.endings import end_session

            found = end_session(self.sessions.store, self.key, raw, self.timeouts.idle, follows=follows)
        self.hold("", "", None)
        ended = [(id_of(key), user) for key, user in found]
        for id, user in ended:
            self._leave((user, "") if user else None, id)
        return ended

    def _add(
        self,
        fresh: Stamped,
        owner: Owner | None,
        *,
        is_login: bool,
        instead_of: Cell | None = None,
        nonce: bytes = b"",
    ) -> None:
        """Add the record under a new id, which is in the index before. An id that is taken already is never shared."""
        for _ in range(ATTEMPTS):
            old = "" if instead_of is None else instead_of.identifier
            identifier = successor_of(old, nonce) if nonce else os.urandom(ID_BYTES).hex()
            key = key_of(identifier)
            assert key is not None
            if owner is not None:
                replaced = "" if instead_of is None else id_of(instead_of.key)
                ended = self.sessions.index.enter(
                    owner[0], id_of(key), fresh.times, owner[1], instead_of=replaced, is_login=is_login
                )
                self.displaced += tuple(ended)
            if self.sessions.store.add(key, fresh.raw, self.timeouts.seconds_left(fresh.times, self.now)):
                self.hold(identifier, key, fresh)
                return
        raise StoreError("no new session id is free: the operating system's random numbers repeat, or add() is broken")

    def _outlives_the_look(self, owner: Owner | None, *, is_login: bool) -> bool:
        """Whether the index still has the session that has just begun; else whoever ended all the user's meant it."""
        forgets = is_login  # if the store fails here: nobody is given the id of a session that may be in no index
        try:
            if owner is None or self.sessions.index.holds(owner[0], id_of(self.key)):
                return True
            forgets = True
            self.end(follows=False)  # what another request has given a new id since was entered and looked at by it
        except StoreError:
            if forgets:
                self.hold("", "", None)
            raise
        return False

    def _copy(self, copied: tuple[Times, bytes], owner: Owner | None, instead_of: str) -> None:
        """Hold what the session that is given this new id has become meanwhile."""
        until = None if self.held is None else self.held.times.until
        times, content = copied
        if self.swap(times, content) and owner is not None and times.until != until:
            self.sessions.index.enter(owner[0], id_of(self.key), times, owner[1], instead_of=instead_of, is_login=False)

    def _undo(self, owner: Owner | None) -> None:
        self.sessions.store.delete(self.key)
        self._leave(owner, id_of(self.key))

    def _leave(self, owner: Owner | None, id: str) -> None:
        if owner is None:
            return
        try:
            self.sessions.index.remove(owner[0], [id])
        except StoreError:  # what has ended or moved has done so: whoever reads the index looks after it
            return


class GaveUp(StoreError):
    """Every attempt met somebody else's write."""
