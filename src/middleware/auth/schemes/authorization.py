"""The Authorization field and its challenges, as far as all schemes have them alike. Values in, values out."""

from __future__ import annotations

from middleware.errors import ConfigurationError
from middleware.headers import members, quoted


def is_one_of_several(scheme: str, text: str) -> bool:
    """Whether this is a list, as of a field that was sent twice, that has credentials of this scheme (in lower case).

    The parameters of other schemes are a list too.
    """
    return "," in text and any(
        member.replace("\t", " ").partition(" ")[0].lower() == scheme for member in members(text)
    )


def realm_parameter(realm: object) -> str:
    """The parameter `realm` of a challenge. Raises ConfigurationError for what browsers could not show alike."""
    if not isinstance(realm, str) or not realm.isascii() or not realm.isprintable():
        raise ConfigurationError(f"realm= is ASCII text without control characters, not {realm!r}")
    return f"realm={quoted(realm)}"
