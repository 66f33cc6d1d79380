"""Options as text, into what a constructor takes: the rule is its own annotations. No WSGI, no PasteDeploy.

Tables say how each type is written in a configuration file, and in which unit each number. What is not in them cannot
be an option of a layer: a test holds every constructor against them.
"""

from __future__ import annotations

import ast
import inspect
import sys
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from middleware.errors import ConfigurationError
from middleware.units import parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Reader = Callable[[str], object]

Made = TypeVar("Made")

SWITCHES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
LISTS = {"Sequence": list, "Iterable": list, "list": list, "tuple": tuple, "Collection": tuple, "frozenset": frozenset}

# Options that travel together: `cookie: CookieOptions` is written `cookie.max_age = 30d`, one line for each. Where a
# word may mean them all, `policy: CachePolicy | Literal["conformance"]`, that word may be the one line.
GROUPS = {
    "CacheKeys": "middleware.caching:CacheKeys",
    "CachePolicy": "middleware.caching:CachePolicy",
    "Choice": "middleware.logging.choice:Choice",
    "CookieOptions": "middleware.cookies:CookieOptions",
    "Privacy": "middleware.logging.privacy:Privacy",
    "RememberMe": "middleware.auth.login.remember_me:RememberMe",
    "Throttle": "middleware.auth.throttle.throttle:Throttle",
    "RequestIds": "middleware.logging:RequestIds",
    "Timeouts": "middleware.sessions:Timeouts",
}

# Names that layers give to types, for type checkers only.
ALIASES = {
    "Algorithm": 'Literal["SHA-256", "MD5"]',
    "Check": "Callable[[Identity, WSGIEnvironment], object]",
    "Compat": 'Literal["remote_user_tokens", "paste.auth_tkt", "repoze.who"]',
    "Digest": 'Literal["md5", "sha256", "sha512"]',
    "Fetch": "Callable[[str], bytes]",
    "Format": "Callable[[AccessRecord], str]",
    "GivenKeys": "Mapping[str, Any] | str | bytes",
    "Page": "Callable[[WSGIEnvironment, str, str], str]",
    "Roles": "Mapping[str, str] | Callable[[Certificate], str]",
    "RolesOfUser": "Mapping[str, str] | Callable[[str], str]",
    "SameSite": 'Literal["Strict", "Lax", "None"]',
    "Secret": "str | bytes | Sequence[str | bytes]",
    "UserFrom": "str | Callable[[Certificate], str]",
    "Verify": "Callable[[str], Identity]",
}

# Types whose texts stay out of messages: the URL of a store may hold a password.
CONFIDENTIAL = {"Store"}

# What a number counts: seconds, bytes, or things; or which share of a whole it is.
DURATIONS = {
    "absolute_timeout", "device_life", "first_delay", "flight_timeout", "forget_after", "fresh", "grace", "idle",
    "leeway", "lifetime", "longest_delay", "max_age", "nonce_lifetime", "reissue_time", "remember_for", "renew_every",
    "slow", "stale_on_failure", "timeout",
}  # fmt: skip
SIZES = {"drain", "max_body", "max_bytes", "max_object"}
COUNTS = {"chunks", "days", "free_failures", "hops", "max_nonces", "max_sessions", "max_waiters", "network_failures"}
SHARES = {"heuristic", "sample"}


def build(
    make: Callable[..., Made],
    *given: object,
    options: Mapping[str, str],
    where: str,
    made: Mapping[str, object] | None = None,
    beside: Sequence[str] = (),
) -> Made:
    """`make(*given, **options)`, each option read as the signature says.

    `made` are options that are values already; `beside` names keys that were read elsewhere, for what is proposed.
    Raises ConfigurationError that names `where`, and the key, the value and what was expected, or the nearest real key.
    """
    read: dict[str, object] = {**(made or {})}
    known = {name: annotation for name, annotation in option_types(make).items() if name not in read}
    groups: dict[str, dict[str, str]] = {}
    for key, text in options.items():
        name, dot, inner = key.partition(".")
        annotation = known.get(name, "")
        group = group_of(annotation) if annotation else None
        whole = _without_group(annotation) if group else annotation
        if not (group if dot else whole):
            real = [*beside, *(real for real in keys(make) if real.partition(".")[0] in known)]
            nearest = get_close_matches(key, real, n=1, cutoff=0)
            cure = f"did you mean {nearest[0]!r}?" if nearest else "there are none"
            raise ConfigurationError(f"{where}: there is no option {key!r}; {cure}")
        if dot:
            groups.setdefault(name, {})[inner] = text
        else:
            read[name] = read_option(name, text, whole, where=f"{where}: {key}")
    for name, inside in groups.items():
        if name in read:
            raise ConfigurationError(f"{where}: {name} is set as a whole and in part, by {name}.{next(iter(inside))}")
        group = group_of(known[name])
        assert group is not None
        read[name] = build(group, options=inside, where=f"{where}: {name}")
    missing = [name for name in required(make) if name not in read]
    if missing:
        raise ConfigurationError(f"{where}: the option {missing[0]!r} is missing")
    try:
        return make(*given, **read)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from error


