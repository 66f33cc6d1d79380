"""What a store holds of a session: a header of fixed width, and its content. Pure.

A record is read by its first three bytes. Anything else, of whatever origin, is no session.
"""

from __future__ import annotations

import struct
from hashlib import blake2b, sha256

from middleware.sessions.timeouts import Times

PREFIX = "middleware.session:"  # of the keys of records, before the id in hashed form
ID_BYTES = 32
_HEXADECIMAL = b"0123456789abcdef"
_HEADER = struct.Struct("<3s5d")  # what it is, and its times
_WIDTH = _HEADER.size
_POINTER = struct.Struct("<3sd16s")  # what it is, since when, and what the successor's id is made with
_RECORD, _MOVED, _RENEWED = b"s2=", b"s2>", b"s2~"
ENDED = b"s2."  # what a log-out puts in a record's place, before it deletes it
NONCE_BYTES = 16
_NO_NONCE = bytes(NONCE_BYTES)


def key_of(identifier: str) -> str | None:
    """Where the session of this id is kept; None for what is no id."""
    if len(identifier) != 2 * ID_BYTES or not identifier.isascii():
        return None
    text = identifier.encode()
    return None if text.translate(None, _HEXADECIMAL) else PREFIX + sha256(text).hexdigest()


def id_of(key: str) -> str:
    """The id in hashed form, which tells sessions apart and opens none."""
    return key[len(PREFIX) :]


class Stamped:
    """A record as the store holds it, taken apart."""

    __slots__ = ("content", "raw", "times")

    def __init__(self, times: Times, content: bytes, raw: bytes) -> None:
        self.times = times
        self.content = content
        self.raw = raw

    @staticmethod
    def of(times: Times, content: bytes) -> Stamped:
        """The record of a session that is about to be stored."""
        return Stamped(times, content, _HEADER.pack(_RECORD, *times) + content)

    @staticmethod
    def read(raw: bytes) -> Stamped | None:
        """None for what is no session: another's value, a pointer left by a rotation."""
        if raw[:3] != _RECORD or len(raw) < _WIDTH:
            return None
        return Stamped(Times._make(_HEADER.unpack_from(raw)[1:]), raw[_WIDTH:], raw)


class Pointer:
    """What is left under the old key of a session that got a new id: where it is now.

    After a rotation it serves a log-out that started before. After a periodic renewal it also leads requests that were
    sent with the old id: what it bears makes the successor's id for whoever has the old one, and for nobody else.
    """

    __slots__ = ("moved", "nonce", "target")

    def __init__(self, target: str, moved: float, nonce: bytes = b"") -> None:
        self.target = target
        self.moved = moved
        self.nonce = nonce  # empty after a rotation, which nobody follows

    @property
    def raw(self) -> bytes:
        kind = _RENEWED if self.nonce else _MOVED
        return _POINTER.pack(kind, self.moved, self.nonce or _NO_NONCE) + self.target.encode()

    @classmethod
    def read(cls, raw: bytes) -> Pointer | None:
        """None for what is no pointer."""
        if raw[:3] not in (_MOVED, _RENEWED) or len(raw) < _POINTER.size:
            return None
        kind, moved, nonce = _POINTER.unpack_from(raw)
        target = raw[_POINTER.size :].decode("ascii", "replace")
        return cls(target, moved, nonce if kind == _RENEWED else b"")


def successor_of(identifier: str, nonce: bytes) -> str:
    """The id that follows this one in a renewal: every request that has the old id and reads the nonce makes the same.

    A keyed BLAKE2b (RFC 7693, section 2.9), so that neither the store nor the old id alone gives the new one away.
    """
    return blake2b(nonce, key=bytes.fromhex(identifier), digest_size=32, person=b"session.renewal").hexdigest()
