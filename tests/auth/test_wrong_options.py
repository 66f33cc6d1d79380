"""Options that mean nothing are said at construction, each in a sentence that names it."""

from __future__ import annotations

import pytest
from asking import ask
from auth_helpers import stored, who

from middleware import (
    Account,
    ApiKey,
    AuthMiddleware,
    AuthTkt,
    Basic,
    Bearer,
    ClientCertificate,
    Digest,
    Htpasswd,
    ServerUser,
    SessionLogin,
    hash_password,
    optional,
    require,
)
from middleware.auth import UsersFrom
from middleware.errors import ConfigurationError
from middleware.integrations.flask import by_identity

USERS = {"ann": stored("apple")}
HA1S = {"ann": "0" * 64}
SECRET = "a secret of the test, 32 characters"

SWITCHES = {
    "mounted": lambda **option: AuthMiddleware(who, Basic(USERS), **option),
    "case_insensitive": lambda **option: AuthMiddleware(who, Basic(USERS), **option),
    "ignore_bad": lambda **option: optional("/", **option),
    "shared": lambda **option: require("/", **option),
    "preflight": lambda **option: require("/", **option),
    "disabled": lambda **option: Account("", **option),
    "plain": lambda **option: Htpasswd("users", **option),
    "case_map": lambda **option: UsersFrom(USERS.get, **option),
    "sess": lambda **option: Digest(HA1S, realm="App", secret=SECRET, **option),
    "userhash": lambda **option: Digest(HA1S, realm="App", secret=SECRET, **option),
    "legacy_typ": lambda **option: Bearer(issuer="https://op.example", audience="api", **option),
    "allow_insecure": lambda **option: Bearer(issuer="https://op.example", audience="api", **option),
    "include_ip": lambda **option: AuthTkt(secret=SECRET, timeout=60, **option),
    "require_verify": lambda **option: ClientCertificate("cn", **option),
}

CLOCKS = {
    "AuthMiddleware": lambda clock: AuthMiddleware(who, Basic(USERS), throttle=None, clock=clock),
    "Basic": lambda clock: Basic(USERS, clock=clock),
    "Digest": lambda clock: Digest(HA1S, realm="App", secret=SECRET, clock=clock),
    "Bearer": lambda clock: Bearer(verify=len, clock=clock),
    "ApiKey": lambda clock: ApiKey({}, clock=clock),
    "SessionLogin": lambda clock: SessionLogin(USERS, clock=clock),
    "ClientCertificate": lambda clock: ClientCertificate("cn", clock=clock),
    "AuthTkt": lambda clock: AuthTkt(secret=SECRET, timeout=60, clock=clock),
    "Htpasswd": lambda clock: Htpasswd("users", clock=clock),
}

WRONG = {
    "scrub=": lambda: AuthMiddleware(who, Basic(USERS), scrub=None),
    "methods are a list": lambda: require("/", methods=5),
    "role=": lambda: require("/", role=5),
    "schemes= takes a list": lambda: require("/", schemes=5),
    "schemes= takes the names": lambda: require("/", schemes=[Basic(USERS)]),
    "not there: Basic; there is basic": lambda: AuthMiddleware(
        who, Basic(USERS), rules=[require("/", schemes=["Basic"])]
    ),
    "forms= are a list": lambda: UsersFrom(USERS.get, forms=5),
    "needs audience=": lambda: Bearer(issuer="https://op.example", audience=5),
    "roles= is the name of a claim": lambda: Bearer(issuer="https://op.example", audience="api", roles=5),
    "leave out legacy_typ=, leeway=": lambda: Bearer(verify=len, leeway=5, legacy_typ=True),
    "finds a user by name": lambda: by_identity("find_user"),
    "maps 'ann' to a role": lambda: ServerUser(roles={"ann": 5}),
    "not 'staff'": lambda: ClientCertificate("cn", roles={"staff": ["admin"]}),
    "maps 'issuer:CN=A' to a role": lambda: ClientCertificate("cn", roles={"issuer:CN=A": None}),
    "login_page=": lambda: AuthTkt(secret=SECRET, timeout=60, login_page=5),
    "next_field=": lambda: AuthTkt(secret=SECRET, timeout=60, next_field=5),
}


@pytest.fixture(autouse=True)
def _a_file_of_users(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "users").write_text(f"ann:{USERS['ann']}\n", encoding="utf-8")


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_is_true_or_false_and_never_a_word(name):
    with pytest.raises(ConfigurationError, match=f"{name}= is True or False"):
        SWITCHES[name](**{name: "no"})


def test_a_word_lets_no_plain_text_be_a_password():
    with pytest.raises(ConfigurationError, match="case_map="):
        Htpasswd("users", case_map="no")
    with pytest.raises(ConfigurationError, match="plain="):
        Htpasswd("users", plain="no")


@pytest.mark.parametrize("name", CLOCKS)
def test_a_clock_can_be_asked(name):
    with pytest.raises(ConfigurationError, match="clock= is a function"):
        CLOCKS[name](5)


@pytest.mark.parametrize("says", WRONG)
def test_what_means_nothing_is_said_in_a_sentence(says):
    with pytest.raises(ConfigurationError, match=says):
        WRONG[says]()


@pytest.mark.parametrize("password", [None, b"apple", 5])
def test_a_password_that_is_no_text_is_no_password(password):
    with pytest.raises(TypeError, match="a password is text"):
        hash_password(password)


@pytest.mark.parametrize("page", [b"<p>No.", None])
def test_a_page_that_is_no_text_says_so(page):
    with pytest.raises(TypeError, match="page= gives the HTML as text"):
        ask(AuthMiddleware(who, Basic(USERS), page=lambda *_: page), headers={"Accept": "text/html"})
