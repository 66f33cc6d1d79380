"""The layer that gives the application a cookie jar and hardens every Set-Cookie on its way out."""

from __future__ import annotations

import time

from middleware.cookies.jar import CookieJar, JarSettings
from middleware.cookies.options import CookieOptions
from middleware.errors import ConfigurationError, LayerMissing
from middleware.headers import restricted_to_private
from middleware.made_once import made_once
from middleware.signing import check_crypto, check_secrets
from middleware.wsgi import forward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from typing import Literal
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.cookies.hardening import Hardening
    from middleware.events import Event
    from middleware.signing import Secret
    from middleware.wsgi import Response

KEY = "middleware.cookies"


def get_cookies(environ: WSGIEnvironment) -> CookieJar:
    """The cookie jar of this request. Raises LayerMissing where the request passed no CookieMiddleware."""
    try:
        jar: CookieJar = environ[KEY]
    except KeyError:
        raise LayerMissing("no cookie jar here: wrap the app in CookieMiddleware") from None
    return jar


class CookieMiddleware:
    """Puts a `CookieJar` into `environ["middleware.cookies"]` and hardens the cookies that the application sets.

    `secret`: for `get_signed` and `set_signed`; text or bytes of 16 bytes or more, or a list of them, newest last.
    `seal`: makes `get_sealed` and `set_sealed` available, with the same secret (extra `crypto`).
    `options`: the attributes of the jar's cookies, and what each Set-Cookie of the application gets where it lacks
    them: Secure (over https, or as `secure` says), HttpOnly and SameSite. No attribute is ever taken away or weakened.
    `readable`: names of cookies that scripts may read: they get no HttpOnly from here.
    `exempt`: names of cookies that pass as they are.
    `on_bad`: a cookie of the application that no browser would keep is dropped, `"drop"`, or a ValueError, `"raise"`.
    `on_event`: called with an `Event` of the layer `"cookies"`: `dropped`, `replaced`, `same_name`, `capped`, `large`,
    `for_https`. `clock`: the time in seconds.

    Raises ConfigurationError for a secret that can be guessed and for options with a name; MissingExtra for `seal`
    without the package that seals.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        secret: Secret | None = None,
        seal: bool = False,
        options: CookieOptions = CookieOptions(),  # noqa: B008 - a frozen value
        readable: Collection[str] = ("csrftoken", "XSRF-TOKEN"),
        exempt: Collection[str] = (),
        on_bad: Literal["drop", "raise"] = "drop",
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not isinstance(options, CookieOptions):
            raise ConfigurationError(f"options= is a CookieOptions(...), not {type(options).__name__}")
        if options.name is not None:
            raise ConfigurationError("the options of the jar are for cookies of every name: leave name= out")
        readable, exempt = _names("readable", readable), _names("exempt", exempt)
        if on_bad not in ("drop", "raise"):
            raise ConfigurationError(f'on_bad= is "drop" or "raise", not {on_bad!r}')
        if on_event is not None and not callable(on_event):
            raise ConfigurationError(f"on_event= is a callable that takes an Event, not {type(on_event).__name__}")
        if secret is None and seal:
            raise ConfigurationError("sealed cookies need a secret: CookieMiddleware(app, secret=..., seal=True)")
        if seal:
            check_crypto()
        self.app = app
        self._settings = JarSettings(
            options, secrets=() if secret is None else check_secrets(secret), seals=seal, clock=clock
        )

        def hardening() -> Hardening:
            from middleware.cookies.hardening import Hardening

            return Hardening(
                options, readable=readable, exempt=exempt, raises=on_bad == "raise", on_event=on_event, clock=clock
            )

        self._make_hardening = hardening

    @made_once
    def _hardening(self) -> Hardening:
        """What hardens cookies, made with the first."""
        return self._make_hardening()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        https = environ.get("wsgi.url_scheme") == "https"
        jar = environ[KEY] = CookieJar(environ.get("HTTP_COOKIE", ""), https, self._settings)

        def amend(response: Response) -> None:
            lines = jar.close()
            for field, _ in response.headers:
                if field.lower() == "set-cookie":
                    response.headers = self._hardening.apply(response.headers, lines, https, environ)
                    break
            else:
                if len(lines) > 1:
                    response.headers = self._hardening.apply(response.headers, lines, https, environ)
                elif lines:
                    response.headers.extend(("Set-Cookie", line) for line in lines.values())
            if not jar.accessed:
                return
            response.vary("Cookie")
            stated = response.get("Cache-Control")
            if lines:
                response.set("Cache-Control", "no-store" if stated is None else restricted_to_private(stated))
            elif stated is None:
                response.add("Cache-Control", "private")

        return forward(self.app, environ, start_response, amend)


def _names(option: str, names: Iterable[str]) -> frozenset[str]:
    """Raises ConfigurationError for what is no list of names."""
    if isinstance(names, str) or not hasattr(names, "__iter__"):
        raise ConfigurationError(f'{option}= is a list of cookie names, such as ["csrftoken"], not {names!r}')
    given = [*names]
    for name in given:
        if not isinstance(name, str):
            raise ConfigurationError(f'{option}= has the names of cookies, such as "csrftoken", not {name!r}')
    return frozenset(given)