def option_types(make: Callable[..., Any]) -> dict[str, str]:
    """The annotation of each option, as it stands in the source."""
    return {one.name: str(one.annotation) for one in _options(make)}


def places(make: Callable[..., Any]) -> dict[str, str]:
    """What is given without a name, in its order, with the annotation of each."""
    parameters = inspect.signature(make).parameters.values()
    has_place = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return {one.name: str(one.annotation) for one in parameters if one.kind is has_place and one.default is one.empty}


def names_in(annotation: str) -> set[str]:
    """The names of the types that an annotation allows, as it stands in the source."""
    return {_name(kind) for kind in _alternatives(annotation)} if annotation else set()


def is_list(annotation: str) -> bool:
    """Whether several texts may be given, and none of them is a secret."""
    kinds = {_name(kind) for kind in _kinds(annotation)} if annotation else set()
    return bool(kinds & LISTS.keys()) and "bytes" not in kinds


def required(make: Callable[..., Any]) -> list[str]:
    """The options that have no default."""
    return [one.name for one in _options(make) if one.default is one.empty]


def keys(make: Callable[..., Any]) -> list[str]:
    """Every key that a configuration file may set, those of groups with their dot."""
    found: list[str] = []
    for name, annotation in option_types(make).items():
        group = group_of(annotation)
        if not group or _without_group(annotation):
            found.append(name)
        if group:
            found += [f"{name}.{inner}" for inner in keys(group)]
    return found


def group_of(annotation: str) -> Callable[..., Any] | None:
    """The class that a group of options makes, or None where the option is one value."""
    for kind in _kinds(annotation):
        if isinstance(kind, ast.Name) and kind.id in GROUPS:
            group: Callable[..., Any] = imported(GROUPS[kind.id])
            return group
    return None


def _without_group(annotation: str) -> str:
    """What else than a group the option may be; None alone, which nobody writes in the place of a group, is nothing."""
    kinds = [kind for kind in _kinds(annotation) if _name(kind) not in GROUPS]
    return " | ".join(map(ast.unparse, kinds)) if {*map(_name, kinds)} != {"None"} else ""


def read_option(name: str, text: str, annotation: str, *, where: str) -> object:
    """The value that `text` means for the option of this name and type.

    Raises ConfigurationError that begins with `where` and says what was expected.
    """
    text = text.strip()
    expected: list[str] = []
    why = ""
    for reads, description in readers(name, annotation):
        try:
            return reads(text)
        except ValueError as error:
            expected.append(description)
            why = f" ({error})" if isinstance(error, ConfigurationError) else ""
    shown = "wrong" if CONFIDENTIAL & {_name(kind) for kind in _kinds(annotation)} else repr(text)
    raise ConfigurationError(f"{where} is {shown}, expected {' or '.join(expected)}{why}")


def readers(name: str, annotation: str) -> list[tuple[Reader, str]]:
    """How each type that the annotation allows is read, the narrowest first, and what it is called.

    Raises LookupError for a type that configuration files cannot give.
    """
    kinds = {_name(kind): kind for kind in _kinds(annotation)}
    found: list[tuple[int, Reader, str]] = []
    for type_name, kind in kinds.items():
        if type_name == "Literal":
            found.append((0, *_choice(kind)))
        elif type_name in LISTS:
            found.append((3, *_list(name, kind, type_name, lines_only=bool(kinds.keys() & {"str", "bytes"}))))
        elif type_name in ("int", "float"):
            found.append((2, *_number(name, type_name)))
        elif type_name in _READERS:
            found.append(_READERS[type_name])
        else:
            raise LookupError(f"no configuration file can give a {ast.unparse(kind)}")
    return [(reads, description) for _, reads, description in sorted(found, key=lambda one: one[0])]


