"""What the tests of signed tokens share: keys, tokens good and bad, and an issuer that does what it is told."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from functools import cache

from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from middleware.auth import AuthMiddleware
from middleware.auth.schemes.bearer import Bearer
from middleware.testing import FakeClock

NOW = 1_700_000_000.0
ISSUER = "https://op.example"
DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"
JWKS = f"{ISSUER}/keys"
AUDIENCE = "api"
SECRET = b"a secret of the tests of 32 bytes, or more"


def rsa(kid="rsa-1"):
    return _generated(RSAKey, 2048, kid)


def ec(kid="ec-1", curve="P-256"):
    return _generated(ECKey, curve, kid)


def okp(kid="okp-1"):
    return _generated(OKPKey, "Ed25519", kid)


@cache
def _generated(family, parameter, kid):
    return family.generate_key(parameter, {"kid": kid})


def secret():
    return OctKey.import_key(SECRET)


def public(*keys, **members):
    """A JWK set of these keys."""
    return {"keys": [{**key.as_dict(private=False), **members} for key in keys]}


def encoded(data):
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**changes):
    """Good claims; None leaves one out."""
    made = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": NOW + 600, "iat": NOW - 10, **changes}
    return {name: value for name, value in made.items() if value is not None}


def header(**changes):
    made = {"alg": "RS256", "typ": "at+jwt", "kid": "rsa-1", **changes}
    return {name: value for name, value in made.items() if value is not None}


def signed(head, payload, key=None, algorithm=None):
    """A token of any header and payload, objects or bytes, truly signed."""
    algorithm = algorithm or (head["alg"] if isinstance(head, dict) else "RS256")
    signing = f"{encoded(head)}.{encoded(payload)}"
    made = JWSRegistry.algorithms[algorithm].sign(signing.encode(), key or rsa())
    return f"{signing}.{encoded(made)}"


def token(*, key=None, head=None, **changes):
    """A good token, with these claims changed."""
    return signed(header(**(head or {})), claims(**changes), key)


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


class Issuer:
    """An issuer behind `fetch=`: what it publishes, and what was fetched from it. `fails` is raised if it is set."""

    def __init__(self, *keys):
        self.document = public(*(keys or (rsa(),)))
        self.metadata = {"issuer": ISSUER, "jwks_uri": JWKS}
        self.fails = None
        self.asked = []

    def __call__(self, url):
        self.asked.append(url)
        if self.fails is not None:
            raise self.fails
        return json.dumps(self.metadata if url == DISCOVERY else self.document).encode()

    @property
    def fetches(self):
        """How often the keys were asked for."""
        return self.asked.count(JWKS)


class Site:
    """An application behind Bearer, with its clock and its events."""

    def __init__(self, app, fetch=None, *, rules=None, store=None, **options):
        self.clock = FakeClock(NOW)
        self.events = []
        if "verify" not in options:
            options = {"issuer": ISSUER, "audience": AUDIENCE, **options}
        if fetch is not None:
            options["fetch"] = fetch
        self.scheme = Bearer(clock=self.clock, **options)
        self.app = AuthMiddleware(
            app, self.scheme, rules=rules, store=store, on_event=self.events.append, clock=self.clock
        )

    def __call__(self, environ, start_response):
        return self.app(environ, start_response)

    def told(self, name):
        """The reasons of the events of this name."""
        return [event.details.get("reason") for event in self.events if event.name == name]
