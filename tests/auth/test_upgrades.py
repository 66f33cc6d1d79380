"""A password that was right and is stored in a weaker form is stored anew (PW-5), and what is told beside (PW-3)."""

from __future__ import annotations

import subprocess
import threading

import bcrypt
import pytest
from asking import Browser, ask
from auth_helpers import basic, stored, who
from conftest import program

from middleware import MemoryStore, SessionMiddleware
from middleware.auth import Account, AuthMiddleware, Basic, Htpasswd, SessionLogin, verification
from middleware.auth.passwords import bcrypt as bcrypt_form
from middleware.auth.passwords import scrypt as scrypt_form
from middleware.auth.passwords import verify
from middleware.auth.users import UsersFrom

WEAK = stored("apple", 4)


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    """New passwords that cost next to nothing, and are stronger than the weak ones."""
    monkeypatch.setattr(scrypt_form, "NEW", ("scrypt", 5, 8, 1))
    monkeypatch.setattr(bcrypt_form, "NEW", ("bcrypt", 5, 0, 0))
    monkeypatch.setattr("middleware.auth.passwords.new_form", lambda: "scrypt")


class People:
    """A table of users, as an application has it."""

    def __init__(self, **stored_passwords):
        self.rows = stored_passwords
        self.calls = []

    def find(self, user):
        found = self.rows.get(user)
        return None if found is None else Account(found, roles=["staff"], name="Ann A.")

    def set_hash(self, user, new, old):
        self.calls.append((user, new, old))
        if self.rows.get(user) != old:
            return False
        self.rows[user] = new
        return True

    def source(self):
        return UsersFrom(self.find, set_hash=self.set_hash)


def test_a_weaker_form_is_replaced_once_after_a_success():
    people, events = People(ann=WEAK), []
    app = AuthMiddleware(who, Basic(people.source()), on_event=events.append)
    assert [ask(app, headers=basic()).code for _ in range(3)] == [200] * 3
    assert [(user, old) for user, _, old in people.calls] == [("ann", WEAK)]
    assert people.rows["ann"].startswith("$scrypt$ln=5,")
    assert verify("apple", people.rows["ann"])
    assert [event.name for event in events] == ["login.upgraded", "login.success"]
    assert "$scrypt$" not in repr(events)


def test_a_failure_replaces_nothing():
    people = People(ann=WEAK)
    app = AuthMiddleware(who, Basic(people.source()))
    for user, password in [("ann", "pear"), ("eve", "apple"), ("ann", "")]:
        assert ask(app, headers=basic(user, password)).code == 401
    assert people.calls == []


def test_what_is_as_strong_as_a_new_one_stays():
    people = People(ann=stored("apple", 5))
    assert ask(AuthMiddleware(who, Basic(people.source())), headers=basic()).code == 200
    assert people.calls == []


def test_a_source_of_the_applications_own_is_given_the_stronger_form_too():
    class Source(People):
        get = People.find

    people = Source(ann="{SHA}0L4txCG+T80BcuWvzuo5cOLz2UA=")
    assert ask(AuthMiddleware(who, Basic(people)), headers=basic()).code == 200
    assert people.rows["ann"].startswith("$scrypt$ln=5,")


def test_a_source_that_cannot_store_is_asked_for_nothing():
    users = {"ann": WEAK}
    for source in (users, users.get, UsersFrom(users.get)):
        assert ask(AuthMiddleware(who, Basic(source)), headers=basic()).code == 200
    assert users == {"ann": WEAK}


