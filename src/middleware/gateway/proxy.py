"""ProxyMiddleware: what the trusted proxies in front say of client, scheme and host, where all others look for it."""

from __future__ import annotations

from functools import lru_cache

from middleware.errors import ConfigurationError
from middleware.gateway.connection import DEFAULT_PORTS, host_of, last, port_of, prefix_of, scheme_of
from middleware.gateway.proxies import MOST, client_by_count, client_by_trust, elements, listed
from middleware.gateway.trust import NEAR, WHAT_TO_WRITE, Trust
from middleware.headers import environ_key
from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.gateway.proxies import Hop

PEER = "middleware.peer"
FORWARDED = "middleware.forwarded"

_STANDARD = "Forwarded"
_LONGEST_REMEMBERED = 256  # characters of the field of addresses
_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")
_NOT_OF_PROXIES = frozenset({"host", "cookie", "authorization", "content-type", "content-length"})
# Taken out of environ, so that nothing further in believes them, whether they were believed here or not.
_FAMILY = (
    "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Proto",
    "X-Forwarded-Scheme", "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Real-IP",
)  # fmt: skip


class ProxyMiddleware:
    """Put what trusted proxies say of the client, the scheme and the host into environ.

    It stands outside of all other layers but GatewayMiddleware.

    One of two says whom to believe; without either it is a ConfigurationError:

    `trust`: networks and addresses of the proxies, and "unix" for a peer on a Unix socket. From the peer on, each entry
        of `field` is taken from the right for as long as it was written by one of them; the first that is not one of
        them is the client.
    `hops`: how many proxies there are, 1 to 32, each adding an entry; the client is that entry from the right. For
        where nobody can reach this server past them: the peer is not looked at. Of fewer entries none is believed.

    `field`: where the client's address is: "X-Forwarded-For" or another list of addresses, such as "X-Real-IP", which
        has one; or "Forwarded" (RFC 7239). Only one is ever read. None: the peer is the client.
    `proto`: where the scheme is, `http` or `https`. "auto" is "X-Forwarded-Proto", or "Forwarded" if that is `field`.
    `host`: where the host is, with its port or without, such as "X-Forwarded-Host". None: Host is taken as it comes.
        With "Forwarded", scheme and host are those of the element in which the client was found.
    `port`: where the port is, such as "X-Forwarded-Port".
    `prefix`: where the path is that the proxy has taken off, such as "X-Forwarded-Prefix": it goes before SCRIPT_NAME.
        Of a list in these fields the last one counts, and what is no scheme, host, port or path is ignored.
    `keep_fields`: leave the fields of proxies in environ. False: all that are known or named are removed.

    It sets REMOTE_ADDR, REMOTE_PORT, `wsgi.url_scheme`, HTTPS, HTTP_HOST, SERVER_NAME, SERVER_PORT and SCRIPT_NAME
    (with REQUEST_URI and RAW_URI), each only where a proxy said so, and always `middleware.peer`, the address of the
    direct peer.
    `middleware.forwarded` is a dict of the fields that were removed, by their names in environ.
    Raises ConfigurationError for any option that is not as said here.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        trust: Sequence[str] | None = None,
        hops: int | None = None,
        field: str | None = "X-Forwarded-For",
        proto: str | None = "auto",
        host: str | None = None,
        port: str | None = None,
        prefix: str | None = None,
        keep_fields: bool = False,
    ) -> None:
        self.app = app
        if trust is None and hops is None:
            raise ConfigurationError(f"ProxyMiddleware would believe nobody: {WHAT_TO_WRITE}")
        if trust is not None and hops is not None:
            raise ConfigurationError("trust= and hops= are two ways to find the client: give one of them")
        if hops is not None and (not isinstance(hops, int) or isinstance(hops, bool) or not 0 < hops <= MOST):
            raise ConfigurationError(f"hops= is a number of proxies from 1 to {MOST}, not {hops!r}")
        if hops is not None and field is None:
            raise ConfigurationError("hops= counts the entries of field=: name that, or say trust=")
        if type(keep_fields) is not bool:
            raise ConfigurationError(f"keep_fields= is True or False, not {keep_fields!r}")
        self._trust = None if trust is None else Trust(trust)

        if proto == "auto":
            proto = _STANDARD if _is_standard(field) else "X-Forwarded-Proto"
        named = {"field": field, "proto": proto, "host": host, "port": port, "prefix": prefix}
        self._by_element: tuple[bool, bool] | None = None
        if _is_standard(field):
            self._by_element = (proto is not None, host is not None)
            _check_all_in_one(named)
            named |= {"proto": None, "host": None}
        self._find = _finding(_is_standard(field), self._trust, hops)
        self._remembered = lru_cache(maxsize=1024)(self._find)  # who asks once asks again soon: 0.2 us in place of 4
        keys = {option: None if name is None else _key(name, option) for option, name in named.items()}
        self._field, self._proto, self._host, self._port, self._prefix = keys.values()
        used = [key for key in keys.values() if key]
        if len(used) > len(set(used)):
            raise ConfigurationError("field=, proto=, host=, port= and prefix= name a header field each, none twice")
        self._keep = keep_fields
        self._names = frozenset({*used, *(environ_key(name) for name in _FAMILY)})

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if PEER in environ:  # the truth has been found further out
            return self.app(environ, start_response)
        peer: str = environ.get("REMOTE_ADDR") or ""
        environ[PEER] = peer
        sent = environ.keys() & self._names
        if sent:
            given: dict[str, str] = {key: environ[key] for key in sent}
            if not self._keep:
                for key in sent:
                    del environ[key]
                environ[FORWARDED] = given
            self._believe(environ, given, peer)
        return self.app(environ, start_response)

    def _believe(self, environ: WSGIEnvironment, given: dict[str, str], peer: str) -> None:
        """Change environ as the fields say, if they are to be believed."""
        if self._trust is not None and not self._trust(peer):
            _say_who_is_not_trusted(peer)
            return
        hop: Hop | None = None
        addresses = given.get(self._field) if self._field else None
        if addresses is not None:
            hop = self._remembered(addresses) if len(addresses) <= _LONGEST_REMEMBERED else self._find(addresses)
        if hop is None and self._trust is None:
            return
        if hop is not None and hop.address:
            _set_client(environ, hop.address, hop.port)
        self._set_connection(environ, given, hop)

    def _set_connection(self, environ: WSGIEnvironment, given: dict[str, str], hop: Hop | None) -> None:
        """Scheme, host, port and prefix; a server that is reached by them has the port that they say."""
        proto, told_host = _last(given, self._proto), _last(given, self._host)
        if hop is not None and self._by_element:
            proto, told_host = hop.proto if self._by_element[0] else "", hop.host if self._by_element[1] else ""
        scheme = scheme_of(proto) if proto else ""
        host = host_of(told_host) if told_host else None
        port = port_of(_last(given, self._port)) if self._port else ""
        if scheme:
            _set_scheme(environ, scheme)
        if host is not None:
            environ["HTTP_HOST"] = told_host
            environ["SERVER_NAME"] = host[0]
        if scheme or host or port:
            name, named_port = host or host_of(environ.get("HTTP_HOST") or "") or ("", "")
            usual = DEFAULT_PORTS.get(environ.get("wsgi.url_scheme") or "", "")
            if port and name:
                environ["HTTP_HOST"] = name if port == usual else f"{name}:{port}"
            if port or name:
                environ["SERVER_PORT"] = port or named_port or usual
        if self._prefix and (prefix := prefix_of(_last(given, self._prefix))):
            _set_prefix(environ, prefix)


def _finding(standard: bool, trust: Trust | None, hops: int | None) -> Callable[[str], Hop | None]:
    """What reads the client from a field; None where there are fewer proxies than `hops`."""
    hops_in = elements if standard else listed
    if trust is not None:
        return lambda value: client_by_trust(hops_in(value), trust)
    return lambda value: client_by_count(hops_in(value), hops or 1)


def _set_client(environ: WSGIEnvironment, address: str, port: str) -> None:
    environ["REMOTE_ADDR"] = address
    environ.pop("REMOTE_HOST", None)  # that of the proxy, as is the port
    environ.pop("REMOTE_PORT", None)
    if port:
        environ["REMOTE_PORT"] = port


def _set_scheme(environ: WSGIEnvironment, scheme: str) -> None:
    environ["wsgi.url_scheme"] = scheme
    if "REQUEST_SCHEME" in environ:
        environ["REQUEST_SCHEME"] = scheme
    if scheme == "https":
        environ["HTTPS"] = "on"
    else:
        environ.pop("HTTPS", None)


def _set_prefix(environ: WSGIEnvironment, prefix: str) -> None:
    """The path as the client asked for it, also where servers tell it raw."""
    environ["SCRIPT_NAME"] = prefix + (environ.get("SCRIPT_NAME") or "")
    for key in ("REQUEST_URI", "RAW_URI"):
        target = environ.get(key)
        if target and target[0] == "/":
            environ[key] = prefix + target


def _last(given: dict[str, str], key: str | None) -> str:
    return last(given[key]) if key in given else ""


def _say_who_is_not_trusted(peer: str) -> None:
    if peer and peer not in NEAR:  # a client that tries
        return
    say_once(
        f"a request with fields of a proxy came from {peer or 'a Unix socket'}, which trust= does not name: nothing of "
        f'them was believed; if that is a proxy of yours, add "{peer or "unix"}"',
        logger="middleware.gateway",
    )


def _is_standard(name: object) -> bool:
    return isinstance(name, str) and name.lower() == "forwarded"


def _check_all_in_one(named: dict[str, str | None]) -> None:
    if named["port"] is not None:
        raise ConfigurationError('with field="Forwarded" the port is that of its host: leave port= out')
    for option in ("proto", "host"):
        if named[option] is not None and not _is_standard(named[option]):
            raise ConfigurationError(
                f'with field="Forwarded" nothing is read beside it: say {option}="Forwarded" or {option}=None'
            )


def _key(name: object, option: str) -> str:
    if not isinstance(name, str) or not name or not _NAME.issuperset(name) or name.lower() in _NOT_OF_PROXIES:
        raise ConfigurationError(
            f"{option}= is the name of a header field that only proxies set, such as X-Forwarded-For, not {name!r}"
        )
    if _is_standard(name) and option != "field":
        raise ConfigurationError(f'{option}="Forwarded" goes with field="Forwarded" only: one field is read, never two')
    return environ_key(name)
