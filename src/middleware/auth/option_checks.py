"""What several schemes ask of `roles=`."""

from __future__ import annotations

from middleware.errors import ConfigurationError


def check_roles(roles: object) -> None:
    """Judge `roles=`, a mapping of something to one role or several, or a callable. Raises ConfigurationError."""
    if roles is None or callable(roles):
        return
    if not hasattr(roles, "get"):
        raise ConfigurationError(f"roles= is a mapping to roles, or a callable, not {roles!r}")
    for key, value in getattr(roles, "items", tuple)():
        if not isinstance(value, str) and not hasattr(value, "__iter__"):
            raise ConfigurationError(f"roles= maps {key!r} to a role or a list of roles, not {value!r}")
