"""A session under the names that another library's applications know: what such faces have in common."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from middleware.sessions import Session


class Face(MutableMapping[str, Any]):
    """The mapping of a `Session`, and its attributes and methods wherever the face has none of that name."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __getitem__(self, key: str) -> Any:
        return self._session[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._session[key] = value

    def __delitem__(self, key: str) -> None:
        del self._session[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._session)

    def __len__(self) -> int:
        return len(self._session)

    def __contains__(self, key: object) -> bool:
        return key in self._session

    def clear(self) -> None:
        """Delete every key. The session itself stays."""
        self._session.clear()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._session, name)


def keep_even_if_empty(session: Session) -> None:
    """See that there is a session to come back to, with an id, also where nothing was put into it."""
    if session.id is None:
        _ = session.csrf_token  # its secret is something to keep
        session.save()
