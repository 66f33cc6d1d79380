"""Bearer tokens (RFC 6750): whoever has one gets in. Signed ones (JWT), and such as a callable knows."""

from __future__ import annotations

import time
from collections.abc import Iterable

from middleware.auth.jwt.errors import InvalidToken
from middleware.auth.schemes.authorization import is_one_of_several, realm_parameter
from middleware.auth.schemes.base import Refused
from middleware.auth.telling import tell
from middleware.errors import ConfigurationError
from middleware.headers import quoted
from middleware.options import a_switch, check_clock, is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.identity import Identity
    from middleware.auth.jwt.fetching import Fetch
    from middleware.auth.jwt.identities import Tokens, Verify
    from middleware.auth.jwt.sources import GivenKeys
    from middleware.auth.jwt.verifying import TokenVerifier

LONGEST = 16384  # characters of the Authorization field
MOST_REMEMBERED_FOR = 60  # seconds
LEEWAY = 60  # seconds
MOST_LEEWAY = 600  # seconds
_B64TOKEN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"  # RFC 6750, section 2.1


class Bearer:
    """Bearer tokens (RFC 6750) in the Authorization field.

    Signed tokens (JWT; RFC 7519, 8725, 9068; extra `jwt`) need `issuer=`, what their `iss` is, and `audience=`, one or
    several of which `aud` has to name one. The keys of the issuer are found by OpenID Connect Discovery; `jwks_uri=`
    says where they are, `keys=` gives them: a JWK set, a public key in PEM, or a secret. `algorithms`: those that
    count, RS256 and ES256 by default. `legacy_typ`: take tokens whose `typ` is not `at+jwt`, from issuers older than
    RFC 9068. `user`: the claim that names the user. `roles`: the claim that holds the roles, or a list of names that
    lead to it, `["realm_access", "roles"]`. `leeway`: seconds by which the issuer's clock may differ.

    Any others need `verify=` alone, a callable that takes the token and gives an `Identity`, the fields of one in a
    mapping, `{"user": "ann", "scopes": ["read"]}`, or None for a token that does not count.

    `remember_for`: seconds, up to 60, for which a token that was good is not looked at again; by default 60 for signed
    tokens and none for `verify=`. `realm`: what the challenge calls what is protected, ASCII. `fetch`: takes a URL and
    gives the body, in place of the client that is built in. `allow_insecure`: http to this machine, for development.
    `clock`: seconds since 1970.

    Raises ConfigurationError, and MissingExtra.
    """

    name = "bearer"
    auth_type = "Bearer"
    reads = ("Authorization",)
    explains = True

    def __init__(
        self,
        *,
        issuer: str | None = None,
        audience: str | Collection[str] | None = None,
        keys: GivenKeys | None = None,
        jwks_uri: str | None = None,
        algorithms: Collection[str] | None = None,
        legacy_typ: bool = False,
        user: str = "sub",
        roles: str | Sequence[str] | None = None,
        leeway: float = LEEWAY,
        verify: Verify | None = None,
        remember_for: float | None = None,
        realm: str = "API",
        fetch: Fetch | None = None,
        allow_insecure: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        from middleware.auth.jwt.identities import OpaqueTokens, SignedTokens
        from middleware.auth.jwt.remembering import Remembered

        if not isinstance(user, str) or not user:
            raise ConfigurationError(f"user= is the name of a claim, not {user!r}")
        remembered_for = (MOST_REMEMBERED_FOR if verify is None else 0) if remember_for is None else remember_for
        if not is_number(remembered_for) or not 0 <= remembered_for <= MOST_REMEMBERED_FOR:
            raise ConfigurationError(f"remember_for= is a number of seconds from 0 to 60, not {remember_for!r}")
        self._challenge = f"Bearer {realm_parameter(realm)}"
        check_clock(clock)
        path = _path(roles)
        if verify is None:
            verifier = _verifier(
                issuer,
                audience,
                keys=keys,
                jwks_uri=jwks_uri,
                algorithms=algorithms,
                legacy_typ=a_switch("legacy_typ", legacy_typ),
                leeway=leeway,
                fetch=fetch,
                allow_insecure=a_switch("allow_insecure", allow_insecure),
                clock=clock,
            )
            self._tokens: Tokens = SignedTokens(verifier, scheme=self.name, user=user, roles=path)
        else:
            given: dict[str, object] = {"issuer": issuer, "audience": audience, "keys": keys, "jwks_uri": jwks_uri}
            given |= {"fetch": fetch, "algorithms": algorithms, "legacy_typ": legacy_typ or None, "roles": roles}
            given |= {"user": None if user == "sub" else user, "leeway": None if leeway == LEEWAY else leeway}
            _check_verify(verify, [name for name, value in given.items() if value is not None])
            self._tokens = OpaqueTokens(verify, scheme=self.name, clock=clock)
        self._remembered = Remembered(remembered_for, self._tokens.keys, clock) if remembered_for else None
        self._find = None if self._remembered is None else self._remembered.find

    def authenticate(self, environ: WSGIEnvironment, /) -> Identity | Refused | None:
        """Whose token the Authorization field holds. Raises Unavailable where its key cannot be had."""
        field: str | None = environ.get("HTTP_AUTHORIZATION")
        if not field:
            return None
        is_usual = field[:7] == "Bearer " and len(field) <= LONGEST and field.isascii()
        if is_usual and self._find is not None:  # 1.3 us in place of 2.3
            identity = self._find(field)
            if identity is not None:
                return identity
        token = token_in(field)
        if token is None or isinstance(token, Refused):
            return token
        spelled = f"Bearer {token}"
        if self._find is not None and spelled != field:
            identity = self._find(spelled)
            if identity is not None:
                return identity
        current = self._tokens.keys.current  # before the token is looked at: should they change now, it counts once
        try:
            found = self._tokens.identify(token, environ)
        except InvalidToken as error:
            tell(environ, "token.invalid", scheme=self.name, reason=error.reason)
            return Refused(error.reason, 401, {"error": "invalid_token"})
        if self._remembered is not None:
            self._remembered.keep(spelled, found, current)
        return found

    def challenges(self, environ: WSGIEnvironment, refused: Refused | None, /) -> Sequence[str]:  # noqa: ARG002
        """The value of WWW-Authenticate, with what was wrong (RFC 6750, section 3; RFC 9470)."""
        if refused is None:
            return (self._challenge,)
        return (", ".join([self._challenge, *(f"{name}={quoted(v)}" for name, v in refused.parameters.items())]),)


def token_in(field: str) -> str | Refused | None:
    """The token in an Authorization field; Refused for none that can be one, None where it is of another scheme."""
    if field[:7] == "Bearer " and len(field) <= LONGEST and field.isascii():  # as nearly all are: 1 us less
        token = field[7:]
        if token.rstrip("=") and not token.rstrip("=").encode().translate(None, _B64TOKEN):
            return token
    if len(field) > LONGEST:
        is_ours = field[:32].lstrip(" ").replace("\t", " ").partition(" ")[0].lower() == "bearer"
        return Refused("too long", 401, {"error": "invalid_token"}) if is_ours else None
    text = field.strip(" ")
    scheme, _, rest = text.replace("\t", " ").partition(" ")
    if "," in text:  # a field that was sent twice arrives as a list; the parameters of other schemes are one too
        return _malformed("several credentials") if is_one_of_several("bearer", text) else None
    if scheme.lower() != "bearer":
        return None
    token = rest.strip(" ")
    if "\t" in text or not token.isascii() or token.rstrip("=").encode().translate(None, _B64TOKEN):
        return _malformed("malformed")
    return token if token.strip("=") else _malformed("malformed")


def _malformed(reason: str) -> Refused:
    return Refused(reason, 400, {"error": "invalid_request"})


def _verifier(
    issuer: str | None,
    audience: str | Collection[str] | None,
    *,
    keys: GivenKeys | None,
    jwks_uri: str | None,
    algorithms: Collection[str] | None,
    legacy_typ: bool,
    leeway: float,
    fetch: Fetch | None,
    allow_insecure: bool,
    clock: Callable[[], float],
) -> TokenVerifier:
    from middleware.auth.jwt.reading import ACCESS_TOKEN, ANY_TOKEN
    from middleware.auth.jwt.sources import given_keys, published_keys
    from middleware.auth.jwt.verifying import TokenVerifier

    if not isinstance(issuer, str) or not issuer:
        raise ConfigurationError(
            'Bearer needs issuer="https://...", whose tokens count, and audience=, whom they are meant for; '
            "or verify=, a callable, for tokens that are not signed"
        )
    audiences = _texts(audience)
    if not audiences:
        raise ConfigurationError(
            "Bearer needs audience=: the name of this API in `aud`, or the tokens that the issuer made for any other "
            "site would open this one"
        )
    if not is_number(leeway) or not 0 <= leeway <= MOST_LEEWAY:
        raise ConfigurationError(f"leeway= is a number of seconds from 0 to {MOST_LEEWAY}, not {leeway!r}")
    if keys is None:
        source, counting = published_keys(
            issuer, jwks_uri=jwks_uri, algorithms=algorithms, fetch=fetch, allow_insecure=allow_insecure, clock=clock
        )
    elif jwks_uri is not None or fetch is not None:
        raise ConfigurationError("keys= are given: then nothing is fetched, leave out jwks_uri= and fetch=")
    else:
        source, counting = given_keys(keys, algorithms)
    types = ANY_TOKEN if legacy_typ else ACCESS_TOKEN
    return TokenVerifier(
        source, issuer=issuer, audience=audiences, algorithms=counting, types=types, leeway=leeway, clock=clock
    )


def _check_verify(verify: object, unused: list[str]) -> None:
    if not callable(verify):
        raise ConfigurationError(f"verify= is a callable that takes a token, not {verify!r}")
    if unused:
        raise ConfigurationError(
            f"verify= finds out all by itself: leave out {', '.join(f'{name}=' for name in unused)}"
        )


def _path(roles: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if roles is None:
        return None
    path = _texts(roles)
    if not path:
        raise ConfigurationError(f"roles= is the name of a claim, or a list of names that lead to it, not {roles!r}")
    return path


def _texts(given: object) -> tuple[str, ...]:
    """One text, or those of a list; nothing where one of them is none."""
    texts = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else ()
    return texts if all(isinstance(one, str) and one for one in texts) else ()
