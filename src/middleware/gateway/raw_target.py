"""RawTargetMiddleware: SCRIPT_NAME and PATH_INFO anew, from the request's target as the client wrote it."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from middleware.errors import ConfigurationError
from middleware.gateway.pages import page
from middleware.options import a_switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_HEX = frozenset("0123456789abcdefABCDEF")
_NO_PART_OF_A_TARGET = frozenset([*map(chr, range(33)), "\x7f", "#"])


class RawTargetMiddleware:
    """Read SCRIPT_NAME and PATH_INFO from REQUEST_URI or RAW_URI, for gateways that break them.

    It stands inside of GatewayMiddleware or outside of it: both work.

    `mount`: the path at which the application is, such as "/app"; "" for the root of the site. What is not below it is
        answered 404.
    `decoded`: the target is decoded already, as that of `gunicorn --protocol uwsgi` is, which decodes PATH_INFO once
        more.

    A target that is no path, percent-encoded where it must be and without NUL, is answered 400; of an absolute one
    (`http://host/path`) the path counts; `*` is passed on as it is, and so is a request without a target.
    What the server in front has made of the path is undone, so its own rules by path no longer bind what arrives here.
    Raises ConfigurationError for a `mount` that is no path, and a `decoded` that is not True or False.
    """

    def __init__(self, app: WSGIApplication, *, mount: str = "", decoded: bool = False) -> None:
        self.app = app
        if not isinstance(mount, str) or (mount and (mount[0] != "/" or mount[-1] == "/" or "%" in mount)):
            raise ConfigurationError(
                f'mount= is "" or a path that is not percent-encoded and has no slash at its end, "/app", not {mount!r}'
            )
        self._decoded = a_switch("decoded", decoded)
        self._mount = mount.encode("utf-8", "surrogateescape").decode("latin-1")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        target = environ.get("REQUEST_URI") or environ.get("RAW_URI")
        if not target or target == "*":
            return self.app(environ, start_response)
        path = path_as_it_is(target, environ.get("QUERY_STRING") or "") if self._decoded else path_of(target)
        if path is None:
            return page("400 Bad Request", "The target of the request is no path.")(environ, start_response)
        mount = self._mount
        if mount and path != mount and not path.startswith(f"{mount}/"):
            return page("404 Not Found", "There is nothing here.")(environ, start_response)
        environ["SCRIPT_NAME"] = mount
        environ["PATH_INFO"] = path[len(mount) :]
        return self.app(environ, start_response)


def path_as_it_is(target: object, query: str) -> str | None:
    """The path in a target that is decoded already, and so may have question marks that begin no query."""
    if not isinstance(target, str):
        return None
    path = target.removesuffix(f"?{query}") if query else target
    return None if not path.startswith("/") or max(path) > "\xff" or "\0" in path else path


def path_of(target: object) -> str | None:
    """The path in a request's target, its bytes as latin-1 text; None where there is none or it cannot be read."""
    if not isinstance(target, str):
        return None
    path = target.partition("?")[0]
    scheme, colon, rest = path.partition("://")
    if colon and scheme.lower() in ("http", "https"):
        authority, slash, rest = rest.partition("/")
        path = slash + rest or "/"
        if not authority:
            return None
    if not path.startswith("/") or max(path) > "\xff" or not _NO_PART_OF_A_TARGET.isdisjoint(path):
        return None
    if "%" not in path:
        return path
    if not all(_HEX.issuperset(part[:2]) and len(part) > 1 for part in path.split("%")[1:]):
        return None
    found = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
    return None if "\0" in found else found
