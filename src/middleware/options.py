"""What many constructors ask of an option: the wrong ones are said at construction. Values in, errors out."""

from __future__ import annotations

from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeGuard

INFINITY = float("inf")  # `math.isfinite` would be one more file to load by CGI
VERBS = ("get", "set", "add", "swap", "delete")


def a_switch(name: str, value: bool) -> bool:
    """`value`, which is True or False: a text such as "no" would count as True. Raises ConfigurationError."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name}= is True or False, not {value!r}")
    return value


def check_clock(clock: object) -> None:
    """Raises ConfigurationError for what cannot be asked for the time."""
    if not callable(clock):
        raise ConfigurationError(f"clock= is a function that gives the time in seconds since 1970, not {clock!r}")


def check_store(store: object) -> None:
    """Raises ConfigurationError for what is neither a store nor None."""
    if store is not None and (
        isinstance(store, type) or not all(callable(getattr(store, each, None)) for each in VERBS)
    ):
        raise ConfigurationError(f'store= is a store, such as SQLiteStore("auth.db"), or None, not {store!r}')


def check_seconds(name: str, value: object) -> None:
    """Raises ConfigurationError for what is no time that passes."""
    if not is_number(value) or value <= 0:
        raise ConfigurationError(f"{name}= is a number of seconds above 0, not {value!r}")


def is_number(value: object) -> TypeGuard[float]:
    """Whether this is a finite number; a switch is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < INFINITY
