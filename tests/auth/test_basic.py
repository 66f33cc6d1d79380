"""Basic authentication, from the header field to what the application finds."""

from __future__ import annotations

import threading
from base64 import b64encode

import pytest
from asking import ask, make_environ
from auth_helpers import basic, stored, who
from hypothesis import given
from hypothesis import strategies as st

from middleware.auth import (
    Account,
    AuthMiddleware,
    Basic,
    SessionLogin,
    allow,
    get_identity,
    optional,
    require,
    verification,
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


@pytest.fixture
def derivations(monkeypatch):
    """What was derived: True for a stored password, or the cost that was spent on nobody."""
    done = []
    verify, spend = verification.verify, verification.spend

    def seen(password, stored):
        done.append(True)
        return verify(password, stored)

    def spent(cost):
        done.append(cost)
        spend(cost)

    monkeypatch.setattr(verification, "verify", seen)
    monkeypatch.setattr(verification, "spend", spent)
    return done


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


# BAS-5, the rows of Basic.
FIELDS = [
    ("Basic", 401),
    ("Basic ", 401),
    ("Basic !!!", 401),
    ("Basic " + GOOD.rstrip("=") + "===", 401),
    ("Basic " + encoded(b"bob:s3:cret").rstrip("="), 401),
    ("Basic " + encoded("jäsøn:pä>?".encode()).replace("+", "-").replace("/", "_"), 401),
    ("Basic " + encoded(b"ann"), 401),
    ("Basic " + encoded(b":"), 401),
    ("Basic " + encoded(b":apple"), 401),
    ("basic " + GOOD, 200),
    ("BASIC " + GOOD, 200),
    ("Basic  " + GOOD, 200),
    (" Basic " + GOOD, 200),
    ("Basic " + GOOD + " ", 200),
    ("Basic\t" + GOOD, 401),
    ("Basic " + encoded(b"a\0nn:apple"), 401),
    ("Basic " + encoded(b"ann:app\0le"), 401),
    ("Basic " + encoded(b"ann\r\nx:apple"), 401),
    ("Basic " + encoded(b"bob:s3:cret"), 200),
    ("Basic " + encoded("jäsøn:päss".encode()), 200),
    ("Basic " + encoded("jäsøn:päss".encode("latin-1")), 200),
    ("Basic " + encoded(b"\xff\xfe:\xff"), 401),
    ("Basic " + encoded(b"ann:" + b"a" * 100), 401),
    ("Basic " + "A" * 8200, 401),
    ("Basic " + "A" * (1 << 20), 401),
    ("Basic " + encoded(b"ann:" + b"a" * 5000), 401),
    (f"Basic {GOOD}, Basic {GOOD}", 400),
    (f"Basic {GOOD},{GOOD}", 400),
    ("", 401),
    (" ", 401),
    ("Negotiate YII=", 401),
    ("Bäsic " + GOOD, 401),
    ("Basic ☃", 401),
    ("\udcff", 401),
    ("Basic dGVzdDoxMjPCow==", 200),  # RFC 7617, section 2.1
]


@pytest.mark.parametrize(("field", "code"), FIELDS, ids=[ascii(field)[:40] for field, _ in FIELDS])
def test_a_field_is_read_or_refused_and_never_fails(app, field, code):
    answer = ask(app, HTTP_AUTHORIZATION=field)
    assert answer.code == code
    assert (answer.header("WWW-Authenticate") is not None) == (code == 401)


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


def test_a_second_request_derives_nothing(app, derivations):
    assert [ask(app, headers=basic()).code for _ in range(3)] == [200] * 3
    assert derivations == [True]


def test_after_a_minute_the_password_is_checked_again(derivations):
    now = [1000.0]
    app = AuthMiddleware(who, Basic(USERS, clock=lambda: now[0]))
    for moment in (1000, 1059, 1061):
        now[0] = moment
        assert ask(app, headers=basic()).code == 200
    assert derivations == [True, True]


@pytest.mark.parametrize(
    "change",
    [
        lambda users: users.update(ann=stored("pear")),
        lambda users: users.pop("ann"),
        lambda users: users.update(ann=Account(stored("apple"), disabled=True)),
        lambda users: users.update(ann=""),
    ],
    ids=["changed", "deleted", "disabled", "emptied"],
)
def test_a_change_of_the_account_counts_for_the_next_request(change):
    users = dict(USERS)
    app = AuthMiddleware(who, Basic(users))
    assert ask(app, headers=basic()).code == 200
    change(users)
    assert ask(app, headers=basic()).code == 401


def test_a_role_that_is_taken_away_counts_for_the_next_request():
    users = {"ann": Account(stored("apple"), roles=["admin"], name="Ann A.")}
    app = AuthMiddleware(who, Basic(users), rules=[require("/", role="admin")])
    assert ask(app, headers=basic()).code == 200
    users["ann"] = Account(stored("apple"), roles=["guest"])
    assert ask(app, headers=basic()).code == 403


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


def test_what_a_source_gives_is_remembered_in_whatever_shape_it_comes(derivations):
    class Person:
        hash = stored("apple")
        roles = ()

    for found in (stored("apple"), Account(stored("apple")), Person(), Account(stored("apple"), roles=["admin"])):
        app = AuthMiddleware(who, Basic({"ann": found}))
        derivations.clear()
        assert [ask(app, headers=basic()).code for _ in range(2)] == [200, 200]
        assert derivations == [True]


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
    with pytest.raises(ConfigurationError, match=r"'ann' is no scrypt or bcrypt hash.*python -m middleware auth hash"):
        scheme({"ann": value})


def test_a_failure_does_the_work_of_every_form_whoever_the_user_is(derivations):
    users = {"ann": stored("apple", 3), "bob": stored("pear", 4), "off": stored("x", 5)}
    users["off"] = Account(users["off"], disabled=True)
    app = AuthMiddleware(who, Basic(users))
    users["old"] = "13charcrypt__"
    works = []
    for user, password in [("ann", "x"), ("bob", "x"), ("eve", "x"), ("old", "x"), ("off", "x"), ("ann", "")]:
        derivations.clear()
        assert ask(app, headers=basic(user, password)).code == 401
        works.append(len(derivations))
    assert works == [3] * 6


def test_an_unknown_user_of_a_callable_source_costs_a_derivation_too(derivations):
    app = AuthMiddleware(who, Basic({}.get))
    assert ask(app, headers=basic()).code == 401
    assert len(derivations) == 1


def test_a_disabled_user_stays_out_with_the_right_password():
    app = AuthMiddleware(who, Basic({"ann": Account(stored("apple"), disabled=True)}))
    assert [ask(app, headers=basic()).code for _ in range(2)] == [401, 401]


def test_equal_logins_at_once_derive_once(monkeypatch):
    began, go = threading.Event(), threading.Event()
    calls = []
    verify = verification.verify

    def slow(password, stored):
        calls.append(password)
        began.set()
        assert go.wait(60)
        return verify(password, stored)

    monkeypatch.setattr(verification, "verify", slow)
    scheme = Basic(USERS)
    app = AuthMiddleware(who, scheme)
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(ask(app, headers=basic()).code)) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert began.wait(60)
    flight = next(iter(scheme._verifier._flights.values()))
    while len(flight.landed._cond._waiters) < 7:  # the other seven wait for the first
        threading.Event().wait(0.001)
    go.set()
    for thread in threads:
        thread.join(60)
    assert codes == [200] * 8
    assert calls == ["apple"]


