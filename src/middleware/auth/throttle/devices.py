"""The cookie by which the browser of somebody who has signed in is known again, when someone else guesses.

It is no login: all it does is to have the failures of that browser counted by themselves. It names its user by a
digest, is signed, and is worth nothing for another user.
"""

from __future__ import annotations

import os
import time

from middleware.cookies.codec import LONGEST_LIFE, MOST_TRIED, values_of
from middleware.cookies.options import CookieOptions
from middleware.signing import Signer, salt_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIEnvironment

    from middleware.cookies.options import CookieLine
    from middleware.signing import Secret

NAME = "auth-device"
_RANDOM = 16  # bytes
_DIGEST = 16  # bytes


class Devices:
    """Knows browsers. `secret`: as for a Signer; `life`: seconds that a cookie is good for, 400 days at most."""

    def __init__(self, secret: Secret, life: float, clock: Callable[[], float] = time.time) -> None:
        self._signer = Signer(secret, salt=salt_for("middleware.auth.device", NAME), clock=clock)
        self._life = min(int(life), LONGEST_LIFE)
        self._clock = clock
        options = CookieOptions(max_age=self._life)
        self._http = options.line(NAME, secure=False)
        self._https = options.line("__Host-" + NAME, secure=True)

    def known(self, environ: WSGIEnvironment, name: str) -> str | None:
        """What tells this browser apart, where the user of this name has signed in with it before."""
        found = self._find(environ, name)
        return None if found is None else found[0].hex()

    def greet(self, environ: WSGIEnvironment, name: str) -> None:
        """Have the browser keep a cookie for this user, unless it has one that is good for a while."""
        from contextlib import suppress

        from middleware.auth.schemes.base import put_cookie

        found = self._find(environ, name)
        if found is not None and found[1] < self._life / 2:
            return
        random = os.urandom(_RANDOM) if found is None else found[0]
        line = self._line(environ)
        cookie = line.setting_checked(self._signer.sign(random + _digest(random, name)))
        with suppress(RuntimeError):  # the head has left: the next login will do
            put_cookie(environ, line.name, cookie)

    def _find(self, environ: WSGIEnvironment, name: str) -> tuple[bytes, float] | None:
        """The random part of the cookie, and its age in seconds."""
        for token in values_of(environ.get("HTTP_COOKIE", ""), self._line(environ).name, MOST_TRIED):
            opened = self._signer.unsign(token)
            if opened is None:
                continue
            payload, signed_at = opened
            random = payload[:_RANDOM]
            age = self._clock() - signed_at
            if age < self._life and len(random) == _RANDOM and payload[_RANDOM:] == _digest(random, name):
                return random, age
        return None

    def _line(self, environ: WSGIEnvironment) -> CookieLine:
        return self._https if environ.get("wsgi.url_scheme") == "https" else self._http


def _digest(random: bytes, name: str) -> bytes:
    from hashlib import blake2b

    return blake2b(name.encode("utf-8", "surrogatepass"), key=random, digest_size=_DIGEST).digest()
