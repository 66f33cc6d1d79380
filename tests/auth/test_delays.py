"""The delays by themselves: a tally and a time go in, seconds and the next tally come out."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.auth.throttle.delays import TRYING_FOR, Delays, Tally

NOW = 1_700_000_000.0
USUAL = Delays(5, 1.0, 900.0, 3600.0)
DELAYS = st.builds(
    Delays,
    st.integers(1, 200),
    st.floats(0.1, 60),
    st.floats(60, 3600),
    st.floats(60, 86400),
)
TALLIES = st.builds(
    Tally,
    st.floats(0, 500),
    st.floats(NOW - 1e6, NOW + 1e6),
    st.integers(0, 60),
    st.floats(NOW - 1e6, NOW + 1e6),
)


def failing(delays, times, tally=None, now=NOW):
    """The tally after so many failures, one after the other, each as soon as it may be tried; and the time by then."""
    tally = tally or Tally()
    waits = []
    for _ in range(times):
        tally = delays.failed(delays.begun(tally, now), now)
        waits.append(delays.wait(tally, now))
        now += waits[-1]
    return tally, now, waits


def test_the_fifth_failure_delays_for_a_second_and_each_further_one_for_twice_as_long():
    assert failing(USUAL, 13)[2] == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256]


def test_no_delay_is_longer_than_15_minutes_however_much_fails():
    assert max(failing(USUAL, 300)[2]) == 900


def test_who_goes_on_guessing_gets_five_guesses_an_hour():
    tally, now, _ = failing(USUAL, 30)
    assert sum(failing(USUAL, 20, tally, now)[2]) >= 0.98 * 20 / 5 * 3600


@given(DELAYS, TALLIES, st.floats(NOW - 1e6, NOW + 1e6))
def test_whatever_the_tally_who_waits_as_long_as_it_says_is_let_through(delays, tally, now):
    wait = delays.wait(tally, now)
    assert 0 <= wait <= delays.longest
    assert delays.wait(tally, now + wait + 0.001) == 0
    later = now + max(wait, TRYING_FOR) + delays.longest + 1e6 + 1
    assert delays.has_room(tally, later)


@given(DELAYS, TALLIES, st.floats(NOW - 1e6, NOW + 1e6))
def test_a_failure_never_shortens_the_wait(delays, tally, now):
    before = delays.wait(tally, now)
    if before == 0:  # else it would not have been let through
        after = delays.failed(delays.begun(tally, now), now)
        assert delays.wait(after, now) >= before
        assert after.failures >= 1


@given(DELAYS, st.floats(NOW - 1e6, NOW + 1e6), st.integers(0, 10))
def test_so_many_can_be_under_way_as_might_fail_without_a_delay(delays, now, failed):
    failed = min(failed, delays.free - 1)
    tally, now, _ = failing(delays, failed, now=now)
    under_way = 0
    while delays.has_room(tally, now):
        tally = delays.begun(tally, now)
        under_way += 1
    assert under_way == max(1, delays.free - failed)
    for _ in range(under_way - 1):
        tally = delays.failed(tally, now)
        assert delays.wait(tally, now) == 0
        assert not delays.has_room(tally, now)
    assert delays.wait(delays.failed(tally, now), now) > 0


@given(DELAYS, TALLIES, st.floats(NOW - 1e6, NOW + 1e6))
def test_a_try_that_is_taken_back_leaves_no_trace(delays, tally, now):
    settled = delays.taken_back(delays.begun(tally, now), now)
    assert delays.wait(settled, now) == delays.wait(tally, now)
    later = now + TRYING_FOR + 1
    untouched = delays.begun(delays.taken_back(delays.begun(tally, now), now), later)
    assert untouched.failures == delays.begun(tally, later).failures or tally.trying


def test_a_try_that_is_forgiven_forgets_the_failures_and_not_what_others_have_under_way():
    tally, now, _ = failing(USUAL, 8)
    tally = USUAL.taken_back(USUAL.begun(USUAL.begun(tally, now), now), now, forgiven=inf)
    assert (tally.failures, tally.trying) == (0, 1)
    assert USUAL.wait(tally, now) == 0


def test_a_try_that_is_forgiven_in_part_leaves_the_failures_of_others():
    tally, now, _ = failing(USUAL, 8)
    assert USUAL.taken_back(USUAL.begun(tally, now), now, forgiven=3).failures == tally.failures - 3
    assert USUAL.taken_back(USUAL.begun(tally, now), now, forgiven=1000).failures == 0


def test_what_is_remembered_are_failures_that_are_not_forgotten_and_tries_that_never_ended():
    tally, now, _ = failing(USUAL, 4)
    tally = USUAL.begun(tally, now)
    assert USUAL.remembered(tally, now) == 4
    assert USUAL.remembered(tally, now + 720) == pytest.approx(5 - 1)


def test_a_try_that_never_ends_has_failed_after_a_minute():
    tally = Tally()
    for _ in range(5):
        tally = USUAL.begun(tally, NOW)
    assert not USUAL.has_room(tally, NOW + TRYING_FOR)
    assert USUAL.has_room(tally, NOW + TRYING_FOR + 0.1)
    after = USUAL.failed(USUAL.begun(tally, NOW + TRYING_FOR + 1), NOW + TRYING_FOR + 1)
    assert USUAL.wait(after, NOW + TRYING_FOR + 1) > 0


def test_failures_are_forgotten_one_after_the_other():
    tally, now, _ = failing(USUAL, 4)
    assert failing(USUAL, 1, tally, now + 719)[2] == [1]
    assert failing(USUAL, 2, tally, now + 721)[2] == [0, 1]
    assert failing(USUAL, 5, tally, now + 4 * 720 + 1)[2] == [0, 0, 0, 0, 1]


@pytest.mark.parametrize("ahead", [61, 3600, 1e9])
def test_nobody_waits_for_a_failure_from_the_future(ahead):
    tally, _, _ = failing(USUAL, 9)
    assert USUAL.wait(tally, tally.failed_at - ahead) == 0


def test_clocks_that_differ_a_little_do_not_lengthen_a_delay():
    tally, _, waits = failing(USUAL, 9)
    assert USUAL.wait(tally, tally.failed_at - 30) == waits[-1]


@given(TALLIES)
def test_a_tally_is_read_as_it_was_written(tally):
    read = Tally.read(tally.raw)
    if not tally.failures and not tally.trying:
        assert (read.failures, read.trying) == (0, 0)
    else:
        assert read.trying == tally.trying
        for field in ("failures", "failed_at", "tried_at"):
            assert getattr(read, field) == pytest.approx(getattr(tally, field), abs=0.001)
    assert Tally.read(read.raw).raw == read.raw


@given(st.binary(max_size=200) | st.text("0123456789 .-einfa").map(str.encode))
def test_what_is_no_tally_is_that_of_nobody(raw):
    read = Tally.read(raw)
    assert read.failures >= 0
    assert read.trying >= 0
    assert 0 <= USUAL.wait(read, NOW) <= 900


@pytest.mark.parametrize(
    "raw", [b"nan 1 1 1", b"inf 1 1 1", b"1 nan 1 1", b"-1 1 1 1", b"1 1 -1 1", b"1 1 1", b"1 1 1 1 1", b"1" * 101]
)
def test_numbers_that_are_none_are_that_of_nobody(raw):
    assert repr(Tally.read(raw)) == repr(Tally())


def test_the_longest_number_of_failures_still_has_a_delay():
    assert Delays(1, 0.001, 900, 1e9).delay(1e300) == 900


@given(DELAYS, TALLIES)
def test_a_tally_is_kept_until_it_says_nothing(delays, tally):
    end = max(tally.failed_at, tally.tried_at) + delays.kept_for(tally)
    assert delays.wait(tally, end) == 0
    assert delays.failed(delays.begun(tally, end), end).failures == pytest.approx(1)
