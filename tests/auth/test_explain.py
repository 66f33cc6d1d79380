"""Explanations: which rule decides and why, without asking anybody."""

from __future__ import annotations

import pytest
from asking import ask, make_environ
from auth_helpers import basic, stored, who

from middleware.auth import Account, AuthMiddleware, Basic, SessionLogin, allow, get_auth, optional, require
from middleware.auth.rules.rule import deny

USERS = {"ann": Account(stored("apple"), roles=["admin"]), "bob": stored("banana")}
RULES = [
    allow("/static"),
    require("/admin", role="admin", schemes=["basic"]),
    deny("/old"),
    optional("/open"),
    require("/pay", fresh=600, scope="pay", user="ann"),
]


class Broken:
    """A scheme that nobody may ask."""

    name = "broken"
    auth_type = "Broken"
    reads = ()

    def authenticate(self, environ):
        raise AssertionError("asked")

    challenges = authenticate


def layer(schemes=None):
    return AuthMiddleware(who, [SessionLogin(USERS), Basic(USERS)] if schemes is None else schemes, rules=RULES)


@pytest.mark.parametrize(
    ("method", "path", "kind", "index"),
    [
        ("GET", "/static/x", "allow", 1),
        ("FOO", "/static/x", "unmatched", None),
        ("GET", "/admin", "require", 2),
        ("GET", "//admin", "ambiguous", None),
        ("get", "/admin", "require", 2),
        ("GET", "/old", "deny", 3),
        ("GET", "/open//x", "optional", 4),
        ("GET", "/elsewhere", "unmatched", None),
        ("GET", "/login", "page", None),
        ("GET", "admin", "ambiguous", None),
        ("GE T", "/admin", "ambiguous", None),
    ],
)
def test_it_names_the_rule_that_decides(method, path, kind, index):
    told = layer().explain(method, path)
    assert (told.kind, told.index) == (kind, index)
    assert (told.rule is None) == (index is None)


def test_a_path_that_can_be_read_in_several_ways_is_told_with_its_readings():
    text = str(layer().explain("GET", "//admin"))
    assert text.splitlines() == [
        "GET //admin",
        "  can be read as",
        "    //admin  decided by no rule",
        "    /admin  decided by require('/admin', role=['admin'], schemes=['basic'])",
        "  nobody may: 400, for it can be read in several ways",
    ]


def test_it_says_what_a_rule_needs_and_which_schemes_are_asked():
    text = str(layer().explain("GET", "/pay"))
    assert "decided by rule 5: require('/pay', user=['ann'], scope=['pay'], fresh=600)" in text
    assert "asks session, which reads Cookie" in text
    assert "asks basic, which reads Authorization" in text
    assert "needs a login, to be one of ann, the scopes pay, a proof of the last 600 seconds" in text


def test_control_characters_of_a_path_do_not_reach_the_terminal():
    assert "\x1b" not in str(layer().explain("GET", "/\x1b[31m"))


def test_nobody_is_asked():
    app = AuthMiddleware(who, Broken(), rules=[require("/", role="x")])
    assert "needs a login" in str(app.explain("GET", "/"))


def test_an_application_can_have_its_own_request_explained():
    def app(environ, start_response):
        start_response("200 OK", [])
        return [str(get_auth(environ).explain()).encode()]

    app = AuthMiddleware(app, Basic(USERS), rules=[require("/", role="admin")])
    text = ask(app, "/x", headers=basic()).text
    assert "Authorization is there" in text
    assert "'ann' may, by basic" in text


def test_it_says_what_somebody_lacks():
    environ = make_environ("/admin")
    app = layer(Basic(USERS))
    ask(AuthMiddleware(lambda inner, start: environ.update(inner) or who(inner, start), Basic(USERS)), headers=basic())
    environ["middleware.identity"] = environ["middleware.identity"].__class__("bob", "basic")
    assert "'bob' by basic may not: role is missing" in str(app.explain("GET", "/admin", environ))
