"""Tokens that must not count, each of them a way in that somebody once found; and the good ones beside them."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode

import pytest
from asking import ask
from auth_helpers import who
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, OctKey, RSAKey
from jwt_helpers import (
    AUDIENCE,
    ISSUER,
    NOW,
    SECRET,
    Site,
    bearer,
    claims,
    ec,
    encoded,
    header,
    public,
    rsa,
    secret,
    signed,
    token,
)

from middleware.auth.jwt.errors import InvalidToken
from middleware.auth.jwt.key_sets import StaticKeys
from middleware.auth.jwt.keys import key_set
from middleware.auth.jwt.reading import ACCESS_TOKEN
from middleware.auth.jwt.verifying import TokenVerifier

ALGORITHMS = ("RS256", "ES256")
KEYS = StaticKeys(key_set(public(rsa(), ec()), ALGORITHMS))
TWO_OF_A_KIND = StaticKeys(key_set(public(rsa(), rsa("rsa-2"), ec()), ALGORITHMS))


def verifier(keys=KEYS):
    return TokenVerifier(
        keys,
        issuer=ISSUER,
        audience=[AUDIENCE],
        algorithms=ALGORITHMS,
        types=ACCESS_TOKEN,
        leeway=60,
        clock=lambda: NOW,
    )


def text(members):
    """JSON as it stands, for what no dictionary can hold."""
    return members.encode()


def with_claims(json_text):
    return signed(header(), text(json_text))


def with_header(json_text):
    return signed(text(json_text), claims())


def unsigned(algorithm):
    return f"{encoded(header(alg=algorithm))}.{encoded(claims())}."


def public_pem():
    return rsa().as_pem(private=False)


def spoilt(place):
    parts = token().split(".")
    parts[place] = parts[place][:-4] + ("AAAA" if not parts[place].endswith("AAAA") else "BBBB")
    return ".".join(parts)


def es256(signature):
    head = header(alg="ES256", kid="ec-1")
    signing = f"{encoded(head)}.{encoded(claims())}"
    return f"{signing}.{encoded(signature)}"


def der_signature():
    signing = f"{encoded(header(alg='ES256', kid='ec-1'))}.{encoded(claims())}"
    return ec().private_key.sign(signing.encode(), ECDSA(SHA256()))


def ec_raw():
    good = signed(header(alg="ES256", kid="ec-1"), claims(), ec())
    return urlsafe_b64decode(good.split(".")[2] + "==")


P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
OTHER_RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
OTHER_EC = ECKey.generate_key("P-256", {"kid": "ec-1"})
BASE = json.dumps(claims())[1:-1]
HEAD = json.dumps(header())[1:-1]


def hmac_with_public_key(algorithm="HS256", key=None):
    head = header(alg=algorithm)
    signing = f"{encoded(head)}.{encoded(claims())}"
    made = hmac.digest(key or public_pem(), signing.encode(), getattr(hashlib, f"sha{algorithm[2:]}"))
    return f"{signing}.{encoded(made)}"


BAD = {
    "not three segments": {
        "alg none": lambda: unsigned("none"),
        "empty": lambda: "",
        "one segment": lambda: token().split(".")[0],
        "two segments": lambda: token().rpartition(".")[0],
        "no signature": lambda: f"{token().rpartition('.')[0]}.",
        "four segments": lambda: f"{token()}.AAAA",
        "five segments, as JWE has": lambda: f"{encoded(header(alg='RSA-OAEP', enc='A256GCM'))}.AAAA.AAAA.AAAA.AAAA",
        "JSON serialisation": lambda: json.dumps({"payload": encoded(claims()), "signatures": []}),
    },
    "algorithm": {
        "alg None": lambda: unsigned("None") + "AAAA",
        "alg NONE": lambda: unsigned("NONE") + "AAAA",
        "alg nOnE": lambda: unsigned("nOnE") + "AAAA",
        "alg none, with the signature of a good one": lambda: unsigned("none") + token().split(".")[2],
        "alg empty": lambda: unsigned("") + "AAAA",
        "alg a number": lambda: signed(header(alg=256), claims(), algorithm="RS256"),
        "alg null": lambda: signed(text('{"alg":null,"typ":"at+jwt","kid":"rsa-1"}'), claims()),
        "alg a list": lambda: signed(header(alg=["RS256"]), claims(), algorithm="RS256"),
        "alg missing": lambda: signed(header(alg=None), claims(), algorithm="RS256"),
        "alg in lower case": lambda: signed(header(alg="rs256"), claims(), algorithm="RS256"),
        "alg that was not configured": lambda: signed(header(alg="RS512"), claims(), algorithm="RS512"),
        "alg of the same key, padded in another way": lambda: signed(header(alg="PS256"), claims(), algorithm="PS256"),
        "HS256 with the public key in PEM": hmac_with_public_key,
        "HS256 with the public key as a JWK": lambda: hmac_with_public_key(
            key=json.dumps(public(rsa())["keys"][0]).encode()
        ),
        "HS512 with the public key": lambda: hmac_with_public_key("HS512"),
        "HS256 with a secret": lambda: signed(header(alg="HS256"), claims(), secret()),
        "HS256 with an empty secret": lambda: hmac_with_public_key(key=b"\0"),
        "ES384 on its curve": lambda: signed(header(alg="ES384", kid="ec-1"), claims(), ec("ec-1", "P-384")),
        "header empty": lambda: with_header("{}"),
    },
    "signature": {
        "another key of the same id": lambda: token(key=OTHER_RSA),
        "another curve key of the same id": lambda: signed(header(alg="ES256", kid="ec-1"), claims(), OTHER_EC),
        "a signature that was changed": lambda: spoilt(2),
        "claims that were changed": lambda: (
            f"{token().split('.')[0]}.{encoded(claims(sub='root'))}.{token().split('.')[2]}"
        ),
        "a signature of nothing but noughts": lambda: f"{token().rpartition('.')[0]}.{encoded(bytes(256))}",
        "a signature that is too long": lambda: f"{token().rpartition('.')[0]}.{encoded(bytes(257))}",
        "a signature of one byte": lambda: f"{token().rpartition('.')[0]}.AA",
        "an embedded jwk": lambda: signed(header(jwk=OTHER_RSA.as_dict(private=False)), claims(), OTHER_RSA),
        "jku": lambda: signed(header(jku="https://evil.example/keys"), claims(), OTHER_RSA),
        "x5u": lambda: signed(header(x5u="https://evil.example/cert"), claims(), OTHER_RSA),
        "x5c": lambda: signed(header(x5c=["MIIB"]), claims(), OTHER_RSA),
        "ES256 with r = s = 0": lambda: es256(bytes(64)),
        "ES256 with r = 0": lambda: es256(bytes(32) + ec_raw()[32:]),
        "ES256 with s = 0": lambda: es256(ec_raw()[:32] + bytes(32)),
        "ES256 with r = s = the order": lambda: es256(P256_ORDER.to_bytes(32, "big") * 2),
        "ES256 with r + order": lambda: es256((1 + P256_ORDER).to_bytes(32, "big") * 2),
        "ES256 with r = s = 1": lambda: es256((1).to_bytes(32, "big") * 2),
        "ES256 in DER": lambda: es256(der_signature()),
        "ES256 longer by noughts before": lambda: es256(b"\0" + ec_raw()[:32] + b"\0" + ec_raw()[32:]),
        "ES256 longer by noughts behind": lambda: es256(ec_raw() + b"\0\0"),
        "ES256 cut short": lambda: es256(ec_raw()[:-1]),
        "ES256 with r alone": lambda: es256(ec_raw()[:32]),
        "ES256 on another curve": lambda: signed(
            header(alg="ES256", kid="ec-1"), claims(), ec("ec-1", "P-384"), algorithm="ES384"
        ),
    },
    "unknown key": {
        "an embedded jwk without kid": lambda: signed(
            header(jwk=OTHER_RSA.as_dict(private=False), kid="new"), claims(), OTHER_RSA
        ),
        "kid unknown": lambda: token(head={"kid": "nobody"}),
        "kid like a path": lambda: token(head={"kid": "../../../../dev/null"}),
        "kid like SQL": lambda: token(head={"kid": "x' UNION SELECT 'key"}),
        "kid with a NUL": lambda: token(head={"kid": "rsa-1\0"}),
    },
    "key id": {
        "kid empty": lambda: token(head={"kid": ""}),
        "kid a number": lambda: token(head={"kid": 1}),
        "kid a list": lambda: token(head={"kid": ["rsa-1"]}),
        "kid null": lambda: signed(text('{"alg":"RS256","typ":"at+jwt","kid":null}'), claims()),
        "kid true": lambda: token(head={"kid": True}),
        "kid of 2,000 characters": lambda: token(head={"kid": "k" * 2000}),
    },
    "no key fits": {
        "kid of another type of key": lambda: token(head={"kid": "ec-1"}),
    },
    "critical header": {
        "crit empty": lambda: token(head={"crit": []}),
        "crit a text": lambda: token(head={"crit": "exp"}),
        "crit unknown": lambda: token(head={"crit": ["unheard-of"], "unheard-of": True}),
        "crit of a claim that is known": lambda: token(head={"crit": ["exp"], "exp": 1}),
        "crit null": lambda: signed(text(f'{{{HEAD},"crit":null}}'), claims()),
        "b64 false": lambda: token(head={"b64": False, "crit": ["b64"]}),
        "b64 true": lambda: token(head={"b64": True}),
        "zip": lambda: token(head={"zip": "DEF"}),
    },
    "type": {
        "typ of an ID token": lambda: token(head={"typ": "JWT"}),
        "typ of a log-out token": lambda: token(head={"typ": "logout+jwt"}),
        "typ missing": lambda: token(head={"typ": None}),
        "typ a list": lambda: token(head={"typ": ["at+jwt"]}),
        "typ null": lambda: signed(text('{"alg":"RS256","typ":null,"kid":"rsa-1"}'), claims()),
    },
    "header not JSON": {
        "alg twice": lambda: with_header(f'{{"alg":"none",{HEAD}}}'),
        "header a list": lambda: with_header("[]"),
        "header a text": lambda: with_header('"RS256"'),
        "header null": lambda: with_header("null"),
        "header no JSON": lambda: with_header("{alg:RS256}"),
    },
    "claims not JSON": {
        "sub twice": lambda: with_claims(f'{{"sub":"root",{BASE}}}'),
        "exp twice": lambda: with_claims(f'{{{BASE},"exp":9999999999}}'),
        "a member twice, deep inside": lambda: with_claims(f'{{{BASE},"a":[{{"b":1,"b":2}}]}}'),
        "claims a list": lambda: with_claims(f"[{{{BASE}}}]"),
        "claims a text": lambda: with_claims('"ann"'),
        "claims a number": lambda: with_claims("1"),
        "claims no JSON": lambda: with_claims("ann"),
        "claims with something behind": lambda: with_claims(f"{{{BASE}}}x"),
        "claims not in UTF-8": lambda: signed(header(), b'{"sub":"j\xe4son",' + BASE.encode() + b"}"),
        "claims in UTF-16": lambda: signed(header(), f"{{{BASE}}}".encode("utf-16")),
        "claims with a byte order mark": lambda: signed(header(), b"\xef\xbb\xbf" + f"{{{BASE}}}".encode()),
        "claims with half a pair of surrogates": lambda: with_claims(f'{{{BASE},"x":"\\ud800"}}'),
        "a name that is half a pair": lambda: with_claims(f'{{{BASE},"\\udfff":1}}'),
        "a control character in a text": lambda: with_claims(f'{{{BASE},"x":"a\nb"}}'),
        "exp NaN": lambda: with_claims(json.dumps(claims(exp=float("nan")))),
        "exp Infinity": lambda: with_claims(json.dumps(claims(exp=float("inf")))),
        "exp 1e400": lambda: with_claims(json.dumps(claims(exp=0)).replace('"exp": 0', '"exp": 1e400')),
        "exp 10**400": lambda: with_claims(json.dumps(claims(exp=10**400))),
        "exp of 5,000 digits": lambda: with_claims(
            json.dumps(claims(exp=0)).replace('"exp": 0', f'"exp": {"9" * 5000}')
        ),
        "another number of 5,000 digits": lambda: with_claims(f'{{{BASE},"x":{"9" * 5000}}}'),
        "12,000 bytes of lists in one another": lambda: with_claims(f'{{{BASE},"x":{"[" * 5000}{"]" * 5000}}}'),
        "33 objects in one another": lambda: with_claims(f'{{{BASE},"x":{_objects(32)}}}'),
        "40 lists in one another": lambda: with_claims(f'{{{BASE},"x":{"[" * 40}{"]" * 40}}}'),
    },
    "exp": {
        "exp missing": lambda: token(exp=None),
        "exp a text": lambda: token(exp=str(int(NOW + 600))),
        "exp true": lambda: token(exp=True),
        "exp null": lambda: with_claims(f'{{"iss":"{ISSUER}","aud":"api","sub":"ann","exp":null}}'),
        "exp a list": lambda: token(exp=[NOW + 600]),
        "exp an object": lambda: token(exp={"at": NOW + 600}),
        "exp 2**53": lambda: token(exp=2**53),
    },
    "expired": {
        "exp now": lambda: token(exp=NOW),
        "exp past, within the leeway": lambda: token(exp=NOW - 30),
    },
    "not yet valid": {
        "nbf ahead": lambda: token(nbf=NOW + 61),
        "iat ahead": lambda: token(iat=NOW + 61),
        "auth_time ahead": lambda: token(auth_time=NOW + 3600),
    },
    "nbf": {
        "nbf a text": lambda: token(nbf="0"),
        "nbf false": lambda: token(nbf=False),
    },
    "iat": {
        "iat a text": lambda: token(iat="0"),
    },
    "auth_time": {
        "auth_time a text": lambda: token(auth_time="now"),
    },
    "issuer": {
        "iss missing": lambda: token(iss=None),
        "iss with a slash more": lambda: token(iss=f"{ISSUER}/"),
        "iss in capitals": lambda: token(iss=ISSUER.upper()),
        "iss of another": lambda: token(iss="https://evil.example"),
        "iss a list": lambda: token(iss=[ISSUER]),
        "iss a number": lambda: token(iss=1),
    },
    "audience": {
        "aud missing": lambda: token(aud=None),
        "aud the beginning of ours": lambda: token(aud="ap"),
        "aud ours and more": lambda: token(aud="api2"),
        "aud in capitals": lambda: token(aud="API"),
        "aud a list without ours": lambda: token(aud=["web", "app"]),
        "aud an empty list": lambda: token(aud=[]),
        "aud a number": lambda: token(aud=1),
        "aud true": lambda: token(aud=True),
        "aud an object": lambda: token(aud={"api": True}),
        "aud a list with something else": lambda: token(aud=["api", 1]),
    },
    "subject": {
        "sub missing": lambda: token(sub=None),
        "sub empty": lambda: token(sub=""),
        "sub a number": lambda: token(sub=1),
        "sub a list": lambda: token(sub=["ann"]),
        "sub true": lambda: token(sub=True),
        "sub with a NUL": lambda: token(sub="ann\0"),
        "sub with a line break": lambda: token(sub="ann\nroot"),
        "sub with a C1 control": lambda: token(sub="ann\x85"),
    },
    "alphabet": {
        "a line break behind": lambda: f"{token()}\n",
        "a space before": lambda: f" {token()}",
        "a line break within": lambda: token()[:20] + "\n" + token()[20:],
        "padding": lambda: f"{token()}==",
        "padding within": lambda: ".".join(part + "=" * (-len(part) % 4) for part in token().split(".")),
        "the alphabet of plain base64": lambda: token(x="???>>>").replace("_", "/").replace("-", "+"),
        "a NUL": lambda: token() + "\0",
    },
    "not canonical": {
        "bits to spare": lambda: _with_spare_bits(token()),
    },
    "not ASCII": {
        "no ASCII": lambda: token().replace("e", "е", 1),  # noqa: RUF001 - a Cyrillic letter,
        "full-width full stops": lambda: token().replace(".", "．"),  # noqa: RUF001,
    },
    "too long": {
        "200,000 lists in one another": lambda: with_claims("[" * 200_000),
        "1 MB": lambda: token(x="x" * 1_000_000),
        "1 MB of full stops": lambda: "." * 1_000_000,
        "17,000 characters": lambda: token(x="x" * 17_000),
    },
}


def _objects(depth):
    return '{"a":' * depth + "1" + "}" * depth


def _with_spare_bits(good):
    """The same bytes, written with bits set that stand for nothing: the last of 22 characters has four of them."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = good[-1]
    assert len(good.rpartition(".")[2]) % 4 == 2
    return good[:-1] + alphabet[alphabet.index(last) + 1]


