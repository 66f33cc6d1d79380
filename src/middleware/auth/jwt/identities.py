"""Whose a token is: by what a signed one claims, or by what a callable knows of it."""

from __future__ import annotations

from collections.abc import Mapping

from middleware.auth.identity import Identity
from middleware.auth.jwt.claims import moment, name_in, roles_in, scopes_in, texts
from middleware.auth.jwt.errors import InvalidToken
from middleware.auth.names import normal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.jwt.verifying import TokenVerifier

    Verify = Callable[[str], Identity | Mapping[str, Any] | None]

    class Verified(Protocol):
        """What tokens are verified with. `current` is another object when what was found out counts no longer."""

        @property
        def current(self) -> object: ...

    class Tokens(Protocol):
        """Tokens of one kind, and what they are verified with."""

        @property
        def keys(self) -> Verified: ...

        def identify(self, token: str, environ: WSGIEnvironment, /) -> Identity:
            """Whose token this is. Raises InvalidToken, and Unavailable where that cannot be told just now."""
            ...


class SignedTokens:
    """Tokens that say themselves whose they are. `user`: the claim with the name; `roles`: where the roles are."""

    def __init__(self, verifier: TokenVerifier, *, scheme: str, user: str, roles: Sequence[str] | None) -> None:
        self._verifier = verifier
        self.keys = verifier.keys
        self._scheme = scheme
        self._user = user
        self._roles = roles

    def identify(self, token: str, environ: WSGIEnvironment, /) -> Identity:
        """See Tokens."""
        claims = self._verifier.verify(token, environ)
        name = claims.get("name")
        return Identity(
            self._name(claims),
            self._scheme,
            issuer=claims["iss"],
            name=name if type(name) is str else None,
            roles=() if self._roles is None else roles_in(claims, self._roles),
            scopes=scopes_in(claims),
            claims=claims,
            authenticated_at=moment(claims, "auth_time"),  # not `iat`: a token may be young and the login old
            expires_at=moment(claims, "exp"),
            factors=texts(claims["amr"], "amr") if "amr" in claims else (),  # RFC 8176
        )

    def _name(self, claims: Mapping[str, Any]) -> str:
        name = name_in(claims, self._user)
        # Users choose such names themselves. One that only looks like another is refused, never mended: the issuer may
        # know both. A `sub` is the issuer's own, and compared as it is (RFC 7519, section 4.1.2).
        if self._user != "sub" and normal_name(name) != name:
            raise InvalidToken("subject")
        if self._user == "email" and (claims.get("email_verified") is not True or name.count("@") != 1):
            raise InvalidToken("unverified address")  # at some issuers users write there what they like
        return name


class OpaqueTokens:
    """Tokens that only `verify` knows."""

    current = None  # no keys, so that nothing changes

    def __init__(self, verify: Verify, *, scheme: str, clock: Callable[[], float]) -> None:
        self.keys = self
        self._verify = verify
        self._scheme = scheme
        self._clock = clock

    def identify(self, token: str, environ: WSGIEnvironment, /) -> Identity:  # noqa: ARG002 - see Tokens
        """See Tokens. Raises TypeError where `verify` gives what is no identity."""
        found = self._verify(token)
        if found is None:
            raise InvalidToken("unknown token")
        if not isinstance(found, Identity):
            if not isinstance(found, Mapping):
                raise TypeError(f"verify= gives an Identity, the fields of one in a mapping, or None: {type(found)}")
            found = Identity(**{"scheme": self._scheme, **found})
        if found.expires_at is not None and found.expires_at <= self._clock():
            raise InvalidToken("expired")
        return found
