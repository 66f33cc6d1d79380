"""The paths of SessionLogin: where its pages are, and where they may lead. Pure.

What leads away from a page is checked by `safe_next`, and never leads to one of the pages itself.
"""

from __future__ import annotations

from middleware.auth.login.next_url import next_of, origin_of, safe_next, split_origin
from middleware.auth.rules.paths import readings
from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

MOST_OF_A_QUERY = 8192  # characters that are looked at


class LoginPaths:
    """`login`, `logout` and `default_next`, checked. Raises ConfigurationError."""

    __slots__ = ("_default_next", "login", "logout")

    def __init__(self, login: str, logout: str, default_next: str) -> None:
        for option, path in (("login_path", login), ("logout_path", logout)):
            if path[:1] != "/" or safe_next(path, "") is None or readings(path) != {path}:
                raise ConfigurationError(f"{option}= is a plain path that begins with /, not {path!r}")
        if login == logout:
            raise ConfigurationError("login_path= and logout_path= are two different paths")
        if default_next[:1] != "/" or safe_next(default_next, "") is None or default_next in (login, logout):
            raise ConfigurationError(f"default_next= is a path of this site, not {default_next!r}")
        self.login = login
        self.logout = logout
        self._default_next = default_next

    def login_in(self, environ: WSGIEnvironment) -> str:
        """The login page as the browser has to ask for it."""
        return _mount(environ) + self.login

    def logout_in(self, environ: WSGIEnvironment) -> str:
        """The logout page as the browser has to ask for it."""
        return _mount(environ) + self.logout

    def login_url(self, environ: WSGIEnvironment, *, again: bool) -> str:
        """The login page, with the way back to this request. `again`: for somebody who is signed in already."""
        from urllib.parse import quote

        wanted = next_of(environ)
        query = []
        if wanted is not None and not self._is_own(environ, wanted):
            query.append(f"next={quote(wanted, safe='/')}")
        if again:
            query.append("again=1")
        return self.login_in(environ) + ("?" + "&".join(query) if query else "")

    def asked(self, environ: WSGIEnvironment) -> tuple[str, bool]:
        """What the query of a page says: the way back, checked, and whether a user is to sign in again."""
        from urllib.parse import parse_qs

        try:
            given = parse_qs(environ.get("QUERY_STRING", "")[:MOST_OF_A_QUERY], max_num_fields=20)
        except ValueError:
            return "", False
        wanted = given.get("next", [])
        return self.checked(environ, wanted[0] if len(wanted) == 1 else None), given.get("again") == ["1"]

    def checked(self, environ: WSGIEnvironment, value: str | None) -> str:
        """`value` where it is a way back into this site, else nothing."""
        wanted = safe_next(value, origin_of(environ)) or ""
        return "" if self._is_own(environ, wanted) else wanted

    def after(self, environ: WSGIEnvironment, wanted: str) -> str:
        """Where a page leads: to what was wanted, which was checked, or to `default_next`."""
        return wanted or _mount(environ) + self._default_next

    def _is_own(self, environ: WSGIEnvironment, target: str) -> bool:
        found = split_origin(target)
        path = (target if found is None else found[1]).partition("?")[0].partition("#")[0]
        return path in (self.login_in(environ), self.logout_in(environ))


def _mount(environ: WSGIEnvironment) -> str:
    """Where the application is mounted, if its layer is told to know paths from there on; as a browser writes it."""
    layer = environ.get("middleware.auth")
    if layer is None or not layer.mounted:
        return ""
    from urllib.parse import quote

    mount = quote(environ.get("SCRIPT_NAME", "").encode("latin-1", "replace"), safe="/~!$&'()*+,;=:@")
    return mount if mount and safe_next(mount, "") == mount else ""  # what could be a host leads to the root