class Slow:
    """A verify that waits with what it derives first, until it may go on."""

    def __init__(self, monkeypatch, error=None):
        self.began, self.go = threading.Event(), threading.Event()
        self._verify, self._error = verification.verify, error
        monkeypatch.setattr(verification, "verify", self)
        monkeypatch.setattr(verification, "_ROOM", verification.Room(2))

    def __call__(self, password, hash_then):
        if not self.began.is_set():
            self.began.set()
            assert self.go.wait(60)
            if self._error is not None:
                raise self._error
        return self._verify(password, hash_then)


def test_a_password_that_changed_meanwhile_does_not_ride_along_with_the_old_one(monkeypatch):
    slow = Slow(monkeypatch)
    users = {"ann": stored("apple")}
    app = AuthMiddleware(who, Basic(users))
    codes = []
    first = threading.Thread(target=lambda: codes.append(ask(app, headers=basic()).code))
    first.start()
    assert slow.began.wait(60)
    users["ann"] = stored("pear")
    second = threading.Thread(target=lambda: codes.append(ask(app, headers=basic()).code))
    second.start()
    second.join(60)
    slow.go.set()
    first.join(60)
    assert codes == [401, 200]
    assert ask(app, headers=basic()).code == 401, "what was right then is not remembered for the new password"


