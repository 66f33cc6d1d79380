"""What the token of a session in a cookie holds: JSON of its id, its times, and its content. Pure.

The time at which it was used last is the token's own.
"""

from __future__ import annotations

import hashlib
import os

from middleware.sessions import records
from middleware.sessions.codec import content, content_of, decoded, encoded
from middleware.sessions.timeouts import Times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from middleware.sessions.codec import Messages

    Content = tuple[dict[str, Any], Messages, dict[str, Any]]  # data, flash messages, marks

_ID_BYTES = 16
_ANY_ID = "0" * 2 * _ID_BYTES


def new_identifier() -> str:
    """An id, by which a session can be revoked: it opens nothing."""
    return os.urandom(_ID_BYTES).hex()


def id_of(identifier: str) -> str:
    """The id in hashed form."""
    return hashlib.sha256(identifier.encode()).hexdigest()


def successor_of(identifier: str, nonce: bytes) -> str:
    """The id that follows this one in a renewal, for every request that finds the nonce."""
    return records.successor_of(identifier, nonce)[: 2 * _ID_BYTES]


def secret_of(identifier: str, purpose: str) -> str:
    """A text that follows from the id, and from which nothing follows. (128 bits, as `csrf.new_secret`.)"""
    return hashlib.blake2b(identifier.encode(), digest_size=16, person=purpose.encode()).hexdigest()


def made(identifier: str, times: Times, parts: Content, *, typed: bool) -> bytes:
    """A payload. Without an id it is as long as with one."""
    return encoded(identifier or _ANY_ID, _stated(times), *content(*parts), typed=typed)


def opened(payload: bytes, last_seen: float) -> tuple[str, Times, Content]:
    """Id, times and content of a payload. A ValueError for what `made` did not make."""
    identifier, stated, *parts = decoded(payload)
    if type(identifier) is not str:
        raise ValueError("no id")
    bytes.fromhex(identifier)  # a ValueError for what is no id
    return identifier, _times_of(stated, last_seen), content_of(parts)


def _stated(times: Times) -> object:
    """One number where all others follow from it."""
    created, authenticated, issued, _, until = times
    if issued == created and not authenticated and not until:
        return int(created)
    return [round(time, 3) for time in (created, authenticated, issued, until)]


def _times_of(stated: object, last_seen: float) -> Times:
    if type(stated) is int:
        return Times(stated, 0.0, stated, last_seen, 0.0)
    if type(stated) is not list or len(stated) != 4 or {*map(type, stated)} - {int, float}:
        raise ValueError("no times of a session")
    created, authenticated, issued, until = stated
    return Times(created, authenticated, issued, last_seen, until)
