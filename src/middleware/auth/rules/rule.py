"""Who may come where: one rule as a value, and the functions that make it.

Nothing but the path and the method of a request decides which rule holds: no query, no header field. (Fields that
frameworks read as another method only make it stricter.)
"""

from __future__ import annotations

from middleware.auth.frozen import Frozen
from middleware.auth.rules.paths import readings
from middleware.errors import ConfigurationError
from middleware.options import a_switch, check_seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.identity import Identity

    Check = Callable[[Identity, WSGIEnvironment], object]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_SHOWN = ("methods", "roles", "users", "scopes", "schemes", "fresh", "check", "shared", "ignore_bad", "preflight")
_ARGUMENT_OF = {"roles": "role", "users": "user", "scopes": "scope"}


class Rule(Frozen):
    """What holds for some paths. Made by `allow`, `optional`, `require` and `deny`, never changed."""

    __slots__ = ("kind", "paths", *_SHOWN)

    kind: str  # "allow", "optional", "require", "deny"; "unmatched" and "ambiguous" for what no rule decides
    paths: tuple[str, ...]
    methods: frozenset[str] | None  # None: all
    roles: frozenset[str] | None  # one of these is needed; None: none
    users: frozenset[str] | None  # None: whoever is identified
    scopes: frozenset[str] | None  # all of these are needed; None: none
    schemes: tuple[str, ...] | None  # only these are asked; None: all
    fresh: float | None  # seconds since the last active proof; None: however long ago
    check: Check | None
    shared: bool  # the application may make its answers public
    ignore_bad: bool  # bad credentials are no credentials
    preflight: bool  # a CORS preflight passes without credentials

    def __init__(
        self,
        kind: str,
        paths: tuple[str, ...] = (),
        *,
        methods: Iterable[str] | None = None,
        roles: frozenset[str] | None = None,
        users: frozenset[str] | None = None,
        scopes: frozenset[str] | None = None,
        schemes: tuple[str, ...] | None = None,
        fresh: float | None = None,
        check: Check | None = None,
        shared: bool = False,
        ignore_bad: bool = False,
        preflight: bool = False,
    ) -> None:
        put = object.__setattr__
        put(self, "kind", kind)
        put(self, "paths", tuple(_pattern(kind, path) for path in paths))
        put(self, "methods", None if methods is None else checked_methods(kind, methods))
        put(self, "roles", roles)
        put(self, "users", users)
        put(self, "scopes", scopes)
        put(self, "schemes", schemes)
        put(self, "fresh", fresh)
        put(self, "check", check)
        put(self, "shared", shared)
        put(self, "ignore_bad", ignore_bad)
        put(self, "preflight", preflight)

    def __repr__(self) -> str:
        named = [repr(path) for path in self.paths]
        for name in _SHOWN:
            value = getattr(self, name)
            if value is None or value is False:
                continue
            shown = sorted(value) if isinstance(value, frozenset) else value
            named.append(f"{_ARGUMENT_OF.get(name, name)}={_text(shown)}")
        return f"{self.kind}({', '.join(named)})"

    @property
    def is_choosy(self) -> bool:
        """Whether it may turn away somebody who is identified."""
        wanted = (self.roles, self.users, self.scopes, self.fresh, self.check)
        return self.kind not in ("optional", "require") or any(one is not None for one in wanted)


DENIED = Rule("unmatched")  # no rule matches
AMBIGUOUS = Rule("ambiguous")  # the path, or the method, falls under several rules


def allow(*paths: str, methods: Iterable[str] | None = None) -> Rule:
    """Let everybody in; nobody is identified there.

    A path is a prefix of whole segments: `/pub` matches `/pub`, `/pub/` and all below, never `/public`. `=/x` matches
    `/x` and `/x/` only. There are no wildcards. `methods` is a list of upper-case methods; without it the rule holds
    for GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS. GET covers HEAD. Raises ConfigurationError.
    """
    return Rule("allow", paths, methods=methods)


def optional(
    *paths: str,
    methods: Iterable[str] | None = None,
    schemes: Iterable[str] | None = None,
    ignore_bad: bool = False,
    shared: bool = False,
) -> Rule:
    """Let everybody in, and identify whoever presents credentials. Bad credentials are refused all the same.

    Paths and methods as for `allow`. `schemes` names the schemes to ask, `["basic"]`; all by default. `ignore_bad`:
    treat bad credentials as none. `shared`: as for `require`. Raises ConfigurationError.
    """
    return Rule(
        "optional",
        paths,
        methods=methods,
        schemes=_names(schemes),
        ignore_bad=a_switch("ignore_bad", ignore_bad),
        shared=a_switch("shared", shared),
    )


