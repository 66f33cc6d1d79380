"""What applications that were written for Paste, repoze.who or mod_auth_tkt find in environ beside an Identity."""

from __future__ import annotations

from middleware.auth.tickets.who import WhoIdentifier, WhoPlugins, who_identity
from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.identity import Identity

    Begin = Callable[[WSGIEnvironment, str, Iterable[str], str, int | None], object]
    Forget = Callable[[WSGIEnvironment], None]

KNOWN = ("remote_user_tokens", "paste.auth_tkt", "repoze.who")
_KEYS = ("REMOTE_USER_TOKENS", "REMOTE_USER_DATA", "repoze.who.identity")


class OldNames:
    """Puts there what is asked for. `begin` and `forget` are those of the scheme. Raises ConfigurationError."""

    def __init__(self, wanted: Iterable[str], begin: Begin, forget: Forget) -> None:
        self._wanted = frozenset((wanted,) if isinstance(wanted, str) else wanted)
        for each in self._wanted.difference(KNOWN):
            raise ConfigurationError(f"compat= knows {', '.join(KNOWN)}, not {each!r}")
        self._begin = begin
        self._forget = forget
        self._who = WhoPlugins(WhoIdentifier(self._remember, forget))

    def receive(self, environ: WSGIEnvironment) -> None:
        """Before anybody is identified: remove what a server has set, add what applications call."""
        self.clear(environ)
        if "paste.auth_tkt" in self._wanted:
            self._add_functions(environ)
        if "repoze.who" in self._wanted:
            environ["repoze.who.plugins"] = self._who

    def tell(self, environ: WSGIEnvironment, identity: Identity) -> None:
        """Who was identified by a ticket."""
        if "remote_user_tokens" in self._wanted:
            environ["REMOTE_USER_TOKENS"] = ",".join(identity.claims["tokens"])
            environ["REMOTE_USER_DATA"] = identity.claims["userdata"]
        if "repoze.who" in self._wanted:
            environ["repoze.who.identity"] = who_identity(identity, self._who["auth_tkt"])

    @staticmethod
    def clear(environ: WSGIEnvironment) -> None:
        """Nobody is identified."""
        for key in _KEYS:
            environ.pop(key, None)

    def _add_functions(self, environ: WSGIEnvironment) -> None:
        def set_user(userid: str, tokens: str | Iterable[str] = "", user_data: str = "") -> None:
            self._begin(environ, userid, _listed(tokens), user_data, None)

        def logout_user() -> None:
            self._forget(environ)

        environ["paste.auth_tkt.set_user"] = set_user
        environ["paste.auth_tkt.logout_user"] = logout_user

    def _remember(self, environ: WSGIEnvironment, identity: Mapping[str, Any]) -> None:
        """Begin the login that repoze.who tells of, in a ticket as it writes them."""
        from urllib.parse import urlencode

        user = identity["repoze.who.userid"]
        data = dict(identity.get("userdata") or {})
        if isinstance(user, int):
            data["userid_type"] = "int"
        max_age = identity.get("max_age")
        tokens = _listed(identity.get("tokens") or ())
        self._begin(environ, str(user), tokens, urlencode(data), None if max_age is None else int(max_age))


def _listed(tokens: str | Iterable[str]) -> Iterable[str]:
    return tokens.split(",") if isinstance(tokens, str) else tokens
