"""HTTP's small grammar."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.headers import (
    cache_control,
    directives,
    etag_matches,
    http_date,
    members,
    parse_http_date,
    quoted,
    restricted_to_private,
    unquoted,
)

NOW = datetime(2026, 9, 21, tzinfo=UTC).timestamp()
field_text = st.text(st.characters(min_codepoint=32, max_codepoint=255))
awkward = st.text(st.sampled_from(list(',;="\\ \tno-store=max-age90W/*x')), max_size=60)


def test_members_are_split_at_commas_and_empty_ones_left_out():
    assert members(" a, b,, c ,\t") == ["a", "b", "c"]


def test_a_comma_in_a_quoted_string_separates_nothing():
    assert members('a="x, \\", y", b') == ['a="x, \\", y"', "b"]


@given(field_text)
def test_quoting_is_undone_by_unquoting(text):
    assert unquoted(quoted(text)) == text


@given(st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True)))
def test_members_of_a_joined_list_are_its_members(names):
    assert members(", ".join(names)) == names


def test_the_first_of_a_repeated_directive_counts():
    assert directives("max-age=1, Max-Age=2, public") == {"max-age": "1", "public": None}


@given(field_text | awkward)
def test_no_text_is_too_odd_for_the_parsers(text):
    assert all(member and member == member.strip(" \t") for member in members(text))
    assert all(name == name.lower() for name in directives(text))
    cache_control([text, text])
    parse_http_date(text, NOW)
    etag_matches('"x"', text)
    restricted_to_private(text)


@pytest.mark.parametrize("text", ['max-age=60, x="abc', '"', 'a="\\"'])
def test_a_quoted_string_that_does_not_end_makes_cache_control_unreadable(text):
    assert cache_control([text, "max-age=60"]) is None


@pytest.mark.parametrize("text", ['max-age="60', 'public, x="abc, s-maxage=60', '"'])
def test_a_quoted_string_that_does_not_end_does_not_swallow_what_keeps_shared_caches_out(text):
    assert restricted_to_private(text) == "no-store"


def test_cache_control_that_is_too_long_is_unreadable():
    assert cache_control(['a="b",' * 10_000]) is None


@pytest.mark.parametrize(
    "text",
    ["max-age=60; no-store", "no-store; max-age=60", "NO-STORE foo", "no-store =1", "no-store\x0b", '"no-store" x'],
)
def test_a_slip_does_not_hide_no_store(text):
    assert "no-store" in cache_control([text])


def test_white_space_before_the_equals_sign_leaves_no_number():
    assert cache_control(["max-age =90, s-maxage\t=9"]) == {"max-age": "", "s-maxage": ""}


def test_no_cache_beats_no_cache_of_fields():
    assert cache_control(['no-cache="a", no-cache']) == {"no-cache": None}
    assert cache_control(["no-cache", 'no-cache="a"']) == {"no-cache": None}


@given(st.lists(field_text | awkward), st.sampled_from(["no-store", "private", "No-Cache"]), st.integers(0, 9))
def test_a_restriction_on_a_line_of_its_own_is_never_lost(lines, restriction, position):
    lines.insert(min(position, len(lines)), restriction)
    found = cache_control(lines)
    assert found is None or restriction.lower() in found


@pytest.mark.parametrize(
    "text",
    [
        "Mon, 06 Nov 2051 08:49:37 GMT",
        "Monday, 06-Nov-51 08:49:37 GMT",
        "Mon Nov  6 08:49:37 2051",
        "MON, 06 nov 2051 08:49:37 gmt",
        "Tue, 06 Nov 2051 08:49:37 GMT",
    ],
)
def test_a_date_has_three_forms(text):
    assert parse_http_date(text, NOW) == datetime(2051, 11, 6, 8, 49, 37, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-1",
        "",
        "Mon, 06 Nov 2051 08:49:37 UTC",
        "Mon, 06 Nov 2051 08:49:37 CET",
        "Mon, 06 Nov 2051 08:49:37 +0000",
        "Mon, 06 Nov 2051 08:49:37",
        "Mon, 06 Nov 51 08:49:37 GMT",
        "Mon, 06-Nov-2051 08:49:37 GMT",
        "Mon 06 Nov 2051 08:49:37 GMT",
        "Mon, 06  Nov 2051 08:49:37 GMT",
        "Mon, 06 Nov 2051  08:49:37 GMT",
        "Mon, 06 Nov 2051 08.49.37 GMT",
        "Mon, 06 Nov 2051 8:49:37 GMT",
        "Mon, 6 Nov 2051 08:49:37 GMT",
        "Thu, 31 Feb 2051 08:49:37 GMT",
        "Wed, 29 Feb 2100 08:49:37 GMT",
        "Mon, 06 Nov 2051 24:00:00 GMT",
        "Mon, 06 Nov 2051 08:60:37 GMT",
        "Mon, 06 Nov 2051 08:49:37 GMT x",
        "Mon, +6 Nov 2051 08:49:37 GMT",
        "Mon, 06 Nov 20_1 08:49:37 GMT",
        "Xyz, 06 Nov 2051 08:49:37 GMT",
        "Monday, 06-Nov-2051 08:49:37 GMT",
        "Mon Nov 06  08:49:37 2051",
        "Mon Nov 6 08:49:37 2051",
        "Mon, 06 Nov 2051 008:49:7 GMT",
        "Mon, ٠٦ Nov 2051 08:49:37 GMT",
    ],
)
def test_nothing_else_is_a_date(text):
    assert parse_http_date(text, NOW) is None


def test_a_year_of_two_digits_more_than_fifty_years_ahead_is_past():
    assert (
        parse_http_date("Sunday, 06-Nov-85 08:49:37 GMT", NOW)
        < NOW
        < parse_http_date("Monday, 06-Nov-51 08:49:37 GMT", NOW)
    )


def test_a_year_of_two_digits_needs_to_know_now():
    assert parse_http_date("Monday, 06-Nov-51 08:49:37 GMT") is None


@given(st.integers(0, 253402300799))
def test_a_date_that_is_written_is_read_again(seconds):
    assert parse_http_date(http_date(seconds)) == seconds


@pytest.mark.parametrize("given_tags", ['"b"', 'W/"b"', '"a", "b"', '"b","c"', '"a", "b", "c"', "*", ' W/"b" '])
def test_a_listed_tag_matches_weakly(given_tags):
    assert etag_matches('"b"', given_tags)
    assert etag_matches('W/"b"', given_tags)


def test_a_tag_may_hold_commas_and_backslashes():
    assert etag_matches('"a,b"', '"x", "a,b"')
    assert etag_matches('"a\\"', '"a\\", "x"')
    assert not etag_matches('"a"', '"x,"a",b"')


@pytest.mark.parametrize(
    ("etag", "given_tags"), [("b", "W/b"), ("b", '"b"'), ('"b"', "b"), ('"b"', '"b'), ('"b"', ""), (None, '"b"')]
)
def test_what_is_no_tag_matches_only_itself(etag, given_tags):
    assert not etag_matches(etag, given_tags)
    assert etag_matches(etag, etag) if etag else not etag_matches(etag, "x")
