"""Stored passwords: what verifies, what never can, and that nothing raises."""

from __future__ import annotations

import sys

import argon2
import bcrypt
import pytest
from asking import ask
from auth_helpers import basic, stored, who
from hypothesis import example, given, settings
from hypothesis import strategies as st
from passlib import hash as libpass

from middleware.auth import AuthMiddleware, Basic, SessionLogin, hash_password
from middleware.auth.passwords import cost_of, is_weak, is_weaker, spend, verify
from middleware.errors import ConfigurationError, MissingExtra

GOOD = stored("apple")
BCRYPT = bcrypt.hashpw(b"apple", b"$2b$04$abcdefghijklmnopqrstuu").decode()  # one text in every process
ARGON2 = argon2.low_level.hash_secret(b"apple", b"saltsaltsalt", 1, 64, 1, 16, argon2.Type.ID).decode()
APR1 = "$apr1$EvgqZeio$zGiQY68UnPFj01OSmIeSn/"
SHA1 = "{SHA}0L4txCG+T80BcuWvzuo5cOLz2UA="
SHA256 = "$5$oU92Kv8KTqbqai.c$Xh7OyxPd1nEvbiVCaYrpTi.PYCQAi9Xox325kiuA3t2"
SHA512 = (
    "$6$rounds=1000$rb5emqiNnrlaUPMb$E96QdCARuMsUXxJZnRxtBEP9UQCPaDLxn1sIDNpFWLs"
    "/LmWnXHBYgvMSO8AQkc5j.jrLASlcldw6dnh6Tzug4."
)
PLAIN = "{PLAIN}apple"
EACH = {
    "scrypt": GOOD,
    "bcrypt": BCRYPT,
    "argon2id": ARGON2,
    "apr1": APR1,
    "sha1": SHA1,
    "sha256crypt": SHA256,
    "sha512crypt": SHA512,
    "plain": PLAIN,
}


def without(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)


@pytest.mark.parametrize("form", EACH)
def test_each_form_knows_its_password(form):
    assert cost_of(EACH[form])[0] == form
    assert verify("apple", EACH[form])
    for other in ("Apple", "apple ", "appl", "a" * 4096):
        assert not verify(other, EACH[form])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "beginning"),
    [
        (None, "$argon2id$v=19$m=65536,t=3,p=4$"),
        ("argon2id", "$argon2id$v=19$m=65536,t=3,p=4$"),
        ("scrypt", "$scrypt$ln=14,r=8,p=5$"),
        ("bcrypt", "$2y$12$"),
    ],
)
def test_a_new_password_has_a_salt_of_its_own(form, beginning):
    one, other = hash_password("apple", form=form), hash_password("apple", form=form)
    assert one.startswith(beginning)
    assert one != other
    assert verify("apple", one)
    assert not verify("Apple", one)
    assert not is_weaker(one, form)


@pytest.mark.slow
def test_a_new_password_is_scrypt_where_argon2_is_not_installed(monkeypatch):
    without(monkeypatch, "argon2.low_level")
    assert hash_password("apple").startswith("$scrypt$ln=14,r=8,p=5$")


@pytest.mark.parametrize("form", ["argon2", "md5", "SCRYPT", 7])
def test_no_new_password_is_made_in_another_form(form):
    with pytest.raises(ConfigurationError, match="argon2id"):
        hash_password("apple", form=form)


@pytest.mark.parametrize(("form", "package", "extra"), [("argon2id", "argon2.low_level", "argon2"), ("bcrypt",) * 3])
def test_a_form_whose_extra_is_missing_names_it(monkeypatch, form, package, extra):
    without(monkeypatch, package)
    with pytest.raises(MissingExtra, match=rf"wsgi-middleware\[{extra}\]"):
        hash_password("apple", form=form)


@pytest.mark.parametrize("password", ["p" * 73, "é" * 37, "nu\0l"])
def test_a_password_of_which_bcrypt_would_read_a_part_is_refused(password):
    with pytest.raises(ValueError, match="72 bytes"):
        hash_password(password, form="bcrypt")


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
    for form in EACH.values():
        assert not verify(password, form)


