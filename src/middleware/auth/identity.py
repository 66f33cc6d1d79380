"""Who is asking: the noun of this room."""

from __future__ import annotations

from types import MappingProxyType

from middleware.auth.frozen import Value
from middleware.errors import LayerMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any
    from wsgiref.types import WSGIEnvironment

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_MAPPINGS = (dict, MappingProxyType)  # not a union, which would be made anew for each value of a token
_LISTS = (list, tuple)


class Identity(Value):
    """Who is asking, and how we know. Never changed.

    `user`: the name that the credentials proved. `scheme`: the name of the scheme that read them (`"basic"`,
    `"session"`). `issuer`: who vouches for the user, None for this site itself. `name`: what to call the user on a
    page, None where nobody said. `roles`: what rules ask for by `role=`. `scopes`: what the credentials are good for
    (RFC 6749, section 3.3). `claims`: what a token says besides, a mapping that cannot be changed at any depth.

    `authenticated_at`: when the user last proved who this is, in seconds since 1970; None where nobody did so in
    person (an API key, a remembered login), which is never fresh. `expires_at`: when the credentials end. `factors`:
    what was proved, `("pwd",)`, `("remember",)`, `("key",)`. `session`: which login this is, where one user can have
    several. `actor`: who acts as this user, where somebody else does.
    """

    __slots__ = (
        "actor",
        "authenticated_at",
        "claims",
        "expires_at",
        "factors",
        "issuer",
        "name",
        "roles",
        "scheme",
        "scopes",
        "session",
        "user",
    )  # fmt: skip

    user: str
    scheme: str
    issuer: str | None
    name: str | None
    roles: frozenset[str]
    scopes: frozenset[str]
    claims: Mapping[str, Any]
    authenticated_at: float | None
    expires_at: float | None
    factors: tuple[str, ...]
    session: str | None
    actor: str | None

    def __init__(
        self,
        user: str,
        scheme: str,
        *,
        issuer: str | None = None,
        name: str | None = None,
        roles: Iterable[str] = (),
        scopes: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
        authenticated_at: float | None = None,
        expires_at: float | None = None,
        factors: Iterable[str] = (),
        session: str | None = None,
        actor: str | None = None,
    ) -> None:
        for option, given in (("roles", roles), ("scopes", scopes), ("factors", factors)):
            if isinstance(given, str):
                raise TypeError(f"{option} are a list: [{given!r}]")
        put = object.__setattr__
        put(self, "user", user)
        put(self, "scheme", scheme)
        put(self, "issuer", issuer)
        put(self, "name", name)
        put(self, "roles", frozenset(roles))
        put(self, "scopes", frozenset(scopes))
        put(self, "claims", _frozen(claims) if claims else _NOTHING)
        put(self, "authenticated_at", authenticated_at)
        put(self, "expires_at", expires_at)
        put(self, "factors", tuple(factors))
        put(self, "session", session)
        put(self, "actor", actor)

    def __hash__(self) -> int:
        return hash((self.user, self.scheme, self.issuer, self.authenticated_at))

    def __repr__(self) -> str:
        acting = f", in truth {self.actor!r}" if self.actor is not None else ""
        return (
            f"<Identity {self.user!r} by {self.scheme}{acting}>"  # never the claims, which hold whatever a token held
        )


def _frozen(value: Any) -> Any:
    """A copy that cannot be changed: one identity may serve several requests."""
    if isinstance(value, _MAPPINGS):
        return MappingProxyType({key: _frozen(inner) for key, inner in value.items()})
    if isinstance(value, _LISTS):
        return tuple(_frozen(inner) for inner in value)
    return value


def get_identity(environ: WSGIEnvironment) -> Identity | None:
    """Who is asking, None where nobody is identified. Raises LayerMissing without AuthMiddleware."""
    try:
        identity: Identity | None = environ["middleware.identity"]
    except KeyError:
        raise LayerMissing("no identity here: wrap the app in AuthMiddleware") from None
    return identity
