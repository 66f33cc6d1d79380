"""Schemes and rules of the auth layer as lines of a configuration file, into what `AuthMiddleware` takes.

A line is read as a shell would: blanks separate, quotes keep together, and what has a `=` behind a name is an option.
"""

from __future__ import annotations

import shlex
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from middleware.errors import ConfigurationError
from middleware.integrations.conversion import build, imported, keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from middleware.auth import Rule


def scheme(line: str, *, where: str) -> Any:
    """`basic htpasswd:/srv/app/users groups=/srv/app/groups realm="My app"`: the scheme's name, the users, options.

    Users are `htpasswd:` and a path, or `package.module:name`. An option belongs to the file of users if it has one of
    that name (`groups`), to the scheme otherwise.
    """
    from middleware.auth import Basic, Htpasswd, SessionLogin

    words, options = _split(line, where)
    makers = {"basic": Basic, "session": SessionLogin}
    make = _one_of(makers, words[:1], "scheme", where)
    if len(words) != 2:
        raise ConfigurationError(f"{where}: a scheme has one source of users, as in {words[0]} htpasswd:%(here)s/users")
    source = words[1]
    if source.startswith("htpasswd:"):
        of_users = {key: options.pop(key) for key in keys(Htpasswd) if key in options and key not in keys(make)}
        users = build(Htpasswd, source.removeprefix("htpasswd:"), options=of_users, where=where)
    else:
        users = _users(source, where)
    return build(make, users, options=options, where=where)


def rule(line: str, *, where: str) -> Rule:
    """`require /admin =/exact role=admin,editor`: the rule's name, its paths, options; commas separate in lists."""
    from middleware.auth import allow, optional, require

    words, options = _split(line, where)
    makers: dict[str, Callable[..., Rule]] = {"allow": allow, "optional": optional, "require": require}
    make = _one_of(makers, words[:1], "rule", where)
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
            if not equals or not name.isidentifier():
                words.append(word)
            elif name in options:
                raise ConfigurationError(f"{where}: {name} is given twice")
            else:
                options[name] = value
    except ValueError as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f"{where}: {error}: {line!r}") from None
    return words, options


def _one_of(makers: dict[str, Any], words: list[str], what: str, where: str) -> Any:
    known = ", ".join(makers)
    if not words:
        raise ConfigurationError(f"{where}: the line begins with the {what}: {known}")
    if words[0] not in makers:
        raise ConfigurationError(
            f"{where}: there is no {what} {words[0]!r}; did you mean {_nearest(words[0], makers)!r}?"
        )
    return makers[words[0]]


def _nearest(word: str, known: Iterable[str]) -> str:
    return get_close_matches(word, [*known], n=1, cutoff=0)[0]


def _users(name: str, where: str) -> Any:
    try:
        return imported(name)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    except ValueError:
        raise ConfigurationError(
            f"{where}: {name!r} is no source of users: write htpasswd:%(here)s/users or package.module:name"
        ) from None
