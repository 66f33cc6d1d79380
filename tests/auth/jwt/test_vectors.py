"""The examples of the standards: RFC 7515 A.1 to A.6, RFC 7519 3.1 and 6.1, RFC 8037 A.4."""

from __future__ import annotations

import json

import pytest
from jwt_helpers import encoded

from middleware.auth.jwt.errors import InvalidToken
from middleware.auth.jwt.keys import one_key
from middleware.auth.jwt.reading import ANY_TOKEN, check_header, from_base64url, read

JOE = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
CLAIMS = {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}

A1_KEY = {
    "kty": "oct",
    "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
}
A1 = f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JOE}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
A2_KEY = {
    "kty": "RSA",
    "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2"
    "lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2"
    "CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb5"
    "4h4FRWyuXpoQ",
    "e": "AQAB",
}
A2 = (
    f"eyJhbGciOiJSUzI1NiJ9.{JOE}."
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t"
    "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j"
    "zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ"
    "Ge77Rw"
)
A3_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
A3 = (
    f"eyJhbGciOiJFUzI1NiJ9.{JOE}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
A4_KEY = {
    "kty": "EC",
    "crv": "P-521",
    "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
    "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
}
A4 = (
    "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA."
    "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZC"
    "PEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
)
A5 = f"eyJhbGciOiJub25lIn0.{JOE}."  # RFC 7519, section 6.1, has the same
OKP_KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
RFC_8037 = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


@pytest.mark.parametrize(
    ("token", "jwk", "algorithm"), [(A1, A1_KEY, "HS256"), (A2, A2_KEY, "RS256"), (A3, A3_KEY, "ES256")]
)
def test_a_signed_claims_set_is_read_and_verified(token, jwk, algorithm):
    read_token = read(token)
    check_header(read_token.header, {algorithm}, ANY_TOKEN)
    assert read_token.claims == CLAIMS
    key = one_key(jwk, [algorithm]).find(None, algorithm)
    assert key.is_signature(algorithm, read_token.signed, read_token.signature)
    assert not key.is_signature(algorithm, read_token.signed + b"A", read_token.signature)
    assert not key.is_signature(algorithm, read_token.signed, read_token.signature[:-1])


@pytest.mark.parametrize(
    ("token", "jwk", "algorithm"), [(A4, A4_KEY, "ES512"), (RFC_8037, OKP_KEY, "EdDSA"), (RFC_8037, OKP_KEY, "Ed25519")]
)
def test_the_signature_of_another_payload_is_right_and_the_token_none(token, jwk, algorithm):
    signed, _, signature = token.encode().rpartition(b".")
    key = one_key(jwk, [algorithm]).find(None, algorithm)
    assert key.is_signature(algorithm, signed, from_base64url(signature))
    assert not key.is_signature(algorithm, signed[:-1], from_base64url(signature))
    with pytest.raises(InvalidToken, match="claims not JSON"):
        read(token)


def test_an_unsecured_token_is_none():
    with pytest.raises(InvalidToken, match="three segments"):
        read(A5)


def test_the_json_serialisation_is_no_token():
    signature = A3.rpartition(".")[2]
    protected = {"payload": JOE, "protected": encoded({"alg": "ES256"}), "signature": signature}
    for serialised in (protected, {"payload": JOE, "signatures": [protected]}):
        with pytest.raises(InvalidToken):
            read(json.dumps(serialised))
