"""One application behind several layers, for servers in other processes: what arrives there, as JSON.

The first segment of a path says which layer: `plain` has no scheme that reads header fields of a proxy, `secret` and
`peer` one whose proof no client of the tests can give (but by SECRET), `dashless` one with a field that has no twin,
`server` those that take the server's word.
"""

from __future__ import annotations

import json

from auth_helpers import stored

from middleware.auth import AuthMiddleware, Basic, allow, optional, require
from middleware.auth.schemes.client_certificate import ClientCertificate
from middleware.auth.schemes.server_user import ServerUser
from middleware.auth.schemes.trusted_header import TrustedHeader

SECRET = "the proxy's own secret"
PROXY = {"peers": ["127.0.0.1"], "secret": SECRET}
USERS = {"ann": stored("apple")}
SCHEMES = {
    "plain": [],
    "secret": [TrustedHeader("X-Auth-User", groups="X-Auth-Groups", **PROXY)],
    "peer": [TrustedHeader("X-Auth-User", groups="X-Auth-Groups", peers=["198.51.100.0/24"])],
    "dashless": [TrustedHeader("Xauthuser", groups="Xauthgroups", **PROXY)],
    "server": [ServerUser(), ClientCertificate("san:email")],
}


def tells_all(environ, start_response):
    """Who is there, and every field that arrived."""
    identity = environ["middleware.identity"]
    told = {
        "user": identity and identity.user,
        "roles": sorted(identity.roles) if identity else [],
        "REMOTE_USER": environ.get("REMOTE_USER"),
        "AUTH_TYPE": environ.get("AUTH_TYPE"),
        "fields": {key: value for key, value in environ.items() if key.startswith("HTTP_")},
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]


LAYERS = {
    name: AuthMiddleware(tells_all, [*schemes, Basic(USERS)], rules=[allow("/pub"), optional("/maybe"), require("/")])
    for name, schemes in SCHEMES.items()
}


def application(environ, start_response):
    _, name, rest = environ["PATH_INFO"].split("/", 2)
    environ["PATH_INFO"] = f"/{rest}"
    return LAYERS[name](environ, start_response)
