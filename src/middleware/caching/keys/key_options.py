"""What of a request tells stored answers apart, as far as a site may say so: `CacheKeys`, a frozen value. No WSGI."""

from __future__ import annotations

from types import MappingProxyType

from middleware.caching.keys.hosts import canonical_host
from middleware.caching.rules.selecting import TOKEN
from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Literal, Self
    from wsgiref.types import WSGIEnvironment

    Mode = Literal["key", "bypass", "strip"]

# Fields that applications obey or reflect and that no Vary names, and what is done where a request has one.
UNKEYED: Mapping[str, Mode] = MappingProxyType(
    {
        "forwarded": "key",
        "x-forwarded-host": "key",
        "x-forwarded-port": "key",
        "x-forwarded-prefix": "key",
        "x-forwarded-proto": "key",
        "x-forwarded-scheme": "key",
        "x-forwarded-server": "key",
        "x-host": "key",
        "x-original-host": "key",
        "x-http-method": "bypass",
        "x-http-method-override": "bypass",
        "x-method-override": "bypass",
        "x-original-url": "bypass",
        "x-rewrite-url": "bypass",
    }
)
# Fields that the cache has rules of its own for.
_RULED = frozenset(
    (
        "content-length",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "range",
        "transfer-encoding",
    )
)
_FIELDS = ("ignore_query", "ignore_cookies", "allowed_hosts", "unkeyed", "normalise", "extra")


class CacheKeys:
    """Which requests mean the same stored answer. A frozen value, judged when it is made.

    `ignore_query` (none): query parameters that no answer depends on, by their whole name (`"gclid"`) or its beginning
    (`"utm_*"`), compared with what stands between `&` and `=` byte for byte. They select no answer, and on a request
    whose answer may be stored the application does not see them. A parameter with a `;` in it is left, since some
    applications read it as two.

    `ignore_cookies` (none): the same for cookies (`"_ga*"`). A request with no other cookie is one without.

    `allowed_hosts` (any): hosts (`"www.example.com"`, `"www.example.com:8080"`) besides which nothing is answered from
    the store, nor stored.

    `unkeyed`: request fields that the application obeys or reflects without naming them in Vary, each with what is done
    where a request has it: `"key"` makes its value part of the key, `"bypass"` leaves the request to the application,
    `"strip"` takes it out of what the application sees. Beside those that are known to be dangerous, X-Forwarded-Host
    and its kind (`"key"`), X-HTTP-Method-Override and X-Original-URL and theirs (`"bypass"`); the same name overrides.

    `normalise`: request fields, each with a function of its value that gives the value by which answers that name the
    field in Vary are told apart, or None for no such field (`{"accept-encoding": gzip_or_nothing}`). It must be quick,
    and give the same for the same.

    `extra`: a function of the environ that gives a text, or several, which become part of the key: a tenant, say. It
    can only tell more answers apart. Where it raises, the request is left to the application.

    Raises ConfigurationError for an option that is wrong.
    """

    __slots__ = _FIELDS

    ignore_query: tuple[str, ...]
    ignore_cookies: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    unkeyed: Mapping[str, Mode]
    normalise: Mapping[str, Callable[[str], str | None]]
    extra: Callable[[WSGIEnvironment], str | Iterable[str] | None] | None

    def __init__(
        self,
        *,
        ignore_query: Sequence[str] = (),
        ignore_cookies: Sequence[str] = (),
        allowed_hosts: Sequence[str] = (),
        unkeyed: Mapping[str, Literal["key", "bypass", "strip"]] = MappingProxyType({}),
        normalise: Mapping[str, Callable[[str], str | None]] = MappingProxyType({}),
        extra: Callable[[WSGIEnvironment], str | Iterable[str] | None] | None = None,
    ) -> None:
        if extra is not None and not callable(extra):
            raise ConfigurationError(f"extra= is a function of the environ, or None, not {extra!r}")
        values = (
            _patterns("ignore_query", ignore_query, "a=1&b=2", "&=#;"),
            _patterns("ignore_cookies", ignore_cookies, "a=1; b=2", '=;, \t"'),
            _hosts(allowed_hosts),
            _modes(unkeyed),
            _functions(normalise),
            extra,
        )
        for field, value in zip(_FIELDS, values, strict=True):
            object.__setattr__(self, field, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"keys do not change ({name}): make others with replace()")

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CacheKeys) and self._values() == other._values()

    def __hash__(self) -> int:
        *texts, unkeyed, normalise, extra = self._values()
        return hash((*texts, frozenset(unkeyed.items()), frozenset(normalise.items()), extra))

    def __repr__(self) -> str:
        shown = [f"{field}={value!r}" for field, value in zip(_FIELDS, self._values(), strict=True) if value]
        return f"CacheKeys({', '.join(shown)})"

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field) for field in _FIELDS)

    def replace(self, **changes: object) -> Self:
        """The same keys but for these options. A TypeError for an unknown one."""
        return type(self)(**{**dict(zip(_FIELDS, self._values(), strict=True)), **changes})


def field_name(option: str, name: object) -> str:
    """The name of a request field in lower case; what it is called in environ does not tell `_` from `-`."""
    if not isinstance(name, str) or not name or not TOKEN.issuperset(name.lower()):
        raise ConfigurationError(f"{option}= names request fields, and {name!r} is none")
    return name.lower().replace("_", "-")


def _patterns(option: str, given: object, example: str, separators: str) -> tuple[str, ...]:
    patterns = _texts(option, given)
    for pattern in patterns:
        name = pattern.removesuffix("*")
        if not pattern or "*" in name or not name.isprintable() or any(mark in name for mark in separators):
            raise ConfigurationError(
                f"{option}= has names such as 'a', or their beginnings, 'a*', of {example}; {pattern!r} is neither"
            )
    return patterns


def _hosts(given: object) -> tuple[str, ...]:
    hosts = _texts("allowed_hosts", given)
    for host in hosts:
        if canonical_host(host, "http") is None:
            raise ConfigurationError(
                f"allowed_hosts= has hosts such as 'www.example.com' or 'localhost:8080'; {host!r} is none"
            )
    return hosts


def _texts(option: str, given: object) -> tuple[str, ...]:
    if isinstance(given, list | tuple | set | frozenset) and all(isinstance(one, str) for one in given):
        return tuple(given)
    raise ConfigurationError(f"{option}= is a list of texts, not {given!r}")


def _modes(given: object) -> Mapping[str, Mode]:
    modes = {field_name("unkeyed", name): mode for name, mode in _mapping("unkeyed", given).items()}
    for name, mode in modes.items():
        if name in _RULED:
            raise ConfigurationError(f"unkeyed= cannot say what {name!r} means: the cache has a rule of its own for it")
        if mode not in ("key", "bypass", "strip"):
            raise ConfigurationError(f"unkeyed= says 'key', 'bypass' or 'strip' of a field, and {mode!r} of {name!r}")
    return MappingProxyType(modes)


def _functions(given: object) -> Mapping[str, Callable[[str], str | None]]:
    functions = {field_name("normalise", name): function for name, function in _mapping("normalise", given).items()}
    for name, function in functions.items():
        if not callable(function):
            raise ConfigurationError(
                f"normalise= has a function of the value of each field, not {function!r}: {name!r}"
            )
    return MappingProxyType(functions)


def _mapping(option: str, given: object) -> Mapping[object, Any]:
    from collections.abc import Mapping

    if isinstance(given, Mapping):
        return given
    raise ConfigurationError(f"{option}= is a dict by the names of request fields, not {given!r}")
