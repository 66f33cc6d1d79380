"""The sessions of a user, to list them and to end them: on the page "where I am signed in", and for administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from middleware.sessions.records import PREFIX, Pointer

if TYPE_CHECKING:
    from middleware.sessions.place import Tell
    from middleware.sessions.user_index import UserIndex


class SessionInfo(NamedTuple):
    """A session as its user may see it: nobody can open it with this.

    `id`: the id in hashed form, which is `session.id` in a request of that session. `created`, `last_seen`,
    `expires`: seconds since 1970. `label`: what was given at the login, such as the name of the browser.
    """

    id: str
    created: float
    last_seen: float
    expires: float
    label: str


class UserSessions:
    """The sessions of every user who logged in by `session.login(user)`, over all browsers.

    Each method raises StoreError where the store cannot answer.
    """

    def __init__(self, index: UserIndex, tell: Tell) -> None:
        self._index = index
        self._tell = tell

    def sessions_of(self, user: str) -> list[SessionInfo]:
        """The user's sessions that are alive, the one that was used last first."""
        entries = self._index.entries(user)
        alive = self._index.alive(entries)
        gone = [id for id in self._index.without_arriving(entries) if id not in alive]
        if gone:
            self._index.remove(user, gone)
        expires = self._index.terms.timeouts.expires
        found = [
            SessionInfo(id, times.created, times.last_seen, expires(times), entries[id][2])
            for id, times in alive.items()
        ]
        return sorted(found, key=lambda one: -one.last_seen)

    def end(self, user: str, id: str) -> bool:
        """End this session of the user, at once: True. False where the user has none of this id."""
        if id not in self._index.entries(user):
            return False
        ended = self._end(user, id)
        self._index.remove(user, [id])
        return ended

    def end_all(self, user: str, *, but: str | None = None) -> int:
        """End all sessions of the user, or all but the one with this id. How many were ended.

        Sessions that begin at the same time are ended too, or begin after it.
        """
        ended = 0
        kept = self._followed(but) if but else []
        while others := [id for id in self._index.entries(user) if id not in kept]:
            ended += sum(self._end(user, id) for id in others)
            self._index.remove(user, others)
        return ended

    def _end(self, user: str, id: str) -> bool:
        if not self._index.end(id):
            return False
        self._tell("ended", id, user=user)
        return True

    def _followed(self, id: str) -> list[str]:
        """The id, and those that the session has got since."""
        followed = [id]
        while raw := self._index.store.get(PREFIX + followed[-1]):
            pointer = Pointer.read(raw)
            target = pointer.target.removeprefix(PREFIX) if pointer else ""
            if not target or target in followed:
                break
            followed.append(target)
        return followed
