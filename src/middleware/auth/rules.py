"""Who may come where: rules over paths and methods. Values in, values out.

The first rule that matches decides, and what no rule matches is denied. Nothing but the path and the method of a
request takes part: no query, no header field. (Fields that frameworks read as another method only make it stricter.)
"""

from __future__ import annotations

from middleware.auth.paths import is_plain, readings
from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Rule:
    """What holds for some paths. Made by `allow`, `optional` and `require`, never changed."""

    __slots__ = ("kind", "methods", "paths", "roles", "schemes", "users")

    kind: str  # "allow", "optional", "require"; "deny" and "ambiguous" for what no rule decides
    paths: tuple[str, ...]
    methods: frozenset[str] | None  # None: all
    roles: frozenset[str] | None  # one of these is needed; None: none
    users: frozenset[str] | None  # None: whoever is identified
    schemes: tuple[str, ...] | None  # only these are asked; None: all

    def __init__(
        self,
        kind: str,
        paths: tuple[str, ...] = (),
        methods: Iterable[str] | None = None,
        roles: frozenset[str] | None = None,
        users: frozenset[str] | None = None,
        schemes: tuple[str, ...] | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "kind", kind)
        put(self, "paths", tuple(_pattern(kind, path) for path in paths))
        put(self, "methods", None if methods is None else _methods(kind, methods))
        put(self, "roles", roles)
        put(self, "users", users)
        put(self, "schemes", schemes)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a rule does not change: make another one ({name})")

    def __repr__(self) -> str:
        named = [repr(path) for path in self.paths]
        for name in ("methods", "roles", "users", "schemes"):
            value = getattr(self, name)
            if value is not None:
                named.append(f"{name.removesuffix('s') if name in ('roles', 'users') else name}={sorted(value)}")
        return f"{self.kind}({', '.join(named)})"

    def admits(self, user: str, roles: frozenset[str]) -> bool:
        """Whether an identified user is enough for this rule."""
        if self.kind == "deny":
            return False
        return (self.roles is None or not self.roles.isdisjoint(roles)) and (self.users is None or user in self.users)


DENIED = Rule("deny")  # no rule matches
AMBIGUOUS = Rule("ambiguous")  # the path, or the method, falls under several rules


def allow(*paths: str, methods: Iterable[str] | None = None) -> Rule:
    """Let everybody in; nobody is identified there.

    A path is a prefix of whole segments: `/pub` matches `/pub`, `/pub/` and all below, never `/public`. `=/x` matches
    `/x` and `/x/` only. There are no wildcards. `methods` is a list of upper-case methods; without it the rule holds
    for GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS. GET covers HEAD. Raises ConfigurationError.
    """
    return Rule("allow", paths, methods)


def optional(*paths: str, methods: Iterable[str] | None = None, schemes: Iterable[str] | None = None) -> Rule:
    """Let everybody in, and identify whoever presents credentials. Bad credentials are refused all the same.

    Paths and methods as for `allow`. `schemes` names the schemes to ask, `["basic"]`; all by default. Raises
    ConfigurationError.
    """
    return Rule("optional", paths, methods, schemes=_names(schemes))


def require(
    *paths: str,
    methods: Iterable[str] | None = None,
    role: str | Iterable[str] | None = None,
    user: str | Iterable[str] | None = None,
    schemes: Iterable[str] | None = None,
) -> Rule:
    """Let in who is identified and, where they are given, has one of the roles and is one of the users.

    Paths as for `allow`; without `methods` the rule holds for every method. `schemes` names the schemes that count
    here, `["basic"]`; all by default. Raises ConfigurationError.
    """
    return Rule("require", paths, methods, _some("role", role), _some("user", user), _names(schemes))


