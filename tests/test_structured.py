"""Structured Fields (RFC 9651): what is written exactly right is read, and anything else is nothing."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middleware.structured import Date, DisplayString, Token, parse_dictionary

keys = st.from_regex(r"[a-z*][a-z0-9_\-.*]{0,8}", fullmatch=True)
printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
tokens = st.from_regex(r"[A-Za-z*][A-Za-z0-9!#$%&'*+\-.^_`|~:/]{0,8}", fullmatch=True).map(Token)
integers = st.integers(-999_999_999_999_999, 999_999_999_999_999)
decimals = st.tuples(st.integers(-999_999_999_999, 999_999_999_999), st.integers(0, 999)).map(
    lambda parts: float(f"{parts[0]}.{parts[1]:03}")
)
bare_items = st.one_of(
    st.booleans(),
    integers,
    decimals,
    printable,
    tokens,
    st.binary(max_size=12),
    integers.map(Date),
    st.text(max_size=12).map(DisplayString),
)
dictionaries = st.dictionaries(keys, bare_items | st.lists(bare_items, max_size=2), max_size=3)


def written(value):
    if isinstance(value, list):
        return f"({' '.join(map(written, value))})"
    if isinstance(value, bool):
        return f"?{value:d}"
    if isinstance(value, Date):
        return f"@{int(value)}"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, bytes):
        return f":{b64encode(value).decode()}:"
    if isinstance(value, DisplayString):
        return '%"' + "".join(c if " " <= c <= "~" and c not in '%"' else escaped(c) for c in value) + '"'
    if isinstance(value, str) and not isinstance(value, Token):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def escaped(character):
    return "".join(f"%{byte:02x}" for byte in character.encode())


@st.composite
def lines(draw):
    """A dictionary, and one way in which it may be written."""
    given_members = draw(dictionaries)
    parts = []
    for key, value in given_members.items():
        more = draw(st.sampled_from(["", ";x", "; y=1.5;z", ';q="a;b,c"', ";t=?0"]))
        bare = value is True and draw(st.booleans())
        parts.append(key + ("" if bare else "=" + written(value)) + more)
    comma = draw(st.sampled_from([",", ", ", "\t,  "]))
    return given_members, draw(st.sampled_from(["", " "])) + comma.join(parts) + draw(st.sampled_from(["", "  "]))


def types(value):
    return [*map(type, value)] if isinstance(value, list) else type(value)


@settings(deadline=None)  # the first example makes tables of all characters
@given(lines())
def test_what_is_written_is_read(line):
    members, text = line
    read = parse_dictionary(text)
    assert read == members
    assert {key: types(value) for key, value in read.items()} == {key: types(value) for key, value in members.items()}


@given(st.text(max_size=40) | st.text(st.sampled_from(list('ab*=,;:?@%"()\\ \t019.-')), max_size=30))
def test_no_text_is_too_odd(text):
    read = parse_dictionary(text)
    assert read is None or isinstance(read, dict)


@settings(deadline=None)
@given(lines(), lines())
def test_lines_that_are_joined_have_the_members_of_both_and_the_last_counts(one, other):
    if one[0] and other[0]:
        assert parse_dictionary(f"{one[1]}, {other[1]}") == one[0] | other[0]


@pytest.mark.parametrize(
    "text",
    [
        "a,",
        "a, ,b",
        ",a",
        "a;",
        "a; =1",
        "a=",
        "a =1",
        "a= 1",
        "A=1",
        "1=1",
        "a=1 b=2",
        "a=1234567890123456",
        "a=--1",
        "a=-",
        "a=1.",
        "a=.5",
        "a=1.2345",
        "a=1234567890123.1",
        'a="x',
        'a="\\n"',
        'a="\\',
        'a="\t"',
        'a="\x7f"',
        "a=\xe9",
        "a=(1",
        "a=(1,2)",
        'a=(1"b")',
        "a=?2",
        "a=?",
        "a=:a",
        "a=:a:",
        "a=:aGk===:",
        "a=:a=Gk:",
        "a=@1.5",
        "a=@",
        'a=%"%C3"',
        'a=%"%zz"',
        'a=%"%c3"',
        'a=%"\t"',
        'a=%"x',
        "a=%x",
        "a=\t1",
        "\ta",
        "a b",
        "a=1;B=2",
    ],
)
def test_what_is_not_exactly_right_is_nothing(text):
    assert parse_dictionary(text) is None


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", {}),
        ("  ", {}),
        ("a", {"a": True}),
        ("a;b;c=2, a=3", {"a": 3}),
        ("a=-0", {"a": 0}),
        ("a=()", {"a": []}),
        ("a=( 1   2 );x", {"a": [1, 2]}),
        ("a=:aGk:", {"a": b"hi"}),
        ("*a=1,\tb\t", {"*a": 1, "b": True}),
    ],
)
def test_what_may_be_written_otherwise_is_read(text, read):
    assert parse_dictionary(text) == read


@pytest.mark.slow
def test_endless_text_takes_no_endless_time():
    """As many steps as there are characters, whatever they are; a square of that would never come back."""
    for unit in ("a,", '\\"', ";a", "1 ", "%c3", "9", " "):
        for before in ("", 'a="', "a=(", "a=:", 'a=%"', "a=", "a;"):
            parse_dictionary(before + unit * (20_000 // len(unit)))
