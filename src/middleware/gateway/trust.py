"""Whose word is taken: the networks of the proxies, and the Unix socket where it is named."""

from __future__ import annotations

from functools import lru_cache

from middleware.errors import ConfigurationError
from middleware.networks import Networks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UNIX = "unix"
# What servers put into REMOTE_ADDR for whoever speaks to them by a Unix socket: gunicorn, nginx, waitress, Werkzeug.
_SOCKETS = frozenset({"", "unix:", "localhost", "<local>"})

# From where nobody else than a proxy is likely to send fields of proxies.
NEAR = Networks(["127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"])

# Whoever names both, be it by `/0`, by two halves or by `::ffff:0:0/96`, names everybody.
_ENDS = (("0.0.0.0", "255.255.255.255"), ("::", ":".join(["ffff"] * 8)))  # noqa: S104


class Trust:
    """`Trust(["10.0.0.0/8", "unix"])("10.1.2.3")`: whether a peer or an entry is one of the proxies.

    "unix" stands for peers without an address. Raises ConfigurationError.
    """

    __slots__ = ("_asked", "_sockets")

    _asked: Callable[[str], bool]

    def __init__(self, given: Sequence[str]) -> None:
        if isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
            raise ConfigurationError(f'trust= is a list of networks such as ["10.0.0.0/8"], not {given!r}')
        texts = list(given)
        if not texts:
            raise ConfigurationError(f"trust= names nobody: {WHAT_TO_WRITE}")
        networks = Networks([text for text in texts if text != UNIX])
        if any(first in networks and last in networks for first, last in _ENDS):
            raise ConfigurationError(
                "trust= names everybody, who could then claim any address: name the networks of your proxies, or, "
                "where nobody else can reach this port, say hops=1"
            )
        # The same few proxies and clients are asked about again and again: 0.1 us in place of 3.
        self._asked = lru_cache(maxsize=1024)(networks.__contains__)
        self._sockets = _SOCKETS if UNIX in texts else frozenset[str]()

    def __call__(self, address: str) -> bool:
        """Whether the peer or the entry is one of them; it is an address or what servers say in its place."""
        return self._asked(address) or address in self._sockets


WHAT_TO_WRITE = (
    f'say trust=["10.0.0.0/8"], the networks of your proxies ("{UNIX}" for a Unix socket), or hops=1, how many they are'
)
