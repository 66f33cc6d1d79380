"""The layer that gives the application a cookie jar and hardens every Set-Cookie on its way out."""

from __future__ import annotations

import time
from functools import lru_cache

from middleware.cookies.codec import has_control
from middleware.cookies.jar import CookieJar
from middleware.cookies.options import CookieOptions
from middleware.cookies.policy import asks_for_https, missing, taken_apart
from middleware.cookies.signed import SignedValues
from middleware.errors import ConfigurationError, LayerMissing
from middleware.headers import restricted_to_private
from middleware.operators import say_once
from middleware.wsgi import forward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.signing import Secret
    from middleware.wsgi import Response

KEY = "middleware.cookies"
LOGGER = "middleware.cookies"
KEPT_VERDICTS = 256  # on names and attributes of cookies; an application that makes them up does not fill the memory


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
    `options`: the attributes of the jar's cookies, and what each Set-Cookie of the application gets where it lacks
    them: Secure (over https, or as `secure` says), HttpOnly and SameSite. Nothing is ever taken away or weakened.
    `readable`: names of cookies that scripts may read: they get no HttpOnly from here.
    `exempt`: names of cookies that pass as they are. `clock`: the time in seconds, for signed values.

    Raises ConfigurationError for a secret that can be guessed and for options with a name.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        secret: Secret | None = None,
        options: CookieOptions = CookieOptions(),  # noqa: B008 - a frozen value
        readable: Sequence[str] = ("csrftoken", "XSRF-TOKEN"),
        exempt: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not isinstance(options, CookieOptions):
            raise ConfigurationError(f"options= is a CookieOptions(...), not {type(options).__name__}")
        if options.name is not None:
            raise ConfigurationError("the options of the jar are for cookies of every name: leave name= out")
        if isinstance(readable, str) or isinstance(exempt, str):
            raise ConfigurationError("readable= and exempt= are lists of cookie names, not one text")
        self.app = app
        self._options = options
        self._readable = frozenset(readable)
        self._exempt = frozenset(exempt)
        self._signed = None if secret is None else SignedValues(secret, clock)
        self._verdict = lru_cache(KEPT_VERDICTS)(self._judged)  # an application sets few cookies, and those often

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        https = environ.get("wsgi.url_scheme") == "https"
        jar = environ[KEY] = CookieJar(environ.get("HTTP_COOKIE", ""), https, self._options, self._signed)

        def amend(response: Response) -> None:
            for field, _ in response.headers:
                if field.lower() == "set-cookie":
                    response.headers = self._hardened(response.headers, https)
                    break
            lines = jar.close()
            if not jar.accessed:
                return
            response.vary("Cookie")
            stated = response.get("Cache-Control")
            if lines:
                response.headers.extend(("Set-Cookie", line) for line in lines)
                response.set("Cache-Control", "no-store" if stated is None else restricted_to_private(stated))
            elif stated is None:
                response.add("Cache-Control", "private")

        return forward(self.app, environ, start_response, amend)

    def _hardened(self, headers: list[tuple[str, str]], https: bool) -> list[tuple[str, str]]:
        """The header fields, each Set-Cookie of the application passed through the policy."""
        kept = []
        for pair in headers:
            field, line = pair
            if field.lower() != "set-cookie":
                kept.append(pair)
            elif has_control(line):  # browsers drop the whole field (RFC 6265bis, section 5)
                say_once("a Set-Cookie of the application was dropped: it holds a control character", logger=LOGGER)
            else:
                name, attributes = taken_apart(line)
                added, needs_https = self._verdict(name, attributes, https)
                kept.append((field, line + added) if added else pair)
                if needs_https:
                    say_once(
                        f"the application sets cookie {name} for https in answer to http: if a proxy in front speaks "
                        "https, say so by secure=True in the cookie options, or let wsgi.url_scheme tell",
                        logger=LOGGER,
                    )
        return kept

    def _judged(self, name: str, attributes: str, https: bool) -> tuple[str, bool]:
        """What to add to a line of this name and these attributes, and whether no browser will keep the cookie."""
        if name in self._exempt:
            return "", False
        options = self._options
        added = missing(
            name,
            attributes,
            secure=options.is_secure(https),
            httponly=options.httponly and name not in self._readable,
            samesite=options.samesite,
        )
        return added, not https and asks_for_https(name, attributes)
