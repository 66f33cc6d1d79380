"""The sessions of a user, to list them and to end them: on the page "where I am signed in", and for administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from middleware.sessions.noticing import Noticing
from middleware.sessions.records import PREFIX, Pointer

if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.errors import StoreError
    from middleware.sessions.in_store.index import UserIndex
    from middleware.sessions.place import Tell


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

    def __init__(self, index: UserIndex, tell: Tell, notice: Callable[[StoreError], object]) -> None:
        self._index = index
        self._tell = tell
        self._noticing = Noticing(notice)

    def sessions_of(self, user: str) -> list[SessionInfo]:
        """The user's sessions that are alive, the one that was used last first."""
        with self._noticing:
            entries = self._index.entries(user)
            alive = self._index.alive(entries)
            gone = [id for id in self._index.without_arriving(entries) if id not in alive]
            if gone:
                self._index.remove(user, gone)
        expires = self._index.terms.timeouts.expires
        found = [
            SessionInfo(id, times.created, times.last_seen, expires(times), entries[id].label)
            for id, times in alive.items()
            if entries[id].instead_of not in alive
        ]
        return sorted(found, key=lambda one: -one.last_seen)

    def end(self, user: str, id: str) -> bool:
        """End this session of the user, at once: True. False where the user has none of this id.

        It may have got a new id since it was listed.
        """
        with self._noticing:
            entries = self._index.entries(user)  # first: what moves after that is followed
            return bool(self._end(user, [one for one in self._followed(id) if one in entries]))

    def end_all(self, user: str, *, but: str | None = None) -> int:
        """End all sessions of the user, or all but the one with this id. How many were ended.

        Sessions that begin at the same time are ended too, or begin after it.
        """
        ended = 0
        with self._noticing:
            while others := self._others(user, but):
                ended += len(self._end(user, others))
        return ended

    def _end(self, user: str, ids: list[str]) -> list[str]:
        ended = self._index.end_all(user, ids) if ids else []
        for id in ended:
            self._tell("ended", id, user=user)
        return ended

    def _others(self, user: str, but: str | None) -> list[str]:
        entries = self._index.entries(user)  # first: what moves after that is followed
        if not but:
            return [*entries]
        kept = {*self._followed(but)}
        # It may still be entered under ids that it had before, and what it is about to become in the place of one.
        return [
            id
            for id, entry in entries.items()
            if kept.isdisjoint(self._followed(id)) and kept.isdisjoint(self._followed(entry.instead_of))
        ]

    def _followed(self, id: str) -> list[str]:
        """The id, and those that the session has got since."""
        followed = [id] if id else []
        while followed and (raw := self._index.store.get(PREFIX + followed[-1])):
            pointer = Pointer.read(raw)
            target = pointer.target.removeprefix(PREFIX) if pointer else ""
            if not target or target in followed:
                break
            followed.append(target)
        return followed
