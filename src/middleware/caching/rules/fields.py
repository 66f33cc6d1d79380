"""Which fields of an answer go out again. Values in, values out."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.caching.rules.said import Fields

# What a 304 leaves out: it describes a body that is not sent (RFC 9110, section 15.4.5).
_NOT_IN_304 = frozenset(("content-type", "content-length", "content-encoding", "content-language", "content-range"))


def without(fields: Fields, names: frozenset[str]) -> Fields:
    """These fields but for those of these names, which are in lower case; the same list where nothing is to go."""
    return [(name, value) for name, value in fields if name.lower() not in names] if names else fields


def without_body(fields: Fields) -> Fields:
    """The fields that a 304 has of those its 200 would have."""
    return [(name, value) for name, value in fields if name.lower() not in _NOT_IN_304]
