"""Digest authentication through the front door: what is offered, what an application finds, what is told."""

from __future__ import annotations

import pytest
from asking import ask
from auth_helpers import basic, stored, who
from digest_client import BOTH, PASSWORDS, SECRET, Client, challenges, digest, hexed, is_stale, protected, written

from middleware.auth import Account, ApiKey, AuthMiddleware, Basic, Bearer, get_identity, require
from middleware.auth.digest import response as responses
from middleware.auth.digest.response import ha1
from middleware.testing.clock import FakeClock


@pytest.fixture
def app():
    return protected()


@pytest.fixture
def client(app):
    return Client(app)


# DIG-1: what is offered, and what is taken


def test_sha_256_alone_is_offered(app):
    answer = ask(app)
    assert answer.code == 401
    (line,) = answer.all("WWW-Authenticate")
    before, nonce, after = line.partition(challenges(answer)[0]["nonce"])
    assert before == 'Digest realm="App", qop="auth", algorithm=SHA-256, nonce="'
    assert nonce
    assert after == '", charset=UTF-8'
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Vary") == "Authorization"


@pytest.mark.parametrize("algorithms", [BOTH, ("MD5", "SHA-256"), ["MD5", "SHA-256"]])
def test_the_stronger_algorithm_comes_first_and_both_have_one_nonce(algorithms):
    app = protected(digest(algorithms=algorithms))
    first, second = challenges(ask(app))
    assert (first["algorithm"], second["algorithm"]) == BOTH
    assert first["nonce"] == second["nonce"]
    for algorithm in BOTH:
        assert Client(app).get(algorithm=algorithm).text == "ann ann Digest"


def test_each_challenge_is_a_line_and_those_of_digest_come_before_basic():
    schemes = [digest(algorithms=BOTH), Bearer(verify={}.get), ApiKey({}), Basic({"ann": stored("apple")})]
    for order in (schemes, schemes[::-1]):
        app = protected(order)
        offered = [line.split(" ")[0] for line in ask(app).all("WWW-Authenticate")]
        assert offered == ["Digest", "Digest", "Bearer", "ApiKey", "Basic"]
        assert ask(app, headers=basic()).text == "ann ann Basic"
        assert Client(app).get().text == "ann ann Digest"


def test_sess_variants_are_taken_where_they_are_offered():
    app = protected(digest(sess=True, algorithms=BOTH))
    offers = [challenge["algorithm"] for challenge in challenges(ask(app))]
    assert offers == ["SHA-256-sess", "SHA-256", "MD5-sess", "MD5"]
    for algorithm in offers:
        assert Client(app).get(algorithm=algorithm).code == 200


def test_a_digest_of_the_name_is_taken_where_it_is_offered():
    app = protected(digest(userhash=True, algorithms=BOTH))
    for algorithm in BOTH:
        client = Client(app, "jäsøn", PASSWORDS["jäsøn"])
        client.challenged(algorithm)
        assert client.challenge["userhash"] == "true"
        hashed = hexed(algorithm, "jäsøn", "App")
        assert client.get(username=hashed, userhash="true").text == "jäsøn jäsøn Digest"
        assert client.get(2, username=hashed.upper(), userhash="true").code == 200
        assert client.get(3, username=hashed[::-1], userhash="true").code == 401
        assert client.get(3, userhash="false").code == 200


def test_a_user_who_is_added_can_send_a_digest_of_the_name_at_once():
    users = {"ann": ha1("ann", "App", "apple")}
    app = protected(digest(users, userhash=True))
    bob = Client(app, "bob", "pear")
    hashed = {"username": hexed("SHA-256", "bob", "App"), "userhash": "true"}
    assert bob.get(**hashed).code == 401
    users["bob"] = ha1("bob", "App", "pear")
    assert bob.get(**hashed).code == 200
    del users["bob"]
    assert bob.get(2, **hashed).code == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"qop": None, "nc": None, "cnonce": None},
        {"qop": "auth-int"},
        {"algorithm": "SHA-512-256"},
        {"algorithm": "SHA-256-sess"},
        {"algorithm": "MD5"},
        {"algorithm": None},
        {"userhash": "true", "username": hexed("SHA-256", "ann", "App")},
        {"realm": "Elsewhere"},
    ],
    ids=str,
)
def test_what_is_not_offered_is_refused_with_what_is(client, changed):
    answer = client.get(**changed)
    assert not is_stale(answer)
    assert client.get().code == 200


# The cost of a failure


def test_a_failure_costs_two_digests_whoever_the_user_is(monkeypatch):
    done = []
    made = responses.digest

    def counted(data, algorithm):
        done.append(algorithm)
        return made(data, algorithm)

    monkeypatch.setattr(responses, "digest", counted)
    users = {"ann": ha1("ann", "App", "apple"), "off": Account(ha1("off", "App", "pear"), disabled=True)}
    app = protected(digest(users))
    costs = []
    for user in ("ann", "eve", "off", "a b", "\u200b"):
        client = Client(app, user, "x")
        client.challenged()
        done.clear()
        assert client.get().code == 401
        costs.append(len(done))
    assert costs == [2] * 5


