"""What many constructors of this room ask of an option: the wrong ones are said at construction."""

from __future__ import annotations

from middleware.errors import ConfigurationError


def a_switch(name: str, value: bool) -> bool:
    """`value`, which is True or False: a text such as "no" would count as True. Raises ConfigurationError."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name}= is True or False, not {value!r}")
    return value


def check_roles(roles: object) -> None:
    """Judge `roles=`, a mapping of something to one role or several, or a callable. Raises ConfigurationError."""
    if roles is None or callable(roles):
        return
    if not hasattr(roles, "get"):
        raise ConfigurationError(f"roles= is a mapping to roles, or a callable, not {roles!r}")
    for key, value in getattr(roles, "items", tuple)():
        if not isinstance(value, str) and not hasattr(value, "__iter__"):
            raise ConfigurationError(f"roles= maps {key!r} to a role or a list of roles, not {value!r}")


def check_clock(clock: object) -> None:
    """Raises ConfigurationError for what cannot be asked for the time."""
    if not callable(clock):
        raise ConfigurationError(f"clock= is a function that gives the time in seconds since 1970, not {clock!r}")
