"""The layers as filters of a PasteDeploy file: `use = egg:wsgi-middleware#session`.

Every option of a constructor is a key of the section, written as `conversion` says. docs/pastedeploy.md has examples.
"""

from __future__ import annotations

from configparser import Error as BadFile
from configparser import InterpolationError, MissingSectionHeaderError, ParsingError, RawConfigParser
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from middleware.errors import ConfigurationError, MiddlewareError, MissingExtra
from middleware.integrations.conversion import build
from middleware.integrations.login_lines import rule, scheme

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from wsgiref.types import WSGIApplication

    from middleware.auth import AuthMiddleware
    from middleware.caching import CacheMiddleware
    from middleware.caching.conditional import ConditionalMiddleware
    from middleware.cookies import CookieMiddleware
    from middleware.gateway import GatewayMiddleware, ProxyMiddleware, RawTargetMiddleware
    from middleware.integrations.beaker import BeakerSessions
    from middleware.logging import LoggingMiddleware
    from middleware.sessions import SessionMiddleware


def load(file: str, name: str) -> WSGIApplication:
    """The application or pipeline of this name in a PasteDeploy file.

    Raises ConfigurationError where there is none, MissingExtra where PasteDeploy is not installed.
    """
    try:
        loadapp = import_module("paste.deploy").loadapp
    except ImportError as error:
        raise MissingExtra("PasteDeploy files need an extra: pip install 'wsgi-middleware[paste]'") from error
    try:
        app: WSGIApplication = loadapp(f"config:{Path(file).absolute()}", name)
    except (OSError, LookupError, BadFile) as error:
        if isinstance(error, (MiddlewareError, KeyError, IndexError)):
            raise  # of a layer, or of the application
        if isinstance(error, (ParsingError, InterpolationError)):  # their texts have lines, which may hold a secret
            raise ConfigurationError(f"{file} cannot be loaded: {_without_the_line(error)}") from None
        raise ConfigurationError(f"{file} cannot be loaded: {error}") from error
    return app


def _without_the_line(error: ParsingError | InterpolationError) -> str:
    """What is wrong with a file, without what stands there."""
    if isinstance(error, InterpolationError):
        return f"{error.option} in [{error.section}] has a % that names nothing; one that means itself is written %%"
    line = error.lineno if isinstance(error, MissingSectionHeaderError) else error.errors[0][0]
    return f"line {line} is none of a PasteDeploy file"


def session(app: WSGIApplication, global_conf: Mapping[str, str], /, **local_conf: str) -> SessionMiddleware:
    """`egg:wsgi-middleware#session`: `SessionMiddleware`."""
    from middleware.sessions import SessionMiddleware

    return build(SessionMiddleware, app, options=local_conf, where=section("session", global_conf))


def beaker(app: WSGIApplication, global_conf: Mapping[str, str], /, **local_conf: str) -> BeakerSessions:
    """`egg:wsgi-middleware#beaker`: `BeakerSessions`, inside of `session`."""
    from middleware.integrations.beaker import BeakerSessions

    return build(BeakerSessions, app, options=local_conf, where=section("beaker", global_conf))


def cookies(app: WSGIApplication, global_conf: Mapping[str, str], /, **local_conf: str) -> CookieMiddleware:
    """`egg:wsgi-middleware#cookies`: `CookieMiddleware`."""
    from middleware.cookies import CookieMiddleware

    return build(CookieMiddleware, app, options=local_conf, where=section("cookies", global_conf))


def cache(app: WSGIApplication, global_conf: Mapping[str, str], /, **local_conf: str) -> CacheMiddleware:
    """`egg:wsgi-middleware#cache`: `CacheMiddleware`."""
    from middleware.caching import CacheMiddleware

    return build(CacheMiddleware, app, options=local_conf, where=section("cache", global_conf))