EVERY_BAD = [(name, reason, make) for reason, tokens in BAD.items() for name, make in tokens.items()]


@pytest.mark.parametrize(("reason", "make"), [pytest.param(*one[1:], id=one[0]) for one in EVERY_BAD])
def test_a_bad_token_is_refused_for_its_reason_and_nothing_else_is_raised(reason, make):
    with pytest.raises(InvalidToken) as refused:
        verifier().verify(make(), {})
    assert refused.value.reason == reason


def test_there_are_enough_of_them():
    assert len(EVERY_BAD) >= 65


@pytest.mark.slow
def test_no_bad_token_gets_in_at_the_front_door():
    site = Site(who, keys=public(rsa(), ec()))
    for name, _, make in EVERY_BAD:
        if name == "a space before":
            continue  # where credentials have as many as they like
        answer = ask(site, headers=bearer(make()))
        expected = "invalid_request" if answer.code == 400 else "invalid_token"
        assert answer.code in (400, 401), name
        assert answer.header("WWW-Authenticate") == f'Bearer realm="API", error="{expected}"', name
        assert answer.header("Cache-Control") == "no-store"


def test_a_token_without_kid_is_refused_where_two_keys_fit():
    with pytest.raises(InvalidToken, match="several keys fit"):
        verifier(TWO_OF_A_KIND).verify(token(head={"kid": None}), {})