def test_logins_at_once_replace_it_once(monkeypatch):
    people = People(ann=WEAK)
    app = AuthMiddleware(who, Basic(people.source()))
    barrier, codes = threading.Barrier(8), []

    def sign_in(network):
        barrier.wait(60)
        codes.append(ask(app, headers=basic(), REMOTE_ADDR=f"10.0.{network}.1").code)

    threads = [threading.Thread(target=sign_in, args=[network]) for network in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert codes == [200] * 8
    assert len([old for _, new, old in people.calls if old == WEAK and new == people.rows["ann"]]) == 1


def test_a_password_that_somebody_changes_meanwhile_is_not_undone(monkeypatch):
    people = People(ann=WEAK)
    changed = stored("pear", 5)
    hash_password = verification.hash_password

    def meanwhile(password, *, form):
        people.rows["ann"] = changed
        return hash_password(password, form=form)

    monkeypatch.setattr(verification, "hash_password", meanwhile)
    app = AuthMiddleware(who, Basic(people.source()))
    assert ask(app, headers=basic()).code == 401, "it is not the password any more"
    assert people.rows["ann"] == changed
    assert ask(app, headers=basic("ann", "pear")).code == 200


@pytest.mark.parametrize("there", [stored("apple", 6), None], ids=["upgraded", "deleted"])
def test_what_another_process_stored_meanwhile_counts(monkeypatch, there):
    people = People(ann=WEAK)
    hash_password = verification.hash_password

    def meanwhile(password, *, form):
        people.rows["ann"] = there
        return hash_password(password, form=form)

    monkeypatch.setattr(verification, "hash_password", meanwhile)
    app = AuthMiddleware(who, Basic(people.source()))
    assert ask(app, headers=basic()).code == (401 if there is None else 200)


def test_a_source_that_fails_to_store_lets_its_user_in_and_is_told_without_its_words(caplog):
    def refuse(user, new, old):
        raise RuntimeError(f"UPDATE people SET hash = {new}")

    users = UsersFrom({"ann": WEAK}.get, set_hash=refuse)
    assert ask(AuthMiddleware(who, Basic(users)), headers=basic()).code == 200
    assert "RuntimeError" in caplog.text
    assert "$scrypt$" not in caplog.text


def test_where_there_is_no_place_for_another_derivation_the_old_one_stays(monkeypatch):
    people = People(ann=WEAK)

    class Once(verification.Room):
        entered = 0

        def __enter__(self):
            self.entered += 1
            if self.entered > 1:
                raise verification.Unavailable
            super().__enter__()

    monkeypatch.setattr(verification, "_ROOM", Once(1))
    assert ask(AuthMiddleware(who, Basic(people.source())), headers=basic()).code == 200
    assert people.calls == []


def test_who_signs_in_by_the_form_stays_signed_in():
    people = People(ann=WEAK)
    app = AuthMiddleware(who, SessionLogin(people.source()))
    browser = Browser(SessionMiddleware(app, store=MemoryStore(when_full="refuse")))
    answer = browser.post("/login", {"username": "ann", "password": "apple"}, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.code == 303
    assert people.rows["ann"] != WEAK
    assert browser.get("/").text == "ann ann session"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "users"
    path.write_text(f"ann:{WEAK}\nbob:{{SHA}}0L4txCG+T80BcuWvzuo5cOLz2UA=\n")
    return path


def test_a_file_is_changed_only_where_that_is_asked_for(file):
    before = file.read_bytes()
    assert ask(AuthMiddleware(who, Basic(Htpasswd(file))), headers=basic("bob")).code == 200
    assert file.read_bytes() == before


def test_a_file_gets_the_form_that_apache_reads(file):
    app = AuthMiddleware(who, Basic(Htpasswd(file, upgrade="bcrypt")))
    assert [ask(app, headers=basic("bob")).code for _ in range(2)] == [200, 200]
    assert ask(app, headers=basic("ann")).code == 200
    ann, bob = file.read_text().splitlines()
    assert ann == f"ann:{WEAK}", "scrypt is no weaker than bcrypt"
    assert bob.startswith("bob:$2y$05$")
    assert ask(app, headers=basic("bob", "pear")).code == 401


@pytest.mark.parametrize("password", ["p" * 73, "nu\0l"], ids=["long", "NUL"])
def test_a_password_that_bcrypt_would_cut_keeps_its_form(tmp_path, password):
    from passlib.hash import ldap_sha1

    path = tmp_path / "users"
    path.write_text(f"ann:{ldap_sha1.hash(password)}\n")
    before = path.read_bytes()
    app = AuthMiddleware(who, Basic(Htpasswd(path, upgrade="bcrypt")))
    assert ask(app, headers=basic("ann", password)).code == 200
    assert path.read_bytes() == before


@pytest.mark.slow
def test_the_real_htpasswd_reads_what_was_put_in_its_file(file):
    app = AuthMiddleware(who, Basic(Htpasswd(file, upgrade="bcrypt")))
    assert ask(app, headers=basic("bob")).code == 200
    command = [program("htpasswd"), "-v", "-b", str(file), "bob"]
    assert subprocess.run([*command, "apple"], capture_output=True, check=False).returncode == 0
    assert subprocess.run([*command, "pear"], capture_output=True, check=False).returncode == 3


def test_a_password_of_which_bcrypt_reads_a_part_is_told_once_a_derivation():
    made = bcrypt.hashpw(b"p" * 72, bcrypt.gensalt(4)).decode()
    events = []
    app = AuthMiddleware(who, Basic({"ann": made}), on_event=events.append)
    assert [ask(app, headers=basic("ann", "p" * 72 + "ZZZ")).code for _ in range(3)] == [200] * 3
    assert ask(app, headers=basic("ann", "p" * 72)).code == 200
    assert ask(app, headers=basic("ann", "q" * 100)).code == 401
    told = [(event.name, event.subject) for event in events if event.name == "hash.truncated"]
    assert told == [("hash.truncated", "ann")]
