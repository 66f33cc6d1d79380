"""What an application sees behind proxies."""

from __future__ import annotations

from asking import call, make_environ

from middleware import ProxyMiddleware

NETWORK = ["10.0.0.0/8"]


def seen(headers=None, *, peer="10.0.0.1", entries=None, **options):
    """The environ that an application gets, whose request came from `peer`; its proxies are in 10.0.0.0/8."""
    found = {}

    def app(environ, start_response):
        found.update(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"seen"]

    if not options.keys() & {"trust", "hops"}:
        options["trust"] = NETWORK
    environ = make_environ(headers=headers, **{"REMOTE_ADDR": peer, **(entries or {})})
    call(ProxyMiddleware(app, **options), environ)
    return found


def client(value, *, peer="10.0.0.1", field="X-Forwarded-For", **options):
    """REMOTE_ADDR behind the layer, for one value of the field of addresses."""
    return seen({field: value}, peer=peer, field=field, **options)["REMOTE_ADDR"]
