"""What many constructors of this room ask of an option: the wrong ones are said at construction."""

from __future__ import annotations

from middleware.errors import ConfigurationError


def a_switch(name: str, value: bool) -> bool:
    """`value`, which is True or False: a text such as "no" would count as True. Raises ConfigurationError."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name}= is True or False, not {value!r}")
    return value


def check_clock(clock: object) -> None:
    """Raises ConfigurationError for what cannot be asked for the time."""
    if not callable(clock):
        raise ConfigurationError(f"clock= is a function that gives the time in seconds since 1970, not {clock!r}")
