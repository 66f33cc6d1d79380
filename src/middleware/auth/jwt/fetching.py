"""Documents of an issuer, fetched from it: JSON over https, all of it within a few seconds and 256 kB.

No redirect is followed, no other scheme is spoken, no proxy of the environment is asked: a site that goes out through
a proxy passes `fetch=`, a callable of its own.
"""

from __future__ import annotations

import io
import socket
import time
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from middleware.auth.jwt.errors import FetchFailed
from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext
    from typing import Any

    from _typeshed import WriteableBuffer

    Fetch = Callable[[str], bytes]

SECONDS = 5.0  # from the name of the host to the last byte
MOST_BYTES = 256 * 1024
_FIELDS = {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close"}


def check_url(name: str, url: object, *, allow_insecure: bool) -> str:
    """A URL that may be fetched: https, or http to this machine where that is allowed. Raises ConfigurationError."""
    if type(url) is not str or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ConfigurationError(f"{name} is an https URL, not {url!r}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"{name} is an https URL, not {url!r}") from None
    if not host or parts.username is not None or parts.fragment:
        raise ConfigurationError(f"{name} is an https URL with a host, without a user or a fragment, not {url!r}")
    if parts.scheme == "http" and _is_loopback(host):
        if not allow_insecure:
            raise ConfigurationError(f"{name} is an https URL; http to this machine needs allow_insecure=True")
    elif parts.scheme != "https":
        raise ConfigurationError(f"{name} is an https URL, for whoever can change the keys can sign in, not {url!r}")
    return url


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or (host.startswith("127.") and host.replace(".", "").isdigit())


def fetcher(*, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> Fetch:
    """What fetches a document by its URL, which has passed `check_url`. It raises FetchFailed."""

    def fetch(url: str) -> bytes:
        deadline = _Deadline(clock() + seconds, clock)
        try:
            return _fetched(url, deadline)
        except TimeoutError:
            raise FetchFailed("too slow") from None
        except (OSError, HTTPException, ValueError) as error:
            raise FetchFailed(f"no answer: {type(error).__name__}") from None

    return fetch


def _fetched(url: str, deadline: _Deadline) -> bytes:
    parts = urlsplit(url)
    connection = _Connection(parts.hostname or "", parts.port, deadline, _tls() if parts.scheme == "https" else None)
    try:
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers=_FIELDS)
        answer = connection.getresponse()
        if answer.status != 200:
            raise FetchFailed("a redirect" if 300 <= answer.status < 400 else f"status {answer.status}")
        kind = (answer.headers.get_content_type() or "").lower()
        if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
            raise FetchFailed("not JSON")
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise FetchFailed("compressed")
        body = answer.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise FetchFailed("too large")
        if answer.length:
            raise FetchFailed("cut short")
        return body
    finally:
        connection.leave()


def _tls() -> SSLContext:
    from ssl import create_default_context

    return create_default_context()


class _Deadline:
    """When it has to be over, on one clock."""

    def __init__(self, at: float, clock: Callable[[], float]) -> None:
        self._at = at
        self._clock = clock

    def left(self) -> float:
        """Seconds, more than none. Raises TimeoutError."""
        left = self._at - self._clock()
        if left <= 0:
            raise TimeoutError
        return left


class _Connection(HTTPConnection):
    """A connection whose every step has only the time that is left of the whole."""

    def __init__(self, host: str, port: int | None, deadline: _Deadline, tls: SSLContext | None) -> None:
        self.default_port = 80 if tls is None else 443
        super().__init__(host, port or self.default_port)
        self._deadline = deadline
        self._tls = tls
        self._reached: socket.socket | None = None

    def connect(self) -> None:
        self._reached = self._reach()
        if self._tls is not None:
            self._reached.settimeout(self._deadline.left())
            self._reached = self._tls.wrap_socket(self._reached, server_hostname=self.host)
        self.sock: Any = _Hurried(self._reached, self._deadline)

    def leave(self) -> None:
        """Close it and what it is made of, however far it came."""
        self.close()
        if self._reached is not None:
            self._reached.close()

    def _reach(self) -> socket.socket:
        failed: OSError = OSError("no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            tried = socket.socket(family, kind, protocol)
            try:
                tried.settimeout(self._deadline.left())
                tried.connect(address)
            except OSError as error:
                tried.close()
                failed = error
            else:
                return tried
        raise failed


class _Hurried:
    """A socket, as far as http.client needs one, that asks before each step how much time is left."""

    def __init__(self, wrapped: socket.socket, deadline: _Deadline) -> None:
        self._wrapped = wrapped
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._wrapped.settimeout(self._deadline.left())
        self._wrapped.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb"
        return io.BufferedReader(_Incoming(self._wrapped, self._deadline))

    def close(self) -> None:
        """Said by http.client before the body is read, where the server is to close as well."""


class _Incoming(io.RawIOBase):
    """What comes in, each piece within the time that is left. Closing it leaves the socket open."""

    def __init__(self, wrapped: socket.socket, deadline: _Deadline) -> None:
        super().__init__()
        self._wrapped = wrapped
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        self._wrapped.settimeout(self._deadline.left())
        return self._wrapped.recv_into(buffer)
