"""What a token has to claim (RFC 7519, section 4.1; RFC 9068, section 2.2). Values in, values out.

A claim of a type that it cannot have makes the token invalid, also where nobody needs the claim.
"""

from __future__ import annotations

from middleware.auth.jwt.errors import InvalidToken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_BEYOND_ANY_DATE = 2.0**53  # from here on a float does not hold every second


def check_claims(
    claims: Mapping[str, Any], *, issuer: str, audience: frozenset[str], now: float, leeway: float
) -> None:
    """Refuse a token of another issuer, for another audience, without a subject, or of another time.

    `leeway`, in seconds, is for clocks that differ: it counts for `nbf` and `iat`, never for `exp`. Raises
    InvalidToken.
    """
    expires = moment(claims, "exp")
    if expires is None:
        raise InvalidToken("exp")
    if claims.get("iss") != issuer:
        raise InvalidToken("issuer")
    if audience.isdisjoint(_audience(claims.get("aud"))):
        raise InvalidToken("audience")
    name_in(claims, "sub")
    if expires <= now:
        raise InvalidToken("expired")
    for claim in ("nbf", "iat", "auth_time"):
        if claim in claims and (moment(claims, claim) or 0) > now + leeway:
            raise InvalidToken("not yet valid")


def moment(claims: Mapping[str, Any], claim: str) -> float | None:
    """A claim in seconds since 1970, None where it is not there. Raises InvalidToken."""
    if claim not in claims:
        return None
    value = claims[claim]
    if type(value) not in (int, float) or not -_BEYOND_ANY_DATE < value < _BEYOND_ANY_DATE:  # no bool, no NaN
        raise InvalidToken(claim)
    return float(value)


def name_in(claims: Mapping[str, Any], claim: str) -> str:
    """A claim that names a user: text, not empty, without control characters. Raises InvalidToken."""
    value = claims.get(claim)
    if type(value) is not str or not value or not (value.isprintable() or not any(map(_is_control, value))):
        raise InvalidToken("subject")
    return value


def scopes_in(claims: Mapping[str, Any]) -> frozenset[str]:
    """What `scope` (text with spaces; RFC 9068, 2.2.3) and `scp` (a list or such a text) allow. Raises InvalidToken."""
    scope = claims.get("scope", "")
    if type(scope) is not str:
        raise InvalidToken("scope")
    listed = claims.get("scp", "")
    return frozenset(scope.split(" ")).union(listed.split(" ") if type(listed) is str else texts(listed, "scope")) - {
        ""
    }


def roles_in(claims: Mapping[str, Any], path: Sequence[str]) -> frozenset[str]:
    """The role or the list of roles at the end of this path of members, empty where it is not. Raises InvalidToken."""
    value: Any = claims
    for name in path:
        if not isinstance(value, dict):
            raise InvalidToken("roles")
        if name not in value:
            return frozenset()
        value = value[name]
    return frozenset({value} if type(value) is str else texts(value, "roles"))


def texts(value: object, reason: str) -> list[str]:
    """A claim that is a list of texts. Raises InvalidToken."""
    if type(value) is not list or not all(type(item) is str for item in value):
        raise InvalidToken(reason)
    return value


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"


def _audience(value: object) -> list[str]:
    return [value] if type(value) is str else texts(value, "audience")
