"""Sources of users: accounts, mappings, and callables that say more of themselves."""

from __future__ import annotations

import sys

import pytest
from asking import Browser, ask
from auth_helpers import basic, stored, who

from middleware import MemoryStore, SessionMiddleware
from middleware.auth import Account, AuthMiddleware, Basic, SessionLogin
from middleware.auth.users import UsersFrom
from middleware.errors import ConfigurationError, MissingExtra


def test_an_account_does_not_change_and_hides_its_hash():
    account = Account("$secret$", roles=["admin"])
    with pytest.raises(AttributeError):
        account.hash = "other"
    assert "$secret$" not in repr(account)
    assert account == Account("$secret$", roles=["admin"])
    assert account != Account("$secret$")
    with pytest.raises(ConfigurationError, match="list"):
        Account("", roles="admin")


@pytest.mark.parametrize("stored_password", [None, b"hash", 7])
def test_a_stored_password_that_is_no_text_is_refused(stored_password):
    with pytest.raises(ConfigurationError, match="is text"):
        Account(stored_password)


def test_a_source_that_gives_a_password_that_is_no_text_is_503(caplog):
    class Person:
        hash = b"hash"
        roles = ()

    assert ask(AuthMiddleware(who, Basic({"ann": Person()}.get)), headers=basic()).code == 503
    assert "is text" in caplog.text


@pytest.mark.slow
def test_a_user_without_a_password_cannot_sign_in():
    class Person:
        hash = None
        roles = ()

    assert ask(AuthMiddleware(who, Basic({"ann": Person()})), headers=basic("ann", "")).code == 401


@pytest.mark.parametrize("value", [b"hash", 7, ["hash"]])
def test_a_mapping_to_what_is_no_hash_is_refused(value):
    with pytest.raises(ConfigurationError, match="maps names to hashes"):
        Basic({"ann": value})


@pytest.mark.parametrize("scheme", [Basic, SessionLogin])
@pytest.mark.parametrize("value", ["apple", "$apr1$salt$hash", "$2b$05$cut", Account("apple")])
def test_a_mapping_to_what_can_be_nobodys_password_is_refused_with_the_way_to_make_one(scheme, value):
    with pytest.raises(
        ConfigurationError, match=r"'ann' is no password that anybody can have.*python -m middleware auth hash"
    ):
        scheme({"ann": value})


@pytest.mark.parametrize("scheme", [Basic, SessionLogin])
@pytest.mark.parametrize(
    ("name", "why"),
    [("ja\u0308sön", "spelled 'jäsön'"), ("ann lee", "no name"), ("", "no name"), (7, "no name")],
)
def test_a_mapping_names_users_in_their_one_spelling(scheme, name, why):
    with pytest.raises(ConfigurationError, match=why):
        scheme({name: stored("apple")})


def test_every_spelling_of_a_name_is_that_user():
    app = AuthMiddleware(who, Basic({"jäsön": stored("päss"), "Ann": stored("apple")}))
    for user in ("jäsön", "ja\u0308so\u0308n"):
        assert ask(app, headers=basic(user, "päss")).text == "jäsön jäsön Basic"
    assert ask(app, headers=basic("\uff21nn")).text == "Ann Ann Basic"
    assert ask(app, headers=basic("ann")).code == 401


def test_capitals_are_made_small_where_the_source_wants_that():
    asked = []

    def find(user):
        asked.append(user)
        return {"ann": stored("apple")}.get(user)

    app = AuthMiddleware(who, Basic(UsersFrom(find, case_map=True)))
    assert ask(app, headers=basic("ANN")).text == "ann ann Basic"
    assert {*asked} == {"ann"}


def test_a_source_is_never_asked_for_what_is_no_name():
    app = AuthMiddleware(who, Basic(UsersFrom({}.__getitem__, forms=[stored("x")])))
    for user in ("two words", "soft\u00adhyphen", "\u202eann", "a" * 300):
        assert ask(app, headers=basic(user)).code == 401


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"find": {}}, "callable that finds"),
        ({"find": len, "forms": "bcrypt"}, "forms= are a list"),
        ({"find": len, "forms": ["md5"]}, "forms= names"),
        ({"find": len, "forms": ["a secret"]}, "forms= names"),
        ({"find": len, "forms": [7]}, "forms= names"),
        ({"find": len, "set_hash": True}, "set_hash= is a callable"),
    ],
)
def test_a_callable_that_is_described_wrongly_is_refused(options, message):
    with pytest.raises(ConfigurationError, match=message) as refused:
        UsersFrom(**options)
    assert "a secret" not in str(refused.value)


@pytest.mark.parametrize("package", ["bcrypt", "argon2.low_level"])
def test_a_form_whose_extra_is_missing_is_an_error(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    form = {"bcrypt": "bcrypt", "argon2.low_level": "argon2id"}[package]
    with pytest.raises(MissingExtra, match="pip install"):
        UsersFrom(len, forms=[form])


def test_weak_forms_are_told_once_at_the_start(caplog):
    users = {
        "ann": "{PLAIN}apple",
        "bob": "{SHA}0L4txCG+T80BcuWvzuo5cOLz2UA=",
        "eva": stored("plum"),
        "zoe": "{PLAIN}x",
    }
    Basic(users)
    Basic(users)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert all(message.startswith("auth.hash.weak") for message in told)
    assert "apple" not in caplog.text


def test_the_form_knows_every_spelling_of_a_name():
    app = AuthMiddleware(who, SessionLogin({"jäsön": stored("päss")}))
    for user in ("jäsön", "ja\u0308so\u0308n"):
        browser = Browser(SessionMiddleware(app, store=MemoryStore(when_full="refuse")))
        data = {"username": user, "password": "päss"}
        assert browser.post("/login", data, headers={"Sec-Fetch-Site": "same-origin"}).code == 303
        assert browser.get("/").text == "jäsön jäsön session"