def test_two_users_with_one_hash_are_never_taken_for_each_other(monkeypatch):
    slow = Slow(monkeypatch)
    same = stored("bX")
    app = AuthMiddleware(who, Basic({"a": same, "ab": same}))
    codes = []
    first = threading.Thread(target=lambda: codes.append(ask(app, headers=basic("a", "bX")).code))
    first.start()
    assert slow.began.wait(60)
    second = threading.Thread(target=lambda: codes.append(ask(app, headers=basic("ab", "X")).code))
    second.start()
    second.join(60)
    slow.go.set()
    first.join(60)
    assert codes == [401, 200]


def test_who_waits_for_a_derivation_that_fails_is_sent_away(monkeypatch):
    slow = Slow(monkeypatch, MemoryError())
    scheme = Basic(USERS)
    app = AuthMiddleware(who, scheme)
    outcomes = []

    def run():
        try:
            outcomes.append(ask(app, headers=basic()).code)
        except MemoryError:
            outcomes.append("failed")

    threads = [threading.Thread(target=run) for _ in range(2)]
    threads[0].start()
    assert slow.began.wait(60)
    flight = next(iter(scheme._verifier._flights.values()))
    threads[1].start()
    while not flight.landed._cond._waiters:
        threading.Event().wait(0.001)
    slow.go.set()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes, key=str) == [503, "failed"]
    assert scheme._verifier._flights == {}
    assert ask(app, headers=basic()).code == 200, "the place is free again"


@pytest.mark.parametrize("scheme", [Basic(USERS), SessionLogin(USERS)])
def test_threads_that_come_first_share_what_is_remembered(scheme):
    make = type(scheme)._verifier.func
    assert make(scheme) is make(scheme)


def test_derivations_at_once_are_counted_and_the_queue_has_an_end(monkeypatch):
    room = verification.Room(1, most_waiting=0)
    monkeypatch.setattr(verification, "_ROOM", room)
    app = AuthMiddleware(who, Basic(USERS))
    with room:
        answer = ask(app, headers=basic())
    assert answer.code == 503
    assert answer.header("Retry-After") == "5"
    assert ask(app, headers=basic()).code == 200


def test_whoever_waits_too_long_for_a_derivation_is_sent_away():
    room = verification.Room(1, patience=0.001)
    with room, pytest.raises(verification.Unavailable), room:
        pass
    with room:
        pass


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(verification, "MOST_REMEMBERED", 2)
    scheme = Basic(USERS)
    app = AuthMiddleware(who, scheme)
    for spaces in range(1, 6):
        ask(app, HTTP_AUTHORIZATION="Basic" + " " * spaces + GOOD)
    assert len(scheme._verifier._remembered) == 2


def test_no_password_can_be_read_from_what_is_remembered():
    scheme = Basic({"ann": stored("a-marked-secret")})
    assert ask(AuthMiddleware(who, scheme), headers=basic("ann", "a-marked-secret")).code == 200
    held = repr(scheme._verifier._remembered) + repr(vars(scheme._verifier))
    assert "a-marked-secret" not in held
    assert GOOD not in held


def test_a_source_that_fails_is_503_and_never_nobody(caplog):
    def broken(user):
        raise OSError("the directory is down")

    app = AuthMiddleware(who, Basic(broken), rules=[optional("/")])
    assert ask(app, headers=basic()).code == 503
    assert "the directory is down" in caplog.text
    assert ask(app).code == 200


def test_a_user_whose_password_cannot_be_read_is_refused_and_reported_once(caplog):
    users = dict(USERS)
    app = AuthMiddleware(who, Basic(users))
    users["o\u202eld"] = "$apr1$salt$hash"
    for _ in range(2):
        assert ask(app, headers=basic("o\u202eld", "x")).code == 401
    assert len([record for record in caplog.records if "stored password" in record.getMessage()]) == 1
    assert r"'o\u202eld'" in caplog.text
    assert "$apr1$" not in caplog.text


def test_the_identity_needs_the_layer():
    with pytest.raises(LayerMissing, match="AuthMiddleware"):
        get_identity(make_environ())