BAD = [
    "",
    "apple",
    "*0",
    "KvKUKKR0IbR.A",
    "{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc",
    "{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZ!=",
    "{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZd=",
    "{SHA}" + "A" * 28,
    "{SHA}",
    "{PLAIN}",
    "{SSHA}" + "A" * 32,
    "$apr1$salt$hash",
    APR1[:-1],
    APR1 + "a",
    APR1[:-1] + "!",
    APR1.replace("EvgqZeio", ""),
    APR1.replace("EvgqZeio", "EvgqZeio9"),
    APR1.replace("EvgqZeio", "Evgq\u00e4"),
    APR1.replace("$apr1$", "$1$"),
    SHA256[:-1],
    SHA256.replace("$5$", "$6$"),
    SHA256.replace("$5$", "$5$rounds=999999999$"),
    SHA256.replace("$5$", "$5$rounds=1000001$"),
    SHA256.replace("$5$", "$5$rounds=999$"),
    SHA256.replace("$5$", "$5$rounds=05000$"),
    SHA256.replace("$5$", "$5$rounds=$"),
    SHA256.replace("$5$", "$5$rounds=\u0665000$"),
    SHA256.replace("$5$", "$5$rounds=" + "9" * 5000 + "$"),
    SHA256.replace("$5$", "$5$5000$"),
    SHA256.replace("oU92", "oU92s"),
    SHA256.replace("oU92", "o\u00e492"),
    SHA512 + "a",
    SHA512 + "$",
    "$5$",
    "$6$$",
    ARGON2.replace("argon2id", "argon2i"),
    ARGON2.replace("v=19", "v=16"),
    ARGON2.replace("$v=19", ""),
    ARGON2.replace("m=64", "m=262145"),
    ARGON2.replace("m=64", "m=7"),
    ARGON2.replace("t=1", "t=0"),
    ARGON2.replace("m=64,t=1", "m=262144,t=10"),
    ARGON2.replace("p=1", "p=0"),
    ARGON2.replace("p=1", "p=17"),
    ARGON2.replace("m=64,t=1", "t=1,m=64"),
    ARGON2.replace(",p=1", ""),
    ARGON2[:-1] + "!",
    ARGON2[:-14],
    ARGON2 + "$",
    ARGON2.replace("c2FsdHNhbHRzYWx0", "c2FsdA"),
    "$argon2id$",
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


BEGINNINGS = [
    "",
    "$scrypt$ln=4,r=8,p=1$",
    "$2b$04$",
    "$argon2id$v=19$m=8,t=1,p=1$",
    "$apr1$",
    "$5$",
    "$6$rounds=",
    "{SHA}",
]


@given(st.text(), st.sampled_from(BEGINNINGS), st.text())
def test_nothing_makes_the_check_fail(password, beginning, rest):
    assert not verify(password, beginning + rest)


@given(st.sampled_from(sorted(EACH.values())), st.integers(0, 200), st.characters(max_codepoint=0x200))
def test_no_form_that_was_changed_by_a_letter_is_an_error(form, place, letter):
    place %= len(form)
    changed = form[:place] + letter + form[place + 1 :]
    cost = cost_of(changed)
    if cost in {cost_of(each) for each in EACH.values()}:  # else it may be dear
        verify("apple", changed)


TRIED = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=100)
SALT = st.text("./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)


@pytest.mark.slow
@given(TRIED, SALT, st.integers(1000, 1100))
@example("x" * 64, "a", 1000)
@example("x" * 65, "a", 1042)
@example("x" * 500, "a", 5000)
def test_the_crypts_are_those_of_another_library(password, salt, rounds):
    made = [
        libpass.sha256_crypt.using(salt=salt, rounds=rounds).hash(password),
        libpass.sha512_crypt.using(salt=salt, rounds=rounds).hash(password),
        libpass.apr_md5_crypt.using(salt=salt).hash(password),
        libpass.ldap_sha1.hash(password),
    ]
    for each in made:
        assert verify(password, each)
        assert not verify(password + "x", each)


@pytest.mark.slow
@given(st.text("apple\u00e4", min_size=1, max_size=72).filter(lambda text: len(text.encode()) <= 72))
@settings(max_examples=20)
def test_bcrypt_and_argon2_are_those_of_another_library(password):
    for hasher in (libpass.bcrypt.using(rounds=4), libpass.argon2.using(rounds=1, memory_cost=64, parallelism=1)):
        made = hasher.hash(password)
        assert verify(password, made)
        assert not verify("x" + password, made)


@pytest.mark.parametrize(
    ("stored_password", "form", "weaker"),
    [
        (GOOD, "scrypt", True),
        (GOOD, "argon2id", True),
        (ARGON2, "argon2id", True),
        (ARGON2, "scrypt", True),
        (ARGON2, "bcrypt", False),
        (ARGON2.replace("m=64,t=1", "m=65536,t=3"), "argon2id", False),
        (ARGON2.replace("m=64,t=1", "m=65536,t=3"), "scrypt", False),
        (GOOD.replace("ln=4,r=8,p=1", "ln=14,r=8,p=5"), "argon2id", False),
        (BCRYPT, "bcrypt", True),
        (BCRYPT.replace("$04$", "$12$"), "bcrypt", False),
        (BCRYPT.replace("$04$", "$12$"), "argon2id", True),
        (SHA512, "bcrypt", True),
        (APR1, "bcrypt", True),
        (SHA1, "bcrypt", True),
        (PLAIN, "bcrypt", True),
        ("damaged", "bcrypt", False),
    ],
)
def test_what_is_weaker_than_a_new_password(stored_password, form, weaker):
    assert is_weaker(stored_password, form) == weaker


def test_what_is_guessed_fast():
    weak = {form for form, each in EACH.items() if is_weak(cost_of(each))}
    assert weak == {"apr1", "sha1", "plain", "bcrypt"}  # this bcrypt, for its cost
    assert not is_weak(("bcrypt", 10, 0, 0))


@pytest.mark.parametrize("form", EACH)
@pytest.mark.parametrize("password", ["", "a" * 4097, "a" * 4096, "nu\0l", "\udcff"], ids=ascii)
def test_work_can_be_spent_on_whatever_was_typed(form, password):
    spend(cost_of(EACH[form]), password)


@pytest.mark.parametrize("form", ["sha256crypt", "sha512crypt"])
def test_a_password_that_no_crypt_stores_is_not_the_one_it_begins_with(form):
    from middleware.auth.passwords.sha_crypt import derive

    prefix = EACH[form][:3]
    made = f"{prefix}rounds=1000$salt$" + derive(prefix, b"a" * 512, b"salt", 1000)
    assert verify("a" * 512, made)
    assert not verify("a" * 513, made)


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


@pytest.mark.parametrize("scheme", [Basic, SessionLogin])
@pytest.mark.parametrize(("form", "package"), [(BCRYPT, "bcrypt"), (ARGON2, "argon2.low_level")])
def test_a_missing_extra_is_named_at_construction(monkeypatch, scheme, form, package):
    without(monkeypatch, package)
    with pytest.raises(MissingExtra, match=rf"wsgi-middleware\[{package[:6]}\]"):
        scheme({"ann": GOOD, "bob": form})
    scheme({"ann": GOOD})


@pytest.mark.parametrize(("form", "package"), [(BCRYPT, "bcrypt"), (ARGON2, "argon2.low_level")])
def test_an_extra_that_is_missing_later_refuses_that_user_and_is_reported_once(monkeypatch, caplog, form, package):
    without(monkeypatch, package)
    assert not verify("apple", form)
    spend(cost_of(form))
    users = {}
    app = AuthMiddleware(who, Basic(users))
    users["ann"] = form
    assert [ask(app, headers=basic()).code for _ in range(2)] == [401, 401]
    assert len([record for record in caplog.records if "hash.invalid" in record.getMessage()]) == 1
