"""What a store holds of a session: a header of fixed width, and its content. Pure.

A record is read by its first three bytes. Anything else, of whatever origin, is no session.
"""

from __future__ import annotations

import struct

_HEADER = struct.Struct("<3sdd")  # what it is, created, last seen
_WIDTH = _HEADER.size
_RECORD, _MOVED = b"s1=", b"s1>"
ENDED = b"s1."  # what a log-out puts in a record's place, before it deletes it


class Stamped:
    """A record as the store holds it, taken apart."""

    __slots__ = ("content", "created", "last_seen", "raw")

    def __init__(self, created: float, last_seen: float, content: bytes, raw: bytes) -> None:
        self.created = created
        self.last_seen = last_seen
        self.content = content
        self.raw = raw

    @staticmethod
    def of(created: float, last_seen: float, content: bytes) -> Stamped:
        """The record of a session that is about to be stored."""
        return Stamped(created, last_seen, content, _HEADER.pack(_RECORD, created, last_seen) + content)

    @staticmethod
    def read(raw: bytes) -> Stamped | None:
        """None for what is no session: another's value, a pointer left by a rotation."""
        if len(raw) < _WIDTH:
            return None
        kind, created, last_seen = _HEADER.unpack_from(raw)
        return Stamped(created, last_seen, raw[_WIDTH:], raw) if kind == _RECORD else None


class Pointer:
    """What a rotation leaves under the old key: where the session is now, for a log-out that started before."""

    __slots__ = ("moved", "target")

    def __init__(self, target: str, moved: float) -> None:
        self.target = target
        self.moved = moved

    @property
    def raw(self) -> bytes:
        return _HEADER.pack(_MOVED, self.moved, 0) + self.target.encode()

    @classmethod
    def read(cls, raw: bytes) -> Pointer | None:
        """None for what is no pointer."""
        if raw[:3] != _MOVED or len(raw) < _WIDTH:
            return None
        _, moved, _ = _HEADER.unpack_from(raw)
        return cls(raw[_WIDTH:].decode("ascii", "replace"), moved)
