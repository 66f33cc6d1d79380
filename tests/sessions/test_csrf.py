"""CSRF tokens. S36 of the catalogue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.sessions.csrf import masked, matches, new_secret

SECRET = new_secret()
secrets = st.binary(min_size=16, max_size=16).map(bytes.hex)


def test_a_secret_has_128_bits_and_no_other_is_like_it():
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(bytes.fromhex(secret)) for secret in made} == {16}


@given(secrets)
def test_two_readings_differ_and_both_match(secret):
    one, other = masked(secret), masked(secret)
    assert one != other
    assert matches(secret, one)
    assert matches(secret, other)


@given(secrets, secrets)
def test_a_token_of_another_secret_matches_only_where_the_secrets_are_the_same(one, other):
    assert matches(one, masked(other)) == (one == other)


def test_a_token_is_fit_for_html_urls_and_header_fields():
    assert set(masked(SECRET)) <= set("0123456789abcdef")


def test_no_two_tokens_show_the_same_text_at_the_same_place():
    halves = {half for token in (masked(SECRET) for _ in range(100)) for half in (token[:32], token[32:])}
    assert len(halves) == 200
    assert SECRET not in halves


@given(st.integers(0, 63), st.integers(1, 15))
def test_a_token_with_one_other_digit_does_not_match(at, by):
    token = masked(SECRET)
    other = token[:at] + f"{int(token[at], 16) ^ by:x}" + token[at + 1 :]
    assert not matches(SECRET, other)


@given(st.none() | st.integers() | st.text() | st.binary() | st.lists(st.text()) | st.text("0123456789abcdef \n"))
def test_nothing_else_matches_or_raises(token):
    assert matches(SECRET, token) is False


def hostile(token):
    return {
        "empty": "",
        "truncated": token[:-1],
        "half": token[:32],
        "the secret": SECRET,
        "unmasked": "0" * 32 + SECRET[:-1] + ("1" if SECRET[-1] == "0" else "0"),
        "overlong": token + "0",
        "doubled": token * 2,
        "enormous": token * 100_000,
        "with a space": f"{token[:62]}  ",
        "with spaces": token[:20] + " " * 24 + token[44:],
        "full-width digits": "\N{FULLWIDTH DIGIT ONE}" * 64,
        "half a surrogate pair": "\ud800" * 64,
        "no hexadecimal": "g" * 64,
        "bytes": token.encode(),
        "a list": [token],
        "true": True,
    }


@pytest.mark.parametrize("name", hostile(""))
def test_what_is_no_token_is_false(name):
    assert matches(SECRET, hostile(masked(SECRET))[name]) is False


@pytest.mark.parametrize("secret", ["", "00", "x" * 32, SECRET + "00", SECRET[:-2], "\ud800"])
def test_a_secret_that_we_did_not_make_matches_nothing(secret):
    assert matches(secret, masked(SECRET)) is False
    assert matches(secret, "0" * 64) is False
