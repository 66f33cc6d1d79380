"""Malformed and well-formed Authorization fields (BAS-5): 200, 400 or 401, and never an error."""

from __future__ import annotations

from base64 import b64encode

import bcrypt
import pytest
from asking import ask
from auth_helpers import stored, who
from hypothesis import given
from hypothesis import strategies as st

from middleware.auth import AuthMiddleware, Basic, Digest, allow, ha1
from middleware.auth.schemes.bearer import Bearer

USERS = {
    "ann": stored("apple"),
    "bob": stored("s3:cret"),
    "jäsøn": stored("päss"),
    "test": stored("123£"),
    "long": bcrypt.hashpw(b"a" * 72, b"$2b$04$abcdefghijklmnopqrstuu").decode(),
}


def encoded(pair):
    return b64encode(pair).decode()


GOOD = encoded(b"ann:apple")

BASIC = [
    ("Basic", 401),
    ("Basic ", 401),
    ("Basic !!!", 401),
    ("Basic " + GOOD.rstrip("=") + "===", 401),
    ("Basic " + encoded(b"bob:s3:cret").rstrip("="), 401),
    ("Basic " + encoded("jäsøn:pä>?".encode()).replace("+", "-").replace("/", "_"), 401),
    ("Basic " + encoded(b"ann"), 401),
    ("Basic " + encoded(b":"), 401),
    ("Basic " + encoded(b":apple"), 401),
    ("basic " + GOOD, 200),
    ("BASIC " + GOOD, 200),
    ("Basic  " + GOOD, 200),
    (" Basic " + GOOD, 200),
    ("Basic " + GOOD + " ", 200),
    ("Basic\t" + GOOD, 401),
    ("Basic " + encoded(b"a\0nn:apple"), 401),
    ("Basic " + encoded(b"ann:app\0le"), 401),
    ("Basic " + encoded(b"ann\r\nx:apple"), 401),
    ("Basic " + encoded(b"bob:s3:cret"), 200),
    ("Basic " + encoded("jäsøn:päss".encode()), 200),
    ("Basic " + encoded("jäsøn:päss".encode("latin-1")), 200),
    ("Basic " + encoded(b"\xff\xfe:\xff"), 401),
    ("Basic " + encoded(b"ann:" + b"a" * 100), 401),
    ("Basic " + encoded(b"long:" + b"a" * 100), 200),  # PW-3
    ("Basic " + encoded(b"long:" + b"a" * 71), 401),
    ("Basic " + "A" * 8200, 401),
    ("Basic " + "A" * (1 << 20), 401),
    ("Basic " + encoded(b"ann:" + b"a" * 5000), 401),
    (f"Basic {GOOD}, Basic {GOOD}", 400),
    (f"Basic {GOOD},{GOOD}", 400),
    ("", 401),
    (" ", 401),
    ("Negotiate YII=", 401),
    ("Bäsic " + GOOD, 401),
    ("Basic ☃", 401),
    ("\udcff", 401),
    ("Basic dGVzdDoxMjPCow==", 200),  # RFC 7617, section 2.1
]

OTHERS = [
    ("Bearer", 400),
    ("Bearer ", 400),
    ("Bearer a b", 400),
    ("Bearer \xe9", 400),
    ("Bearer wrong", 401),
    ("Bearer right", 200),
    ("Digest", 400),
    ('Digest ,,,=,"', 400),
    ('Digest username="ann', 400),
    ("Digest username", 400),
    ('Digest username="", realm="", nonce="", uri="", response=""', 400),
    ('Digest username="ann", username="ann"', 400),
    (f"Bearer right, Basic {GOOD}", 400),
    ("Bearer right, Bearer right", 400),
    ("Bearer " + "A" * (1 << 20), 401),
    ("Digest " + "A" * (1 << 20), 401),
    ("Digest " + 'a="' * 2000, 400),
]


@pytest.fixture(scope="module")
def alone():
    return AuthMiddleware(who, Basic(USERS), throttle=None)


@pytest.fixture(scope="module")
def three():
    return AuthMiddleware(who, schemes(), throttle=None)


def schemes():
    return [
        Digest({"ann": ha1("ann", "App", "apple")}, realm="App", secret="a secret of the test, 32 characters"),
        Bearer(verify={"right": {"user": "ann"}}.get),
        Basic(USERS),
    ]


def named(rows):
    return pytest.mark.parametrize(("field", "code"), rows, ids=[ascii(field)[:40] for field, _ in rows])


@named(BASIC)
def test_a_field_is_read_or_refused_and_never_fails(alone, field, code):
    answer = ask(alone, HTTP_AUTHORIZATION=field)
    assert answer.code == code
    assert (answer.header("WWW-Authenticate") is not None) == (code == 401)


@named(BASIC + OTHERS)
def test_so_it_is_beside_other_schemes(three, field, code):
    answer = ask(three, HTTP_AUTHORIZATION=field)
    assert answer.code == code
    challenges = answer.all("WWW-Authenticate")
    assert [challenge.partition(" ")[0] for challenge in challenges] == {
        200: [],
        400: ["Bearer"] if field.startswith("Bearer") else [],
        401: ["Digest", "Bearer", "Basic"],
    }[code]


@named([*BASIC, *OTHERS])
def test_where_everybody_gets_in_no_field_is_looked_at(field, code):
    app = AuthMiddleware(who, schemes(), rules=[allow("/")])
    assert ask(app, HTTP_AUTHORIZATION=field).text == "None None None"


@given(
    st.sampled_from(["", "Basic ", "basic\t", "Digest ", "Bearer ", "Negotiate "]),
    st.one_of(st.text(), st.binary().map(encoded), st.text('a=",\\ \t:/+\xe9\u2603\0', max_size=50)),
)
def test_no_field_is_an_error(three, scheme, rest):
    assert ask(three, HTTP_AUTHORIZATION=scheme + rest).code in (400, 401)


@pytest.mark.parametrize("scheme", ["Basic ", "Bearer ", "Digest ", "Digest a=", "Basic a,", "x "])
@pytest.mark.parametrize("piece", ["A", ",", '"', "=", "\\", 'a="', 'a="b",', " ", "\t", "é", "."])
def test_a_megabyte_of_anything_is_refused(three, scheme, piece):
    assert ask(three, HTTP_AUTHORIZATION=scheme + piece * ((1 << 20) // len(piece))).code in (400, 401)


@pytest.mark.parametrize("user", ["ann\r\nx", "a\0nn", "\u202eann", "ann\u2028x"])
def test_a_name_that_would_break_a_line_of_the_log_is_one_line_of_it(alone, caplog, user):
    assert ask(alone, HTTP_AUTHORIZATION="Basic " + encoded(f"{user}:apple".encode())).code == 401
    assert len(caplog.records) == 1
    assert caplog.records[0].getMessage().isascii()
    assert caplog.records[0].getMessage().isprintable()
