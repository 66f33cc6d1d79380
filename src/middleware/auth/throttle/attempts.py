"""One try to prove a password or a key: whether it may be made now, that it counts, and that it is told."""

from __future__ import annotations

import os
from threading import Event, Lock

from middleware.auth.schemes.base import Throttled, Unavailable
from middleware.auth.telling import PROVED_KEY, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.throttle.counters import Counter
    from middleware.auth.throttle.throttle import Throttle

    T = TypeVar("T")

PATIENCE = 30.0  # seconds that a request waits for another that tries the very same


def attempt(
    environ: WSGIEnvironment,
    scheme: str,
    user: str,
    check: Callable[[], T | None],
    *,
    quietly: bool = False,
    same: str | None = None,
) -> T | None:
    """What `check()` gives: None where the password or the key of `user` is wrong.

    It counts before it is checked, and no more where it was right, or where `check` raises Unavailable. Any other
    exception counts as a failure. Raises Throttled while a delay runs, without a check.

    `quietly`: for what comes with every request. A success is not told, and forgets no failures before it. `same`: the
    credentials; requests of one client that bring the same at once are one try, and all get what it gives.

    Without AuthMiddleware in environ there is only the check; without a throttle it is told all the same.
    """
    layer: Any = environ.get("middleware.auth")
    if layer is None:
        return check()
    throttle: Throttle | None = layer.throttle
    if throttle is None:
        return _told(environ, scheme, user, check(), quietly)
    counters = throttle.counters(environ, user)
    if same is None:
        return _counted(environ, throttle, counters, scheme, user, check, quietly)
    key = _digest(f"{id(layer)} {counters[0].key} {scheme} {quietly} {same}")
    return _once(key, lambda: _counted(environ, throttle, counters, scheme, user, check, quietly))


def _counted(
    environ: WSGIEnvironment,
    throttle: Throttle,
    counters: list[Counter],
    scheme: str,
    user: str,
    check: Callable[[], T | None],
    quietly: bool,
) -> T | None:
    try:
        begun = throttle.begin(environ, counters)
    except Throttled:
        tell(environ, "login.throttled", user=user, scheme=scheme)
        raise
    right: bool | None = False  # whatever may leave check(), or it would be a way to guess for nothing
    try:
        found = check()
        right = found is not None
    except (Unavailable, Throttled):
        right = None
        raise
    finally:
        throttle.settle(environ, begun, right=right, forgives=bool(right) and not quietly)
    if right and not quietly:
        throttle.greet(environ, user)
    return _told(environ, scheme, user, found, quietly)


def _told(environ: WSGIEnvironment, scheme: str, user: str, found: T | None, quietly: bool) -> T | None:
    if found is None:
        tell(environ, "login.failure", user=user, scheme=scheme)
    elif not quietly:
        tell(environ, "login.success", user=user, scheme=scheme)
        environ[PROVED_KEY] = scheme, user
    return found


class _Flight:
    """A try under way."""

    __slots__ = ("error", "found", "landed")

    def __init__(self) -> None:
        self.landed = Event()
        self.found: Any = None
        self.error: Throttled | Unavailable | None = Unavailable()  # until it is known better


_KEY = os.urandom(32)
_flights: dict[bytes, _Flight] = {}
_lock = Lock()


def _once(key: bytes, run: Callable[[], T | None]) -> T | None:
    """Run, or wait for whoever runs the very same just now."""
    with _lock:
        flight = _flights.get(key)
        mine = flight is None
        if flight is None:
            flight = _flights[key] = _Flight()
    if not mine:
        shared: T | None = _shared(flight)
        return shared
    try:
        flight.found = found = run()
    except (Throttled, Unavailable) as error:
        flight.error = type(error)(error.retry_after)
        raise
    else:
        flight.error = None
        return found
    finally:
        with _lock:
            del _flights[key]
        flight.landed.set()


def _shared(flight: _Flight) -> Any:
    flight.landed.wait(PATIENCE)
    error = flight.error
    if error is not None:
        raise type(error)(error.retry_after)  # a traceback belongs to one thread
    return flight.found


def _digest(text: str) -> bytes:
    from hashlib import blake2b

    return blake2b(text.encode("utf-8", "surrogatepass"), key=_KEY, digest_size=16).digest()
