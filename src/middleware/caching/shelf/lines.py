"""What the cache keeps in its store, as lines of text: no pickle, with a version, a checksum and the address in front.

What cannot be read, was damaged, or belongs to another address is None: a miss.
"""

from __future__ import annotations

from binascii import crc32

from middleware.caching.keys.variants import digest

VERSION = "wsgi-middleware cache 3"


def sealed(kind: str, address: str, lines: tuple[str, ...] | list[str]) -> bytes:
    """A ValueError where a line cannot be one."""
    text = "\n".join((VERSION, kind, digest(address), *lines))
    if text.count("\n") != len(lines) + 2:
        raise ValueError("a line break in what is to be stored")
    data = text.encode("latin-1")
    return checksum(data).to_bytes(4, "big") + data


def opened(kind: str, address: str, data: bytes) -> list[str] | None:
    """The lines; None where they are not what was stored there."""
    if len(data) < 4 or checksum(data[4:]) != int.from_bytes(data[:4], "big"):
        return None
    text = data[4:].decode("latin-1")
    if "\r" in text or "\0" in text:
        return None  # what no head of an answer may have, whoever wrote it there
    version, *lines = text.split("\n")
    if version != VERSION or lines[:2] != [kind, digest(address)]:
        return None
    return lines[2:]


def number(text: str) -> float:
    """What `repr` made of a float. A ValueError where nobody could reckon with it."""
    value = float(text)
    if not 0 <= value < 1e15:
        raise ValueError("no time, and no age")
    return value


def checksum(data: bytes) -> int:
    """What tells damage; not what keeps out a forger, who could write any entry."""
    return crc32(data)
