"""A token, verified: the front check, the claims, the key and at last the signature, the dearest step."""

from __future__ import annotations

from middleware.auth.jwt.claims import check_claims
from middleware.auth.jwt.errors import InvalidToken
from middleware.auth.jwt.reading import brings_keys, check_header, read
from middleware.auth.telling import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container
    from typing import Any
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.jwt.key_sets import KeySource


class TokenVerifier:
    """Verifies the tokens of one issuer for one audience.

    `types`: the values of `typ`, in lower case, that such tokens have; None for those that have none. `leeway`: seconds
    by which clocks may differ. `clock`: seconds since 1970.
    """

    def __init__(
        self,
        keys: KeySource,
        *,
        issuer: str,
        audience: Collection[str],
        algorithms: Collection[str],
        types: Container[str | None],
        leeway: float,
        clock: Callable[[], float],
    ) -> None:
        self.keys = keys
        self._issuer = issuer
        self._audience = frozenset(audience)
        self._algorithms = frozenset(algorithms)
        self._types = types
        self._leeway = leeway
        self._clock = clock

    def verify(self, text: str, environ: WSGIEnvironment) -> dict[str, Any]:
        """The claims of a token. Raises InvalidToken, and Unavailable where its key cannot be had just now."""
        token = read(text)
        check_header(token.header, self._algorithms, self._types)
        if brings_keys(token.header):
            tell(environ, "token.key_header", reason="ignored")
        check_claims(token.claims, issuer=self._issuer, audience=self._audience, now=self._clock(), leeway=self._leeway)
        algorithm: str = token.header["alg"]
        key = self.keys.find(token.header.get("kid"), algorithm, environ)
        if not key.is_signature(algorithm, token.signed, token.signature):
            raise InvalidToken("signature")
        return token.claims