GOOD = {
    "RS256": token,
    "ES256": lambda: signed(header(alg="ES256", kid="ec-1"), claims(), ec()),
    "aud a list that holds ours": lambda: token(aud=["web", "api"]),
    "exp with a fraction": lambda: token(exp=NOW + 0.5),
    "exp the last second that there is": lambda: token(exp=2**53 - 1),
    "nbf and iat within the leeway": lambda: token(nbf=NOW + 60, iat=NOW + 60),
    "typ as a media type": lambda: token(head={"typ": "application/at+jwt"}),
    "typ in capitals": lambda: token(head={"typ": "AT+JWT"}),
    "kid missing while one key fits": lambda: token(head={"kid": None}),
    "parameters and claims that nobody knows": lambda: token(head={"x5t": "abc"}, color=["green", {"a": None}]),
    "a subject beyond ASCII": lambda: token(sub="jäsøn"),
    "a pair of surrogates": lambda: with_claims(f'{{{BASE},"x":"\\ud83d\\ude00"}}'),
    "31 lists in one another": lambda: with_claims(f'{{{BASE},"x":{"[" * 31}{"]" * 31}}}'),
    "40 lists beside one another": lambda: token(x=[[]] * 40),
    "brackets in a text": lambda: token(x='["{[' * 20),
    "jku beside a signature of the right key": lambda: token(head={"jku": "https://evil.example"}),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_token_counts(name):
    assert verifier().verify(GOOD[name](), {})["iss"] == ISSUER


def test_a_secret_counts_for_nothing_but_itself():
    site = Site(who, keys=SECRET)
    assert ask(site, headers=bearer(signed(header(alg="HS256", kid=None), claims(), secret()))).code == 200
    other = OctKey.import_key(b"another secret of at least 32 bytes")
    assert ask(site, headers=bearer(signed(header(alg="HS256", kid=None), claims(), other))).code == 401
    assert ask(site, headers=bearer(token())).code == 401