class Rules:
    """Rules in their order, checked and made ready.

    `extra_methods` are further methods that `allow` and `optional` may match. Raises ConfigurationError for a path that
    earlier rules have decided already, and for methods that nobody knows.
    """

    __slots__ = ("_known", "_rules", "_table", "by_method")

    by_method: bool  # whether the method of a request may decide

    def __init__(self, rules: Sequence[Rule], extra_methods: Iterable[str] = ()) -> None:
        for rule in rules:
            if not isinstance(rule, Rule):
                raise ConfigurationError(f"rules= takes what allow(), optional() and require() make, not {rule!r}")
        self._known = METHODS | (_methods("extra_methods", extra_methods) if extra_methods else frozenset())
        for rule in rules:
            unknown = (rule.methods or frozenset()) - self._known
            if unknown:
                raise ConfigurationError(f"{rule!r}: {min(unknown)} is no known method: name it in extra_methods=")
        _refuse_covered(rules, self._known)
        self._rules = tuple(rules)
        self._table = [(rule, *self._compiled(rule)) for rule in rules]
        self.by_method = any(methods is not None for _, _, _, methods in self._table)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def _compiled(self, rule: Rule) -> tuple[tuple[str, ...], frozenset[str], frozenset[str] | None]:
        prefixes = tuple(path.removesuffix("/") + "/" for path in rule.paths if path[0] == "/")
        exact = frozenset(path[1:].removesuffix("/") + "/" for path in rule.paths if path[0] == "=")
        methods = self._known if rule.methods is None and rule.kind != "require" else rule.methods
        return prefixes, exact, methods

    def rule_for(self, path: str, method: str) -> Rule:
        """The rule that decides, DENIED where none matches, AMBIGUOUS where the path can be read in several ways.

        AMBIGUOUS is also what no method can be.
        """
        if not is_method(method):
            return AMBIGUOUS
        if is_plain(path):
            return self._first(path, method)
        found = readings(path)
        if found is None:
            return AMBIGUOUS
        rules = {self._first(reading, method) for reading in found}
        return rules.pop() if len(rules) == 1 else AMBIGUOUS

    def _first(self, path: str, method: str) -> Rule:
        closed = path if path[-1] == "/" else path + "/"
        for rule, prefixes, exact, methods in self._table:
            if (methods is None or method in methods) and (closed.startswith(prefixes) or closed in exact):
                return rule
        return DENIED


def is_method(method: str) -> bool:
    """Whether this can be a method at all: not empty, no space, no control character."""
    return method in METHODS or (method.isascii() and method.isprintable() and " " not in method and method != "")


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


def _methods(kind: str, methods: Iterable[str]) -> frozenset[str]:
    if isinstance(methods, str):
        raise ConfigurationError(f"{kind}: methods are a list, [{methods!r}]")
    given = frozenset(methods)
    for method in given:
        if not isinstance(method, str) or not is_method(method) or method != method.upper():
            raise ConfigurationError(f"{kind}: {method!r} is no method: methods are written in capitals")
    if not given and kind != "extra_methods":
        raise ConfigurationError(f"{kind}: an empty list of methods matches nothing")
    return given | {"HEAD"} if "GET" in given else given


def _some(name: str, value: str | Iterable[str] | None) -> frozenset[str] | None:
    if value is None:
        return None
    given = frozenset({value} if isinstance(value, str) else value)
    if not given or not all(isinstance(one, str) and one for one in given):
        raise ConfigurationError(f"require(): {name}= takes a name or a list of names, not {value!r}")
    return given


def _names(schemes: Iterable[str] | None) -> tuple[str, ...] | None:
    if schemes is None:
        return None
    if isinstance(schemes, str):
        raise ConfigurationError(f"schemes= takes a list of names: [{schemes!r}]")
    names = tuple(schemes)
    if not names:
        raise ConfigurationError("schemes=[] would ask nobody: name a scheme, or leave schemes= out for all of them")
    return names


def _refuse_covered(rules: Sequence[Rule], known: frozenset[str]) -> None:
    """A path that earlier rules decide for every known method never reaches its own rule: most likely a mistake."""
    for index, rule in enumerate(rules):
        if not rule.paths:
            raise ConfigurationError(f'{rule.kind}() needs a path: {rule.kind}("/") is for all of them')
        for path in rule.paths:
            left = set(known if rule.methods is None else rule.methods)
            for earlier in rules[:index]:
                if any(_covers(pattern, path) for pattern in earlier.paths):
                    left -= known if earlier.methods is None else earlier.methods
                    if not left:
                        raise ConfigurationError(
                            f"{path!r} in {rule!r} is decided by {earlier!r} above it, for the first rule that matches "
                            "wins: move the narrower rule up, or leave it out"
                        )


def _covers(pattern: str, path: str) -> bool:
    """Whether `pattern` matches all that `path`, itself a pattern, matches."""
    if pattern[0] == "=":
        return pattern == path
    return (path.removeprefix("=").removesuffix("/") + "/").startswith(pattern.removesuffix("/") + "/")
