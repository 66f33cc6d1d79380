"""The conditions of a request, held against a stored answer."""

from __future__ import annotations

import pytest
from cached_site import START
from hypothesis import given
from hypothesis import strategies as st

from middleware.caching.rules.conditions import is_strong, not_modified, range_applies
from middleware.headers import http_date

MADE = http_date(START)
MODIFIED = http_date(START - 100)
RFC850 = "Monday, 21-Sep-26 14:11:40 GMT"
text = st.none() | st.text(st.sampled_from(list('"W/,ab* \\')), max_size=12) | st.text(max_size=12)


@pytest.mark.parametrize(
    ("if_none_match", "if_modified_since", "is_not_modified"),
    [
        ('"b"', None, True),
        ('W/"b"', None, True),
        ('"a", "b"', None, True),
        ("*", None, True),
        ('"x"', MODIFIED, False),
        ('"b"', http_date(0), True),
        (None, MODIFIED, True),
        (None, MADE, True),
        (None, RFC850, True),
        (None, http_date(START - 101), False),
        (None, "yesterday", False),
        (None, None, False),
        ('"b",' * 9999, None, False),
    ],
)
def test_whether_the_client_has_it_already(if_none_match, if_modified_since, is_not_modified):
    assert not_modified(if_none_match, if_modified_since, '"b"', int(START) - 100, START) is is_not_modified


@pytest.mark.parametrize(
    ("if_range", "applies"),
    [
        (None, True),
        ('"1"', True),
        (' "1" ', True),
        ('"2"', False),
        ('W/"1"', False),
        ("1", False),
        ("", False),
        ('"1", "1"', False),
        ("*", False),
        (MODIFIED, True),
        (RFC850, True),
        (MADE, False),
        (http_date(START - 101), False),
        (http_date(START - 99), False),
    ],
)
def test_whether_a_range_applies(if_range, applies):
    assert range_applies(if_range, '"1"', MODIFIED, MADE, START) is applies


def test_a_weak_validator_allows_no_range():
    assert not range_applies('W/"1"', 'W/"1"', MODIFIED, MADE, START)
    assert not range_applies(MADE, None, MADE, MADE, START)  # modified in the second in which it was made
    assert range_applies(http_date(START - 1), None, http_date(START - 1), MADE, START)
    assert not range_applies(MODIFIED, None, MODIFIED, None, START)
    assert not range_applies(MODIFIED, None, None, MADE, START)


@given(text, text, text, text)
def test_no_condition_is_too_odd(condition, etag, modified, date):
    not_modified(condition, modified, etag, None, START)
    if range_applies(condition, etag, modified, date, START) and condition is not None:
        assert is_strong(etag) or modified is not None


def test_endless_conditions_take_no_endless_time():
    for unit in (",", '"', '",', "W/", "\\", " "):
        endless = unit * (300_000 // len(unit))
        not_modified(endless, endless, '"1"', 1, START)
        range_applies(endless, endless, endless, endless, START)
