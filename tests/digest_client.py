"""A client of Digest for tests: it answers a challenge as it is told, rightly or wrongly, by code of its own."""

from __future__ import annotations

import hashlib
from urllib.request import parse_keqv_list

from asking import ask
from auth_helpers import who

from middleware.auth import AuthMiddleware
from middleware.auth.digest.sources import PlainPasswords
from middleware.auth.schemes.digest import Digest

SECRET = "a secret of the test, 32 characters"
PASSWORDS = {"ann": "apple", "jäsøn": 'p"ä:s\\s', 'o"hara': "back\\slash"}
BOTH = ("SHA-256", "MD5")
HASHES = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}


def hexed(algorithm, *parts):
    """H(part:part:part), text as UTF-8."""
    return HASHES[algorithm](":".join(parts).encode()).hexdigest()


def challenges(answer):
    """The parameters of each Digest challenge, in their order."""
    lines = [line for line in answer.all("WWW-Authenticate") if line.startswith("Digest ")]
    return [parse_keqv_list(line.removeprefix("Digest ").split(", ")) for line in lines]


def response(method, given, user, password, algorithm):
    """What proves the password."""
    made = hexed(algorithm.removesuffix("-sess"), user, given["realm"], password)
    if algorithm.endswith("-sess"):
        made = hexed(algorithm.removesuffix("-sess"), made, given["nonce"], given["cnonce"])
    ha2 = hexed(algorithm.removesuffix("-sess"), method, given["uri"])
    counted = [given[name] for name in ("nc", "cnonce", "qop") if name in given]
    return hexed(algorithm.removesuffix("-sess"), made, given["nonce"], *counted, ha2)


class Client:
    """Somebody with a name and a password, and the `nonce` in use: where it is None, that of the next challenge."""

    def __init__(self, app, user="ann", password="apple", **environ):
        self.app = app
        self.user = user
        self.password = password
        self.environ = environ
        self.nonce = None
        self.challenge = {}

    def challenged(self, algorithm=None):
        """Ask without credentials, and take the nonce that comes: that of this algorithm, or of the first offer."""
        offers = challenges(ask(self.app, **self.environ))
        self.challenge = next(offer for offer in offers if algorithm in (None, offer["algorithm"]))
        self.nonce = self.challenge["nonce"]
        return self.challenge

    def parameters(self, nc=1, method="GET", uri="/", password=None, **changed):
        """What the client sends, as a dict; a changed parameter that is None is left out."""
        if self.nonce is None:
            self.challenged()
        algorithm = changed.get("algorithm", self.challenge.get("algorithm", "SHA-256")) or "MD5"
        given = {
            "username": self.user,
            "realm": self.challenge.get("realm", "App"),
            "uri": uri,
            "algorithm": algorithm,
            "nonce": self.nonce,
            "nc": f"{nc:08x}" if isinstance(nc, int) else nc,
            "cnonce": "0a4f113b",
            "qop": "auth",
            **changed,
        }
        given = {name: value for name, value in given.items() if value is not None}
        if "response" not in given:
            known = algorithm if algorithm.removesuffix("-sess") in HASHES else "SHA-256"
            given["response"] = response(method, given, self.user, password or self.password, known)
        return given

    def field(self, *arguments, **changed):
        """The Authorization field, as most clients write it."""
        return written(self.parameters(*arguments, **changed))

    def get(self, nc=1, uri="/", method="GET", **changed):
        """The answer to a request with credentials."""
        field = self.field(nc, method, uri, **changed)
        return ask(self.app, uri, method, HTTP_AUTHORIZATION=field, **self.environ)


UNQUOTED = ("algorithm", "nc", "qop", "userhash", "username*")


def written(parameters):
    """Parameters as a field value: text in the form of WSGI."""
    parts = []
    for name, value in parameters.items():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        parts.append(f"{name}={value}" if name in UNQUOTED else f'{name}="{escaped}"')
    return "Digest " + ", ".join(parts).encode().decode("latin-1")


def digest(users=None, *, realm="App", secret=SECRET, **options):
    """The scheme, with the users above."""
    return Digest(PlainPasswords(PASSWORDS) if users is None else users, realm=realm, secret=secret, **options)


def protected(schemes=None, *, events=None, **options):
    """An application behind it; what happens goes into the list `events`."""
    listener = (lambda event: None) if events is None else events.append
    return AuthMiddleware(who, schemes or digest(), on_event=listener, **options)


def is_stale(answer):
    """Whether a client may try again with the new nonce, without asking its user."""
    assert answer.code == 401
    values = {challenge.get("stale") for challenge in challenges(answer)}
    assert len(values) == 1
    return values == {"true"}
