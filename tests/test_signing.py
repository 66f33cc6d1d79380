"""Signed values: what opens, what does not, and that itsdangerous agrees."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from middleware.errors import ConfigurationError
from middleware.signing import Signer, check_secrets, salt_for

SECRET = "a secret of more than sixteen bytes"
OLDER = "an older secret, also long enough"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=."
signer = Signer(SECRET, salt="test")


def serializer(secret=SECRET, salt="test", digest=hashlib.sha256):
    return URLSafeTimedSerializer(secret, salt=salt, signer_kwargs={"digest_method": digest})


def test_a_payload_comes_back_with_the_time_of_signing():
    at_noon = Signer(SECRET, salt="test", clock=lambda: 1_700_000_000.9)
    assert at_noon.unsign(at_noon.sign(b"\x00\xff payload")) == (b"\x00\xff payload", 1_700_000_000)


@given(st.binary(max_size=200))
def test_every_payload_comes_back(payload):
    opened = signer.unsign(signer.sign(payload))
    assert opened is not None
    assert opened[0] == payload


@given(st.text(max_size=200))
def test_no_text_raises(text):
    assert signer.unsign(text) is None


@pytest.mark.parametrize("token", ["", ".", "..", "...", "." * 2000, "a.b.c", "é.b.c", "\udc80.a.b", "A" * 102_400])
def test_garbage_does_not_open(token):
    assert signer.unsign(token) is None


def test_itsdangerous_opens_our_tokens():
    token = signer.sign(json.dumps({"a": [1, "ü"]}).encode())
    assert serializer().loads(token) == {"a": [1, "ü"]}


def test_we_open_tokens_of_itsdangerous():
    opened = signer.unsign(serializer().dumps({"a": 1}))
    assert opened is not None
    assert json.loads(opened[0]) == {"a": 1}


def test_we_open_compressed_tokens_of_itsdangerous():
    token = serializer().dumps("x" * 1000)
    assert token.startswith(".")
    opened = signer.unsign(token)
    assert opened is not None
    assert json.loads(opened[0]) == "x" * 1000


@pytest.mark.slow
def test_a_compressed_token_that_grows_too_large_does_not_open():
    assert signer.unsign(serializer().dumps("x" * 10_000_000)) is None


def test_a_compressed_token_that_is_not_compressed_does_not_open():
    inner = signer._payloads
    assert signer.unsign(inner.sign(b".bm90IHppcHBlZA").decode()) is None
    assert signer.unsign(inner.sign(b"A").decode()) is None  # no base64 at all


def test_every_substitution_of_one_character_refuses():
    token = signer.sign(b'{"user":7}')
    for position, original in enumerate(token):
        for character in ALPHABET:
            if character != original:
                assert signer.unsign(token[:position] + character + token[position + 1 :]) is None


def test_exactly_one_text_opens():
    token = signer.sign(b"payload")
    others = [token + "=", token + "==", token + "A", token[:-1], token + token, token[: len(token) // 2], " " + token]
    others += [token + "\n", token.replace(".", "..", 1), token[1:], token + "\xa0", f'"{token}"']
    assert [other for other in others if signer.unsign(other) is not None] == []


def test_a_moved_separator_refuses():
    payload, stamp, signature = signer.sign(b"payload").split(".")
    assert signer.unsign(f"{payload}{stamp[0]}.{stamp[1:]}.{signature}") is None
    assert signer.unsign(f"{payload[:-1]}.{payload[-1]}{stamp}.{signature}") is None
    assert signer.unsign(f"{payload}.{stamp}{signature[0]}.{signature[1:]}") is None


def test_another_salt_refuses():
    assert Signer(SECRET, salt="other").unsign(signer.sign(b"payload")) is None


def test_name_and_purpose_that_join_to_the_same_text_are_different_salts():
    salts = {salt_for("ab", "c"), salt_for("a", "bc"), salt_for("abc", ""), salt_for("", "abc"), salt_for("c", "ab")}
    assert len(salts) == 5


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_salts_are_equal_only_for_equal_names_and_purposes(one, other):
    assert (salt_for(*one) == salt_for(*other)) == (one == other)


def test_another_digest_refuses():
    assert signer.unsign(serializer(digest=hashlib.sha1).dumps({"a": 1})) is None


def test_the_newest_secret_signs_and_all_verify():
    both = Signer([OLDER, SECRET], salt="test")
    assert signer.unsign(both.sign(b"new")) is not None
    assert Signer(OLDER, salt="test").unsign(both.sign(b"new")) is None
    assert both.unsign(Signer(OLDER, salt="test").sign(b"old")) is not None


def test_a_removed_secret_no_longer_verifies():
    assert signer.unsign(Signer(OLDER, salt="test").sign(b"old")) is None


def test_text_and_bytes_are_the_same_secret():
    assert Signer(SECRET.encode(), salt="test").unsign(signer.sign(b"payload")) is not None


def test_one_text_is_one_secret_and_never_a_list_of_characters():
    assert check_secrets(SECRET) == (SECRET.encode(),)


@pytest.mark.parametrize(
    "secret", ["", b"", "fifteen bytes..", [], (), [SECRET, ""], ["short", SECRET], None, 7, [None], {SECRET}, [7]]
)
def test_a_secret_that_can_be_guessed_is_refused_with_the_cure(secret):
    with pytest.raises(ConfigurationError, match="python -m middleware secret"):
        check_secrets(secret)
    with pytest.raises(ConfigurationError):
        Signer(secret, salt="test")


def test_no_error_and_no_repr_shows_a_secret():
    assert SECRET not in repr(signer)
    with pytest.raises(ConfigurationError) as caught:
        check_secrets(["tiny-secret"])
    assert "tiny-secret" not in str(caught.value)


def test_threads_may_share_a_signer():
    shared = Signer([OLDER, SECRET], salt="test")
    barrier = threading.Barrier(8)
    failures = []

    def work(number):
        barrier.wait()
        for turn in range(50):
            payload = f"{number} {turn}".encode()
            opened = shared.unsign(shared.sign(payload))
            if opened is None or opened[0] != payload:
                failures.append(payload)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.slow
def test_itsdangerous_is_imported_at_the_first_token_and_not_before():
    code = (
        "import sys; from middleware.signing import Signer; s = Signer('x' * 16, salt='t');"
        "assert not {'itsdangerous', 'hashlib', 'hmac', 'json', 'typing'} & set(sys.modules);"
        "s.sign(b''); assert 'itsdangerous' in sys.modules"
    )
    subprocess.run([sys.executable, "-S", "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
