"""Where a layer keeps its sessions. What that takes (json, hashlib) is imported with the first one that is opened."""

from __future__ import annotations

from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.errors import StoreError
    from middleware.sessions.cookie import SessionCookie
    from middleware.sessions.in_cookie.revocations import Revocations
    from middleware.sessions.in_store.users import UserSessions
    from middleware.sessions.place import Record, Tell
    from middleware.sessions.terms import Terms
    from middleware.stores.base import Store


def unnoticed(error: StoreError) -> None:
    """For what happens outside of a request: there is no answer that it could become."""


class InStore:
    """In a store. As `place.Place` says."""

    def __init__(self, store: Store, terms: Terms, cookie: SessionCookie) -> None:
        self.terms = terms
        self.cookie = cookie
        self.open: Callable[[str, Tell], Record] = self._open_first
        self._store = store

    def users(self, tell: Tell, notice: Callable[[StoreError], object]) -> UserSessions:
        """As `place.Place` says."""
        from middleware.sessions.in_store.index import UserIndex
        from middleware.sessions.in_store.users import UserSessions

        return UserSessions(UserIndex(self._store, self.terms), tell, notice)

    def _open_first(self, field: str, tell: Tell) -> Record:
        from middleware.sessions.in_store.sessions import StoredSessions

        self.open = StoredSessions(self._store, self.terms, self.cookie).open
        return self.open(field, tell)


class InCookie:
    """In the cookie, signed or sealed. As `place.Place` says."""

    def __init__(
        self, secrets: tuple[bytes, ...], seal: bool, revocations: Store | None, terms: Terms, cookie: SessionCookie
    ) -> None:
        self.terms = terms
        self.cookie = cookie
        self.open: Callable[[str, Tell], Record] = self._open_first
        self._secrets = secrets
        self._seal = seal
        self._revocations = revocations

    def users(self, tell: Tell | None = None, notice: Callable[[StoreError], object] = unnoticed) -> Revocations:
        """As `place.Place` says."""
        from middleware.sessions.in_cookie.revocations import Revocations

        return Revocations(self._revocations, self.terms, tell, notice)

    def _open_first(self, field: str, tell: Tell) -> Record:
        from middleware.sessions.in_cookie.sessions import SignedSessions

        self.open = SignedSessions(self._secrets, self.terms, self.cookie, self.users(), seal=self._seal).open
        return self.open(field, tell)


class Nowhere:
    """What a request by http finds where the cookie is for https."""

    def __init__(self, place: InStore | InCookie) -> None:
        self.terms = place.terms
        self.cookie = place.cookie
        self.users = place.users

    def open(self, field: str, tell: Tell) -> Record:  # noqa: ARG002
        raise ConfigurationError(
            f"the session cookie {self.cookie.name} is for https, and this request came by http: where a proxy in "
            "front speaks https, wrap the site in ProxyMiddleware or say secure=True in the cookie options; for http "
            "choose other options"
        )
