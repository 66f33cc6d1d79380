"""Slow down guessing: who fails waits, each time twice as long. Nobody is locked out for good.

Counted are the failures for a name from a network, those from a network for whatever name, and in place of all these
those of a browser that has signed in before. An IPv6 customer has many networks, so that a name counts from all of
them together too. What it takes to count is imported with the first try.
"""

from __future__ import annotations

import time
from math import ceil
from threading import Lock

from middleware.auth.throttle.delays import Delays
from middleware.errors import ConfigurationError, StoreError
from middleware.made_once import made_once
from middleware.networks import Networks, network_of, wider_network, without_port
from middleware.operators import say_once
from middleware.options import check_clock, check_seconds, check_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Literal
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.throttle.counters import Counter, Try
    from middleware.auth.throttle.devices import Devices
    from middleware.signing import Secret
    from middleware.stores.base import Store
    from middleware.stores.memory import MemoryStore

OWN_BYTES = 8 << 20  # for some 12,000 tallies
MOST_LOUD = 1024  # networks
WIDER = 4  # times as many failures of a name are free in the /48 of an IPv6 address as in its /64
TOLD_EACH = 60.0  # seconds
_OF_THIS_MACHINE = ("", "127.0.0.0/24", "0:0:0:0::/64")


class Throttle:
    """How guessing is slowed down. One object may serve several layers.

    `free_failures`: so many tries for one name from one network (/24 or /64) may fail before the next one has to wait,
    be it right or wrong, and four times as many from a whole /48 of IPv6. `first_delay`: for how many seconds; each
    further failure doubles that, up to `longest_delay`. `network_failures`: so many may fail from one network (/24 or
    /48), for whatever names, before all of it has to wait.
    `forget_after`: seconds after which as many failures as are free are forgotten, one after the other. A success
    forgets those for its name from its network.

    `shared_networks`: those behind which all kinds of clients stand, such as a proxy that the server does not look
    through: they do not wait as a whole. What has no address, a socket of the file system, is one.
    `store`: keeps the tallies; None takes that of the layer, or 8 MiB of this process. `on_store_error`: while the
    store is down each process counts by itself (`"allow"`), or nobody can sign in (`"deny"`, 503).
    `device_secret`: signs a cookie for who has signed in, for `device_life` seconds. A browser that has it is counted
    by itself, so that nobody in its network can make its user wait. A secret as for `SessionMiddleware`.
    `clock`: seconds since 1970.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        *,
        free_failures: int = 5,
        first_delay: float = 1,
        longest_delay: float = 900,
        network_failures: int = 100,
        forget_after: float = 3600,
        shared_networks: Iterable[str] = ("127.0.0.0/8", "::1"),
        store: Store | None = None,
        on_store_error: Literal["allow", "deny"] = "allow",
        device_secret: Secret | None = None,
        device_life: float = 180 * 86400,
        clock: Callable[[], float] = time.time,
    ) -> None:
        _check_count("free_failures", free_failures)
        _check_count("network_failures", network_failures)
        for name, seconds in (
            ("first_delay", first_delay),
            ("longest_delay", longest_delay),
            ("forget_after", forget_after),
            ("device_life", device_life),
        ):
            check_seconds(name, seconds)
        if longest_delay < first_delay:
            raise ConfigurationError(f"longest_delay={longest_delay!r} is shorter than first_delay={first_delay!r}")
        check_store(store)
        if on_store_error not in ("allow", "deny"):
            raise ConfigurationError(f'on_store_error= is "allow" or "deny", not {on_store_error!r}')
        check_clock(clock)
        self._by_user = Delays(free_failures, first_delay, longest_delay, forget_after)
        self._by_user_more_widely = Delays(WIDER * free_failures, first_delay, longest_delay, forget_after)
        self._by_network = Delays(network_failures, first_delay, longest_delay, forget_after)
        self._shared = Networks(shared_networks)
        self._store = store
        self._denies = on_store_error == "deny"
        self._devices: Devices | None = None
        if device_secret is not None:
            from middleware.auth.throttle.devices import Devices

            self._devices = Devices(device_secret, device_life, clock)
        self._clock = clock
        self._lock = Lock()
        self._loud: dict[str, float] = {}  # networks from which something failed, and until when that matters
        self._all_loud = float("-inf")  # until when it may matter for networks that had no room there
        self._told = float("-inf")

    def __repr__(self) -> str:
        return f"<Throttle from the failure {self._by_user.free} for a name, {self._by_network.free} for a network>"

    @property
    def sets_cookies(self) -> bool:
        """Whether it leaves cookies with `put_cookie`."""
        return self._devices is not None

    def is_loud(self, environ: WSGIEnvironment) -> bool:
        """Whether this process has seen failures from the network (/24 or /48) of this client lately.

        Or from too many networks to tell. If so, credentials that are remembered count as a try too: they would tell a
        right guess from a wrong one.
        """
        if not self._loud:  # 0.1 us, where the network takes 1
            return False
        now = self._clock()
        if now < self._all_loud:
            return True
        until = self._loud.get(_whole_network(environ))
        return until is not None and now < until

    # What an attempt does with it

    def counters(self, environ: WSGIEnvironment, user: str) -> list[Counter]:
        """What a try for this user counts on. The key of the first tells apart who tries, and for whom."""
        from middleware.auth.throttle.counters import Counter, key_of

        name = _name(user)
        device = None if self._devices is None else self._devices.known(environ, name)
        if device is not None:
            return [Counter(key_of("device", device, name), self._by_user)]
        address = _address(environ)
        network = network_of(address)
        wider = wider_network(network)
        counters = [Counter(key_of("user", network, name), self._by_user)]
        if wider != network and network not in _OF_THIS_MACHINE:
            counters.append(Counter(key_of("user", wider, name), self._by_user_more_widely, forgives=True))
        if not network or address in self._shared:
            _say_what_is_behind(environ, network)
        else:
            counters.append(Counter(key_of("network", wider), self._by_network))
        return counters

    def begin(self, environ: WSGIEnvironment, counters: list[Counter]) -> Try:
        """Count one more try. Raises Throttled, and Unavailable where a store that is down denies everybody."""
        from middleware.auth.schemes.base import Throttled, Unavailable
        from middleware.auth.throttle.counters import Delayed, begin

        try:
            try:
                begun = begin(self._store_for(environ), counters, self._clock)
            except StoreError:
                self._tell_unavailable(environ)
                if self._denies:
                    raise Unavailable from None
                begun = begin(self._own, counters, self._clock)
        except Delayed as delayed:
            self._hear(environ)
            raise Throttled(ceil(delayed.seconds)) from None
        if not begun.is_first:
            self._hear(environ)
        return begun

    def settle(self, environ: WSGIEnvironment, begun: Try, *, right: bool | None, forgives: bool = False) -> None:
        """Say how a try ended: `right` is None where it never came to be tried."""
        if right is False:
            self._hear(environ)
        try:
            if right is False:
                begun.fail()
            elif forgives:
                begun.forgive()
            else:
                begun.take_back()
        except StoreError:
            self._tell_unavailable(environ)

    def greet(self, environ: WSGIEnvironment, user: str) -> None:
        """Leave a cookie for the browser of somebody who has signed in."""
        if self._devices is not None:
            self._devices.greet(environ, _name(user))

    def _store_for(self, environ: WSGIEnvironment) -> Store:
        store = self._store
        if store is None:
            store = getattr(environ.get("middleware.auth"), "store", None)
        if store is None:
            store = self._own
        if environ.get("wsgi.multiprocess") or environ.get("wsgi.run_once"):
            _say_who_counts(store)
        return store

    @made_once
    def _own(self) -> MemoryStore:
        from middleware.stores.memory import MemoryStore

        return MemoryStore(max_bytes=OWN_BYTES)

    def _hear(self, environ: WSGIEnvironment) -> None:
        """Note that something failed in this network."""
        network = _whole_network(environ)
        now = self._clock()
        with self._lock:
            loud = self._loud
            loud.pop(network, None)
            while loud:
                oldest = next(iter(loud))
                if len(loud) < MOST_LOUD and loud[oldest] > now:
                    break
                self._all_loud = max(self._all_loud, loud.pop(oldest))
            loud[network] = now + self._by_user.longest

    def _tell_unavailable(self, environ: WSGIEnvironment) -> None:
        from middleware.auth.telling import tell

        now = self._clock()
        with self._lock:
            if 0 <= now - self._told < TOLD_EACH:
                return
            self._told = now
        tell(environ, "throttle.unavailable")


def _whole_network(environ: WSGIEnvironment) -> str:
    return wider_network(network_of(_address(environ)))


def _address(environ: WSGIEnvironment) -> str:
    address: str = environ.get("REMOTE_ADDR") or ""
    return without_port(address) if ":" in address else address


def _name(user: str) -> str:
    """What all spellings of a name have in common, those of nobody too."""
    from middleware.auth.names import normal_name

    return (normal_name(user) or user).lower()


def _say_what_is_behind(environ: WSGIEnvironment, network: str) -> None:
    if network not in _OF_THIS_MACHINE:  # a network that was named: it is known
        return
    if "HTTP_X_FORWARDED_FOR" in environ or "HTTP_FORWARDED" in environ:
        say_once(
            "logins come by a proxy on this machine, whose clients cannot be told apart when passwords are guessed: "
            "let the server put the client's address into REMOTE_ADDR, or ProxyMiddleware",
            logger="middleware.auth",
        )


def _say_who_counts(store: Store) -> None:
    from middleware.stores.memory import MemoryStore

    if isinstance(store, MemoryStore):
        say_once(
            "failed logins are counted in the memory of each process, and there are several: "
            'give AuthMiddleware(store=...) one that they share, such as SQLiteStore("auth.db")',
            logger="middleware.auth",
        )


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"{name}= is a number of failures above 0, not {value!r}")
