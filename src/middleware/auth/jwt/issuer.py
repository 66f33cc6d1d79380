"""An issuer as it describes itself (OpenID Connect Discovery 1.0, section 4), and where its keys are."""

from __future__ import annotations

from middleware.auth.jwt.errors import FetchFailed
from middleware.auth.jwt.fetching import check_url
from middleware.auth.jwt.strict_json import json_object
from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from middleware.auth.jwt.fetching import Fetch

WELL_KNOWN = "/.well-known/openid-configuration"


class Issuer:
    """Fetches what an issuer publishes. Nothing is kept but the address of its keys. Raises ConfigurationError.

    `jwks_uri`: where the keys are, for issuers that do not say so themselves.
    """

    def __init__(self, issuer: str, fetch: Fetch, *, jwks_uri: str | None = None, allow_insecure: bool = False) -> None:
        if jwks_uri is None:
            check_url("issuer=", issuer, allow_insecure=allow_insecure)
            if "?" in issuer:
                raise ConfigurationError(f"issuer= is an https URL without a query, not {issuer!r}")
        else:
            check_url("jwks_uri=", jwks_uri, allow_insecure=allow_insecure)
        self.name = issuer
        self._fetch = fetch
        self._allow_insecure = allow_insecure
        self._jwks_uri = jwks_uri
        self._discovered: str | None = None

    @property
    def address(self) -> str:
        """What tells the keys of this issuer from those of others."""
        return f"{self.name} {self._jwks_uri or ''}"

    def metadata(self) -> dict[str, Any]:
        """What the issuer says of itself. Raises FetchFailed, and whatever `fetch=` raises."""
        found = _object(self._fetch(self.name.removesuffix("/") + WELL_KNOWN))
        if found.get("issuer") != self.name:
            raise FetchFailed("discovery names another issuer")
        return found

    def keys(self) -> bytes:
        """The JWK set as it is published. Raises as `metadata` does."""
        uri = self._jwks_uri or self._discovered or self._discover()
        try:
            return self._fetch(uri)
        except Exception:
            self._discovered = None  # it may have moved
            raise

    def _discover(self) -> str:
        try:
            uri = check_url("jwks_uri", self.metadata().get("jwks_uri"), allow_insecure=self._allow_insecure)
        except ConfigurationError:
            raise FetchFailed("discovery names no https jwks_uri") from None
        self._discovered = uri
        return uri


def _object(document: bytes) -> dict[str, Any]:
    try:
        return json_object(document)
    except (ValueError, RecursionError):
        raise FetchFailed("discovery is no JSON object") from None
