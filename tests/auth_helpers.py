"""What the tests of the auth room share: cheap stored passwords, Basic credentials, an application that tells."""

from __future__ import annotations

from base64 import b64encode

from middleware.auth.passwords.base64_text import to_text
from middleware.auth.passwords.scrypt import derive


def stored(password, rounds=4):
    """A scrypt password that costs next to nothing."""
    salt = b"a salt, 16 bytes"
    made = derive(password.encode(), salt, rounds, 8, 1, 32)
    return f"$scrypt$ln={rounds},r=8,p=1${to_text(salt)}${to_text(made)}"


def basic(user="ann", password="apple", encoding="utf-8"):
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode(encoding)).decode()}


def who(environ, start_response):
    """Says what the layer has left for the application."""
    identity = environ["middleware.identity"]
    text = f"{identity.user if identity else None} {environ.get('REMOTE_USER')} {environ.get('AUTH_TYPE')}"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