def imported(name: str) -> Any:
    """What `package.module:name` means. Raises ValueError where there is no such thing."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise ValueError(name)
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(str(error)) from error


def _options(make: Callable[..., Any]) -> list[inspect.Parameter]:
    """What is given by keyword: of the parameters that have a place, those with a default."""
    parameters = inspect.signature(make).parameters.values()
    has_place = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [
        one
        for one in parameters
        if one.kind is one.KEYWORD_ONLY or (one.kind is has_place and one.default is not one.empty)
    ]


def _kinds(annotation: str) -> list[ast.expr]:
    """The alternatives of a union, aliases resolved."""
    found: list[ast.expr] = []
    for kind in _alternatives(annotation):
        alias = ALIASES.get(_name(kind))
        found += [kind] if alias is None else _kinds(alias)
    return found


def _alternatives(annotation: str) -> list[ast.expr]:
    """The alternatives of a union, as they are called."""

    def parts(node: ast.expr) -> list[ast.expr]:
        return [*parts(node.left), *parts(node.right)] if isinstance(node, ast.BinOp) else [node]

    return parts(ast.parse(annotation, mode="eval").body)


def _name(kind: ast.expr) -> str:
    """`Sequence` of `Sequence[str]`."""
    return ast.unparse(kind.value if isinstance(kind, ast.Subscript) else kind)


def _choice(kind: ast.expr) -> tuple[Reader, str]:
    choices = ast.literal_eval(kind.slice) if isinstance(kind, ast.Subscript) else ()
    by_text = {str(choice).lower(): choice for choice in (choices if isinstance(choices, tuple) else (choices,))}

    def reads(text: str) -> object:
        if text.lower() not in by_text:
            raise ValueError(text)
        return by_text[text.lower()]

    return reads, "one of " + ", ".join(map(str, by_text.values()))


def _number(name: str, type_name: str) -> tuple[Reader, str]:
    if name in SIZES:
        return parse_size, "a size such as 64MiB"
    if name in DURATIONS:
        return partial(_duration, whole=type_name == "int"), "a duration such as 30m"
    return (int, "a whole number") if type_name == "int" else (float, "a number")


def _duration(text: str, *, whole: bool) -> float:
    seconds = parse_duration(text)
    if whole and not seconds.is_integer():
        raise ConfigurationError("it takes whole seconds")
    return int(seconds) if whole else seconds


def _list(name: str, kind: ast.expr, type_name: str, *, lines_only: bool) -> tuple[Reader, str]:
    """One member a line; where one text is no value by itself, members may also stand between blanks or commas."""
    inner = kind.slice if isinstance(kind, ast.Subscript) else ast.Name("str")
    member = readers(name, ast.unparse(inner.elts[0] if isinstance(inner, ast.Tuple) else inner))

    def reads(text: str) -> object:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if lines_only and len(lines) < 2:
            raise ValueError(text)
        texts = lines if lines_only else [word for line in lines for word in line.replace(",", " ").split()]
        return LISTS[type_name](_first(member, one) for one in texts)

    return reads, f"a list of {member[0][1]}, " + ("one a line" if lines_only else "between blanks or commas")


def _first(alternatives: list[tuple[Reader, str]], text: str) -> object:
    for reads, _ in alternatives[:-1]:
        try:
            return reads(text)
        except ValueError:
            continue
    return alternatives[-1][0](text)


def _switch(text: str) -> bool:
    if text.lower() not in SWITCHES:
        raise ValueError(text)
    return SWITCHES[text.lower()]


def _none(text: str) -> None:
    if text.lower() not in ("", "none"):
        raise ValueError(text)


def _text(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


def _store(url: str) -> object:
    from middleware.stores import open_store

    return open_store(url)


def _log_file(text: str) -> object:
    if text in ("stdout", "stderr"):
        return getattr(sys, text)
    if not Path(text).is_absolute():
        raise ValueError(text)
    from middleware.logging import FileSink

    return FileSink(text)


# type: (narrowest first, how it is read, what it is called)
_READERS: dict[str, tuple[int, Reader, str]] = {
    "None": (0, _none, "none"),
    "bool": (1, _switch, "true or false"),
    "Store": (2, _store, "the URL of a store such as sqlite:////var/lib/app/sessions.db"),
    "Writable": (2, _log_file, "stdout or stderr or the absolute path of a file"),
    "Mapping": (3, imported, "a name such as package.module:NAME"),
    "Metrics": (3, imported, "a name such as package.module:METRICS"),
    "Callable": (3, imported, "a name such as package.module:function"),
    "str": (4, _text, "a text"),
    "os.PathLike": (4, _text, "a path"),
    "bytes": (5, str.encode, "a text"),
}