def conditional(app: WSGIApplication, global_conf: Mapping[str, str], /, **local_conf: str) -> ConditionalMiddleware:
    """`egg:wsgi-middleware#conditional`: `ConditionalMiddleware`."""
    from middleware.caching.conditional import ConditionalMiddleware

    return build(ConditionalMiddleware, app, options=local_conf, where=section("conditional", global_conf))


def logging(app: WSGIApplication, global_conf: Mapping[str, str], /, **local_conf: str) -> LoggingMiddleware:
    """`egg:wsgi-middleware#logging`: `LoggingMiddleware`."""
    from middleware.logging import LoggingMiddleware

    return build(LoggingMiddleware, app, options=local_conf, where=section("logging", global_conf))


def proxy(app: WSGIApplication, global_conf: Mapping[str, str], /, **local_conf: str) -> ProxyMiddleware:
    """`egg:wsgi-middleware#proxy`: `ProxyMiddleware`."""
    from middleware.gateway import ProxyMiddleware

    return build(ProxyMiddleware, app, options=local_conf, where=section("proxy", global_conf))


def gateway(app: WSGIApplication, global_conf: Mapping[str, str], /, **local_conf: str) -> GatewayMiddleware:
    """`egg:wsgi-middleware#gateway`: `GatewayMiddleware`."""
    from middleware.gateway import GatewayMiddleware

    return build(GatewayMiddleware, app, options=local_conf, where=section("gateway", global_conf))


def raw_target(app: WSGIApplication, global_conf: Mapping[str, str], /, **local_conf: str) -> RawTargetMiddleware:
    """`egg:wsgi-middleware#raw_target`: `RawTargetMiddleware`."""
    from middleware.gateway import RawTargetMiddleware

    return build(RawTargetMiddleware, app, options=local_conf, where=section("raw_target", global_conf))


def auth(app: WSGIApplication, global_conf: Mapping[str, str], /, **local_conf: str) -> AuthMiddleware:
    """`egg:wsgi-middleware#auth`: `AuthMiddleware`, its schemes and rules one a line, in the order of their numbers.

    `scheme.1 = basic htpasswd:%(here)s/users realm=App`, `rule.1 = allow /static =/healthz`.
    """
    from middleware.auth import AuthMiddleware

    where = section("auth", global_conf)
    options = dict(local_conf)
    schemes = _numbered("scheme", scheme, options, where)
    rules = _numbered("rule", rule, options, where)
    if not schemes:
        raise ConfigurationError(f"{where}: there is no scheme: write scheme.1 = basic htpasswd:%(here)s/users")
    made = {"rules": rules or None}
    return build(AuthMiddleware, app, schemes, options=options, where=where, made=made, beside=("scheme.1", "rule.1"))


def _numbered(name: str, make: Callable[..., Any], options: dict[str, str], where: str) -> list[Any]:
    """What the lines `name.1`, `name.2` mean, in this order; they are taken out of the options."""
    lines: dict[int, str] = {}
    for key in [key for key in options if key.startswith(f"{name}.")]:
        number = key.removeprefix(f"{name}.")
        if not (number.isascii() and number.isdigit()):
            raise ConfigurationError(f"{where}: {key!r} has no number: write {name}.1, {name}.2 and so on")
        if int(number) in lines:
            raise ConfigurationError(f"{where}: there are two lines {name}.{int(number)}")
        lines[int(number)] = options.pop(key)
    return [make(text, where=f"{where}: {name}.{number}") for number, text in sorted(lines.items())]


def section(name: str, global_conf: Mapping[str, str]) -> str:
    """Where an option stands, for messages. PasteDeploy tells a filter its file; the section is looked up there."""
    uses = f"egg:wsgi-middleware#{name}"
    file = global_conf.get("__file__")
    if not file:
        return uses
    parser = RawConfigParser(strict=False)
    try:
        parser.read(file, encoding="utf-8")
    except (BadFile, UnicodeDecodeError):
        return f"{uses} in {file}"
    found = [one for one in parser.sections() if parser.get(one, "use", fallback="") == uses]
    return f"[{found[0]}] of {file}" if len(found) == 1 else f"{uses} in {file}"
