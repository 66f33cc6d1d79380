"""Stored passwords: what verifies, what never can, and that nothing raises."""

from __future__ import annotations

import sys

import bcrypt
import pytest
from asking import ask
from auth_helpers import basic, stored, who
from hypothesis import given
from hypothesis import strategies as st

from middleware.auth import AuthMiddleware, Basic, SessionLogin, hash_password
from middleware.auth.passwords import cost_of, spend, verify
from middleware.errors import MissingExtra

GOOD = stored("apple")
BCRYPT = bcrypt.hashpw(b"apple", bcrypt.gensalt(4)).decode()


@pytest.mark.slow
def test_a_new_password_is_scrypt_with_a_salt_of_its_own():
    one, other = hash_password("apple"), hash_password("apple")
    assert one.startswith("$scrypt$ln=14,r=8,p=5$")
    assert one != other
    assert verify("apple", one)
    assert not verify("Apple", one)


@pytest.mark.parametrize("password", ["", "a" * 4097, "é" * 2049])
def test_a_password_that_could_never_be_used_is_refused(password):
    with pytest.raises(ValueError, match="4096"):
        hash_password(password)


def test_the_test_vector_of_scrypt_is_right():
    # RFC 7914, section 12: password "password", salt "NaCl", N=1024, r=8, p=16. The salt is too short for us to take.
    from middleware.auth.passwords.scrypt import derive

    expected = (
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb9"
    )
    assert derive(b"password", b"NaCl", 10, 8, 16, 64).hex().startswith(expected)


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
def test_bcrypt_is_read_under_its_three_names(prefix):
    assert verify("apple", prefix + BCRYPT[4:])
    assert not verify("pear", prefix + BCRYPT[4:])


@pytest.mark.parametrize("letter", "./AZaz09")
def test_a_salt_that_no_bcrypt_writes_is_known_before_any_work(letter):
    hostile = BCRYPT[:28] + letter + BCRYPT[29:]
    assert (cost_of(hostile) is None) == (letter != ".")


def test_of_a_bcrypt_password_72_bytes_count():
    made = bcrypt.hashpw(b"p" * 72, bcrypt.gensalt(4)).decode()
    assert verify("p" * 72 + "ZZZ", made)
    assert not verify("p" * 71, made)


def test_nul_is_in_no_bcrypt_password_and_an_ordinary_character_elsewhere():
    zero = bcrypt.hashpw(b"a0b", bcrypt.gensalt(4)).decode()
    assert not verify("a\0b", zero)
    assert verify("a\0b", stored("a\0b"))


@pytest.mark.parametrize("password", ["", "a" * 4097, "\udcff", "é" * 5000])
def test_a_password_that_nobody_has_is_refused_without_an_error(password):
    assert not verify(password, GOOD)
    assert not verify(password, BCRYPT)


BAD = [
    "",
    "apple",
    "{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=",
    "$apr1$salt$hash",
    "$2x" + BCRYPT[3:],
    BCRYPT[:-1],
    BCRYPT + "a",
    BCRYPT.replace("$04$", "$31$"),
    BCRYPT.replace("$04$", "$03$"),
    BCRYPT.replace("$04$", "$0a$"),
    BCRYPT.replace("$04$", "$\u0660\u0664$"),
    BCRYPT[:-1] + "!",
    GOOD[:-1],
    GOOD + "!",
    GOOD + "$",
    GOOD.replace("ln=4", "ln=31"),
    GOOD.replace("ln=4", "ln=0"),
    GOOD.replace("ln=4", "ln=-4"),
    GOOD.replace("ln=4", "ln=" + "9" * 5000),
    GOOD.replace("ln=4", "ln=\u0664"),
    GOOD.replace("r=8", "r=0"),
    GOOD.replace("p=1", "p=9999").replace("ln=4", "ln=14"),
    GOOD[:-20],
    GOOD.replace("ln=4,r=8", "ln=22,r=8"),
    GOOD.replace("ln=4,r=8", "r=8,ln=4"),
    GOOD.replace(",p=1", ""),
    GOOD.replace(",p=1", ",p=1,x=2"),
    "$scrypt$ln=4,r=8,p=1$$" + "A" * 43,
    "$scrypt$ln=4,r=8,p=1$" + "A" * 22 + "$",
    "$scrypt$ln=4,r=8,p=1$" + "A" * 22 + "$" + "A" * 5000,
    "$scrypt$",
]


@pytest.mark.parametrize("form", BAD, ids=[ascii(form)[:8] for form in BAD])
def test_a_form_that_is_unknown_damaged_or_too_dear_is_nobodys(form):
    assert cost_of(form) is None
    assert not verify("apple", form)


@given(
    st.text(), st.one_of(st.text(), st.text().map("$scrypt$ln=4,r=8,p=1$".__add__), st.text().map("$2b$04$".__add__))
)
def test_nothing_makes_the_check_fail(password, form):
    assert not verify(password, form)


@given(st.integers(0, len(GOOD) - 1), st.characters(max_codepoint=0x200))
def test_no_form_that_was_changed_by_a_letter_is_an_error(place, letter):
    verify("apple", GOOD[:place] + letter + GOOD[place + 1 :].replace("ln=4", "ln=2"))


def test_the_work_for_nobody_is_that_for_somebody(monkeypatch):
    calls = []
    hashpw = bcrypt.hashpw

    def seen(secret, salt):
        calls.append(salt[4:6])
        return hashpw(secret, salt)

    monkeypatch.setattr(bcrypt, "hashpw", seen)
    spend(("bcrypt", 4, 0, 0))
    assert calls == [b"04"]
    spend(("scrypt", 4, 8, 1))


@pytest.fixture
def without_bcrypt(monkeypatch):
    monkeypatch.setitem(sys.modules, "bcrypt", None)


@pytest.mark.parametrize("scheme", [Basic, SessionLogin])
def test_a_missing_extra_is_named_at_construction(without_bcrypt, scheme):
    with pytest.raises(MissingExtra, match=r"wsgi-middleware\[bcrypt\]"):
        scheme({"ann": GOOD, "bob": BCRYPT})
    scheme({"ann": GOOD})


def test_an_extra_that_is_missing_later_refuses_that_user_and_is_reported_once(without_bcrypt, caplog):
    assert not verify("apple", BCRYPT)
    users = {}
    app = AuthMiddleware(who, Basic(users))
    users["ann"] = BCRYPT
    assert [ask(app, headers=basic()).code for _ in range(2)] == [401, 401]
    assert len([record for record in caplog.records if "stored password" in record.getMessage()]) == 1
