"""What selects one of the answers of a URL, as a short text in which no field of the request can be read."""

from __future__ import annotations

from functools import cache

from middleware.caching.keys.ignoring import kept_cookies
from middleware.caching.memo import Memo
from middleware.caching.rules.selecting import selecting_value
from middleware.headers import environ_key
from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from hashlib import blake2b
    from wsgiref.types import WSGIEnvironment

    from middleware.caching.keys.ignoring import Names

MOST_SELECTIONS = 512  # lists of names that are remembered: a site has few
CREDENTIALS = frozenset(("authorization", "cookie", "proxy-authorization"))


class Selection:
    """Request fields that select an answer, by their `places` in environ.

    `only`: the place of the one field, as mostly there is no other. `credentials`: the places of those that are such.
    """

    __slots__ = ("credentials", "only", "places")

    def __init__(self, names: tuple[str, ...], stripped: frozenset[str]) -> None:
        keys = [environ_key(name) for name in names]
        self.places = ["" if key in stripped else key for key in keys]
        self.only = self.places[0] if len(names) == 1 else None
        self.credentials = [key for name, key in zip(names, self.places, strict=True) if name in CREDENTIALS]


class Variants:
    """Tells the answers of a URL apart, by the request fields that they were selected by.

    `stripped`: where environ has the fields that the application does not see. `confidential`: whether what is always
    part of a key may hold credentials, which are not kept longer than their request.
    """

    __slots__ = ("_confidential", "_ignored_cookies", "_known", "_normalise", "_selections", "_stripped")

    def __init__(
        self,
        ignored_cookies: Names,
        normalise: Mapping[str, Callable[[str], str | None]],
        stripped: frozenset[str],
        *,
        confidential: bool,
    ) -> None:
        self._ignored_cookies = ignored_cookies
        self._normalise = normalise
        self._stripped = stripped
        self._confidential = confidential
        self._selections: dict[tuple[str, ...], Selection] = {}
        self._known = Memo(1 << 20)  # saves 2.3 of the 7 us of a hit: a site has few kinds of clients

    def name(self, environ: WSGIEnvironment, seen: str, names: tuple[str, ...]) -> str:
        """The answer for this request of those that were selected by `names`, request fields in lower case.

        `-` where nothing selects one.
        """
        if not names and not seen:
            return "-"
        # Of one field, the usual case, in half the time: 0.35 us where a list of places takes 0.7.
        selection = self._selections.get(names) or self._selected_by(names)
        values = (environ.get(selection.only),) if selection.only else tuple(map(environ.get, selection.places))
        confidential = self._confidential
        if selection.credentials and not environ.keys().isdisjoint(selection.credentials):
            values, given = self._without_ignored_cookies(names, values)
            confidential = confidential or given
        if confidential:
            return self._digest(seen, names, values)
        asked = (selection, seen, *values)
        known: str | None = self._known.get(asked)
        if known is None:
            known = self._digest(seen, names, values)
            self._known.put(asked, known, len(seen) + sum([len(str(value)) for value in values]))
        return known

    def _selected_by(self, names: tuple[str, ...]) -> Selection:
        if len(self._selections) >= MOST_SELECTIONS:
            self._selections.clear()
        return self._selections.setdefault(names, Selection(names, self._stripped))

    def _without_ignored_cookies(
        self, names: tuple[str, ...], values: tuple[object, ...]
    ) -> tuple[tuple[object, ...], bool]:
        """The values of these fields, and whether credentials are still among them."""
        if not self._ignored_cookies or "cookie" not in names:
            return values, True
        place = names.index("cookie")
        cookies = values[place]
        left = None if cookies is None else kept_cookies(str(cookies), self._ignored_cookies)
        values = (*values[:place], left, *values[place + 1 :])
        given = [name for name, value in zip(names, values, strict=True) if value is not None and name in CREDENTIALS]
        return values, bool(given)

    def _digest(self, seen: str, names: tuple[str, ...], values: tuple[object, ...]) -> str:
        parts: list[str | None] = [seen]
        for name, value in zip(names, values, strict=True):
            parts += (name, self._compared(name, value))
        return digest(framed(parts))

    def _compared(self, name: str, value: object) -> str | None:
        """A request field as it is compared; None where there is none."""
        if value is None or (value == "" and name in ("content-type", "content-length")):  # gateways invent these
            return None
        text: str | None = str(value)
        normalise = self._normalise.get(name)
        if normalise is not None and text is not None:
            text = _normalised(normalise, name, text)
        return selecting_value(name, text)


def _normalised(normalise: Callable[[str], str | None], name: str, value: str) -> str | None:
    """What a function of the site's makes of a value; the value itself where it fails, which tells more apart."""
    try:
        made = normalise(value)
    except Exception as error:  # noqa: BLE001 - a cache never takes the site down
        wrong = f"raised {type(error).__name__}"
    else:
        if made is None or isinstance(made, str):
            return made
        wrong = f"gave a value of type {type(made).__name__}"
    say_once(
        f"CacheKeys(normalise=) {wrong} for {name!r}: answers are told apart by the value as it came",
        logger="middleware.caching",
    )
    return value


def framed(parts: Iterable[str | None]) -> str:
    """Several texts as one from which no other texts could come: each has its length before it."""
    return "".join(["-" if part is None else f"{len(part)}:{part}" for part in parts])


def digest(text: str) -> str:
    """A fingerprint: 128 bits of BLAKE2b, in hexadecimal."""
    return _blake2b()(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@cache
def _blake2b() -> type[blake2b]:
    """Loaded with the first digest, and asked for in 0.02 us after it, where `import` takes 0.2."""
    from hashlib import blake2b

    return blake2b