def test_plain_passwords_cost_the_same_for_an_unknown_user(monkeypatch):
    done = []
    made = responses.digest
    monkeypatch.setattr(responses, "digest", lambda data, algorithm: done.append(1) or made(data, algorithm))
    app = protected()
    costs = []
    for user in ("ann", "eve"):
        client = Client(app, user, "x")
        client.challenged()
        done.clear()
        assert client.get().code == 401
        costs.append(len(done))
    assert costs == [3, 3]


def test_wrong_and_unknown_get_the_very_same_answer_but_for_the_nonce(app):
    answers = []
    for user in ("ann", "eve"):
        answer = Client(app, user, "x").get()
        nonce = challenges(answer)[0]["nonce"]
        headers = [(name, value.replace(nonce, "")) for name, value in answer.headers]
        answers.append((answer.status, headers, answer.body))
    assert answers[0] == answers[1]


def test_nobody_signs_in_by_the_hash_that_stands_for_unknown_users(app):
    client = Client(app, "eve", "x")
    given = client.parameters()
    ha2 = hexed("SHA-256", "GET", "/")
    given["response"] = hexed("SHA-256", "0" * 64, given["nonce"], given["nc"], given["cnonce"], "auth", ha2)
    assert ask(app, HTTP_AUTHORIZATION=written(given)).code == 401


# What an application finds


def test_an_account_gives_roles_and_a_name():
    seen = []

    def tells(environ, start_response):
        seen.append(get_identity(environ))
        return who(environ, start_response)

    clock = FakeClock()
    users = {"ann": Account(ha1("ann", "App", "apple"), roles=["admin"], name="Ann A.")}
    app = AuthMiddleware(tells, digest(users, clock=clock), rules=[require("/", role="admin", fresh=1)])
    assert Client(app).get().code == 200
    (identity,) = seen
    assert (identity.user, identity.scheme, identity.name) == ("ann", "digest", "Ann A.")
    assert identity.roles == {"admin"}
    assert (identity.authenticated_at, identity.factors) == (clock.now, ("pwd",))


def test_a_change_of_the_account_counts_for_the_next_request():
    users = {"ann": ha1("ann", "App", "apple")}
    client = Client(protected(digest(users)))
    assert client.get(1).code == 200
    for change in (ha1("ann", "App", "pear"), Account(users["ann"], disabled=True), "", None):
        users["ann"] = change
        assert client.get(2).code == 401
    del users["ann"]
    assert client.get(2).code == 401
    users["ann"] = ha1("ann", "App", "apple")
    assert client.get(2).code == 200


def test_a_source_that_fails_is_no_failure_of_the_user(caplog):
    def fails(user, realm, algorithm):
        raise OSError("gone")

    events = []
    assert Client(protected(digest(fails), events=events)).get().code == 503
    assert [event.name for event in events] == ["source.unavailable"]


def test_a_source_is_asked_for_names_in_their_one_spelling_and_for_nothing_else():
    asked = []

    def find(user, realm, algorithm):
        asked.append((user, realm, algorithm))
        return ha1(user, realm, "apple", algorithm)

    app = protected(digest(find))
    assert Client(app, "\uff41nn").get().code == 401  # signed with another spelling than that of the source
    assert Client(app).get(username="\uff41nn").text == "ann ann Digest"
    for name in ("a b", "ann\u200b", "\u202eann", "x" * 300):
        assert Client(app, name).get().code == 401
    assert asked == [("ann", "App", "SHA-256")] * 2


# Events


def test_a_login_is_told_once_for_a_nonce_and_a_failure_each_time():
    events = []
    client = Client(protected(events=events))
    client.challenged()
    events.clear()
    for count in (1, 2, 3):
        assert client.get(count).code == 200
    client.get(4, password="pear")
    assert [(event.name, event.subject) for event in events] == [("login.success", "ann"), ("login.failure", "ann")]


def test_a_stale_nonce_is_told_as_such_and_no_secret_with_it():
    clock = FakeClock()
    events = []
    client = Client(protected(digest(clock=clock), events=events))
    client.challenged()
    clock.advance(301)
    events.clear()
    assert is_stale(client.get())
    assert [event.name for event in events] == ["digest.stale", "refused"]
    assert client.get(2, password="pear").code == 401
    told = repr(events) + repr(client.app.schemes[0])
    for secret in (client.nonce, "apple", client.parameters()["response"], SECRET, hexed("SHA-256", "ann:App:apple")):
        assert secret not in told
