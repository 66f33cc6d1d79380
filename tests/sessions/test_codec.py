"""What a session holds, to JSON and back. What JSON itself has no form for is in test_typed.py."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessions.values import keys, plain, same, texts

from middleware.sessions.codec import content, content_of, decoded, encoded, encoded_value, is_typed, largest

messages = st.lists(st.lists(texts, min_size=2, max_size=2), max_size=3)


@given(st.dictionaries(keys, plain, max_size=4), messages, st.dictionaries(texts, texts, max_size=2))
def test_plain_values_come_back_equal_and_of_the_same_type(data, waiting, marks):
    parts = encoded(*content(data, waiting, marks))
    back = content_of(decoded(parts))
    assert same(list(back), [data, waiting, marks])
    assert encoded(*content(data, waiting, marks), typed=True) == parts


@given(plain, plain)
def test_two_values_are_encoded_alike_only_where_they_are_the_same(one, other):
    assert (encoded_value("k", one) == encoded_value("k", other)) == same(one, other)


@given(keys, plain)
def test_a_value_is_encoded_as_it_stands_in_the_content(key, value):
    assert b":" + encoded_value(key, value) + b"}]" in encoded({"k": 1, key: value}) or key == "k"


def looks_like_a_tag(value):
    if type(value) is dict:
        return next(iter(value), "")[:1] == "$" or any(map(looks_like_a_tag, value.values()))
    return type(value) is list and any(map(looks_like_a_tag, value))


@given(plain)
def test_a_text_has_a_tag_only_where_a_dict_looks_like_one(value):
    assert is_typed(encoded(value)) == looks_like_a_tag(value)
    assert is_typed(encoded_value("k", value)) == looks_like_a_tag(value)


def test_a_content_has_no_more_parts_than_it_needs():
    assert content({"a": 1}, []) == ({"a": 1},)
    assert content({"a": 1}, [["c", "m"]]) == ({"a": 1}, [["c", "m"]])
    assert content({"a": 1}, [], {"user": "u"}) == ({"a": 1}, [], {"user": "u"})
    assert content_of([{"a": 1}]) == ({"a": 1}, [], {})


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
        b"[{},[],[]]",
        b"[{},[],{},1]",
        b"[NaN]",
        b"[" * 100_000,
        b"\xff",
        b"[{}] ",
        b"[{}][{}]",
        b'[{"a":1e999}]',
        b'[{"a":' + b"1" * 5000 + b"}]",
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


class Moment(datetime):
    pass


class Number(IntEnum):
    ONE = 1


class Pair(NamedTuple):
    a: int
    b: int


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (object(), "object"),
        (1j, "complex"),
        (bytearray(b"x"), "bytearray"),
        (range(3), "range"),
        (int, "type"),
        (len, "builtin_function_or_method"),
        (Text("x"), "Text"),
        (Number.ONE, "Number"),
        (OrderedDict(), "OrderedDict"),
        (Pair(1, 2), "Pair"),
        (Moment(2026, 1, 1), "Moment"),
        ({Number.ONE: 2}, "Number"),
        ({(1, Text("x")): 2}, "Text"),
        ({Text("x")}, "Text"),
    ],
)
def test_anything_else_is_a_type_error_that_names_key_and_type_however_deep(value, kind):
    for nested in (value, [value], {"a": [{"b": value}]}, (value,), {1: value}):
        with pytest.raises(TypeError, match=f"holds a {kind}: .* no subclass") as caught:
            encoded_value("the key", nested)
        assert "session['the key']" in str(caught.value)
        with pytest.raises(TypeError, match=kind):
            encoded({"the key": nested}, typed=True)


def test_keys_are_text():
    for key in (7, b"x", None, Text("x")):
        with pytest.raises(TypeError, match=type(key).__name__):
            encoded_value(key, "x")


def circle():
    value = []
    value.append(value)
    return value


def round_dict():
    value = {}
    value[1] = (value,)
    return value


def nested(levels, value=0):
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    ["\ud800", ["\ud83d\ude00"], {"\ud800": 1}, ("\ud800",), 10**5000, {10**5000}, circle(), round_dict(), nested(101)],
    ids=range(9),
)
def test_what_json_cannot_bring_back_is_a_value_error(value):
    with pytest.raises(ValueError, match=r"^session\['k'\]"):
        encoded_value("k", value)
    with pytest.raises(ValueError, match=r"^session\['\\ud800'\]: half"):
        encoded_value("\ud800", 1)


@pytest.mark.parametrize("innermost", [0, 1.5, float("nan"), b"x"])
def test_a_hundred_levels_are_kept(innermost):
    value = nested(100, innermost)
    encoded_value("k", value)
    assert same(decoded(encoded({"k": value}, typed=True)), [{"k": value}])


def test_the_largest_keys_are_named_with_their_sizes():
    data = {"a": "x" * 10, "b": {1, 2}, "c": 1, "d": 22}
    assert largest(data, [["message", "hello"]]) == ("its flash messages (21 bytes), 'b' (17 bytes), 'a' (15 bytes)")
