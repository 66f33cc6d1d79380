"""Remember-me as its site wants it: how long a browser stays signed in over its own end, and by which cookie."""

from __future__ import annotations

from middleware.auth.frozen import Frozen
from middleware.cookies.options import CookieOptions
from middleware.errors import ConfigurationError
from middleware.options import a_switch, is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from middleware.cookies.options import CookieLine

DAY = 86400
MOST_DAYS = 400  # browsers keep no cookie longer (RFC 6265bis, section 5.5)


class RememberMe(Frozen):
    """Keep people signed in who ask for it: `SessionLogin(users, remember=RememberMe())`. Never changed.

    `days`: how long, from the login; where it is to `extend`, from the last time that it was made use of. `cookie`:
    name and attributes of the cookie; without a name it is `__Host-remember` (`remember` over http).

    Raises ConfigurationError.
    """

    __slots__ = ("cookie", "days", "extend", "lines", "seconds")

    days: float
    extend: bool
    cookie: CookieOptions
    seconds: float
    lines: Mapping[bool, CookieLine]  # by whether they are Secure

    def __init__(self, days: float = 30, *, extend: bool = False, cookie: CookieOptions | None = None) -> None:
        if not is_number(days) or not 0 < days <= MOST_DAYS:
            raise ConfigurationError(f"days is a number above 0, up to {MOST_DAYS}, not {days!r}")
        a_switch("extend", extend)
        options = CookieOptions() if cookie is None else cookie
        if not isinstance(options, CookieOptions):
            raise ConfigurationError(f"cookie= takes CookieOptions(...), not {cookie!r}")
        if not options.httponly or options.max_age is not None:
            raise ConfigurationError("the cookie of RememberMe is HttpOnly, and lasts as long as days= says")
        put = object.__setattr__
        put(self, "days", days)
        put(self, "extend", extend)
        put(self, "cookie", options)
        put(self, "seconds", float(days * DAY))
        schemes = {True, False} if options.secure is None else {options.secure}
        try:
            put(self, "lines", {secure: _line(options, secure) for secure in schemes})
        except ValueError as error:
            raise ConfigurationError(f"{error}: where nothing is served over http, say secure=True") from None

    def __repr__(self) -> str:
        return f"RememberMe(days={self.days!r}, extend={self.extend!r}, cookie={self.cookie!r})"


def _line(options: CookieOptions, secure: bool) -> CookieLine:
    """A ValueError where no browser would keep it."""
    name = options.name
    if name is None:
        prefix = "__Host-" if options.path == "/" and options.domain is None else "__Secure-"
        name = f"{prefix}remember" if secure else "remember"
    return options.line(name, secure)
