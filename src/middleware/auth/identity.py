"""Who is asking: the noun of this room."""

from __future__ import annotations

from middleware.errors import LayerMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import WSGIEnvironment


class Identity:
    """Who is asking, and how we know. Never changed.

    `user`: the name that the credentials proved. `scheme`: the name of the scheme that read them (`"basic"`,
    `"session"`). `name`: what to call the user on a page, None where the user source has none. `roles`: a frozenset of
    str. `authenticated_at`: when the password was last checked, in seconds since 1970.
    """

    __slots__ = ("authenticated_at", "name", "roles", "scheme", "user")

    user: str
    scheme: str
    name: str | None
    roles: frozenset[str]
    authenticated_at: float

    def __init__(
        self,
        user: str,
        scheme: str,
        *,
        name: str | None = None,
        roles: Iterable[str] = (),
        authenticated_at: float,
    ) -> None:
        put = object.__setattr__
        put(self, "user", user)
        put(self, "scheme", scheme)
        put(self, "name", name)
        put(self, "roles", frozenset(roles))
        put(self, "authenticated_at", authenticated_at)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an identity does not change ({name})")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Identity):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def _values(self) -> tuple[object, ...]:
        return (self.user, self.scheme, self.name, self.roles, self.authenticated_at)

    def __repr__(self) -> str:
        return f"<Identity {self.user!r} by {self.scheme}>"


def get_identity(environ: WSGIEnvironment) -> Identity | None:
    """Who is asking, None where nobody is identified. Raises LayerMissing without AuthMiddleware."""
    try:
        identity: Identity | None = environ["middleware.identity"]
    except KeyError:
        raise LayerMissing("no identity here: wrap the app in AuthMiddleware") from None
    return identity
