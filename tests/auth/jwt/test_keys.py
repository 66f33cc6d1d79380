"""Keys: which of a set count, which are passed over, and which set is refused as a whole (JWT-3, step 6)."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt_helpers import claims, ec, encoded, okp, public, rsa, secret, signed

from middleware.auth.jwt.errors import InvalidKeys, InvalidToken
from middleware.auth.jwt.keys import MOST_KEYS, jwk_from_pem, key_set, one_key
from middleware.auth.jwt.reading import from_base64url

ALL = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
SECRETS = ("HS256", "HS384", "HS512")
GOOD = rsa().as_dict(private=False)
POINT = ec().as_dict(private=False)
EDWARDS = okp().as_dict(private=False)


def number(value):
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def ids(document, algorithms=ALL):
    return [key.kid for key in key_set(document, algorithms).keys]


def test_keys_of_all_types_are_taken():
    keys = key_set(public(rsa(), ec(), ec("ec-3", "P-384"), ec("ec-5", "P-521"), okp()), ALL)
    assert {key.kid: set(key.algorithms) for key in keys.keys} == {
        "rsa-1": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
        "ec-1": {"ES256"},
        "ec-3": {"ES384"},
        "ec-5": {"ES512"},
        "okp-1": {"EdDSA", "Ed25519"},
    }
    assert "rsa-1" in repr(keys.keys[0])
    assert GOOD["n"] not in repr(keys.keys[0])


@pytest.mark.parametrize(
    "wrong",
    [
        {**GOOD, "use": "enc"},
        {**GOOD, "use": None},
        {**GOOD, "use": ["sig"]},
        {**GOOD, "key_ops": ["sign"]},
        {**GOOD, "key_ops": []},
        {**GOOD, "key_ops": "verify"},
        {**GOOD, "alg": "RSA-OAEP"},
        {**GOOD, "alg": "none"},
        {**GOOD, "alg": 256},
        {**GOOD, "alg": ""},
        {**GOOD, "kid": 1},
        {**GOOD, "kid": ""},
        {**GOOD, "kty": "rsa"},
        {**GOOD, "kty": "AKP"},
        {**GOOD, "kty": ["RSA"]},
        {**GOOD, "kty": None},
        {**GOOD, "e": number(1)},
        {**GOOD, "e": number(65536)},
        {**GOOD, "e": encoded(b"\0")},
        {**GOOD, "e": number(2**64 + 1)},
        {**GOOD, "e": ""},
        {**GOOD, "e": None},
        {**GOOD, "e": 65537},
        {**GOOD, "e": "AQAB="},
        {**GOOD, "n": GOOD["n"] + "\n"},
        {**GOOD, "n": "é" + GOOD["n"]},
        {**GOOD, "n": number(2**2047 - 1)},
        {**GOOD, "n": number(2**20000 + 1)},
        {name: value for name, value in GOOD.items() if name != "n"},
        rsa().as_dict(private=True),
        {**POINT, "crv": "P-384"},
        {**POINT, "crv": "secp256k1"},
        {**POINT, "crv": "p-256"},
        {**POINT, "crv": None},
        {**POINT, "y": POINT["x"]},
        {**POINT, "x": encoded(bytes(32)), "y": encoded(bytes(32))},
        {**POINT, "x": encoded(b"\0" + bytes(32))},
        {**POINT, "x": encoded(b"\xff" * 32)},
        {**POINT, "x": encoded(bytes(31))},
        {name: value for name, value in POINT.items() if name != "y"},
        {**EDWARDS, "crv": "X25519"},
        {**EDWARDS, "crv": "Ed448"},
        {**EDWARDS, "x": encoded(bytes(31))},
        {"kty": "RSA"},
        {},
    ],
)
def test_a_key_that_is_not_fit_is_passed_over(wrong):
    assert ids({"keys": [wrong, {**EDWARDS, "kid": "good"}]}) == ["good"]
    with pytest.raises(InvalidKeys):
        one_key(wrong, ALL)


@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "n", "e", "x", "y", "k", "kid", "alg", "use", "key_ops"]),
        st.sampled_from(["RSA", "EC", "OKP", "P-256", "Ed25519", "AQAB", GOOD["n"], POINT["x"], POINT["y"]])
        | st.text(max_size=50)
        | st.none()
        | st.integers()
        | st.lists(st.text(max_size=6), max_size=3),
    )
)
def test_whatever_a_set_holds_it_is_a_set_or_refused(jwk):
    try:
        found = key_set({"keys": [jwk]}, ALL)
    except InvalidKeys:
        return
    assert len(found.keys) <= 1


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({}, "no list"),
        ({"keys": None}, "no list"),
        ({"keys": {"a": GOOD}}, "no list"),
        ({"keys": [GOOD, "a"]}, "no list"),
        ({"keys": [GOOD] * (MOST_KEYS + 1)}, "more than"),
        ({"keys": [GOOD, POINT, {"kty": "oct", "k": encoded(bytes(40))}]}, "secrets and public keys"),
        ({"keys": [GOOD, {**GOOD, "use": "sig"}]}, "two keys with one id"),
        ({"keys": [{**GOOD, "alg": "RS256"}, {**POINT, "kid": "rsa-1", "alg": "RS256"}]}, "two keys with one id"),
    ],
)
def test_a_set_with_two_meanings_is_refused(document, says):
    with pytest.raises(InvalidKeys, match=says):
        key_set(document, ALL)


def test_a_key_for_encryption_may_have_the_id_of_one_for_signatures():
    assert ids({"keys": [{**GOOD, "use": "enc"}, GOOD]}) == ["rsa-1"]


def test_one_id_for_two_algorithms_is_no_doubt():
    document = {
        "keys": [{**GOOD, "alg": "RS256"}, {**rsa("rsa-2").as_dict(private=False), "kid": "rsa-1", "alg": "PS256"}]
    }
    keys = key_set(document, ALL)
    assert keys.find("rsa-1", "RS256") is keys.keys[0]
    assert keys.find("rsa-1", "PS256") is keys.keys[1]


def test_an_empty_set_is_a_set_without_keys():
    assert ids({"keys": []}) == []
    assert key_set({"keys": []}, ALL).find("a", "RS256") is None
    with pytest.raises(InvalidToken, match="no key fits"):
        key_set({"keys": []}, ALL).find(None, "RS256")


def test_the_algorithm_of_a_key_is_the_only_one_that_it_is_used_for():
    keys = key_set(public(rsa(), alg="RS512"), ALL)
    assert keys.find("rsa-1", "RS512")
    with pytest.raises(InvalidToken, match="no key fits"):
        keys.find("rsa-1", "RS256")


def test_a_token_without_an_id_gets_the_only_key_that_fits():
    keys = key_set(public(rsa(), ec(), ec("ec-2")), ALL)
    assert keys.find(None, "RS256").kid == "rsa-1"
    with pytest.raises(InvalidToken, match="several keys fit"):
        keys.find(None, "ES256")
    with pytest.raises(InvalidToken, match="no key fits"):
        keys.find(None, "ES384")
    assert keys.find("ec-2", "ES256").kid == "ec-2"
    assert keys.find("ec-3", "ES256") is None


def test_an_only_key_without_an_id_fits_any():
    nameless = {name: value for name, value in GOOD.items() if name != "kid"}
    assert key_set({"keys": [nameless]}, ALL).find("whatever", "RS256")
    assert key_set({"keys": [nameless, POINT]}, ALL).find("whatever", "RS256") is None


@pytest.mark.parametrize(("length", "fits"), [(31, []), (32, ["HS256"]), (47, ["HS256"]), (48, ["HS256", "HS384"])])
def test_a_secret_is_as_long_as_its_hash(length, fits):
    document = {"keys": [{"kty": "oct", "k": encoded(b"k" * length)}]}
    assert [name for key in key_set(document, SECRETS).keys for name in key.algorithms] == fits


def test_a_secret_that_is_a_public_key_is_none():
    pem = rsa().as_pem(private=False)
    assert key_set({"keys": [{"kty": "oct", "k": encoded(pem)}]}, SECRETS).keys == ()


def test_a_public_key_in_pem_is_a_jwk():
    for key, algorithm in ((rsa(), "RS256"), (ec(), "ES256"), (ec("ec-5", "P-521"), "ES512"), (okp(), "EdDSA")):
        keys = one_key(jwk_from_pem(key.as_pem(private=False)), [algorithm])
        made = signed({"alg": algorithm}, claims(), key)
        signature, text = made.rpartition(".")[2], made.rpartition(".")[0].encode()
        assert keys.find(None, algorithm).is_signature(algorithm, text, from_base64url(signature.encode()))


@pytest.mark.parametrize(
    "text", [b"", b"-----BEGIN PUBLIC KEY-----", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_what_is_no_public_key_in_pem_is_refused(text):
    with pytest.raises(InvalidKeys):
        jwk_from_pem(text)


def test_keys_in_pem_that_are_too_weak_or_for_nothing_here_are_refused():
    for weak in (generate_private_key(65537, 1024), X25519PrivateKey.generate()):
        text = weak.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        with pytest.raises(InvalidKeys):
            one_key(jwk_from_pem(text), ALL)


def test_a_signature_of_any_bytes_is_wrong_and_no_error():
    for key, algorithm in ((rsa(), "RS256"), (rsa(), "PS256"), (ec(), "ES256"), (okp(), "EdDSA"), (secret(), "HS256")):
        checker = one_key({**key.as_dict(private=key.key_type == "oct")}, [algorithm]).find(None, algorithm)
        for signature in (b"", b"\0", bytes(64), b"\xff" * 64, b"\xff" * 256, bytes(5000)):
            assert not checker.is_signature(algorithm, b"e30.e30", signature)
