"""Basic authentication (RFC 7617): a name and a password with every request."""

from __future__ import annotations

import time

from middleware.auth.schemes.authorization import is_one_of_several, realm_parameter
from middleware.auth.schemes.base import Refused
from middleware.auth.users import check_users
from middleware.made_once import made_once
from middleware.options import check_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.identity import Identity
    from middleware.auth.schemes.base import Freshness
    from middleware.auth.users import Users
    from middleware.auth.verification import Verifier

LONGEST = 8192  # characters of the Authorization field


class Basic:
    """Basic authentication (RFC 7617).

    `users`: a mapping of names to stored passwords (or to `Account`s), `Htpasswd(path)`, or a callable that takes a
    name and gives one of these or None. `realm`: what browsers show in their dialogue, ASCII. `clock`: seconds
    since 1970.

    Credentials that were right are remembered for a minute, so that a page with thirty images costs one derivation; a
    password that is changed, and an account that is disabled or deleted, counts for the next request all the same.

    Raises ConfigurationError, and MissingExtra for stored passwords that need a package which is not installed.
    """

    name = "basic"
    auth_type = "Basic"
    reads = ("Authorization",)
    freshness: Freshness = "always"

    def __init__(self, users: Users, *, realm: str = "Login", clock: Callable[[], float] = time.time) -> None:
        check_users(users)
        self._users = users
        check_clock(clock)
        self._clock = clock
        self._challenges = (f'Basic {realm_parameter(realm)}, charset="UTF-8"',)

    @made_once
    def _verifier(self) -> Verifier:
        from middleware.auth.verification import Verifier

        return Verifier(self._users, self._clock)

    def authenticate(self, environ: WSGIEnvironment, /) -> Identity | Refused | None:
        """Whose credentials the Authorization field holds. Raises Unavailable and Throttled."""
        field: str | None = environ.get("HTTP_AUTHORIZATION")
        if not field:
            return None
        if len(field) > LONGEST:
            return Refused("too long") if field.lstrip(" ")[:5].lower() == "basic" else None
        verifier = self._verifier
        known = verifier.remembered(field) if field.isascii() else None
        if known is not None and not _is_loud(environ):
            return known
        found = credentials(field)
        if found is None or isinstance(found, Refused):
            return found
        return self._try(environ, field, *found, known)

    def challenges(self, environ: WSGIEnvironment, refused: Refused | None, /) -> tuple[str, ...]:  # noqa: ARG002
        """The one challenge, the same for everybody."""
        return self._challenges

    def _try(
        self, environ: WSGIEnvironment, field: str, given: str, password: str, known: Identity | None
    ) -> Identity | Refused:
        """One attempt with this name and password; `known` is whose they are, where that is remembered."""
        from middleware.auth.identity import Identity
        from middleware.auth.throttle.attempts import attempt

        verifier = self._verifier
        user = verifier.name_of(given) or given

        def check() -> Identity | None:
            if known is not None:
                return known
            account = verifier.check(user, password, environ)
            if account is None:
                return None
            identity = Identity(
                user,
                self.name,
                name=account.name,
                roles=account.roles,
                authenticated_at=self._clock(),
                factors=("pwd",),
            )
            verifier.remember(field, account, identity)
            return identity

        # Only what was derived is told, and forgives the failures before it. What comes before a change of the password
        # and what comes after it are not the same.
        same = f"{field} {verifier.stored(user, environ)}"
        identity = attempt(environ, self.name, user, check, quietly=known is not None, same=same)
        return Refused(Refused.WRONG, user=user) if identity is None else identity


def _is_loud(environ: WSGIEnvironment) -> bool:
    """Whether somebody guesses where this request comes from: then what is remembered would tell them a right guess."""
    layer: Any = environ.get("middleware.auth")
    return layer is not None and layer.throttle is not None and layer.throttle.is_loud(environ)


def credentials(field: str) -> tuple[str, str] | Refused | None:
    """The name and the password in an Authorization field; Refused for bad ones, None where it is no Basic one."""
    text = field.strip(" ")
    if "," in text:  # a field that was sent twice arrives as a list; the parameters of other schemes are one too
        return Refused("several credentials", 400) if is_one_of_several("basic", text) else None
    end = min((place for place in map(text.find, " \t") if place >= 0), default=len(text))
    if text[:end].lower() != "basic":
        return None
    if text[end : end + 1] != " ":
        return Refused("malformed")
    from binascii import a2b_base64, b2a_base64

    given = text[end:].strip(" ")
    try:
        decoded = a2b_base64(given, strict_mode=True)
    except ValueError:
        return Refused("malformed")
    if b2a_base64(decoded, newline=False) != given.encode():  # superfluous padding, which strict_mode lets pass
        return Refused("malformed")
    try:
        pair = decoded.decode("utf-8")
    except UnicodeDecodeError:
        pair = decoded.decode("latin-1")  # as clients did before RFC 7617, and requests does still
    user, colon, password = pair.partition(":")
    if not colon or not user or any(character < " " or character == "\x7f" for character in user):
        return Refused("malformed")
    return user, password
