"""What a request has to pass: a rule made ready, with the schemes that count for it, and what it makes caches know."""

from __future__ import annotations

from middleware.auth.answers.caches import PRIVATE, TOLD_TO_CACHES, is_public, make_private
from middleware.auth.schemes.base import Refused, freshness_of, keeps_logins
from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from wsgiref.types import WSGIApplication, WSGIEnvironment

    from middleware.auth.identity import Identity
    from middleware.auth.rules.rule import Rule
    from middleware.auth.schemes.base import LoginScheme, Scheme
    from middleware.wsgi import Response


# In which order clients are offered schemes, whatever the order in which these are asked: many take the first, and a
# password that is sent is the last resort.
_OFFERED = {"digest": 0, "bearer": 1, "basic": 3}


class RefusedBy(Refused):
    """What a scheme refused, and which scheme it was."""

    __slots__ = ("scheme",)

    def __init__(self, scheme: Scheme, refused: Refused) -> None:
        super().__init__(refused.reason, refused.status, refused.parameters, refused.user)
        self.scheme = scheme


class Gate:
    """A rule made ready, with the schemes that count for it.

    `leads_to`: what everybody gets who comes to this gate; None where that depends on who it is. `is_choosy`: whether
    the rule may turn away somebody who is identified.
    """

    __slots__ = (
        "_always_fresh",
        "_fields",
        "_offered",
        "authenticate",
        "is_choosy",
        "leads_to",
        "login",
        "rule",
        "schemes",
        "vary",
    )

    authenticate: Callable[[WSGIEnvironment], Identity | Refused | None]

    def __init__(self, rule: Rule, schemes: Sequence[Scheme], leads_to: WSGIApplication | None = None) -> None:
        unknown = set(rule.schemes or ()) - {scheme.name for scheme in schemes}
        if unknown:
            there = ", ".join(scheme.name for scheme in schemes)
            raise ConfigurationError(
                f"{rule!r} names a scheme that is not there: {', '.join(sorted(unknown))}; there is {there}"
            )
        self.rule = rule
        self.leads_to = leads_to
        self.is_choosy = rule.is_choosy
        self.schemes = tuple(scheme for scheme in schemes if rule.schemes is None or scheme.name in rule.schemes)
        self._offered = sorted(self.schemes, key=lambda scheme: _OFFERED.get(scheme.name, 2))
        if rule.fresh is not None and all(freshness_of(scheme) == "never" for scheme in self.schemes):
            raise ConfigurationError(f"{rule!r}: none of its schemes can prove anew who somebody is")
        self.authenticate = self.schemes[0].authenticate if len(self.schemes) == 1 else self._authenticate
        self._always_fresh = frozenset(scheme.name for scheme in self.schemes if freshness_of(scheme) == "always")
        self._fields = tuple(dict.fromkeys(field for scheme in self.schemes for field in scheme.reads))
        self.vary = [("Vary", ", ".join(self._fields))] if self._fields else []
        self.login: LoginScheme | None = next((scheme for scheme in self.schemes if keeps_logins(scheme)), None)

    def _authenticate(self, environ: WSGIEnvironment) -> Identity | Refused | None:
        """What the first scheme says that finds credentials of its own."""
        for scheme in self.schemes:
            found = scheme.authenticate(environ)
            if found is not None:
                return RefusedBy(scheme, found) if isinstance(found, Refused) else found
        return None

    def who_refused(self, refused: Refused) -> Scheme:
        """The scheme that gave this answer."""
        return refused.scheme if isinstance(refused, RefusedBy) else self.schemes[0]

    def scheme_of(self, identity: Identity) -> Scheme | None:
        """The scheme that found this identity, where it is one that counts here."""
        return next((scheme for scheme in self.schemes if scheme.name == identity.scheme), None)

    def lack(self, identity: Identity, environ: WSGIEnvironment | None, now: float) -> str | None:
        """What this identity lacks: `"deny"`, `"role"`, `"user"`, `"scope"`, `"check"`, `"fresh"`; None for nothing.

        Without an environ the function of `check=` is not asked.
        """
        rule = self.rule
        if rule.kind not in ("optional", "require"):
            return "deny"
        if rule.roles is not None and rule.roles.isdisjoint(identity.roles):
            return "role"
        if rule.users is not None and identity.user not in rule.users:
            return "user"
        if rule.scopes is not None and not rule.scopes <= identity.scopes:
            return "scope"
        if rule.check is not None and environ is not None and not _is_yes(rule.check(identity, environ)):
            return "check"
        return None if rule.fresh is None or self._is_fresh(identity, now - rule.fresh) else "fresh"

    def _is_fresh(self, identity: Identity, since: float) -> bool:
        if identity.actor is not None:
            return False
        proved = identity.authenticated_at
        return identity.scheme in self._always_fresh or (proved is not None and proved >= since)

    def challenges(
        self, environ: WSGIEnvironment, refused: Refused | None = None, scheme: Scheme | None = None
    ) -> list[tuple[str, str]]:
        """A line for each challenge: joined, some clients cannot read them. `scheme` hears what it refused."""
        lines = []
        for one in self._offered:
            challenges = one.challenges(environ, refused if one is scheme else None)
            if isinstance(challenges, str):
                raise TypeError(f"challenges() of {type(one).__name__} gives a list of challenges: [{challenges!r}]")
            lines += [("WWW-Authenticate", challenge) for challenge in challenges]
        return lines

    def tell_caches(self, response: Response, private: bool) -> bool:
        """For whom this answer is. Whether it had to be told that it is not public.

        That of an identified request is private, whatever the application said, unless the rule says `shared`.
        """
        headers = response.headers
        for name, _ in headers:
            if name.lower() in TOLD_TO_CACHES:
                response.vary(*self._fields)
                return private and not (self.rule.shared and is_public(response)) and make_private(response)
        headers.extend(self.vary)  # nothing was said: 1 us less than with the methods of Response
        if private:
            headers.append(PRIVATE)
        return False


def _is_yes(said: object) -> bool:
    """Whether a `check=` lets somebody in. Raises TypeError for what is true by mistake, whatever it means."""
    if callable(said) or hasattr(said, "__await__"):
        raise TypeError(
            f"check= says True or False: a {type(said).__name__}, as the refusal of get_auth(environ).require() is one "
            "and what an async function gives, would let everybody in"
        )
    return bool(said)
