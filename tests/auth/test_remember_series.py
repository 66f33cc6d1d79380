"""The rule that tells a late request from a thief: what a token is worth, whatever was done with others before."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.auth.login.remember_series import (
    LATE,
    MOST_PAST,
    MOST_SUCCESSORS,
    Series,
    is_newest,
    mark_of,
    read,
    use,
    write,
)

NOW = 1_790_000_000.0
FIRST = Series("ann", "00", "proof", NOW + 1000, "t0", [], [])


def after(*uses):
    """The series after these uses, each a token, its successor and the seconds since the first of them."""
    series = FIRST
    for token, successor, seconds in uses:
        series = use(series, token, successor, NOW + seconds)[1]
    return series


def worth(series, token, seconds):
    return use(series, token, "next", NOW + seconds)[0]


def test_a_token_is_exchanged_at_each_use():
    assert worth(FIRST, "t0", 0) == "exchange"
    assert worth(after(("t0", "t1", 0)), "t1", 1) == "exchange"
    assert worth(after(("t0", "t1", 0), ("t1", "t2", 0)), "t2", 0) == "exchange"


def test_a_token_that_was_exchanged_a_moment_ago_is_good_and_not_exchanged_again():
    series = after(("t0", "t1", 0))
    assert use(series, "t0", "t2", NOW + LATE - 1) == ("good", series)


def test_a_token_stays_good_until_its_successor_is_used_and_gets_another_one():
    series = after(("t0", "t1", 0), ("t0", "t2", 500))
    assert [token for token, _ in series.successors] == ["t1", "t2"]
    assert worth(series, "t1", 900) == "exchange"
    assert worth(series, "t2", 900) == "exchange"


@pytest.mark.parametrize(("seconds", "outcome"), [(0, "good"), (LATE - 1, "good"), (LATE, "theft"), (9999, "theft")])
def test_a_token_whose_successor_was_used_is_good_for_ten_seconds_more(seconds, outcome):
    assert worth(after(("t0", "t1", 0), ("t1", "t2", 100)), "t0", 100 + seconds) == outcome


def test_of_two_successors_the_other_one_is_theft_once_one_was_used():
    series = after(("t0", "t1", 0), ("t0", "t2", 500), ("t2", "t3", 600))
    assert worth(series, "t1", 605) == "good"
    assert worth(series, "t1", 620) == "theft"
    assert worth(series, "t3", 620) == "exchange"


def test_a_token_that_nobody_was_given_is_theft():
    assert worth(FIRST, "guessed", 0) == "theft"


def test_clocks_that_differ_by_a_moment_make_no_thief():
    assert worth(after(("t0", "t1", 0), ("t1", "t2", 100)), "t0", 95) == "good"


def test_what_is_kept_of_a_series_is_bounded():
    series = FIRST
    for number in range(100):
        series = use(series, "t0", f"s{number}", NOW + 20 * number)[1]
    assert len(series.successors) == MOST_SUCCESSORS
    for number in range(100):
        series = use(series, series.successors[-1][0], f"u{number}", NOW + 5000 + number / 100)[1]
    assert len(series.past) == MOST_PAST


# One browser is never taken for a thief, and two are noticed.


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1, 5, 11, 3600]), st.booleans(), st.sampled_from([None, 0, 4, 9])), max_size=30
    )
)
def test_one_browser_is_never_a_thief(visits):
    """A visit: seconds since the last one, whether the answer arrives, and how late the request comes again."""
    series, held, now = FIRST, "t0", NOW
    for number, (pause, arrives, late) in enumerate(visits):
        now += pause
        sent = held
        outcome, series = use(series, sent, f"n{number}", now)
        assert outcome != "theft"
        if outcome == "exchange" and arrives:
            held = f"n{number}"
        if late is not None:
            now += late
            outcome, series = use(series, sent, f"m{number}", now)
            assert outcome != "theft"


@given(st.permutations(["victim", "victim", "thief", "thief"]), st.integers(0, 5), st.sampled_from([11, 60, 86400]))
def test_two_browsers_with_one_token_are_noticed_when_both_have_come_twice(order, before, pause):
    series, now, held = FIRST, NOW, "t0"
    for number in range(before):
        now += pause
        series = use(series, held, f"b{number}", now)[1]
        held = f"b{number}"
    tokens = {"victim": held, "thief": held}
    outcomes = []
    for number, who in enumerate(order):
        now += pause
        outcome, series = use(series, tokens[who], f"n{number}", now)
        outcomes.append(outcome)
        tokens[who] = f"n{number}"
    assert "theft" in outcomes


# Sessions count as long as no later exchange has opened another one.


def test_a_session_counts_until_its_series_opens_another_one_and_ten_seconds_longer():
    first = after(("t0", "t1", 0))
    for later in (after(("t0", "t1", 0), ("t1", "t2", 100)), after(("t0", "t1", 0), ("t0", "t2", 100))):
        assert is_newest(first, mark_of(first), NOW + 100)
        assert is_newest(later, mark_of(later), NOW + 100 + LATE)
        assert is_newest(later, mark_of(first), NOW + 99 + LATE)
        assert not is_newest(later, mark_of(first), NOW + 100 + LATE)


def test_the_session_of_a_successor_that_was_not_used_has_ten_seconds_too():
    lost = after(("t0", "t1", 0), ("t0", "t2", 100))
    series = after(("t0", "t1", 0), ("t0", "t2", 100), ("t1", "t3", 200))
    assert is_newest(series, mark_of(lost), NOW + 199 + LATE)
    assert not is_newest(series, mark_of(lost), NOW + 200 + LATE)


def test_a_part_of_a_page_has_the_mark_of_the_others():
    series = after(("t0", "t1", 0))
    assert mark_of(use(series, "t0", "t2", NOW + 1)[1]) == mark_of(series)
    series = after(("t0", "t1", 0), ("t1", "t2", 100))
    assert mark_of(use(series, "t0", "t3", NOW + 101)[1]) == mark_of(series)


def test_no_mark_counts_for_nothing():
    for series in (FIRST, after(("t0", "t1", 0)), FIRST._replace(current="")):
        assert not is_newest(series, "", NOW)
    assert not is_newest(FIRST, mark_of(FIRST), NOW)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([LATE, 60, 86400])), min_size=1, max_size=20))
def test_of_two_browsers_with_one_token_only_one_has_a_session_that_counts(visits):
    series, now = FIRST, NOW
    tokens, marks = ["t0", "t0"], ["", ""]
    for number, (who, pause) in enumerate(visits):
        now += pause
        if not is_newest(series, marks[who], now):
            outcome, series = use(series, tokens[who], f"n{number}", now)
            if outcome == "theft":
                return
            assert outcome == "exchange"
            tokens[who], marks[who] = f"n{number}", mark_of(series)
        assert is_newest(series, marks[who], now + LATE)
        assert not is_newest(series, marks[not who], now + LATE)
    # Not noticed so far: not both have come back since the other one came.
    turns = sum(one[0] != other[0] for one, other in pairwise(visits))
    assert turns < 3


# As a store keeps it.

TEXTS = st.text(alphabet="0123456789abcdef", max_size=4)
DATED = st.lists(st.tuples(TEXTS, st.floats(allow_nan=False)).map(list), max_size=3)
SERIES = st.builds(Series, st.text(), TEXTS, TEXTS, st.floats(allow_nan=False), TEXTS, DATED, DATED)


@given(SERIES)
def test_a_series_is_read_as_it_was_written(series):
    assert read(write(series)) == series


NO_SERIES = [None, b"", b"{}", b"[", b"\xff", b"[1,2,3,4,5,6,7]", b"[" * 100_000]
NO_SERIES += [b'["a","b","c",1.0,"d",[1],[]]', b'["a","b","c",1.0,"d",[],[["x","y"]]]']
NO_SERIES += [b'["a","b","c",1,"d",[],[]]', b'["a","b","c",1.0,"d",[]]']


@pytest.mark.parametrize("raw", NO_SERIES)
def test_anything_else_is_no_series(raw):
    assert read(raw) is None
