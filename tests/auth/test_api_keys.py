"""API keys: how they are made, what is stored of them, and what is no key."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.auth.api_keys import LONGEST, ApiKeyRecord, digest_of, id_of, is_right, new_api_key
from middleware.errors import ConfigurationError

DIGEST = "0f" * 32


def test_KEY_1_a_key_is_prefix_id_and_secret():
    key, record = new_api_key("sk_live", user="ann", scopes=["read"], roles=["ci"], expires_at=7)
    prefix, key_id, secret = key.rsplit("_", 2)
    assert prefix == "sk_live"
    assert id_of(key) == key_id == record.id
    assert len(secret) == 43
    assert secret.isalnum()
    assert (record.user, record.scopes, record.roles) == ("ann", {"read"}, {"ci"})
    assert record.expires_at == 7
    assert not record.disabled


def test_KEY_1_the_secret_has_all_the_chance_that_was_asked_for():
    asked = []

    def chance(size):
        asked.append(size)
        return b"\xff" * size

    key, _ = new_api_key(user="ann", chance=chance)
    secret = key.rpartition("_")[2]
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    assert asked == [10, 32]
    assert sum(alphabet.index(digit) * 62**place for place, digit in enumerate(secret)) == (1 << 256) - 1


def test_KEY_1_two_keys_are_never_the_same():
    assert len({new_api_key(user="ann")[0] for _ in range(100)}) == 100


def test_KEY_1_what_is_stored_is_the_sha_256_of_the_key():
    key, record = new_api_key(user="ann")
    assert record.sha256 == sha256(key.encode()).hexdigest() == digest_of(key)
    assert is_right(key, record.sha256)
    assert not is_right(key, None)
    assert not is_right(new_api_key(user="ann")[0], record.sha256)


def test_KEY_1_nothing_of_the_key_is_in_what_is_stored_but_its_id():
    key, record = new_api_key(user="ann")
    kept = repr([getattr(record, name) for name in ApiKeyRecord.__slots__])
    assert key.rpartition("_")[2] not in kept
    assert record.sha256 not in repr(record)


def test_another_prefix_before_the_same_id_and_secret_is_another_key():
    key, record = new_api_key("test", user="ann")
    assert not is_right(key.replace("test_", "live_"), record.sha256)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "_",
        "__",
        "___",
        "key",
        "key_id",
        "key_id_",
        "key__secret",
        "_id_secret",
        "key_id_sec ret",
        "key_id_secret ",
        " key_id_secret",
        "key_id_secret,key_id_secret",
        "key_id_secret\n",
        "key_i-d_secret",
        "k-y_id_secret",
        "1key_id_secret",
        "key_id_sécret",
        "ключ_id_secret",
        "key_id_" + "a" * LONGEST,
        "k" * 33 + "_id_secret",
        "_" * 100,
        "a_" * 200,
        "A" * (1 << 20),
    ],
    ids=lambda text: text[:30],
)
def test_what_is_no_key_has_no_id(text):
    assert id_of(text) is None


@pytest.mark.parametrize("prefix", ["", "_", "a_", "_a", "1a", "a-b", "a b", "é", "a" * 33, None, 7])
def test_a_prefix_that_could_not_be_read_again_is_refused(prefix):
    with pytest.raises(ConfigurationError, match="prefix"):
        new_api_key(prefix, user="ann")


@pytest.mark.parametrize(
    "given",
    [
        {"id": ""},
        {"id": "a_b"},
        {"id": None},
        {"sha256": ""},
        {"sha256": DIGEST.upper()},
        {"sha256": DIGEST[1:]},
        {"sha256": b"\0" * 32},
        {"user": ""},
        {"user": "a\nb"},
        {"user": None},
        {"scopes": "read"},
        {"roles": "admin"},
        {"expires_at": "2027-01-01"},
        {"expires_at": True},
        {"disabled": "no"},
    ],
    ids=repr,
)
def test_what_can_be_no_record_is_refused(given):
    with pytest.raises(ConfigurationError):
        ApiKeyRecord(**{"id": "a1", "sha256": DIGEST, "user": "ann", **given})


def test_no_error_shows_what_is_stored():
    with pytest.raises(ConfigurationError) as caught:
        ApiKeyRecord("a1", DIGEST.upper(), "ann")
    assert DIGEST.upper() not in str(caught.value)


def test_a_record_does_not_change():
    record = ApiKeyRecord("a1", DIGEST, "ann")
    with pytest.raises(AttributeError):
        record.disabled = True
    assert record == ApiKeyRecord("a1", DIGEST, "ann")
    assert len({record, ApiKeyRecord("a1", DIGEST, "ann")}) == 1
    assert record != ApiKeyRecord("a1", DIGEST, "ann", disabled=True)
    assert record != DIGEST


@given(st.text())
def test_every_text_is_taken(text):
    id_of(text)


@given(st.from_regex(r"[A-Za-z]([A-Za-z0-9_]{0,30}[A-Za-z0-9])?", fullmatch=True), st.randoms(use_true_random=False))
def test_every_new_key_has_its_id(prefix, random):
    key, record = new_api_key(prefix, user="ann", chance=random.randbytes)
    assert id_of(key) == record.id
    assert is_right(key, record.sha256)
