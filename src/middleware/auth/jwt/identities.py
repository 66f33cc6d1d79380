"""Whose a token is: what claims say, and what a callable has found out. Values in, an identity out."""

from __future__ import annotations

from collections.abc import Mapping

from middleware.auth.identity import Identity
from middleware.auth.jwt.claims import moment, name_in, roles_in, scopes_in, texts
from middleware.auth.jwt.reading import InvalidToken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def identity_from(claims: Mapping[str, Any], *, scheme: str, user: str, roles: Sequence[str] | None) -> Identity:
    """The identity of a verified token. `roles`: where its roles are. Raises InvalidToken for claims of wrong types."""
    name = claims.get("name")
    return Identity(
        name_in(claims, user),
        scheme,
        issuer=claims["iss"],
        name=name if type(name) is str else None,
        roles=() if roles is None else roles_in(claims, roles),
        scopes=scopes_in(claims),
        claims=claims,
        authenticated_at=moment(claims, "auth_time"),  # not `iat`: a token may be fresh and the login old
        expires_at=moment(claims, "exp"),
        factors=texts(claims["amr"], "amr") if "amr" in claims else (),  # RFC 8176
    )


def opaque_identity(found: object, *, scheme: str, now: float) -> Identity:
    """What `verify=` has found. Raises InvalidToken for nothing, and TypeError for what is no identity."""
    if found is None:
        raise InvalidToken("unknown token")
    if not isinstance(found, Identity):
        if not isinstance(found, Mapping):
            raise TypeError(f"verify= gives an Identity, the fields of one in a mapping, or None: {type(found)}")
        found = Identity(**{"scheme": scheme, **found})
    if found.expires_at is not None and found.expires_at <= now:
        raise InvalidToken("expired")
    return found
