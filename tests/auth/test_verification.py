"""What a check of a password costs: once for equal ones, the same for whoever fails, and not too many at once."""

from __future__ import annotations

import threading

import pytest
from asking import ask
from auth_helpers import basic, stored, who

from middleware.auth import Account, AuthMiddleware, Basic, Htpasswd, SessionLogin, optional, require, verification
from middleware.auth.users import UsersFrom

USERS = {"ann": stored("apple"), "bob": stored("pear")}


@pytest.fixture
def app():
    return AuthMiddleware(who, Basic(USERS))


@pytest.fixture
def derivations(monkeypatch):
    """What was derived: True for a stored password, or the cost that was spent on nobody."""
    done = []
    verify, spend = verification.verify, verification.spend

    def seen(password, stored):
        done.append(True)
        return verify(password, stored)

    def spent(cost, password):
        done.append(cost)
        spend(cost, password)

    monkeypatch.setattr(verification, "verify", seen)
    monkeypatch.setattr(verification, "spend", spent)
    return done


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


def test_what_a_source_gives_is_remembered_in_whatever_shape_it_comes(derivations):
    class Person:
        hash = stored("apple")
        roles = ()

    for found in (stored("apple"), Account(stored("apple")), Person(), Account(stored("apple"), roles=["admin"])):
        app = AuthMiddleware(who, Basic({"ann": found}))
        derivations.clear()
        assert [ask(app, headers=basic()).code for _ in range(2)] == [200, 200]
        assert derivations == [True]


