"""Basic authentication, from the header field to what the application finds."""

from __future__ import annotations

from base64 import b64encode

import pytest
from asking import ask, make_environ
from auth_helpers import basic, stored, who
from hypothesis import given
from hypothesis import strategies as st

from middleware.auth import (
    AuthMiddleware,
    Basic,
    allow,
    get_identity,
    optional,
    require,
)
from middleware.auth.schemes.base import Refused
from middleware.auth.schemes.basic import credentials
from middleware.errors import ConfigurationError, LayerMissing

USERS = {"ann": stored("apple"), "bob": stored("s3:cret"), "jäsøn": stored("päss"), "test": stored("123£")}


def encoded(pair):
    return b64encode(pair).decode()


GOOD = encoded(b"ann:apple")


@pytest.fixture
def app():
    return AuthMiddleware(who, Basic(USERS, realm="App"))


def test_right_credentials_reach_the_application_as_an_identity(app):
    assert ask(app, headers=basic()).text == "ann ann Basic"


def test_no_credentials_are_asked_for(app):
    answer = ask(app)
    assert answer.code == 401
    assert answer.all("WWW-Authenticate") == ['Basic realm="App", charset="UTF-8"']
    assert answer.header("Cache-Control") == "no-store"


def test_quotes_in_the_realm_are_escaped():
    app = AuthMiddleware(who, Basic(USERS, realm='a "b" \\c'))
    assert ask(app).header("WWW-Authenticate") == 'Basic realm="a \\"b\\" \\\\c", charset="UTF-8"'


@pytest.mark.parametrize("realm", ["a\nb", "a\0", "Büro", 7])
def test_a_realm_that_no_header_can_hold_is_refused(realm):
    with pytest.raises(ConfigurationError):
        Basic(USERS, realm=realm)


@pytest.mark.parametrize("users", ["users.htpasswd", 7, None, dict])
def test_what_is_no_source_of_users_is_refused(users):
    with pytest.raises(ConfigurationError, match="users="):
        Basic(users)


@pytest.mark.parametrize("field", ["", " ", "Negotiate YII=", "Bäsic " + GOOD, "Negotiate " + "A" * 9000])
def test_what_is_not_basic_is_nobody(field):
    app = AuthMiddleware(who, Basic(USERS), rules=[optional("/")])
    assert ask(app, HTTP_AUTHORIZATION=field).text == "None None None"


@pytest.mark.parametrize("field", ["Basic", "Basic\tx", "Basic !!!", "Basic " + encoded(b"ann:wrong"), "basic " * 2000])
def test_bad_credentials_are_refused_where_they_are_optional_too(field):
    app = AuthMiddleware(who, Basic(USERS), rules=[optional("/")])
    assert ask(app, HTTP_AUTHORIZATION=field).code == 401


@pytest.mark.parametrize(
    ("field", "code"),
    [
        (f"Bearer x, Basic {GOOD}", 400),
        (f"Negotiate x,basic\t{GOOD}", 400),
        (f", Basic {GOOD}", 400),
        ('Digest username="Basic x, Basic y", qop=auth', 200),
    ],
)
def test_credentials_that_come_twice_are_refused_in_whatever_order(field, code):
    app = AuthMiddleware(who, Basic(USERS), rules=[optional("/")])
    assert ask(app, HTTP_AUTHORIZATION=field).code == code


def test_the_example_of_the_standard_is_read():
    assert credentials("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") == ("Aladdin", "open sesame")


@given(st.one_of(st.text(), st.text().map("Basic ".__add__), st.binary().map(lambda data: "Basic " + encoded(data))))
def test_no_field_makes_the_parser_fail(field):
    found = credentials(field)
    assert found is None or isinstance(found, Refused) or [type(part) for part in found] == [str, str]


@given(user=st.text(min_size=1).filter(lambda text: text.isprintable() and ":" not in text), password=st.text())
def test_every_name_and_password_comes_through(user, password):
    try:
        field = "Basic " + encoded(f"{user}:{password}".encode())
    except UnicodeEncodeError:
        return
    assert credentials(field) == (user, password)


def test_wrong_and_unknown_get_the_very_same_answer(app):
    wrong, unknown = ask(app, headers=basic("ann", "x")), ask(app, headers=basic("eve", "x"))
    assert (wrong.status, wrong.headers, wrong.body) == (unknown.status, unknown.headers, unknown.body)


def test_remote_user_is_text_or_as_wsgi_has_it():
    fields = basic("jäsøn", "päss")
    assert ask(AuthMiddleware(who, Basic(USERS)), headers=fields).text == "jäsøn jäsøn Basic"
    app = AuthMiddleware(who, Basic(USERS), remote_user_encoding="wsgi")
    assert ask(app, headers=fields).text == f"jäsøn {'jäsøn'.encode().decode('latin-1')} Basic"


@pytest.mark.parametrize("rule", [allow("/"), optional("/"), require("/x")], ids=repr)
def test_a_preset_user_is_never_believed(rule):
    app = AuthMiddleware(who, Basic(USERS), rules=[rule])
    assert "root" not in ask(app, REMOTE_USER="root", AUTH_TYPE="Basic").text


def test_an_account_of_the_application_gives_roles_and_a_name():
    class Person:
        hash = stored("apple")
        roles = ("admin",)
        name = "Ann A."

    seen = []

    def app(environ, start_response):
        seen.append(get_identity(environ))
        return who(environ, start_response)

    ask(AuthMiddleware(app, Basic({"ann": Person()}.get, clock=lambda: 1234.0)), headers=basic())
    assert [(one.user, one.scheme, one.name, one.roles) for one in seen] == [
        ("ann", "basic", "Ann A.", frozenset({"admin"}))
    ]
    assert seen[0].authenticated_at == 1234.0
    with pytest.raises(AttributeError):
        seen[0].user = "bob"


def test_the_identity_needs_the_layer():
    with pytest.raises(LayerMissing, match="AuthMiddleware"):
        get_identity(make_environ())
