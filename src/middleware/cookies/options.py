"""The attributes of a cookie as one frozen value, and the text they put round the cookie's value."""

from __future__ import annotations

from middleware.cookies.codec import LONGEST_LIFE, attributes, check_value, lifetime
from middleware.errors import ConfigurationError
from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    SameSite = Literal["Strict", "Lax", "None"]

_FIELDS = ("name", "path", "domain", "secure", "httponly", "samesite", "max_age", "partitioned")


class CookieOptions:
    """The attributes of a cookie. A frozen value, judged when it is made.

    `name`: the cookie's name; None leaves it to the layer (a session calls itself `__Host-id`, or `id` over http).
    `path` (`"/"`), `domain` (None: this host alone), `httponly` (True), `samesite` (`"Lax"`; `"Strict"`, `"None"`),
    `partitioned` (False): as in RFC 6265bis, section 4.1.2, and in CHIPS.
    `secure`: True, False, or None, which follows `wsgi.url_scheme`. Behind a proxy that hides https say True.
    `max_age`: whole seconds; None for a cookie that goes with the browser. 400 days at most, more is cut to that.

    Raises ConfigurationError for what no browser would keep, TypeError for a `max_age` that is no int.
    """

    __slots__ = _FIELDS

    name: str | None
    path: str
    domain: str | None
    secure: bool | None
    httponly: bool
    samesite: SameSite
    max_age: int | None
    partitioned: bool

    def __init__(
        self,
        name: str | None = None,
        *,
        path: str = "/",
        domain: str | None = None,
        secure: bool | None = None,
        httponly: bool = True,
        samesite: SameSite = "Lax",
        max_age: int | None = None,
        partitioned: bool = False,
    ) -> None:
        for field, value in zip(
            _FIELDS, (name, path, domain, secure, httponly, samesite, max_age, partitioned), strict=True
        ):
            object.__setattr__(self, field, value)
        for field, value in (("name", name), ("path", path), ("domain", domain)):
            if not isinstance(value, str) and (value is not None or field == "path"):
                raise ConfigurationError(f"{field} is text, not {value!r}")
        for field, value in (("httponly", httponly), ("partitioned", partitioned)):
            if not isinstance(value, bool):
                raise ConfigurationError(f"{field} is True or False, not {value!r}")
        if secure is not None and not isinstance(secure, bool):
            raise ConfigurationError(f"secure is True, False or None (as wsgi.url_scheme says), not {secure!r}")
        if max_age is not None and isinstance(max_age, int) and max_age > LONGEST_LIFE:
            say_once(
                f"max_age={max_age} is cut to {LONGEST_LIFE} (400 days): no browser keeps a cookie longer",
                logger="middleware.cookies",
            )
        try:
            self.line("a" if name is None else name, secure is not False)
        except ValueError as error:
            raise ConfigurationError(str(error)) from None

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cookie options do not change ({name}): make others with replace()")

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CookieOptions) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        shown = ", ".join(f"{field}={value!r}" for field, value in zip(_FIELDS, self._values(), strict=True))
        return f"CookieOptions({shown})"

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, field) for field in _FIELDS)

    def replace(self, **changes: Any) -> CookieOptions:
        """The same options but for these. A TypeError for an unknown one."""
        return CookieOptions(**{**dict(zip(_FIELDS, self._values(), strict=True)), **changes})

    def is_secure(self, https: bool) -> bool:
        """Whether a cookie set in answer to a request is Secure, where that came over https or not."""
        return https if self.secure is None else self.secure

    def line(self, name: str, secure: bool) -> CookieLine:
        """How a cookie of this name is set and deleted. A ValueError where no browser would keep it."""
        rest = attributes(
            name,
            path=self.path,
            domain=self.domain,
            secure=secure,
            httponly=self.httponly,
            samesite=self.samesite,
            partitioned=self.partitioned,
        )
        return CookieLine(name, rest, self.max_age)


class CookieLine:
    """The values of the Set-Cookie field that set one cookie and that delete it."""

    __slots__ = ("_attributes", "_rest", "deletion", "name")

    def __init__(self, name: str, rest: str, max_age: int | None) -> None:
        self.name = name
        self._rest = rest  # all attributes but the lifetime
        self._attributes = lifetime(max_age) + rest
        # All the attributes again, or the browser takes it for another cookie, or refuses it for its prefix.
        self.deletion = f"{name}={lifetime(0)}{rest}"

    def setting(self, value: str) -> str:
        """Set the cookie. A ValueError for a value that cookies cannot carry, CookieTooLarge for too large a one."""
        check_value(self.name, value)
        return self.setting_checked(value)

    def setting_checked(self, value: str, max_age: int | None = None) -> str:
        """The same for a value that is known to be fit for a cookie: an id, a token.

        `max_age`: whole seconds, in place of what the options say; 400 days at most. None leaves it to the options.
        """
        if max_age is None:
            return f"{self.name}={value}{self._attributes}"
        return self.deletion if max_age <= 0 else f"{self.name}={value}{lifetime(max_age)}{self._rest}"
