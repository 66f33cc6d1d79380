"""What a session holds, to JSON and back."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from decimal import Decimal
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.sessions.codec import content, content_of, decoded, encoded, encoded_value

texts = st.text(st.characters(exclude_categories=["Cs"]))
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda children: st.lists(children) | st.dictionaries(texts, children),
)


def same(one, other):
    """Equal, and of the same type all the way down; 0.0 is not -0.0."""
    if type(one) is not type(other):
        return False
    if type(one) is list:
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) is dict:
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return repr(one) == repr(other)


@given(st.dictionaries(texts, plain), st.lists(st.lists(texts, min_size=2, max_size=2)))
def test_plain_values_come_back_equal_and_of_the_same_type(data, messages):
    for key, value in data.items():
        encoded_value(key, value)
    back, waiting = content_of(decoded(encoded(*content(data, messages))))
    assert same(data, back)
    assert waiting == messages


@given(plain, plain)
def test_two_values_are_encoded_alike_only_where_they_are_the_same(one, other):
    assert (encoded_value("k", one) == encoded_value("k", other)) == same(one, other)


@given(st.binary())
def test_no_bytes_raise_anything_but_value_error(text):
    try:
        content_of(decoded(text))
    except ValueError:
        return


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"[1]",
        b"[{},1]",
        b"[{},[],1]",
        b"[NaN]",
        b"[" * 100_000,
        b"\xff",
        b'[{"a":1e999}]',
        b'[{"a":"\\ud800"}]',
        b'[{"\\udc00":1}]',
        b"[{},[1]]",
        b'[{},["ab"]]',
        b'[{},[["a"]]]',
        b'[{},[["a",1]]]',
        b'[{},[["a","b","c"]]]',
    ],
)
def test_what_is_no_content_is_a_value_error(text):
    with pytest.raises(ValueError):
        content_of(decoded(text))


def test_a_pair_of_surrogates_as_other_writers_of_json_have_it_is_one_character():
    assert decoded(b'[{"a":"\\ud83d\\ude00"}]') == [{"a": "\U0001f600"}]


class Text(str):
    pass


class Number(IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (object(), "object"),
        ((1, 2), "tuple"),
        ({1}, "set"),
        (b"x", "bytes"),
        (Decimal(1), "Decimal"),
        (datetime(2026, 1, 1), "datetime"),  # noqa: DTZ001
        (Text("x"), "Text"),
        (Number.ONE, "Number"),
        (OrderedDict(), "OrderedDict"),
        (1j, "complex"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        ({1: 2}, "int"),
        ({None: 2}, "NoneType"),
    ],
)
def test_anything_else_is_a_type_error_that_names_key_and_type_however_deep(value, kind):
    for nested in (value, [value], {"a": [{"b": value}]}):
        with pytest.raises(TypeError, match=kind) as caught:
            encoded_value("the key", nested)
        assert "'the key'" in str(caught.value)


def test_keys_are_text():
    with pytest.raises(TypeError, match="int"):
        encoded_value(7, "x")


def circle():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize("value", ["\ud800", ["\ud83d\ude00"], {"\ud800": 1}, 10**5000, circle()], ids=range(5))
def test_what_json_cannot_bring_back_is_a_value_error(value):
    with pytest.raises(ValueError, match="'k'"):
        encoded_value("k", value)
    with pytest.raises(ValueError):
        encoded_value("\ud800", 1)
