"""The front check by itself: whatever comes, a token is read or refused, in linear time."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jwt_helpers import encoded

from middleware.auth.jwt.errors import InvalidToken
from middleware.auth.jwt.reading import ACCESS_TOKEN, LONGEST, check_header, from_base64url, read
from middleware.auth.jwt.strict_json import DEEPEST, json_object

# What JSON has, within what is taken.
SCALARS = st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)


@given(OBJECTS, OBJECTS, st.binary(min_size=1, max_size=80), st.booleans())
def test_what_was_written_as_a_token_is_read_back(header, claims, signature, in_ascii):
    segments = [encoded(json.dumps(part, ensure_ascii=in_ascii).encode()) for part in (header, claims)]
    token = read(".".join([*segments, encoded(signature)]))
    assert (token.header, token.claims, token.signature) == (header, claims, signature)
    assert token.signed == ".".join(segments).encode()


@given(st.text(max_size=60) | st.text("eyJ.-_=AQgw", max_size=60))
@example("e30.e30.AA")
@example("..")
def test_any_text_is_read_or_refused(text):
    try:
        token = read(text)
    except InvalidToken:
        return
    assert text.encode() == b".".join([token.signed, urlsafe_b64encode(token.signature).rstrip(b"=")])


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_segments_of_any_bytes_are_read_or_refused(header, claims):
    try:
        token = read(f"{encoded(header)}.{encoded(claims)}.AA")
    except InvalidToken:
        return
    assert token.header == json.loads(header)
    assert token.claims == json.loads(claims)


@given(OBJECTS, st.sampled_from(["alg", "typ", "kid", "crit", "b64"]), VALUES)
def test_a_header_of_any_values_passes_or_is_refused(header, name, value):
    with suppress(InvalidToken):
        check_header({**header, name: value}, {"RS256"}, ACCESS_TOKEN)


@given(st.binary(max_size=40))
def test_base64url_has_one_way_to_write_each_value(data):
    text = encoded(data).encode()
    assert from_base64url(text) == data
    for other in (text + b"=", text + b"\n", b" " + text, text + b"A" * (1 + (len(text) % 4 == 0))):
        with suppress(ValueError):
            assert from_base64url(other) != data


@pytest.mark.parametrize("depth", [1, DEEPEST - 1, DEEPEST])
def test_as_many_objects_in_one_another_as_are_allowed_are_read(depth):
    assert json_object(b'{"a":' * depth + b"1" + b"}" * depth)


@pytest.mark.parametrize("text", ['{"a":' * 33 + "1" + "}" * 33, '{"a":' + "[" * 32 + "]" * 32 + "}", "[" * 100_000])
def test_more_are_not(text):
    with pytest.raises(ValueError, match="deep"):
        json_object(text.encode())


@given(st.recursive(st.just(0), lambda inner: st.lists(inner, max_size=3), max_leaves=60), st.integers(0, 40))
def test_depth_is_counted_as_json_has_it(value, around):
    def depth(found):
        return 1 + max(map(depth, found), default=0) if isinstance(found, list) else 0

    for _ in range(around):
        value = [value]
    text = json.dumps({"a": value, "b": [[], {}] * 20}).encode()
    if depth(value) < DEEPEST:
        assert json_object(text)["a"] == value
    else:
        with pytest.raises(ValueError, match="deep"):
            json_object(text)


@pytest.mark.parametrize("inside", ['"[[[[' * 1, "\\\\", '\\"[', '\\\\\\"', "[{" * 40])
def test_brackets_in_texts_are_no_depth(inside):
    text = json.dumps({"a": [inside, "\\", '"', "[" * 50]})
    assert json_object(text.encode()) == json.loads(text)


def test_a_token_of_the_greatest_length_is_read():
    claims = encoded({"x": "x" * 12_000})
    assert read(f"e30.{claims}.AA")
    longest = f"e30.e30.{'A' * (LONGEST - 8)}"
    assert len(longest) == LONGEST
    assert read(longest).signature == bytes((LONGEST - 8) * 3 // 4)
    with pytest.raises(InvalidToken, match="too long"):
        read(longest + "A")
