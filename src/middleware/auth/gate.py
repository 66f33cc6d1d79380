"""What a request has to pass: a rule made ready, with the schemes that count for it, and what it makes caches know."""

from __future__ import annotations

from middleware.auth.schemes.base import keeps_logins
from middleware.errors import ConfigurationError
from middleware.headers import members, restricted_to_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from wsgiref.types import WSGIApplication, WSGIEnvironment

    from middleware.auth.identity import Identity
    from middleware.auth.rules import Rule
    from middleware.auth.schemes.base import LoginScheme, Refused, Scheme
    from middleware.wsgi import Response

# Fields that outdo Cache-Control in one cache or another (RFC 9213, and what came before it).
_OUTDO_CACHE_CONTROL = (
    "CDN-Cache-Control",
    "Cloudflare-CDN-Cache-Control",
    "Netlify-CDN-Cache-Control",
    "Vercel-CDN-Cache-Control",
    "X-LiteSpeed-Cache-Control",
    "Surrogate-Control",
    "Edge-Control",
    "X-Accel-Expires",
)

# Fields that say who may keep an answer, or for whom it is.
_TOLD_TO_CACHES = frozenset({"vary", "cache-control", *(name.lower() for name in _OUTDO_CACHE_CONTROL)})

_PRIVATE = ("Cache-Control", "private")


class Gate:
    """A rule made ready, with the schemes that count for it.

    `leads_to`: what everybody gets who comes to this gate; None where that depends on who it is. `is_choosy`: whether
    the rule may turn away somebody who is identified.
    """

    __slots__ = ("_fields", "_schemes", "authenticate", "is_choosy", "leads_to", "login", "rule", "vary")

    authenticate: Callable[[WSGIEnvironment], Identity | Refused | None]

    def __init__(self, rule: Rule, schemes: Sequence[Scheme], leads_to: WSGIApplication | None = None) -> None:
        unknown = set(rule.schemes or ()) - {scheme.name for scheme in schemes}
        if unknown:
            raise ConfigurationError(f"{rule!r} names a scheme that is not there: {', '.join(sorted(unknown))}")
        self.rule = rule
        self.leads_to = leads_to
        self.is_choosy = rule.kind == "deny" or rule.roles is not None or rule.users is not None
        self._schemes = [scheme for scheme in schemes if rule.schemes is None or scheme.name in rule.schemes]
        self.authenticate = self._schemes[0].authenticate if len(self._schemes) == 1 else self._authenticate
        self._fields = tuple(dict.fromkeys(field for scheme in self._schemes for field in scheme.reads))
        self.vary = ("Vary", ", ".join(self._fields))
        self.login: LoginScheme | None = next((scheme for scheme in self._schemes if keeps_logins(scheme)), None)

    def _authenticate(self, environ: WSGIEnvironment) -> Identity | Refused | None:
        """What the first scheme says that finds credentials of its own."""
        for scheme in self._schemes:
            found = scheme.authenticate(environ)
            if found is not None:
                return found
        return None

    def challenges(self, environ: WSGIEnvironment) -> list[tuple[str, str]]:
        """A line for each scheme: joined, some clients cannot read them."""
        return [("WWW-Authenticate", scheme.challenge(environ)) for scheme in self._schemes]

    def tell_caches(self, response: Response, private: bool) -> None:
        """For whom this answer is. That of an identified request is private, whatever the application said."""
        headers = response.headers
        for name, _ in headers:
            if name.lower() in _TOLD_TO_CACHES:
                self._tell_caches_more(response, private)
                return
        headers.append(self.vary)  # nothing was said: 1 us less than with the methods of Response
        if private:
            headers.append(_PRIVATE)

    def _tell_caches_more(self, response: Response, private: bool) -> None:
        response.vary(*self._fields)
        if not private:
            return
        said = response.get("Cache-Control") or ""
        if said.count('"') % 2:
            said = ""  # a quoted string that does not end would swallow what follows it
        kept = [member for member in members(said) if _name(member) not in ("public", "s-maxage")]
        response.set("Cache-Control", restricted_to_private(", ".join(kept) or None))
        _remove_what_outdoes(response)


def _name(directive: str) -> str:
    return directive.partition("=")[0].strip(" \t").lower()


def keep_out_of_caches(response: Response) -> None:
    """Make this an answer that no cache keeps."""
    response.set("Cache-Control", "no-store")
    _remove_what_outdoes(response)


def _remove_what_outdoes(response: Response) -> None:
    for name in _OUTDO_CACHE_CONTROL:
        response.remove(name)
