"""The cookies of one request, and those that its answer will set."""

from __future__ import annotations

from functools import lru_cache

from middleware.cookies.codec import MOST_TRIED, check_name, parse_cookies
from middleware.errors import ConfigurationError
from middleware.made_once import made_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from middleware.cookies.options import CookieLine, CookieOptions
    from middleware.cookies.policy import Key
    from middleware.cookies.signed import SealedValues, SignedValues


KEPT_LINES = 256  # by name and attributes; names that an application makes up do not fill the memory


class JarSettings:
    """What all jars of a layer share."""

    def __init__(
        self, options: CookieOptions, *, secrets: tuple[bytes, ...], seals: bool, clock: Callable[[], float]
    ) -> None:
        self._options = options
        self._secrets = secrets
        self._seals = seals
        self._clock = clock
        self.line = lru_cache(KEPT_LINES, typed=True)(self._line)  # 9 us less for a cookie that is set again

    @made_once
    def signed(self) -> SignedValues | None:
        """What signs values, where the layer has a secret for it."""
        from middleware.cookies.signed import SignedValues

        return SignedValues(self._secrets, self._clock) if self._secrets else None

    @made_once
    def sealed(self) -> SealedValues | None:
        """What seals values, where the layer was told to."""
        from middleware.cookies.signed import SealedValues

        return SealedValues(self._secrets, self._clock) if self._seals else None

    def _line(self, name: str, https: bool, **attributes: Any) -> tuple[Key, CookieLine]:
        """How a cookie with these attributes is set and deleted, and by which a browser tells it from others."""
        from middleware.cookies.policy import key_of

        check_name(name)
        options = self._options.replace(**attributes) if attributes else self._options
        key = key_of(name, options.domain, options.path, options.partitioned)
        return key, options.line(name, options.is_secure(https))


class CookieJar:
    """The cookies of one request, and those that its answer will set. Nothing is parsed before it is asked.

    Reading sees what this request has set or deleted. A cookie is text; of several with the same name the first
    counts. What comes from `get` was made by anybody, what comes from `get_signed` and `get_sealed` by us.

    `accessed`: whether the jar was read or changed; the answer is then for this client only.
    """

    # What a jar that nobody asks never changes stands on the class: it makes an unused one 0.2 us cheaper.
    accessed = False
    _closed = False
    _received: dict[str, list[str]] | None = None
    _now: dict[str, str | None] = {}  # noqa: RUF012 - what this request has made of a cookie; None: deleted
    _lines: dict[Key, str] = {}  # noqa: RUF012 - these two are replaced at the first write

    def __init__(self, field: str, https: bool, settings: JarSettings) -> None:
        self._field = field
        self._https = https
        self._settings = settings

    def __repr__(self) -> str:
        return "<CookieJar>"

    def get(self, name: str, *, quoted: bool = False) -> str | None:
        """The value of the cookie, verbatim, or None. `quoted`: the text that was quoted, None for what is no such."""
        cookies = self._read()
        if name in self._now:
            value = self._now[name]
        else:
            value = cookies[name][0] if name in cookies else None
        if value is None or not quoted:
            return value
        from middleware.cookies.percent import unquoted

        return unquoted(value)

    def get_all(self, name: str) -> list[str]:
        """The values of all cookies of this name, in the order of the request."""
        cookies = self._read()
        if name in self._now:
            value = self._now[name]
            return [] if value is None else [value]
        return list(cookies.get(name, ()))

    def __contains__(self, name: object) -> bool:
        cookies = self._read()
        return name in cookies if name not in self._now else self._now[str(name)] is not None

    def __iter__(self) -> Iterator[str]:
        """The names, each once."""
        return iter([name for name in {**self._read(), **self._now} if name in self])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def set(self, name: str, value: str, *, quoted: bool = False, **attributes: Any) -> None:
        """Set a cookie. `attributes`: those of `CookieOptions` that differ from the layer's options.

        `quoted`: takes any text, and quotes it as scripts do by `encodeURIComponent`.

        Raises ValueError for a name or value that cookies cannot carry, or attributes that browsers refuse together;
        TypeError for what is no text, and for an unknown attribute; CookieTooLarge above 4096 bytes of name and value;
        RuntimeError once the head of the answer has left. Set again, it replaces the line it set before.
        """
        key, line = self._settings.line(name, self._https, **attributes)
        if quoted:
            from middleware.cookies.percent import quoted as as_quoted

            value = as_quoted(value)
        self._write(key, line.setting(value), value)

    def delete(self, name: str, **attributes: Any) -> None:
        """Delete a cookie. `path`, `domain`, `secure` and `partitioned` must be those it was set with.

        Raises as `set` does.
        """
        key, line = self._settings.line(name, self._https, **attributes)
        self._write(key, line.deletion, None)

    def get_signed(self, name: str, *, max_age: float | None = None) -> str | None:
        """The text that `set_signed` gave to this cookie; None where it is absent, altered, or another cookie's.

        `max_age`: seconds since it was signed beyond which it counts as absent. (A cookie's own Max-Age is in the hands
        of the browser.)
        """
        return self._opened(self._signing(), name, max_age)

    def set_signed(self, name: str, value: str, **attributes: Any) -> None:
        """Set a cookie that only we can make: any text, readable by the client but not changeable.

        `attributes` and errors as in `set`. ConfigurationError where the layer was given no `secret`.
        """
        check_name(name)
        self.set(name, self._signing().seal(name, value), **attributes)

    def get_sealed(self, name: str, *, max_age: float | None = None) -> str | None:
        """The text that `set_sealed` gave to this cookie; None where it is absent, altered, or another cookie's.

        `max_age`: as in `get_signed`.
        """
        return self._opened(self._sealing(), name, max_age)

    def set_sealed(self, name: str, value: str, **attributes: Any) -> None:
        """Set a cookie that only we can make or read: any text, encrypted.

        `attributes` and errors as in `set`. ConfigurationError where the layer was not given `seal=True`.
        """
        check_name(name)
        self.set(name, self._sealing().seal(name, value), **attributes)

    def close(self) -> Mapping[Key, str]:
        """The Set-Cookie lines of this answer, whose head is about to leave: the jar takes no more."""
        self._closed = True
        return self._lines

    def _read(self) -> dict[str, list[str]]:
        if self._received is None:
            if self._closed:
                raise RuntimeError("the head of the answer has left: read the cookies before the first chunk")
            self.accessed = True
            self._received = {}
            for name, value in parse_cookies(self._field):
                self._received.setdefault(name, []).append(value)
        return self._received

    def _opened(self, values: SignedValues | SealedValues, name: str, max_age: float | None) -> str | None:
        for value in self.get_all(name)[:MOST_TRIED]:
            text = values.open(name, value, max_age)
            if text is not None:
                return text
        return None

    def _signing(self) -> SignedValues:
        if self._settings.signed is None:
            raise ConfigurationError("signed cookies need a secret: CookieMiddleware(app, secret=...)")
        return self._settings.signed

    def _sealing(self) -> SealedValues:
        if self._settings.sealed is None:
            raise ConfigurationError(
                "sealed cookies need to be asked for: CookieMiddleware(app, secret=..., seal=True)"
            )
        return self._settings.sealed

    def _write(self, key: Key, line: str, value: str | None) -> None:
        name = key[0]
        if self._closed:
            raise RuntimeError(f"the head of the answer has left: set cookie {name} before the first chunk")
        self.accessed = True
        if not self._lines:
            self._now, self._lines = {}, {}
        self._lines[key] = line
        self._now[name] = value
