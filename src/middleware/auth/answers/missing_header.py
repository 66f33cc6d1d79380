"""Where Authorization is lost on its way: servers that hand it on only if they are told to. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NEED_IT = frozenset({"basic", "digest", "bearer"})


def cure_for_missing_header(environ: Mapping[str, object], schemes: Iterable[str]) -> str | None:
    """What to tell the operator about this request, which is refused for want of credentials; None where all is well.

    `schemes`: the names of those that were asked. A request that has Authorization, or comes from a server that always
    hands it on, lacks nothing.
    """
    if environ.get("HTTP_AUTHORIZATION") or _NEED_IT.isdisjoint(schemes):
        return None
    if any(key.startswith("mod_wsgi.") for key in environ):
        return (
            "a request came without Authorization, which mod_wsgi hands on only with WSGIPassAuthorization On in the "
            "configuration of Apache"
        )
    # Servers in Python say GATEWAY_INTERFACE too: there the field always arrives. mod_proxy_scgi does not say it.
    gateway = "GATEWAY_INTERFACE" in environ or "SCGI" in environ
    if gateway and str(environ.get("SERVER_SOFTWARE") or "Apache").startswith("Apache"):
        return (
            "a request came without Authorization, which Apache hands on to CGI, FastCGI and SCGI only with "
            "CGIPassAuth On in its configuration"
        )
    return None
