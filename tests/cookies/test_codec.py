"""Cookie and Set-Cookie fields: what is read, what is refused. The numbers C1 ... are those of the catalogue."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import middleware.cookies.codec as codec
from middleware.cookies.codec import attributes, check_name, check_value, lifetime, parse_cookies, values_of
from middleware.errors import CookieTooLarge

S = "__Host-id=V"

SMUGGLED = [  # C3: a whole HTTP_COOKIE text, none of which holds the cookie __Host-id
    "=__Host-id=V",
    "= __Host-id=V",
    '"__Host-id"=V',
    "+__Host-id=V",
    "$__Host-id=V",
    "__Host-id[]=V",
    "\xa0__Host-id=V",
    "\x85__Host-id=V",
    "\x00__Host-id=V",
    "\xc2\xa0__Host-id=V",
    "\xe2\x80\x80__Host-id=V",
    "\x1f__Host-id=V",
    "\x0b__Host-id=V",
    "\x0c__Host-id=V",
    "__Host-id\xa0=V",
    "%5f_Host-id=V",
    "__HOST-ID=V",
    "$Version=1,__Host-id=V",
    "x=1,__Host-id=V",
    "$Version=1; x=1, __Host-id=V",
    "x=1, __Host-id=V",
    "x=1 __Host-id=V",
]

NEIGHBOURS = [  # C4: the neighbours of a good cookie, and what they are beside it
    (f"x=1; {S}; y=2", [("x", "1"), ("y", "2")]),
    (f"x=1;{S};y=2", [("x", "1"), ("y", "2")]),
    (f"x=; {S}", [("x", "")]),
    (f"x=a=b==; {S}", [("x", "a=b==")]),
    (f"a:b=1; {S}", [("a:b", "1")]),
    (f"a@b=1; {S}", [("a@b", "1")]),
    (f'$Version="1"; {S}; $Path="/"', [("$Version", '"1"'), ("$Path", '"/"')]),
    (f'x={{"a":1,"b":[2]}}; {S}', [("x", '{"a":1,"b":[2]}')]),
    (f"foo[bar]=1; {S}", [("foo[bar]", "1")]),
    (f"x=a b c; {S}", [("x", "a b c")]),
    (f"x=a, b, c; {S}", [("x", "a, b, c")]),
    (f'x="abc; {S}', [("x", '"abc')]),
    (f"x=a\tb; {S}", [("x", "a\tb")]),
    (f"x=caf\xc3\xa9; {S}", [("x", "caf\xc3\xa9")]),
    (f"\xe9x=1; {S}", [("\xe9x", "1")]),
    (f"\xe2\x80\x80x=1; {S}", [("\xe2\x80\x80x", "1")]),
    (f"foo; {S}", []),
    (f"=foo; {S}", []),
    (f"=; {S}", []),
    (f";; {S}", []),
    (f"path=/evil; {S}", [("path", "/evil")]),
    (f"expires=1; {S}", [("expires", "1")]),
    (f"__HOST-ID=zzz; {S}", [("__HOST-ID", "zzz")]),
    (f'$Version="1"; x="start; {S}; y=end"', [("$Version", '"1"'), ("x", '"start'), ("y", 'end"')]),
    (f'x="start; {S}; y=end"', [("x", '"start'), ("y", 'end"')]),
    (f'x="\\377"; {S}', [("x", '"\\377"')]),
    (f"x={'A' * 10_000}; {S}", [("x", "A" * 10_000)]),
    ("; ".join(f"n{n}=v" for n in range(200)) + f"; {S}", [(f"n{n}", "v") for n in range(200)]),
]


@pytest.mark.parametrize("field", SMUGGLED)
def test_no_cookie_is_smuggled_in(field):
    assert values_of(field, "__Host-id") == []
    assert "__Host-id" not in dict(parse_cookies(field))


@pytest.mark.parametrize(("field", "neighbours"), NEIGHBOURS)
def test_odd_neighbours_hide_no_cookie_and_are_read_verbatim(field, neighbours):
    assert values_of(field, "__Host-id") == ["V"]
    assert [pair for pair in parse_cookies(field) if pair != ("__Host-id", "V")] == neighbours


def test_order_case_and_duplicates_are_kept():
    assert parse_cookies("b=2; a=1;\tB=3 ;b=4") == [("b", "2"), ("a", "1"), ("B", "3"), ("b", "4")]
    assert values_of("b=2; a=1;\tB=3 ;b=4", "b") == ["2", "4"]


cookie_texts = st.one_of(st.text(), st.text(alphabet='ab=;, "\t\\\xa0\x00é'))


@given(cookie_texts, st.text(alphabet="ab", min_size=1))
def test_no_text_raises_and_both_readers_agree(field, name):
    pairs = parse_cookies(field)
    assert values_of(field, name) == [value for key, value in pairs if key == name]
    assert all(key and "=" not in key and ";" not in key + value for key, value in pairs)


ids = st.sampled_from(["id", "_gid", "sid", "ID", "id ", "", "i"])
written = st.sampled_from(["abc", "id=abc", "", " abc\t", '"abc"', "a=b", "; "])


@given(
    st.lists(st.tuples(st.sampled_from(["; ", ";", " ; ", ";\t", "", " "]), ids, st.sampled_from("= "), written)),
    st.integers(1, 4),
)
def test_one_name_is_found_wherever_browsers_and_others_put_it(parts, most):
    field = "".join("".join(part) for part in parts)
    expected = [value for name, value in parse_cookies(field) if name == "id"]
    assert values_of(field, "id") == expected
    assert values_of(field, "id", most) == expected[:most]


tokens = st.text(alphabet=codec._TOKEN, min_size=1, max_size=30)
octets = st.text(alphabet=codec._VALUE, max_size=100)


@given(st.lists(st.tuples(tokens, octets), max_size=6))
def test_what_the_writer_lets_pass_parses_back(pairs):
    for name, value in pairs:
        check_name(name)
        check_value(name, value)
    assert parse_cookies("; ".join(f"{name}={value}" for name, value in pairs)) == pairs


@given(st.text())
def test_the_writer_takes_a_value_that_reads_back_as_it_is_or_refuses(value):
    try:
        check_value("a", value)
    except ValueError:
        return
    assert parse_cookies(f"x=1; a={value}; y=2") == [("x", "1"), ("a", value), ("y", "2")]


def write(name="a", value="x", max_age=None, **given):
    given = {
        "path": "/", "domain": None, "secure": True, "httponly": True, "samesite": "Lax", "partitioned": False, **given,
    }  # fmt: skip
    rest = attributes(name, **given)
    check_value(name, value)
    return f"{name}={value}{lifetime(max_age)}{rest}"


@pytest.mark.parametrize("character", ["\r", "\n", "\0", ";", "\x7f", "\u2028"])
@pytest.mark.parametrize("argument", ["name", "value", "path", "domain", "samesite"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_no_argument_takes_what_ends_a_field_or_an_attribute(argument, character, place):
    text = {"path": "/b", "samesite": "Lax"}.get(argument, "ab")
    with pytest.raises(ValueError):
        write(**{argument: text[:place] + character + text[place:]})


@pytest.mark.parametrize(
    ("call", "line"),
    [
        ({}, "a=x; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ({"secure": False, "httponly": False}, "a=x; Path=/; SameSite=Lax"),
        ({"name": "__Secure-a", "domain": "e.c"}, "__Secure-a=x; Domain=e.c; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ({"name": "__HOST-a"}, "__HOST-a=x; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ({"name": "__Host-Http-a"}, "__Host-Http-a=x; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ({"samesite": "None", "partitioned": True}, "a=x; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"),
        ({"max_age": 60, "path": None}, "a=x; Max-Age=60; Secure; HttpOnly; SameSite=Lax"),
        ({"max_age": 34_560_000}, "a=x; Max-Age=34560000; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ({"max_age": 63_072_000}, "a=x; Max-Age=34560000; Path=/; Secure; HttpOnly; SameSite=Lax"),
    ],
    ids=str,
)  # fmt: skip
def test_the_writer_writes(call, line):
    assert write(**call) == line


def test_a_lifetime_in_the_past_deletes_for_every_client():
    assert lifetime(-5) == lifetime(0) == "; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0"


def test_name_and_value_may_have_4096_bytes_and_no_more():
    check_value("a", "x" * 4095)
    with pytest.raises(CookieTooLarge, match="4097"):
        check_value("a", "x" * 4096)
    assert len(write(path="/" * 1024, domain="a" * 1024)) > 2048


def test_no_error_shows_a_value():
    with pytest.raises(ValueError) as caught:
        check_value("a", "my secret value")
    assert "my secret value" not in str(caught.value)


def test_no_regular_expression_and_no_unquoting_stands_in_the_path():
    room = Path(codec.__file__).parent
    for path in room.glob("*.py"):
        names = {
            name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in [getattr(node, "module", None), *[alias.name for alias in node.names]]
        }
        assert not names & {"re", "http.cookies", "urllib.parse", "webob", "webob.cookies"}
