"""The body of a request as PEP 3333 wants `wsgi.input`, made of nothing but `read(n)` of the server's.

The rule: nothing is asked for past the end, since there some servers wait for ever; and a body that breaks off is an
error, never a short body.
"""

from __future__ import annotations

from sys import maxsize

from middleware.errors import ClientGone
from middleware.gateway.framing import TO_ITS_END

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

DRAIN_SECONDS = 10.0  # for which a client that is slow to send is waited for
BLOCK = 1 << 16
_LITTLE = 1 << 7  # drained at once: a read waits until all of it has come, and so for a slow client too
_MOST = 1 << 20  # asked for at once: some servers make room for all of it, whatever the client will send


class RequestBody:
    """`wsgi.input` with this many bytes in it, or to its end; `read` is that of the server's input.

    Reading raises ClientGone where the client leaves before all was sent. It has what `io.TextIOWrapper` and
    `io.BufferedReader` ask of a stream without being an `io.IOBase`, whose finalizer takes longer than all the rest.
    """

    __slots__ = ("_announced", "_at", "_buffer", "_from_server", "_left", "touched")

    closed = False

    def __init__(self, read: Callable[[int], bytes], size: int) -> None:
        self._from_server = read
        self._left = maxsize if size == TO_ITS_END else size  # bytes that the server has still to give
        self._announced = size != TO_ITS_END
        self._buffer = b""
        self._at = 0
        self.touched = False

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def flush(self) -> None:
        """Nothing to flush."""

    def close(self) -> None:
        """Nothing of the server's is closed (PEP 3333)."""

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = maxsize if size is None or size < 0 else size
        found = self._fetch(wanted) if self._at == len(self._buffer) else self._buffered(wanted)
        if len(found) == wanted or not self._left:
            return found
        parts = [found]
        wanted -= len(found)
        while wanted and (part := self._fetch(wanted)):
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)

    def read1(self, size: int = -1, /) -> bytes:
        wanted = BLOCK if size < 0 else size
        return self._buffered(wanted) or self._fetch(wanted)

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        part = self.read1(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def readline(self, size: int | None = -1, /) -> bytes:
        wanted = maxsize if size is None or size < 0 else size
        parts = []
        while wanted:
            if self._at == len(self._buffer):
                self._at, self._buffer = 0, self._fetch(BLOCK)
                if not self._buffer:
                    break
            newline = self._buffer.find(b"\n", self._at)
            part = self._buffered(wanted if newline < 0 else min(wanted, newline + 1 - self._at))
            parts.append(part)
            wanted -= len(part)
            if part.endswith(b"\n"):
                break
        return b"".join(parts)

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        most = maxsize if hint is None or hint <= 0 else hint
        lines = []
        while most > 0 and (line := self.readline()):
            lines.append(line)
            most -= len(line)
        return lines

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def drain(self, most: int) -> None:
        """Take up to `most` bytes from the server that nobody has read, in DRAIN_SECONDS; after that there are none."""
        if not self._left:
            return
        from contextlib import suppress
        from time import monotonic

        give_up = monotonic() + DRAIN_SECONDS
        with suppress(Exception):  # servers raise what they like, and nobody misses these bytes
            while most > 0 and monotonic() < give_up and (part := self._fetch(min(most, _LITTLE))):
                most -= len(part)
        self._left = 0

    def _buffered(self, most: int) -> bytes:
        found = self._buffer[self._at : self._at + most]
        self._at += len(found)
        return found

    def _fetch(self, wanted: int) -> bytes:
        """The next bytes from the server, at least one and as many at most; b"" at the end."""
        wanted = min(wanted, self._left, _MOST)
        if not wanted:
            return b""
        self.touched = True
        try:
            part = self._from_server(wanted)[:wanted]
            if isinstance(part, str):  # flup, SCGI
                part = part.encode("latin-1")
        except (OSError, ValueError, EOFError) as error:  # ValueError: cheroot; EOFError: flup, AJP
            raise ClientGone(f"the body of the request broke off: {error}") from error
        if part:
            self._left -= len(part)
        elif self._announced:
            raise ClientGone(f"the body of the request broke off {self._left} bytes before its end")
        else:
            self._left = 0
        return part
