"""The cookie that holds a ticket.

The peers set it up to three times, for the host alone, for its domain and for all below it. Where we set or delete it,
those go too: else an old ticket beside the new one would be taken for the login, by them or by us.
"""

from __future__ import annotations

from middleware.auth.schemes.base import put_cookie
from middleware.cookies.codec import LARGEST, MOST_TRIED, prefix_of, values_of
from middleware.cookies.options import CookieOptions
from middleware.errors import ConfigurationError, CookieTooLarge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


class TicketCookie:
    """Name and attributes of the cookie. Raises ConfigurationError."""

    __slots__ = ("_lines", "_options", "name")

    def __init__(self, options: CookieOptions) -> None:
        if not isinstance(options, CookieOptions):
            raise ConfigurationError(f"cookie= takes CookieOptions(...), not {type(options).__name__}")
        self.name = options.name or "auth_tkt"
        self._options = options
        schemes = {True, False} if options.secure is None else {options.secure}
        try:
            self._lines = {secure: options.line(self.name, secure) for secure in schemes}
        except ValueError as error:
            raise ConfigurationError(f"{error}: where nothing is served over http, say secure=True") from None

    def values(self, environ: WSGIEnvironment) -> list[str]:
        """The values that this request has for it."""
        field: str = environ.get("HTTP_COOKIE", "")
        return values_of(field, self.name, MOST_TRIED) if field else []

    def check(self, value: str) -> None:
        """Raises CookieTooLarge for a ticket that no browser would keep."""
        if len(self.name) + len(value) > LARGEST:
            raise CookieTooLarge(
                f"a ticket of {len(value)} bytes is larger than browsers keep: fewer tokens, less data"
            )

    def put(self, environ: WSGIEnvironment, value: str, max_age: int | None, *, alone: bool = False) -> None:
        """Set it, to a value that was checked. `alone`: there is no other one of its name."""
        if not alone:
            self.delete(environ)
        put_cookie(environ, self.name, self._lines[self._is_secure(environ)].setting_checked(value, max_age))

    def delete(self, environ: WSGIEnvironment) -> None:
        """Delete it, and those of its name that are for this host or its domain."""
        secure = self._is_secure(environ)
        if prefix_of(self.name) is None:  # else only a cookie of these attributes can have the name
            for domain in {None, _domain(environ)} - {self._options.domain}:
                other = self._options.replace(domain=domain).line(self.name, secure)
                put_cookie(environ, f"{self.name} of {domain}", other.deletion)
        put_cookie(environ, self.name, self._lines[secure].deletion)

    def _is_secure(self, environ: WSGIEnvironment) -> bool:
        return self._options.is_secure(environ.get("wsgi.url_scheme") == "https")


def _domain(environ: WSGIEnvironment) -> str | None:
    """The host of this request, where a cookie may have it as its domain."""
    host: str = environ.get("HTTP_HOST") or environ.get("SERVER_NAME", "")
    name = host.partition(":")[0].lower()
    labels = name.split(".")
    fits = name.isascii() and len(name) < 254 and name.replace("-", "a").replace(".", "a").isalnum()
    return name if fits and all(labels) and not labels[-1].isdigit() else None
