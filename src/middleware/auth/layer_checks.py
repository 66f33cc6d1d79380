"""What is wrong with the options of AuthMiddleware, said at construction."""

from __future__ import annotations

from middleware.auth.rules.rule import Rule
from middleware.auth.schemes.base import freshness_of, keeps_logins
from middleware.errors import ConfigurationError
from middleware.headers import TOKEN, environ_key
from middleware.options import check_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from middleware.auth.schemes.base import Scheme

_PARTS = ("name", "auth_type", "reads", "authenticate", "challenges")


def check_options(
    rules: object, store: object, throttle: object, on_event: object, page: object, remote_user_encoding: object
) -> None:
    """Raises ConfigurationError."""
    if rules is not None and (isinstance(rules, Rule) or not hasattr(rules, "__iter__")):
        raise ConfigurationError("rules= takes a list, in the order in which they are tried")
    check_store(store)
    if throttle not in ("default", None):
        _check_throttle(throttle)
    if on_event is not None and not callable(on_event):
        raise ConfigurationError(f"on_event= is a function of an Event, or None, not {on_event!r}")
    if page is not None and not callable(page):
        raise ConfigurationError(f"page= is a callable that gives HTML, not {page!r}")
    if remote_user_encoding not in ("text", "wsgi"):
        raise ConfigurationError(f'remote_user_encoding= is "text" or "wsgi", not {remote_user_encoding!r}')


def _check_throttle(throttle: object) -> None:
    from middleware.auth.throttle.throttle import Throttle

    if not isinstance(throttle, Throttle):
        raise ConfigurationError(f'throttle= is "default", Throttle(...), or None for no such thing, not {throttle!r}')


def check_schemes(schemes: Sequence[Scheme]) -> None:
    """Raises ConfigurationError."""
    if not schemes:
        raise ConfigurationError("AuthMiddleware needs a scheme: Basic(users), SessionLogin(users), or a list of them")
    for scheme in schemes:
        if isinstance(scheme, type) or not all(hasattr(scheme, part) for part in _PARTS):
            raise ConfigurationError(
                f"{getattr(scheme, '__name__', type(scheme).__name__)} is no scheme: schemes= takes Basic(users), "
                "SessionLogin(users), ..."
            )
        if isinstance(scheme.reads, str):
            raise ConfigurationError(f"reads of {type(scheme).__name__} is a tuple of fields: ({scheme.reads!r},)")
        if freshness_of(scheme) not in ("always", "login", "never"):
            raise ConfigurationError(f'freshness of {type(scheme).__name__} is "always", "login" or "never"')
    names = [scheme.name for scheme in schemes]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"two schemes are called {name!r}: rules could not tell them apart")
    if sum(map(keeps_logins, schemes)) > 1:
        raise ConfigurationError("only one scheme can keep logins")


def environ_keys(names: Iterable[str]) -> tuple[str, ...]:
    """Where WSGI has these header fields. Raises ConfigurationError for what is no name of a field."""
    if isinstance(names, str):
        raise ConfigurationError(f"scrub= takes a list of header fields: [{names!r}]")
    if not hasattr(names, "__iter__"):
        raise ConfigurationError(f"scrub= takes a list of header fields, [] for none, not {names!r}")
    given = tuple(names)
    for name in given:
        if not isinstance(name, str) or not name or not TOKEN.issuperset(name):
            raise ConfigurationError(f"scrub= takes the names of header fields, not {name!r}")
    return tuple(map(environ_key, given))
