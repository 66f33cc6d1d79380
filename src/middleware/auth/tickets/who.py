"""What applications that were written for repoze.who find in environ, made from an Identity of ours."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.identity import Identity

    Headers = list[tuple[str, str]]
    Remember = Callable[[WSGIEnvironment, Mapping[str, Any]], None]
    Forget = Callable[[WSGIEnvironment], None]


class WhoIdentity(dict[str, "Any"]):
    """`environ["repoze.who.identity"]`: a dict that does not show what is in it."""

    def __repr__(self) -> str:
        return f"<WhoIdentity {self.get('repoze.who.userid')!r}>"

    __str__ = __repr__


class WhoIdentifier:
    """What stands in for the identifier plugins of repoze.who: it remembers and forgets a login.

    The cookies go on their way by themselves, so both give no header fields.
    """

    __slots__ = ("_forget", "_remember")

    def __init__(self, remember: Remember, forget: Forget) -> None:
        self._remember = remember
        self._forget = forget

    def identify(self, environ: WSGIEnvironment, /) -> WhoIdentity | None:
        """Who is asking."""
        found: WhoIdentity | None = environ.get("repoze.who.identity")
        return found

    def remember(self, environ: WSGIEnvironment, identity: Mapping[str, Any], /) -> Headers:
        """Sign in the user that `identity` names as `repoze.who.userid`."""
        self._remember(environ, identity)
        return []

    def forget(self, environ: WSGIEnvironment, identity: Mapping[str, Any] | None = None, /) -> Headers:  # noqa: ARG002
        """Sign out whoever is asking."""
        self._forget(environ)
        return []


class WhoPlugins(dict[str, WhoIdentifier]):
    """`environ["repoze.who.plugins"]`: one identifier, whatever the application calls it."""

    def __init__(self, identifier: WhoIdentifier) -> None:
        super().__init__(auth_tkt=identifier)
        self._identifier = identifier

    def __missing__(self, name: str) -> WhoIdentifier:
        return self._identifier


def who_identity(identity: Identity, identifier: WhoIdentifier) -> WhoIdentity:
    """The identity as repoze.who would tell it. `groups` are the roles.

    Of a ticket it has `tokens`, `userdata` and `timestamp` too, and its user is a number where the ticket says so.
    """
    made = WhoIdentity({"repoze.who.userid": identity.user, "groups": sorted(identity.roles), "identifier": identifier})
    if identity.scheme != "auth_tkt":
        return made
    claims = identity.claims
    from urllib.parse import parse_qsl

    made["repoze.who.userid"] = made["repoze.who.plugins.auth_tkt.userid"] = claims["userid"]
    made["tokens"] = list(claims["tokens"])
    made["timestamp"] = claims["timestamp"]
    try:
        made["userdata"] = dict(parse_qsl(claims["userdata"], max_num_fields=100))
    except ValueError:
        made["userdata"] = {}
    return made
