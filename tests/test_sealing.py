"""Sealed values: what opens, what does not, and that nobody reads them. C24, C27 and S41 of the catalogue."""

from __future__ import annotations

import subprocess
import sys
import threading
from binascii import a2b_base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from middleware.errors import ConfigurationError, MissingExtra
from middleware.signing import Sealer, Signer, salt_for

SECRET = "a secret of more than sixteen bytes"
OLDER = "an older secret, also long enough"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.+/ \n"
sealer = Sealer(SECRET, salt="test")


def test_a_payload_comes_back_with_the_time_of_sealing():
    at_noon = Sealer(SECRET, salt="test", clock=lambda: 1_700_000_000.9)
    assert at_noon.open(at_noon.seal(b"\x00\xff payload")) == (b"\x00\xff payload", 1_700_000_000)


@given(st.binary(max_size=200))
def test_every_payload_comes_back(payload):
    opened = sealer.open(sealer.seal(payload))
    assert opened is not None
    assert opened[0] == payload


@given(st.binary(max_size=200))
def test_a_sealed_text_is_as_long_as_documented_and_fit_for_a_cookie(payload):
    token = sealer.seal(payload)
    assert len(token) == 44 + (len(payload) * 4 + 2) // 3
    assert token.replace("-", "a").replace("_", "a").isalnum()


def test_equal_payloads_give_different_texts_that_show_nothing():
    tokens = {sealer.seal(b"a payload that is to be seen nowhere") for _ in range(100)}
    assert len(tokens) == 100
    for token in tokens:
        raw = a2b_base64(token.replace("-", "+").replace("_", "/") + "=" * (-len(token) % 4))
        assert b"payload" not in raw


@given(st.text(max_size=200))
def test_no_text_raises(text):
    assert sealer.open(text) is None


@given(st.binary(max_size=200))
def test_no_bytes_that_are_not_ours_open(data):
    from base64 import urlsafe_b64encode

    assert sealer.open(urlsafe_b64encode(data).rstrip(b"=").decode()) is None


@pytest.mark.parametrize(
    "token", ["", "A", "====", "." * 2000, "a.b.c", "é" * 60, "\udc80" * 60, "A" * 102_400, "A" * 44]
)
def test_garbage_does_not_open(token):
    assert sealer.open(token) is None


def test_every_substitution_of_one_character_refuses():
    for payload in (b"", b"1", b"12"):  # base64 of each length modulo 3
        token = sealer.seal(payload)
        for position, original in enumerate(token):
            for character in ALPHABET:
                if character != original:
                    assert sealer.open(token[:position] + character + token[position + 1 :]) is None


@given(st.binary(max_size=60), st.data())
def test_whatever_is_changed_refuses(payload, data):
    token = sealer.seal(payload)
    position = data.draw(st.integers(0, len(token)))
    length = data.draw(st.integers(0, 3))
    changed = token[:position] + data.draw(st.text(max_size=3)) + token[position + length :]
    assert (sealer.open(changed) is None) == (changed != token)


def test_exactly_one_text_opens():
    token = sealer.seal(b"a payload")
    others = [token + "=", token + "==", token + "A", token[:-1], token + token, token[: len(token) // 2], " " + token]
    others += [token + "\n", token + ".", token[1:], token + "\xa0", f'"{token}"', token.swapcase()]
    assert [other for other in others if sealer.open(other) is not None] == []


def test_another_salt_refuses():
    assert Sealer(SECRET, salt="other").open(sealer.seal(b"payload")) is None


def test_a_value_under_another_name_or_for_another_purpose_refuses():
    token = Sealer(SECRET, salt=salt_for("cookie", "a")).seal(b"payload")
    for purpose, name in (("cookie", "b"), ("session", "a"), ("cooki", "ea"), ("cookiea", "")):
        assert Sealer(SECRET, salt=salt_for(purpose, name)).open(token) is None


@pytest.mark.parametrize("salt", ["test", "other"])
def test_what_is_signed_is_not_sealed_and_the_other_way_round(salt):
    signer = Signer(SECRET, salt=salt)
    assert sealer.open(signer.sign(b"payload")) is None
    assert signer.unsign(sealer.seal(b"payload")) is None
    assert sealer.open(signer.sign(sealer.seal(b"payload").encode())) is None
    assert sealer.open(URLSafeTimedSerializer(SECRET, salt=salt).dumps({"a": 1})) is None
    assert sealer.open('{"a":1}') is None


def test_the_newest_secret_seals_and_all_open():
    both = Sealer([OLDER, SECRET], salt="test")
    assert sealer.open(both.seal(b"new")) is not None
    assert Sealer(OLDER, salt="test").open(both.seal(b"new")) is None
    assert both.open(Sealer(OLDER, salt="test").seal(b"old")) is not None


def test_a_removed_secret_no_longer_opens():
    assert sealer.open(Sealer(OLDER, salt="test").seal(b"old")) is None


def test_text_and_bytes_are_the_same_secret():
    assert Sealer(SECRET.encode(), salt="test").open(sealer.seal(b"payload")) is not None


@pytest.mark.parametrize("secret", ["", "fifteen bytes..", [], ["short", SECRET], None, 7])
def test_a_secret_that_can_be_guessed_is_refused_with_the_cure(secret):
    with pytest.raises(ConfigurationError, match="python -m middleware secret"):
        Sealer(secret, salt="test")


def test_no_repr_shows_a_secret():
    assert SECRET not in repr(sealer)


def test_without_the_extra_construction_fails_and_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtra, match=r"pip install 'wsgi-middleware\[crypto\]'"):
        Sealer(SECRET, salt="test")


def test_threads_may_share_a_sealer():
    shared = Sealer([OLDER, SECRET], salt="test")
    barrier = threading.Barrier(8)
    failures = []

    def work(number):
        barrier.wait()
        for turn in range(50):
            payload = f"{number} {turn}".encode()
            opened = shared.open(shared.seal(payload))
            if opened is None or opened[0] != payload:
                failures.append(payload)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.slow
def test_what_encrypts_is_imported_at_the_first_token_and_not_before():
    code = (
        "import sys; from middleware.signing import Sealer, Signer; Signer('x' * 16, salt='t').sign(b'');"
        "assert not [name for name in sys.modules if name.startswith('cryptography')];"
        "s = Sealer('x' * 16, salt='t'); assert 'cryptography.hazmat' not in sys.modules;"
        "s.seal(b''); assert 'cryptography.hazmat' in sys.modules"
    )
    subprocess.run([sys.executable, "-S", "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
