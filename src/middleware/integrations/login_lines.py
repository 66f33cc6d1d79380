"""Schemes and rules of the auth layer as lines of a configuration file, into what `AuthMiddleware` takes.

A line is read as a shell would: blanks separate, quotes keep together, and what has a `=` behind a name is an option.
The first word names what is made; the others are what its constructor takes without a name.
"""

from __future__ import annotations

import shlex
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from middleware.errors import ConfigurationError
from middleware.integrations.conversion import (
    build,
    imported,
    is_list,
    keys,
    names_in,
    option_types,
    places,
    read_option,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from middleware.auth import Rule

SCHEMES = {
    "basic": "middleware.auth.schemes.basic:Basic",
    "digest": "middleware.auth.schemes.digest:Digest",
    "bearer": "middleware.auth.schemes.bearer:Bearer",
    "apikey": "middleware.auth.schemes.api_key:ApiKey",
    "session": "middleware.auth.schemes.session_login:SessionLogin",
    "server": "middleware.auth.schemes.server_user:ServerUser",
    "proxy": "middleware.auth.schemes.trusted_header:TrustedHeader",
    "certificate": "middleware.auth.schemes.client_certificate:ClientCertificate",
    "auth_tkt": "middleware.auth.schemes.auth_tkt:AuthTkt",
    "outer": "middleware.auth.schemes.outer:Outer",
}

RULES = ("allow", "optional", "require", "deny")

# Where users and keys come from: a file with its options, by the word before its path, or an object of the site's own.
SOURCES = {
    "Users": {"htpasswd": "middleware.auth.users:Htpasswd"},
    "DigestUsers": {"htdigest": "middleware.auth.users.htdigest:Htdigest"},
    "Keys": {"apikeys": "middleware.auth.key_file:ApiKeys"},
}

CONFIDENTIAL = {"Secret", "GivenKeys"}


def scheme(line: str, *, where: str) -> Any:
    """`basic htpasswd:/srv/app/users groups=/srv/app/groups realm="My app"`: the scheme's name, the users, options.

    Users are `htpasswd:` and a path, or `package.module:name`. An option belongs to the file of users if it has one of
    that name (`groups`), to the scheme otherwise.
    """
    words, options = _split(line, where)
    make = imported(SCHEMES[_one_of(SCHEMES, words[:1], "scheme", where)])
    wanted = places(make)
    if len(words) - 1 != len(wanted):
        raise ConfigurationError(
            f"{where}: {_how(words[0], wanted, keys(make))}{_too_many(words[1 + len(wanted) :], make, options)}"
        )
    types = option_types(make)
    given: list[object] = []
    made: dict[str, object] = {}
    beside: list[str] = []
    for (name, annotation), word in zip(wanted.items(), words[1:], strict=True):
        kind = _source_type(annotation)
        given.append(
            _source(kind, word, options, make, beside, where)
            if kind
            else read_option(name, word, annotation, where=f"{where}: {name}")
        )
    for name in [name for name in types if name in options and _source_type(types[name])]:
        made[name] = _source(_source_type(types[name]), options.pop(name), options, make, beside, where)
    lists = {key: text.replace(",", "\n") if is_list(types.get(key, "")) else text for key, text in options.items()}
    return build(make, *given, options=lists, where=where, made=made, beside=beside)


def rule(line: str, *, where: str) -> Rule:
    """`require /admin =/exact role=admin,editor`: the rule's name, its paths, options; commas separate in lists."""
    from middleware import auth

    words, options = _split(line, where)
    for path in words[1:]:
        if "," in path:
            raise ConfigurationError(f"{where}: blanks separate paths, commas the values of an option: {path!r}")
    make: Callable[..., Rule] = getattr(auth, _one_of(RULES, words[:1], "rule", where))
    for path in words[1:]:
        if ",/" in path or ",=/" in path:
            raise ConfigurationError(f"{where}: blanks separate paths, not commas: {path!r} would be one path")
    for key, text in options.items():
        if not text.strip(", ") or text.lower() == "none":
            raise ConfigurationError(
                f"{where}: {key}={text} would ask for nothing: leave {key}= out, or name what it asks for"
            )
    lists = {key: text.replace(",", "\n") for key, text in options.items()}
    made: Rule = build(make, *words[1:], options=lists, where=where)
    return made


def _split(line: str, where: str) -> tuple[list[str], dict[str, str]]:
    """The words of a line in order, and its options."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = lexer.escape = ""
    words: list[str] = []
    options: dict[str, str] = {}
    try:
        for word in lexer:
            name, equals, value = word.partition("=")
            if not equals or not name.replace(".", "_").isidentifier():
                words.append(word)
            elif name in options:
                raise ConfigurationError(f"{where}: {name} is given twice")
            elif not value.strip():
                raise ConfigurationError(f"{where}: {name}= is empty: leave it out, or write a value")
            else:
                options[name] = value
    except ValueError as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f"{where}: {error}") from None  # the line may hold a secret
    return words, options


def _one_of(known: Iterable[str], words: list[str], what: str, where: str) -> str:
    names = [*known]
    if not words:
        raise ConfigurationError(f"{where}: the line begins with the {what}: {', '.join(names)}")
    if words[0] not in names:
        nearest = get_close_matches(words[0], names, n=1, cutoff=0)[0]
        raise ConfigurationError(f"{where}: there is no {what} {words[0]!r}; did you mean {nearest!r}?")
    return words[0]


def _how(name: str, wanted: dict[str, str], options: Iterable[str]) -> str:
    """What stands behind the name of a scheme, for messages."""
    if not wanted:
        named = [f"{option}=" for option in options][:2]
        return f"{name} has options alone, such as {', '.join(named)}" if named else f"{name} stands alone"
    ((place, annotation),) = wanted.items()
    kind = _source_type(annotation)
    if not kind:
        return f"behind {name} stands one word, the {place}="
    return f"a scheme has one source of users or keys, as in {name} {next(iter(SOURCES[kind]))}:%(here)s/file"


def _too_many(words: list[str], make: Callable[..., Any], options: dict[str, str]) -> str:
    """The first word that has no meaning; none of a line that holds a secret, for it may be a part of that."""
    types = option_types(make)
    is_secret = any(CONFIDENTIAL & names_in(types.get(key, "")) for key in options)
    return f"; {words[0]!r} means nothing" if words and not is_secret else ""


def _source_type(annotation: str) -> str:
    return next(iter(SOURCES.keys() & names_in(annotation)), "") if annotation else ""


def _source(
    kind: str, text: str, options: dict[str, str], make: Callable[..., Any], beside: list[str], where: str
) -> Any:
    """What gives users or keys: a file, which takes those of the options that it has, or an object by its name."""
    files = SOURCES[kind]
    prefix, _, path = text.partition(":")
    if prefix in files:
        file = imported(files[prefix])
        beside += keys(file)
        of_file = {key: options.pop(key) for key in keys(file) if key in options and key not in keys(make)}
        return build(file, path, options=of_file, where=where)
    if any(prefix in others for others in SOURCES.values()):
        raise ConfigurationError(
            f"{where}: {prefix}: is for another scheme, here write {' or '.join(files)}:%(here)s/file"
        )
    try:
        return imported(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    except ValueError:
        raise ConfigurationError(
            f"{where}: {text!r} is no source of users or keys: "
            f"write {' or '.join(files)}:%(here)s/file, or package.module:name"
        ) from None
