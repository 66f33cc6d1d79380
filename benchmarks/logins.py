"""Basic credentials that were verified before, beside Paste's handler; bearer tokens, beside joserfc without WSGI; what
anybody may see, beside a layer that looks its rule up and passes on."""

from __future__ import annotations

from base64 import b64encode
from functools import partial
from time import time
from typing import TYPE_CHECKING

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from paste.auth.basic import AuthBasicHandler

from benchmarks.kernel import BARE, hello
from benchmarks.method import Case, Row, ask, serve
from middleware import AuthMiddleware, Basic, allow, require
from middleware.auth.passwords import hash_password
from middleware.auth.rules.table import Rules
from middleware.auth.schemes.bearer import Bearer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from middleware.auth import Rule

PASSWORDS = {"alice": "correct horse battery"}
USERS = {user: hash_password(password) for user, password in PASSWORDS.items()}
REALM = "benchmark"
SECRET = OctKey.import_key("a secret of the benchmarks, of 32 bytes or more")
CLAIMS = {"iss": "https://op.example", "aud": "api", "sub": "alice", "exp": int(time()) + 86400}
TOKEN = jwt.encode({"alg": "HS256", "typ": "at+jwt"}, CLAIMS, SECRET)


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


def our_tokens(app: WSGIApplication, remember: float) -> WSGIApplication:
    keys = {"keys": [SECRET.as_dict()]}
    scheme = Bearer(issuer="https://op.example", audience="api", keys=keys, algorithms=["HS256"], remember_for=remember)
    return AuthMiddleware(app, [scheme], rules=[require("/")])


def check_tokens(remember: float) -> None:
    """Alice gets in by her token, and by no other."""
    assert ask(our_tokens(who, remember), HTTP_AUTHORIZATION=f"Bearer {TOKEN}").body == b"alice"
    assert ask(our_tokens(who, remember), HTTP_AUTHORIZATION=f"Bearer {TOKEN[:-4]}AAAA").status.startswith("401")


_REQUIRED = jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": CLAIMS["iss"]},
    aud={"essential": True, "value": CLAIMS["aud"]},
    sub={"essential": True},
    exp={"essential": True},
)


def joserfc_alone(token: str = TOKEN) -> str:
    claims = jwt.decode(token, SECRET, algorithms=["HS256"]).claims
    _REQUIRED.validate(claims)
    return claims["sub"]  # type: ignore[no-any-return]


def check_joserfc() -> None:
    assert joserfc_alone() == "alice"
    try:
        joserfc_alone(f"{TOKEN[:-4]}AAAA")
    except JoseError:
        return
    raise AssertionError("joserfc took a bad signature")


class LooksItsRuleUp:
    """The least that a layer with rules could do: look one up and pass on."""

    def __init__(self, app: WSGIApplication, rules: list[Rule]) -> None:
        self.app = app
        self.rules = Rules(rules)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        rule = self.rules.rule_for(environ["SCRIPT_NAME"] + environ["PATH_INFO"], environ["REQUEST_METHOD"])
        assert rule.kind == "allow"
        return self.app(environ, start_response)


def _allowed(title: str, rules: list[Rule]) -> Row:
    """A request that anybody may make, by the last of these rules."""

    def case(name: str, app: WSGIApplication) -> Case:
        def check() -> None:
            assert ask(app).body == b"hello"

        return Case(name, serve(app), check)

    ours = case(f"{title}: AuthMiddleware", AuthMiddleware(hello, Basic(USERS), rules=rules))
    return Row(
        title,
        ours,
        case("a look-up and pass on", LooksItsRuleUp(hello, rules)),
        target=1.0,
        ours_base=BARE,
        peer_base=BARE,
    )


def rows() -> list[Row]:
    def bearer(name: str, remember: float) -> Case:
        run = serve(our_tokens(hello, remember), HTTP_AUTHORIZATION=f"Bearer {TOKEN}")
        return Case(name, run, partial(check_tokens, remember))

    alone = Case("joserfc alone", joserfc_alone, check_joserfc)

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
        ),
        Row("Bearer JWT, first", bearer("Bearer", 0), alone, target=1.15, ours_base=BARE),
        Row("Bearer JWT, remembered", bearer("Bearer, remembered", 60), alone, target=0.10, ours_base=BARE),
        _allowed("allowed to anybody", [allow("/")]),
        _allowed("allowed to anybody, 1,000 rules", [*(require(f"/{n}/a") for n in range(999)), allow("/")]),
    ]
