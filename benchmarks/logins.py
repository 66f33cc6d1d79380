"""Basic credentials that were verified before, beside Paste's handler."""

from __future__ import annotations

from base64 import b64encode
from functools import partial
from typing import TYPE_CHECKING

from paste.auth.basic import AuthBasicHandler

from benchmarks.kernel import BARE, hello
from benchmarks.method import Case, Row, ask, serve
from middleware import AuthMiddleware, Basic, require
from middleware.auth.passwords import hash_password

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PASSWORDS = {"alice": "correct horse battery"}
USERS = {user: hash_password(password) for user, password in PASSWORDS.items()}
REALM = "benchmark"


def authorization(password: str = PASSWORDS["alice"]) -> str:
    """What a browser sends once alice has typed this."""
    return "Basic " + b64encode(f"alice:{password}".encode()).decode()


def our_login(app: WSGIApplication) -> WSGIApplication:
    return AuthMiddleware(app, [Basic(USERS, realm=REALM)], rules=[require("/")])


def paste_login(app: WSGIApplication) -> WSGIApplication:
    def known(environ: WSGIEnvironment, user: str, password: str) -> bool:
        return PASSWORDS.get(user) == password

    return AuthBasicHandler(app, REALM, known)  # type: ignore[no-any-return]


def who(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Tells who is logged in."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["REMOTE_USER"].encode()]


def check(login: partial[WSGIApplication]) -> None:
    """Alice gets in as herself, and nobody with a wrong password or none."""
    assert ask(login(who), HTTP_AUTHORIZATION=authorization()).body == b"alice"
    for refused in ({}, {"HTTP_AUTHORIZATION": authorization("wrong")}):
        answer = ask(login(who), **refused)
        assert answer.status.startswith("401")
        assert (answer.field("WWW-Authenticate") or "").startswith(f'Basic realm="{REALM}"')


def rows() -> list[Row]:
    def case(name: str, login: partial[WSGIApplication]) -> Case:
        return Case(name, serve(login(hello), HTTP_AUTHORIZATION=authorization()), partial(check, login))

    return [
        Row(
            "Basic accepted",
            case("Basic", partial(our_login)),
            case("Paste AuthBasicHandler", partial(paste_login)),
            target=1.0,
            ours_base=BARE,
            peer_base=BARE,
        )
    ]