FAILURES = {
    "known": ("ann", "x"),
    "another": ("bob", "x"),
    "unknown": ("eve", "x"),
    "no name": ("e v e", "x"),
    "malformed": ("old", "x"),
    "disabled": ("off", "banana"),
    "empty": ("ann", ""),
    "too long": ("ann", "x" * 4097),
    "as long as may be": ("ann", "x" * 4096),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_does_the_work_of_every_form_whoever_the_user_is(derivations, failure):
    users = {
        "ann": stored("apple", 3),
        "bob": stored("pear", 4),
        "eva": stored("plum", 4),
        "off": Account(stored("banana", 5), disabled=True),
        "weak": "{SHA}0L4txCG+T80BcuWvzuo5cOLz2UA=",
    }
    app = AuthMiddleware(who, Basic(users))
    users["old"] = "13charcrypt__"
    assert ask(app, headers=basic(*FAILURES[failure])).code == 401
    assert len(derivations) == 4


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_does_the_work_of_every_form_in_a_file(derivations, tmp_path, failure):
    path = tmp_path / "users"
    path.write_text(f"ann:{stored('apple', 3)}\nbob:{stored('pear', 4)}\nold:13charcrypt__\n")
    app = AuthMiddleware(who, Basic(Htpasswd(path)))
    path.write_text(f"ann:{stored('apple', 3)}\nbob:{stored('pear', 5)}\neva:{stored('pear', 6)}\nold:13charcrypt__\n")
    assert ask(app, headers=basic(*FAILURES[failure])).code == 401
    assert len(derivations) == 3
    assert ("scrypt", 4, 8, 1) not in derivations, "what the file holds no more costs nothing"


@pytest.mark.parametrize("failure", ["known", "unknown", "empty"])
def test_a_callable_source_names_its_forms_and_each_failure_does_the_work_of_them(derivations, failure):
    users = UsersFrom({"ann": stored("apple", 3)}.get, forms=[stored("x", 3), stored("x", 4), stored("y", 4)])
    app = AuthMiddleware(who, Basic(users))
    assert ask(app, headers=basic(*FAILURES[failure])).code == 401
    assert len(derivations) == 2


def test_more_forms_than_are_reasonable_cost_no_more_than_those(derivations):
    users = {f"user{rounds}": stored("apple", rounds) for rounds in range(1, 13)}
    app = AuthMiddleware(who, Basic(users))
    for user in ("user1", "user12", "eve"):
        derivations.clear()
        assert ask(app, headers=basic(user, "x")).code == 401
        assert len(derivations) == verification.MOST_COSTS


def test_what_a_failure_costs_is_that_of_the_password_that_was_typed(monkeypatch):
    typed = []
    monkeypatch.setattr(verification, "spend", lambda cost, password: typed.append(password))
    assert ask(AuthMiddleware(who, Basic(USERS)), headers=basic("eve", "x" * 300)).code == 401
    assert typed == ["x" * 300]


def test_an_unknown_user_of_a_callable_source_costs_a_derivation_too(derivations, monkeypatch):
    monkeypatch.setattr(verification, "new_cost", lambda: ("scrypt", 4, 8, 1))
    app = AuthMiddleware(who, Basic({}.get))
    assert ask(app, headers=basic()).code == 401
    assert len(derivations) == 1


def test_a_disabled_user_stays_out_with_the_right_password():
    app = AuthMiddleware(who, Basic({"ann": Account(stored("apple"), disabled=True)}))
    assert [ask(app, headers=basic()).code for _ in range(2)] == [401, 401]


def test_equal_logins_from_everywhere_at_once_derive_once_and_a_wrong_one_among_them_is_refused(monkeypatch):
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

    def sign_in(network, password="apple"):
        code = ask(app, headers=basic("ann", password), REMOTE_ADDR=f"10.0.{network}.1").code
        codes.append((password, code))

    threads = [threading.Thread(target=sign_in, args=[network]) for network in range(8)]
    threads.append(threading.Thread(target=sign_in, args=[8, "pear"]))
    for thread in threads[:8]:
        thread.start()
    assert began.wait(60)
    flight = next(iter(scheme._verifier._flights.values()))
    while len(flight.landed._cond._waiters) < 7:  # the other seven wait for the first
        threading.Event().wait(0.001)
    threads[8].start()
    go.set()
    for thread in threads:
        thread.join(60)
    assert sorted(codes) == [("apple", 200)] * 8 + [("pear", 401)]
    assert sorted(calls) == ["apple", "pear"]


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

    def run(address):
        try:
            outcomes.append(ask(app, headers=basic(), REMOTE_ADDR=address).code)
        except MemoryError:
            outcomes.append("failed")

    threads = [threading.Thread(target=run, args=[f"10.0.{network}.1"]) for network in range(2)]
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


def test_who_waits_too_long_for_the_same_derivation_is_sent_away(monkeypatch):
    slow = Slow(monkeypatch)
    monkeypatch.setattr(verification, "PATIENCE", 0)
    app = AuthMiddleware(who, Basic(USERS))
    codes = []
    first = threading.Thread(target=lambda: codes.append(ask(app, headers=basic(), REMOTE_ADDR="10.0.0.1").code))
    first.start()
    assert slow.began.wait(60)
    second = ask(app, headers=basic(), REMOTE_ADDR="10.0.1.1")
    assert (second.code, second.header("Retry-After")) == (503, "5")
    slow.go.set()
    first.join(60)
    assert codes == [200]


@pytest.mark.parametrize("make", [Basic, SessionLogin])
def test_threads_that_come_first_share_what_is_remembered(monkeypatch, make):
    both = threading.Barrier(2)

    class Slow(verification.Verifier):
        def __init__(self, *given):
            both.wait(60)
            super().__init__(*given)

    monkeypatch.setattr(verification, "Verifier", Slow)
    scheme, seen = make(USERS), []
    threads = [threading.Thread(target=lambda: seen.append(scheme._verifier)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(seen) == 2
    assert seen[0] is seen[1] is scheme._verifier


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
        ask(app, HTTP_AUTHORIZATION=basic()["Authorization"].replace(" ", " " * spaces))
    assert len(scheme._verifier._remembered) == 2


def test_no_password_can_be_read_from_what_is_remembered():
    scheme = Basic({"ann": stored("a-marked-secret")})
    assert ask(AuthMiddleware(who, scheme), headers=basic("ann", "a-marked-secret")).code == 200
    held = repr(scheme._verifier._remembered) + repr(vars(scheme._verifier))
    assert "a-marked-secret" not in held
    assert basic("ann", "a-marked-secret")["Authorization"] not in held


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
    users["öld"] = "$apr1$salt$hash"
    for _ in range(2):
        assert ask(app, headers=basic("öld", "x")).code == 401
    assert len([record for record in caplog.records if "hash.invalid" in record.getMessage()]) == 1
    assert r"'\xf6ld'" in caplog.text
    assert "$apr1$" not in caplog.text


def test_a_success_is_told_once_a_derivation_and_not_once_a_request():
    now, events = [1000.0], []
    app = AuthMiddleware(who, Basic(USERS, clock=lambda: now[0]), on_event=events.append)
    for moment in (1000, 1001, 1059, 1061, 1062):
        now[0] = moment
        assert ask(app, headers=basic()).code == 200
    assert [(event.name, event.subject, event.details["scheme"]) for event in events] == [
        ("login.success", "ann", "basic")
    ] * 2


def test_a_failure_is_told_once_and_with_the_name_that_was_tried():
    events = []
    app = AuthMiddleware(who, Basic(USERS), on_event=events.append)
    ask(app, headers=basic("\uff21nn", "x"))
    assert [(event.name, event.subject) for event in events] == [("login.failure", "Ann")]


def test_what_is_remembered_tells_nobody_a_right_guess_during_a_delay(derivations):
    app = AuthMiddleware(who, Basic(USERS))
    attacker, owner = {"REMOTE_ADDR": "192.0.2.7"}, {"REMOTE_ADDR": "198.51.100.1"}
    assert ask(app, headers=basic(), **owner).code == 200
    codes = [ask(app, headers=basic("ann", f"guess {number}"), **attacker).code for number in range(8)]
    assert codes[0] == 401
    assert codes[-1] == 429
    derivations.clear()
    assert ask(app, headers=basic(), **attacker).code == 429, "the right one"
    assert ask(app, headers=basic(), **owner).code == 200
    assert derivations == []


def test_somebody_beside_a_guesser_is_known_all_the_same(derivations):
    events = []
    app = AuthMiddleware(who, Basic(USERS), on_event=events.append)
    assert ask(app, headers=basic()).code == 200
    assert [ask(app, headers=basic("bob", "x")).code for _ in range(3)] == [401] * 3
    derivations.clear()
    events.clear()
    assert [ask(app, headers=basic()).code for _ in range(20)] == [200] * 20
    assert derivations == []
    assert events == []


@pytest.mark.slow
def test_many_logins_at_once_are_never_more_derivations_at_once_than_there_are_places(monkeypatch):
    places = 2
    monkeypatch.setattr(verification, "_ROOM", verification.Room(places, most_waiting=200, patience=60))
    counting = threading.Lock()
    under_way, most = [], []
    verify, spend = verification.verify, verification.spend

    def counted(work):
        def work_counted(*given):
            with counting:
                under_way.append(work)
                most.append(len(under_way))
            try:
                return work(*given)
            finally:
                with counting:
                    under_way.remove(work)

        return work_counted

    monkeypatch.setattr(verification, "verify", counted(verify))
    monkeypatch.setattr(verification, "spend", counted(spend))
    users = {f"user{number}": stored(f"apple{number}", 10) for number in range(200)}
    app = AuthMiddleware(who, Basic(users))
    codes = []
    barrier = threading.Barrier(200)

    def sign_in(number):
        barrier.wait(60)
        codes.append(ask(app, headers=basic(f"user{number}", f"apple{number}"), REMOTE_ADDR=f"10.0.{number}.1").code)

    threads = [threading.Thread(target=sign_in, args=[number]) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert codes == [200] * 200
    assert len(most) == 200
    assert max(most) <= places


def test_a_source_that_fails_is_told_without_its_words():
    def broken(user):
        raise OSError("a marked secret")

    events = []
    app = AuthMiddleware(who, Basic(broken), on_event=events.append)
    assert ask(app, headers=basic()).code == 503
    assert [(event.name, event.details["reason"]) for event in events] == [("source.unavailable", "OSError")]
    assert "a marked secret" not in repr(events)


def test_a_source_that_fails_when_its_forms_are_asked_for_is_no_way_around_the_work(derivations, tmp_path, monkeypatch):
    path = tmp_path / "users"
    path.write_text(f"ann:{stored('apple', 3)}\n")
    users = Htpasswd(path)
    app = AuthMiddleware(who, Basic(users))

    def gone():
        raise FileNotFoundError(str(path))

    monkeypatch.setattr(users, "costs", gone)
    monkeypatch.setattr(verification, "new_cost", lambda: ("scrypt", 4, 8, 1))
    assert ask(app, headers=basic("eve", "x")).code == 401
    assert len(derivations) == 1
