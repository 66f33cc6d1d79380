"""Who a request came through: whether what its header fields say of the user is said by a proxy of the site.

The rule: fields are believed only with a proof, which is the network of the direct peer, a shared secret in a field of
its own, or both; and whatever a proof is about is taken out of environ on every request, believed or not.
"""

from __future__ import annotations

from middleware.errors import ConfigurationError
from middleware.headers import environ_key
from middleware.networks import Networks
from middleware.operators import say_once
from middleware.signing import check_secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from wsgiref.types import WSGIEnvironment

    from middleware.signing import Secret

_TOKEN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")
_NO_PROOF = "peers=[...], the networks of its proxies, or secret=..., which they send in a field of its own, or both"


class Proof:
    """What shows that a request came through a proxy of the site.

    `peers`: the networks in which the direct peer is, `middleware.peer` or else REMOTE_ADDR. `secret`: what the proxy
    sends in the field `secret_header`; of a list all count, so that it can be changed. With both, both must hold; a
    peer without an address, a Unix socket, is judged by the secret alone. Raises ConfigurationError.
    """

    __slots__ = ("_equal", "_kept", "_peers", "_secret_field", "_secrets")

    _equal: Callable[[bytes, bytes], bool]

    def __init__(self, of: str, peers: Sequence[str] | None, secret: Secret | None, secret_header: str) -> None:
        if peers is None and secret is None:
            raise ConfigurationError(f"{of} would believe everybody: give it {_NO_PROOF}")
        self._peers = None if peers is None else _networks(peers)
        self._secrets = () if secret is None else _sendable(check_secrets(secret))
        self._secret_field = Field(secret_header, "secret_header")
        self._kept = f"middleware.auth.{secret_header.lower()}"
        if self._secrets:
            from hmac import compare_digest

            self._equal = compare_digest

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields that it looks at."""
        return (self._secret_field.name,) if self._secrets else ()

    def missing(self, environ: WSGIEnvironment) -> str | None:
        """What this request lacks: `"peer"` or `"secret"`; None where it is proved. The secret is taken out."""
        given = self._secret_field.take(environ)
        if given is not None:
            environ[self._kept] = _Kept(given)
        elif self._kept in environ:  # another proof has taken it
            given = environ[self._kept].secret
        peer = environ.get("middleware.peer")  # where a layer further out has put the client into REMOTE_ADDR
        address = (environ.get("REMOTE_ADDR") if peer is None else peer) or ""
        if self._peers is not None and address not in self._peers and (address or not self._secrets):
            return "peer"
        if self._secrets and not self._is_known(given or ""):
            return "secret"
        return None

    def _is_known(self, given: str) -> bool:
        try:
            sent = given.strip(" \t").encode("latin-1")
        except UnicodeEncodeError:
            return False
        return any([self._equal(sent, secret) for secret in self._secrets])  # noqa: C419 - in the same time for each


class _Kept:
    """A secret that does not show where environ is printed."""

    __slots__ = ("secret",)

    def __init__(self, secret: str) -> None:
        self.secret = secret


class Field:
    """A header field that only a proxy may send, and the places in environ where servers put what is called so."""

    __slots__ = ("_key", "_twins", "name")

    def __init__(self, name: str, option: str) -> None:
        if not isinstance(name, str) or not name or not set(name) <= _TOKEN:
            raise ConfigurationError(f"{option}= is the name of a header field, of letters, digits and -, not {name!r}")
        if name.lower() in ("content-type", "content-length", "host", "cookie"):
            raise ConfigurationError(f"{option}= names a field that only the proxy sends, which {name} is not")
        self.name = name
        upper = name.upper()
        self._key = environ_key(name)
        # `X.Auth.User:` and `X-Auth-User :` are other fields; what they say is not for the application either.
        self._twins = tuple({f"HTTP_{upper.replace('-', '.')}", f"{self._key} "} - {self._key})

    def take(self, environ: WSGIEnvironment) -> str | None:
        """What the field says, which is nowhere in environ from here on; None where it was not sent."""
        for twin in self._twins:
            environ.pop(twin, None)
        value: str | None = environ.pop(self._key, None)
        return value


def warn_of_twins(fields: Iterable[Field], of: str) -> None:
    """Tell the operator once that some servers take `X_Auth_User` for `X-Auth-User`: a client can add to what the proxy
    sends there.
    """
    for name in (field.name for field in fields if "-" in field.name):
        say_once(
            f"auth.proxy.twin_risk: {of} reads {name}, and a server that takes {name.replace('-', '_')} for the same "
            f"field lets clients add to it: have the proxy remove that one too, or call it {name.replace('-', '')}",
            logger="middleware.auth",
        )


def _networks(peers: Sequence[str]) -> Networks:
    networks = Networks(peers)
    if not len(networks):
        raise ConfigurationError(f"peers= names nobody: it takes {_NO_PROOF}")
    if any(network.endswith("/0") for network in peers):
        raise ConfigurationError("peers= names everybody, which proves nothing: name the networks of your proxies")
    return networks


def _sendable(secrets: tuple[bytes, ...]) -> tuple[bytes, ...]:
    for secret in secrets:
        if secret != secret.strip() or any(byte < 0x20 or byte == 0x7F for byte in secret):
            raise ConfigurationError(
                "secret= is sent in a header field: it has no control characters and no white space at its ends"
            )
    return secrets
