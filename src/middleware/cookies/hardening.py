"""The policy at work: the Set-Cookie lines of one answer go through it, and what it does is told.

A line is judged by itself, then beside the others: of several that set the same cookie the last remains. Lines of the
jar count as earlier than those of the application, so that a session's cookie is the session's.
"""

from __future__ import annotations

from functools import lru_cache

from middleware.cookies.codec import LARGEST, LONGEST_LIFE, has_control
from middleware.cookies.policy import CONTROL, TOO_LARGE, Verdict, fault_of, judged, taken_apart, with_expires_cut
from middleware.errors import CookieTooLarge
from middleware.events import Event, emit
from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from wsgiref.types import WSGIEnvironment

    from middleware.cookies.options import CookieOptions
    from middleware.cookies.policy import Key

LOGGER = "middleware.cookies"
KEPT_VERDICTS = 256  # on names and attributes of cookies; an application that makes them up does not fill the memory
MOST_BYTES = 8192  # of all Set-Cookie lines of one answer: servers and proxies refuse heads not much larger
GONE = ("", "")


class Hardening:
    """Applies the policy to answers. Shared by all requests and threads."""

    def __init__(
        self,
        options: CookieOptions,
        *,
        readable: Collection[str],
        exempt: Collection[str],
        raises: bool,
        on_event: Callable[[Event], object] | None,
        clock: Callable[[], float],
    ) -> None:
        self._options = options
        self._readable = frozenset(readable)
        self._exempt = frozenset(exempt)
        self._raises = raises
        self._on_event = on_event
        self._clock = clock
        self._verdict = lru_cache(KEPT_VERDICTS)(self._judged)  # an application sets few cookies, and those often

    def apply(
        self, headers: list[tuple[str, str]], of_the_jar: Mapping[Key, str], https: bool, environ: WSGIEnvironment
    ) -> list[tuple[str, str]]:
        """The header fields with each Set-Cookie as it may leave, and the lines of the jar behind them."""
        kept: list[tuple[str, str]] = []
        places: dict[Key, int] = {}
        size = lines = 0
        for pair in headers:
            field, line = pair
            if field.lower() != "set-cookie":
                kept.append(pair)
                continue
            name, attributes = taken_apart(line)
            verdict = self._verdict(name, attributes, https)
            key = verdict.key
            if verdict.is_plain and len(line) <= LARGEST and not has_control(line):  # as most are: 0.4 us less
                hard = line + verdict.added
            else:
                passed = self._passed(name, line, attributes, verdict, environ)
                if passed is None:
                    continue
                key, hard = passed
            if key is not None:
                earlier = places.setdefault(key, len(kept))
                if earlier < len(kept):
                    size -= len(kept[earlier][1])
                    kept[earlier] = GONE
                    places[key] = len(kept)
                    self._tell("replaced", name, environ)
            kept.append((field, hard))
            size += len(hard)
            lines += 1
        for key, line in of_the_jar.items():
            if key in places:
                self._tell("replaced", key[0], environ)
                continue
            places[key] = len(kept)
            kept.append(("Set-Cookie", line))
            size += len(line)
            lines += 1
        if lines < 2 and size <= MOST_BYTES:
            return kept
        self._look_at_all(places, size, environ)
        return [pair for pair in kept if pair is not GONE]

    def _look_at_all(self, places: Collection[Key], size: int, environ: WSGIEnvironment) -> None:
        if len(places) > 1 and self._on_event is not None:
            times: dict[str, int] = {}
            for name, *_ in places:
                times[name] = times.get(name, 0) + 1
            for name, number in times.items():
                if number > 1:
                    self._tell("same_name", name, environ)
        if size > MOST_BYTES:
            say_once(f"the cookies of an answer have more than {MOST_BYTES} bytes together", logger=LOGGER)
            self._tell("large", None, environ, bytes=size)

    def _passed(
        self, name: str, line: str, attributes: str, verdict: Verdict, environ: WSGIEnvironment
    ) -> tuple[Key | None, str] | None:
        """What a line is compared by and how it may leave; None where it is dropped."""
        reason = verdict.refused or fault_of(line)
        if reason is not None and (reason == CONTROL or verdict.key is not None):
            self._drop(name, reason, environ)
            return None
        if verdict.for_https:
            say_once(
                f"the application sets cookie {name} for https in answer to http: if a proxy in front speaks "
                "https, wrap the site in ProxyMiddleware, or say secure=True in the cookie options",
                logger=LOGGER,
            )
            self._tell("for_https", name, environ)
        hard = line + verdict.added if verdict.added else line
        if verdict.capped is not None or verdict.expires is not None:
            hard = self._capped(name, line, attributes, verdict, environ) or hard
        # What browsers keep over https only must not take the place of what they keep.
        return None if verdict.for_https else verdict.key, hard

    def _drop(self, name: str, reason: str, environ: WSGIEnvironment) -> None:
        message = f"a cookie of the application that no browser keeps, {name!r}: it has {reason}"
        if self._raises:
            raise CookieTooLarge(message) if reason == TOO_LARGE else ValueError(message)
        say_once(f"{message}. It was dropped", logger=LOGGER)
        self._tell("dropped", None if has_control(name) else name or None, environ, reason=reason)

    def _capped(self, name: str, line: str, attributes: str, verdict: Verdict, environ: WSGIEnvironment) -> str | None:
        """The line where its lifetime has to be cut, None else."""
        now = self._clock()
        too_late = verdict.expires is not None and verdict.expires > now + LONGEST_LIFE
        if verdict.capped is None and not too_late:
            return None
        capped = attributes if verdict.capped is None else verdict.capped
        if too_late:
            capped = with_expires_cut(capped, now)
        say_once(f"the lifetime of cookie {name} is cut to 400 days: no browser keeps one longer", logger=LOGGER)
        self._tell("capped", name, environ)
        return f"{line.partition(';')[0]};{capped}{verdict.added}"

    def _judged(self, name: str, attributes: str, https: bool) -> Verdict:
        if name in self._exempt:
            return Verdict(None)
        options = self._options
        return judged(
            name,
            attributes,
            https=https or options.secure is True,
            secure=options.is_secure(https),
            httponly=options.httponly and name not in self._readable,
            samesite=options.samesite,
        )

    def _tell(self, name: str, cookie: str | None, environ: WSGIEnvironment, **details: object) -> None:
        if self._on_event is not None:
            client = environ.get("REMOTE_ADDR")
            emit(self._on_event, Event("cookies", name, self._clock(), cookie, client, details))
