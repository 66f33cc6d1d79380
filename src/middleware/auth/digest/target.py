"""Is the `uri` of Digest credentials the target of this request? Pure (RFC 7616, section 3.4.6)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def is_target(uri: str, environ: WSGIEnvironment) -> bool:
    """Whether `uri` names what was asked for: the same path, percent-decoded once, and the very same query.

    Servers make one of several slashes at the beginning, so one is what several count for. A whole URL has to name the
    host of the request too.
    """
    if uri[:1] != "/":
        scheme, separator, rest = uri.partition("://")
        if not separator or scheme.lower() not in _DEFAULT_PORTS:
            return False
        authority = rest.partition("?")[0].partition("/")[0]
        if not authority or not _is_host(authority, scheme.lower(), environ):
            return False
        uri = rest[len(authority) :]
    path, _, query = uri.partition("?")
    asked: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return query == environ.get("QUERY_STRING", "") and _decoded(path).lstrip(b"/") == _bytes(asked).lstrip(b"/")


def _is_host(authority: str, scheme: str, environ: WSGIEnvironment) -> bool:
    host = environ.get("HTTP_HOST") or f"{environ.get('SERVER_NAME')}:{environ.get('SERVER_PORT')}"
    port = _DEFAULT_PORTS[scheme]
    return authority.lower().removesuffix(port) == host.lower().removesuffix(port)


def _decoded(path: str) -> bytes:
    data = _bytes(path)
    if b"%" not in data:
        return data
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(data)


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "replace")