def require(
    *paths: str,
    methods: Iterable[str] | None = None,
    role: str | Iterable[str] | None = None,
    user: str | Iterable[str] | None = None,
    scope: str | Iterable[str] | None = None,
    schemes: Iterable[str] | None = None,
    fresh: float | None = None,
    check: Check | None = None,
    shared: bool = False,
    preflight: bool = False,
) -> Rule:
    """Let in who is identified and, where they are given, passes each of these tests.

    `role`: has one of these roles. `user`: is one of these users. `scope`: has all of these scopes. `fresh`: has proved
    who this is within so many seconds. `check(identity, environ)`: gives something true.

    Paths as for `allow`; without `methods` the rule holds for every method. `schemes` names the schemes that count
    here, `["basic"]`; all by default. `shared`: answers that the application makes public stay public, though they are
    for somebody who is identified. `preflight`: a CORS preflight (OPTIONS with Origin and
    Access-Control-Request-Method) passes without credentials, for browsers send none with it. Raises
    ConfigurationError.
    """
    if fresh is not None:
        check_seconds("require(): fresh", fresh)
    if check is not None and not callable(check):
        raise ConfigurationError(f"require(): check= is a function of an identity and environ, not {check!r}")
    return Rule(
        "require",
        paths,
        methods=methods,
        roles=_some("role", role),
        users=_some("user", user),
        scopes=_scopes(scope),
        schemes=_names(schemes),
        fresh=fresh,
        check=check,
        shared=a_switch("shared", shared),
        preflight=a_switch("preflight", preflight),
    )


def deny(*paths: str, methods: Iterable[str] | None = None) -> Rule:
    """Let nobody in: the answer is 403, and nobody is asked who they are.

    Paths as for `allow`; without `methods` the rule holds for every method. Raises ConfigurationError.
    """
    return Rule("deny", paths, methods=methods)


def is_method(method: str) -> bool:
    """Whether this can be a method at all: not empty, no space, no control character."""
    return method in METHODS or (method.isascii() and method.isprintable() and " " not in method and method != "")


def checked_methods(kind: str, methods: Iterable[str]) -> frozenset[str]:
    """Methods as rules have them, HEAD beside GET. Raises ConfigurationError for what is none."""
    if isinstance(methods, str) or not hasattr(methods, "__iter__"):
        raise ConfigurationError(f"{kind}: methods are a list, {[methods]!r}")
    given = frozenset(methods)
    for method in given:
        if not isinstance(method, str) or not is_method(method) or method != method.upper():
            raise ConfigurationError(f"{kind}: {method!r} is no method: methods are written in capitals")
    if not given and kind != "extra_methods":
        raise ConfigurationError(f"{kind}: an empty list of methods matches nothing")
    return given | {"HEAD"} if "GET" in given else given


def _pattern(kind: str, path: str) -> str:
    if not isinstance(path, str) or not path.startswith(("/", "=/")):
        raise ConfigurationError(f"{kind}(): a path begins with / (or =/ for this path alone), not {path!r}")
    text = path.removeprefix("=")
    if any(character in text for character in "*?()[]{}^$|+"):
        raise ConfigurationError(f"{kind}(): there are no wildcards: {path!r} is matched as a prefix of whole segments")
    found = readings(text)
    if found != {text}:
        raise ConfigurationError(f"{kind}(): {path!r} could be read in several ways: write the path that it stands for")
    closed = text.removesuffix("/") or "/"
    return "=" + closed if path[0] == "=" else closed


def _some(name: str, value: str | Iterable[str] | None) -> frozenset[str] | None:
    if value is None:
        return None
    given = frozenset({value} if isinstance(value, str) else value if hasattr(value, "__iter__") else ())
    if not given or not all(isinstance(one, str) and one for one in given):
        raise ConfigurationError(f"require(): {name}= takes a name or a list of names, not {value!r}")
    return given


def _scopes(value: str | Iterable[str] | None) -> frozenset[str] | None:
    """RFC 6749, section 3.3: visible ASCII without quotes and backslashes; a text may hold several."""
    given = _some("scope", value.split(" ") if isinstance(value, str) else value)
    for one in given or ():
        if not (one.isascii() and one.isprintable()) or any(character in one for character in ' "\\'):
            raise ConfigurationError(f"require(): {one!r} is no scope")
    return given


def _names(schemes: Iterable[str] | None) -> tuple[str, ...] | None:
    if schemes is None:
        return None
    if isinstance(schemes, str) or not hasattr(schemes, "__iter__"):
        raise ConfigurationError(f"schemes= takes a list of names: {[schemes]!r}")
    names = tuple(schemes)
    if not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f'schemes= takes the names of schemes, such as "basic", not {schemes!r}')
    if not names:
        raise ConfigurationError("schemes=[] would ask nobody: name a scheme, or leave schemes= out for all of them")
    return names


def _text(value: object) -> str:
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    if isinstance(value, float):
        return f"{value:g}"
    return repr([*value] if isinstance(value, tuple) else value)
