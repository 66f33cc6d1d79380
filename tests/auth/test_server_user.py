"""The user whom the server has identified, and the one whom a layer outside has. TRU-5, TRU-6, API-8, API-17, T22."""

from __future__ import annotations

import pytest
from asking import ask
from auth_helpers import basic, stored, who
from hypothesis import given
from hypothesis import strategies as st

from middleware.auth import AuthMiddleware, Basic, allow, get_identity, optional, require
from middleware.auth.schemes.outer import Outer
from middleware.auth.schemes.server_user import ServerUser
from middleware.auth.schemes.trusted_header import TrustedHeader
from middleware.errors import ConfigurationError

ANN = {"REMOTE_USER": "ann", "AUTH_TYPE": "Negotiate"}
RULES = [allow("/pub"), optional("/maybe"), require("/")]
USERS = {"ann": stored("apple")}


@pytest.fixture
def app():
    return AuthMiddleware(who, ServerUser(), rules=RULES)


def tells_all(environ, start_response):
    identity = get_identity(environ)
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{identity.user} {sorted(identity.roles)} {identity.authenticated_at}".encode()]


def test_whom_the_server_names_is_identified_with_the_servers_auth_type(app):
    assert ask(app, **ANN).text == "ann ann Negotiate"
    assert ask(app, "/maybe", **{**ANN, "AUTH_TYPE": "shibboleth"}).text == "ann ann shibboleth"


@pytest.mark.parametrize("said", [{"AUTH_TYPE": ""}, {}, {"AUTH_TYPE": "Basic", "REMOTE_USER": ""}])
def test_a_name_without_a_word_of_how_it_was_proved_is_nobodys(app, said):
    assert ask(app, "/maybe", **{"REMOTE_USER": "ann", **said}).text == "None None None"
    assert ask(app, **{"REMOTE_USER": "ann", **said}).code == 401


def test_nobody_is_identified_where_the_rules_ask_for_nobody(app):
    assert ask(app, "/pub", **ANN).text == "None None None"


def test_an_identity_ends_with_the_request_that_had_it(app):
    assert ask(app, **ANN).code == 200
    assert ask(app).code == 401


@pytest.mark.parametrize("field", ["Remote-User", "REMOTE-USER", "Auth-Type", "X-Forwarded-User"])
def test_no_field_of_a_client_is_the_servers_word(app, field):
    assert ask(app, "/maybe", headers={field: "root", "Auth-Type": "Basic"}).text == "None None None"
    assert ask(app, "/maybe", headers={field: "root"}, AUTH_TYPE="Basic").text == "None None None"


@pytest.mark.parametrize("scheme", [Basic(USERS), TrustedHeader("Xauthuser", peers=["127.0.0.1"]), Outer()])
@pytest.mark.parametrize(
    ("path", "method"), [("/pub", "GET"), ("/maybe", "GET"), ("/pub", "OPTIONS"), ("/maybe", "OPTIONS")]
)
def test_without_this_scheme_what_the_server_says_is_removed(scheme, path, method):
    app = AuthMiddleware(who, scheme, rules=RULES)
    assert ask(app, path, method, REMOTE_USER="root", AUTH_TYPE="Basic").text == "None None None"


@pytest.mark.parametrize(
    ("given", "user"),
    [
        ("jäsøn".encode().decode("latin-1"), "jäsøn"),  # as PEP 3333 has it
        ("jäsøn", "jäsøn"),  # in the latin-1 of older clients
        ("Łukasz", "Łukasz"),  # as real text
        ("DOMAIN\\ann", "DOMAIN\\ann"),
        ("ann@EXAMPLE.COM", "ann@EXAMPLE.COM"),
    ],
)
def test_a_name_is_real_text_however_the_server_has_it(app, given, user):
    assert ask(app, **{**ANN, "REMOTE_USER": given}).text == f"{user} {user} Negotiate"


@pytest.mark.parametrize("user", ["ann smith", "an\0n", "ann\n", "\u202eann", "a" * 300, "/C=DE, CN=Ann Smith"])
def test_what_is_no_name_is_refused(app, user):
    for path in ("/", "/maybe"):
        assert ask(app, path, **{**ANN, "REMOTE_USER": user}).code == 401


@pytest.mark.parametrize("roles", [{"ann": ["staff"]}, {"ann": "staff"}, {"ann": ["staff"]}.get, lambda user: "staff"])
def test_roles_come_from_the_site(roles):
    app = AuthMiddleware(tells_all, ServerUser(roles=roles), rules=[require("/", role="staff")])
    assert ask(app, **ANN).text == "ann ['staff'] None"


