"""What this layer answers in place of the application. It decides what is told to whom; `pages` draws it."""

from __future__ import annotations

from middleware.auth.answers.caches import keep_out_of_caches
from middleware.auth.answers.missing_header import cure_for_missing_header
from middleware.auth.answers.negotiation import is_navigation
from middleware.auth.schemes.base import Refused, Throttled, explains
from middleware.auth.telling import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.answers.pages import Page
    from middleware.auth.gate import Gate
    from middleware.auth.identity import Identity
    from middleware.auth.schemes.base import Unavailable
    from middleware.wsgi import Response

Headers = list[tuple[str, str]]


class Answers:
    """The refusals of one layer. `page(environ, status, reason)` gives their HTML."""

    def __init__(self, page: Page | None) -> None:
        self._page = page
        self._told_of: dict[str, object] = {}  # what was told once

    def refuse(
        self, environ: WSGIEnvironment, status: str, reason: str, headers: Iterable[tuple[str, str]] = ()
    ) -> Response:
        """A refusal as the client wants to read it. `reason` is one of docs/auth.md."""
        from middleware.auth.answers.pages import refusal

        return refusal(environ, status, reason, headers, self._page)

    def refuse_ambiguous(self, environ: WSGIEnvironment) -> Response:
        """A path, or a method, that falls under several rules."""
        tell(environ, "path.ambiguous")
        return self.refuse(environ, "400 Bad Request", "ambiguous request")

    def not_now(self, environ: WSGIEnvironment, error: Unavailable | Throttled) -> Response:
        """Nobody can be identified just now, or too many attempts have failed (RFC 6585, section 4)."""
        headers = [("Retry-After", str(error.retry_after))]
        if isinstance(error, Throttled):
            return self.refuse(environ, "429 Too Many Requests", "too many attempts", headers)
        return self.refuse(environ, "503 Service Unavailable", "unavailable", headers)

    def refuse_credentials(self, environ: WSGIEnvironment, gate: Gate, refused: Refused) -> Response:
        """Bad credentials are never led to the login page: a browser would go on sending them."""
        scheme = gate.who_refused(refused)
        if refused.status == 400:
            headers = challenge_lines(scheme.challenges(environ, refused)) if explains(scheme) else []
            return self.refuse(environ, "400 Bad Request", "malformed credentials", [*headers, *gate.vary])
        headers = gate.challenges(environ, refused, scheme)
        return self.refuse(environ, "401 Unauthorized", "credentials refused", [*headers, *gate.vary])

    def ask_to_sign_in(self, environ: WSGIEnvironment, gate: Gate) -> Response:
        """Nobody is identified: the login page for a person, a challenge for a program."""
        page = self._login_page(environ, gate)
        if page is not None:
            return page
        self._tell_of_missing_header(environ, gate)
        reason = "login required" if environ["REQUEST_METHOD"] in ("GET", "HEAD") else "nothing was taken"
        return self.refuse(environ, "401 Unauthorized", reason, [*gate.challenges(environ), *gate.vary])

    def turn_away(self, environ: WSGIEnvironment, gate: Gate, identity: Identity, lack: str) -> Response:
        """Somebody is identified, and that is not enough."""
        tell(environ, "forbidden", user=identity.user, scheme=identity.scheme, reason=lack)
        if lack == "fresh":
            return self._ask_again(environ, gate, identity)
        headers = []
        scheme = gate.scheme_of(identity)
        if lack == "scope" and scheme is not None and explains(scheme):
            wanted = " ".join(sorted(gate.rule.scopes or ()))
            missing = Refused("insufficient_scope", 403, {"error": "insufficient_scope", "scope": wanted})
            headers = challenge_lines(scheme.challenges(environ, missing))
        return self.refuse(environ, "403 Forbidden", "not allowed", [*headers, *gate.vary])

    def complete(self, environ: WSGIEnvironment, gate: Gate, response: Response) -> None:
        """Give a 401 of the application that has no challenges the challenges of this layer."""
        if response.get("WWW-Authenticate") is not None:
            return
        page = self._login_page(environ, gate)
        if page is not None:
            cookies = [line for line in response.headers if line[0].lower() == "set-cookie"]
            response.status, response.headers, response.body = page.status, [*page.headers, *cookies], page.body
            return
        response.headers.extend(gate.challenges(environ))
        keep_out_of_caches(response)

    def _ask_again(self, environ: WSGIEnvironment, gate: Gate, identity: Identity) -> Response:
        """The proof is too old (RFC 9470)."""
        page = self._login_page(environ, gate)
        if page is not None:
            return page
        too_old = {"error": "insufficient_user_authentication", "max_age": f"{gate.rule.fresh or 0:.0f}"}
        scheme = gate.scheme_of(identity)
        headers = gate.challenges(environ, Refused("not fresh", 401, too_old), scheme)
        return self.refuse(environ, "401 Unauthorized", "sign in again", [*headers, *gate.vary])

    def _tell_of_missing_header(self, environ: WSGIEnvironment, gate: Gate) -> None:
        """Tell once, where a server seems to keep Authorization to itself."""
        if "header.missing" in self._told_of:
            return
        cure = cure_for_missing_header(environ, [scheme.name for scheme in gate.schemes])
        mine = object()
        if cure is not None and self._told_of.setdefault("header.missing", mine) is mine:
            tell(environ, "header.missing", cure=cure)

    def _login_page(self, environ: WSGIEnvironment, gate: Gate) -> Response | None:
        """The way to the login page, for a person where there is one."""
        if gate.login is None or not is_navigation(environ):
            return None
        url = gate.login.login_url(environ)
        if url is None:
            return None
        from middleware.auth.answers.pages import redirect

        return redirect("302 Found", url, gate.vary)


def challenge_lines(challenges: Iterable[str]) -> Headers:
    """A line for each challenge: joined, some clients cannot read them."""
    return [("WWW-Authenticate", challenge) for challenge in challenges]
