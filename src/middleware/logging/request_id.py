"""The name of one request: made here, or taken from a client that may be trusted. No WSGI but the accessor."""

from __future__ import annotations

from os import urandom

from middleware.errors import ConfigurationError, LayerMissing
from middleware.headers import TOKEN, environ_key
from middleware.logging.privacy import PEER_KEY
from middleware.networks import Networks
from middleware.options import a_switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeGuard
    from wsgiref.types import WSGIEnvironment

KEY = "middleware.request_id"
MAX_LENGTH = 128

_ALLOWED = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-"
_VISIBLE = frozenset(map(chr, range(0x21, 0x7F))) - frozenset('",\\')
# An id in one of these would break the answer, or the request was never about an id.
_TAKEN = frozenset({
    "connection", "content-encoding", "content-length", "content-range", "content-type", "cookie", "date", "host",
    "location", "set-cookie", "status", "transfer-encoding",
})  # fmt: skip


class RequestIds:
    """How requests get their ids. A frozen value.

    `header`: the field in which the id goes to the client and, where it is trusted, comes from it; None for neither.
    `echo` (True): send it. `trust` (False): take the id that the client sent, where it is fit for one: 1 to 128
    letters, digits, `.`, `_` and `-`, or what `accept(text)` says. Only behind a proxy that sets the field itself,
    since ids from outside can be made to collide. `peers`: with `trust`, the networks of these proxies; what somebody
    else at the other end of the connection sends, a Unix socket among them, is ignored. `make()`: gives an id in place
    of 128 random bits in hexadecimal; where it fails, or gives what is no id, those are taken and the failure is
    counted.

    What `accept` lets through is visible ASCII without quotes, backslashes and commas all the same, and at most 128
    characters. Raises ConfigurationError.
    """

    __slots__ = ("_accept", "_make", "_peers", "echo", "header", "key", "trust")

    header: str | None
    echo: bool
    trust: bool
    key: str | None  # where environ has the trusted id of a client
    _accept: Callable[[str], object] | None
    _make: Callable[[], str] | None
    _peers: Networks | None

    def __init__(
        self,
        header: str | None = "X-Request-ID",
        *,
        echo: bool = True,
        trust: bool = False,
        peers: Sequence[str] | None = None,
        accept: Callable[[str], object] | None = None,
        make: Callable[[], str] | None = None,
    ) -> None:
        if header is not None and not (isinstance(header, str) and header and TOKEN.issuperset(header)):
            raise ConfigurationError(f'header={header!r} is no field name: try "X-Request-ID"')
        if header is not None and header.lower() in _TAKEN:
            raise ConfigurationError(f'header={header!r} has a meaning of its own: try "X-Request-ID"')
        a_switch("echo", echo)
        a_switch("trust", trust)
        for name, function in (("accept", accept), ("make", make)):
            if function is not None and not callable(function):
                raise ConfigurationError(f"{name}= is a function, not {function!r}")
        if trust and header is None:
            raise ConfigurationError("trust=True needs header=, the field to take the id from")
        if accept is not None and not trust:
            raise ConfigurationError("accept= judges the ids of clients, which count with trust=True only")
        if peers is not None and not trust:
            raise ConfigurationError("peers= says whose ids are taken, which needs trust=True")
        networks = None if peers is None else Networks(peers)
        if networks is not None and not len(networks):
            raise ConfigurationError('peers= names nobody: give the networks of your proxies, ["10.0.0.0/8"]')
        put = object.__setattr__
        put(self, "header", header)
        put(self, "echo", echo and header is not None)
        put(self, "trust", trust)
        put(self, "key", environ_key(header) if trust and header else None)
        put(self, "_accept", accept)
        put(self, "_make", make)
        put(self, "_peers", networks)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"RequestIds does not change: make another one ({name})")

    def __repr__(self) -> str:
        return f"RequestIds({self.header!r}, echo={self.echo!r}, trust={self.trust!r})"

    def id_of(self, request: WSGIEnvironment, failed: Callable[[Exception], object]) -> str:
        """The id of a request. `failed` hears what the functions of the user raise; nothing is raised."""
        known = request.get(KEY)  # of a LoggingMiddleware further out: both lines are about the same request
        if known and _can_be_shown(known):
            return known
        if self.key is not None:
            sent = request.get(self.key)
            if sent and (self._peers is None or _peer_of(request) in self._peers) and self._is_taken(sent, failed):
                return str(sent)
        return make_request_id() if self._make is None else self._made(failed)

    def _is_taken(self, sent: object, failed: Callable[[Exception], object]) -> bool:
        if self._accept is None:
            return is_request_id(sent)
        if not _can_be_shown(sent):
            return False
        try:
            return bool(self._accept(sent))
        except Exception as error:  # noqa: BLE001 - no failure of the log reaches the response
            failed(error)
            return False

    def _made(self, failed: Callable[[Exception], object]) -> str:
        assert self._make is not None
        try:
            made = self._make()
            if is_request_id(made):
                return made
            raise ValueError("make= of RequestIds gave what is no id")
        except Exception as error:  # noqa: BLE001 - as above
            failed(error)
            return make_request_id()


def _peer_of(request: WSGIEnvironment) -> object:
    peer: object = request.get(PEER_KEY)  # where a gateway has put the client into REMOTE_ADDR
    return request.get("REMOTE_ADDR") if peer is None else peer


def get_request_id(environ: WSGIEnvironment) -> str:
    """The id of this request. Raises LayerMissing where no LoggingMiddleware stands round the application."""
    try:
        request_id: str = environ[KEY]
    except KeyError:
        raise LayerMissing("no request id here: wrap the app in LoggingMiddleware") from None
    return request_id


def make_request_id() -> str:
    """128 random bits in hexadecimal. From the system, so that a forked child never repeats its parent's."""
    return urandom(16).hex()


def is_request_id(text: object) -> TypeGuard[str]:
    """Whether `text` is 1 to 128 letters, digits, dots, dashes and underscores: safe in a header, a line, a query."""
    return isinstance(text, str) and 0 < len(text) <= MAX_LENGTH and not text.strip(_ALLOWED)


def _can_be_shown(text: object) -> TypeGuard[str]:
    """Whether `text` is what `accept=` may let through."""
    return isinstance(text, str) and 0 < len(text) <= MAX_LENGTH and _VISIBLE.issuperset(text)