def test_a_user_without_roles_has_none():
    app = AuthMiddleware(tells_all, ServerUser(roles={"bob": ["staff"]}))
    assert ask(app, **ANN).text == "ann [] None"


@pytest.mark.parametrize("roles", ["staff", 7, ["staff"]])
def test_what_gives_no_roles_is_refused_at_construction(roles):
    with pytest.raises(ConfigurationError, match="roles="):
        ServerUser(roles=roles)


def test_caches_are_told_what_servers_look_at(app):
    answer = ask(app, "/maybe", **ANN)
    assert (answer.header("Vary"), answer.header("Cache-Control")) == ("Authorization, Cookie", "private")


def test_it_is_never_fresh():
    app = AuthMiddleware(who, [ServerUser(), Basic(USERS)], rules=[require("/", fresh=600)])
    assert ask(app, **ANN).code == 401


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_name_of_a_server_is_an_error(user, auth_type):
    app = AuthMiddleware(who, ServerUser(), remote_user_encoding="wsgi")
    assert ask(app, REMOTE_USER=user, AUTH_TYPE=auth_type).code in (200, 401)


def nested(inside=(), outside=None, rules=None):
    inner = AuthMiddleware(who, [Outer(), *inside], rules=rules)
    return AuthMiddleware(inner, outside or Basic(USERS), rules=[allow("/pub"), optional("/")])


def test_a_layer_inside_sees_whom_the_layer_outside_has_found():
    assert ask(nested(), headers=basic("ann", "apple")).text == "ann ann Basic"


def test_the_identity_is_the_very_one_of_the_layer_outside():
    found = []
    inner = AuthMiddleware(lambda environ, start: found.append(get_identity(environ)) or who(environ, start), Outer())

    def between(environ, start_response):
        found.append(get_identity(environ))
        return inner(environ, start_response)

    ask(AuthMiddleware(between, Basic(USERS)), headers=basic("ann", "apple"))
    assert found[0] is found[1]
    assert found[0].user == "ann"


def test_a_name_that_was_only_put_there_is_nobodys():
    assert ask(nested(), REMOTE_USER="root", AUTH_TYPE="Basic").code == 401
    bare = AuthMiddleware(who, Outer(), rules=[optional("/")])
    forged = {"REMOTE_USER": "root", "AUTH_TYPE": "Basic", "middleware.identity": "root"}
    assert ask(bare, headers={"Remote-User": "root"}, **forged).text == "None None None"


def test_where_the_layer_outside_asks_for_nobody_there_is_nobody():
    assert ask(nested(rules=[optional("/")]), "/pub", headers=basic("ann", "apple")).text == "None None None"


def test_rules_inside_are_for_the_user_outside():
    app = nested(rules=[require("/admin", user="bob"), require("/", schemes=["outer"])])
    assert ask(app, "/admin", headers=basic("ann", "apple")).code == 403
    assert ask(app, "/", headers=basic("ann", "apple")).code == 200


def test_auth_type_is_that_of_the_layer_outside_whatever_schemes_stand_inside():
    server = nested(outside=ServerUser(), inside=[Basic(USERS)])
    assert ask(server, **ANN).text == "ann ann Negotiate"
    assert ask(nested(inside=[ServerUser()]), headers=basic("ann", "apple")).text == "ann ann Basic"


def test_three_layers_pass_it_on():
    app = AuthMiddleware(AuthMiddleware(AuthMiddleware(who, Outer()), Outer()), Basic(USERS))
    assert ask(app, headers=basic("ann", "apple")).text == "ann ann Basic"


def test_what_an_answer_says_to_caches_is_not_less_for_a_second_layer():
    answer = ask(nested(rules=[optional("/")]), headers=basic("ann", "apple"))
    assert answer.header("Vary") == "Authorization"
    assert answer.header("Cache-Control") == "private"
    assert "Vary" not in dict(ask(AuthMiddleware(who, Outer(), rules=[optional("/")])).headers)


def test_what_a_layer_inside_lets_everybody_see_is_no_logout_for_the_one_outside():
    def style(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        return [b"style"]

    inner = AuthMiddleware(style, Outer(), rules=[allow("/style"), require("/")])
    app = AuthMiddleware(inner, Basic(USERS), rules=[optional("/")])
    assert ask(app, "/style", headers=basic("ann", "apple")).header("Cache-Control") == "max-age=60, private"
    assert ask(app, "/style").header("Cache-Control") == "max-age=60"
