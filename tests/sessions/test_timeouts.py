"""How long sessions live: rules of values, so that what holds for one moment holds for those that follow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.errors import ConfigurationError
from middleware.sessions.timeouts import LONGEST_LIFE, REFRESHES, Timeouts, Times

NOW = 1_700_000_000
spans = st.integers(1, 10**6)
limits = st.builds(
    lambda idle, lifetime, renew_every, grace: Timeouts(
        idle=idle, lifetime=lifetime, renew_every=renew_every, grace=grace
    ),
    spans,
    spans,
    st.none() | spans,
    spans,
)


@st.composite
def lives(draw):
    """The times of a session that began before NOW."""
    created = NOW - draw(st.integers(0, 10**6))
    last_seen = draw(st.integers(created, NOW))
    issued = draw(st.integers(created, last_seen))
    authenticated = draw(st.just(0) | st.integers(created, last_seen))
    until = draw(st.just(0) | st.integers(last_seen, NOW + 10**6))
    return Times(created, authenticated, issued, last_seen, until)


later = st.integers(0, 2 * 10**6).map(lambda seconds: NOW + seconds)


@given(limits, lives(), later, later)
def test_what_is_over_stays_over_and_what_is_due_stays_due(timeouts, times, one, other):
    sooner, after = sorted((one, other))
    for rule in (timeouts.is_over, timeouts.is_due, timeouts.needs_new_id):
        assert rule(times, sooner) <= rule(times, after), rule.__name__
    assert timeouts.in_grace(times.issued, sooner) >= timeouts.in_grace(times.issued, after)


@given(limits, lives(), later, later)
def test_who_was_seen_later_is_over_no_sooner(timeouts, times, one, other):
    seen, now = sorted((one, other))
    assert timeouts.is_over(times, now) >= timeouts.is_over(times._replace(last_seen=seen), now)
    assert timeouts.is_due(times, now) >= timeouts.is_due(times._replace(last_seen=seen), now)


@given(limits, lives(), later)
def test_a_login_makes_a_session_live_no_shorter(timeouts, times, now):
    again = times._replace(authenticated=NOW)
    assert timeouts.is_over(times, now) >= timeouts.is_over(again, now)
    assert timeouts.end(again) >= timeouts.end(times)


@given(limits, lives(), later)
def test_a_session_is_over_when_it_expires_and_not_before(timeouts, times, now):
    assert timeouts.is_over(times, now) == (now >= timeouts.expires(times))
    assert timeouts.expires(times) <= timeouts.end(times)


percents = st.integers(0, 99)


@given(limits, lives(), percents)
def test_who_uses_a_session_has_the_seconds_that_are_left(timeouts, times, percent):
    now = times.last_seen + max(timeouts.expires(times) - times.last_seen, 0) * percent // 100
    left = timeouts.seconds_left(times, now)
    used = times._replace(last_seen=now)
    assert left == max(timeouts.expires(used) - now, 1)  # no store takes less
    if not timeouts.is_over(times, now):
        assert not timeouts.is_over(used, now + left - 1)
        assert timeouts.is_over(used, now + left)


@given(limits, lives(), percents)
def test_a_use_that_is_not_noted_costs_a_tenth_of_the_idle_timeout_at_most(timeouts, times, percent):
    tenth = timeouts.idle / REFRESHES
    now = times.last_seen + int(tenth * percent / 99)
    assert timeouts.is_due(times, now) == (now - times.last_seen >= tenth)
    assert timeouts.expires(times._replace(last_seen=now)) - timeouts.expires(times) <= tenth


@given(limits, lives(), st.integers(0, 10**7))
def test_a_clock_that_was_ahead_gives_no_longer_life_than_one_that_was_right(timeouts, times, ahead):
    wrong = Times(*(time and time + ahead for time in times))
    lived = [now for now in (NOW, NOW + ahead) if not timeouts.is_over(wrong, now)]
    longest = LONGEST_LIFE if times.until else min(timeouts.idle, timeouts.lifetime)
    assert all(timeouts.expires(wrong) - now < 2 * longest + 1 for now in lived)


@given(limits)
def test_an_id_that_was_replaced_serves_for_the_grace_whichever_clock_is_ahead(timeouts):
    for sign in (1, -1):
        assert timeouts.in_grace(NOW, NOW + sign * (timeouts.grace - 1))
        assert not timeouts.in_grace(NOW, NOW + sign * timeouts.grace)


@given(limits)
def test_a_remembered_session_lives_to_the_day_it_was_told_and_four_hundred_days_at_most(timeouts):
    times = Times(NOW, NOW, NOW, NOW, NOW + LONGEST_LIFE)
    assert not timeouts.is_over(times, NOW)
    assert not timeouts.is_over(times, NOW + LONGEST_LIFE - 1)
    assert timeouts.is_over(times, NOW + LONGEST_LIFE)
    assert not timeouts.is_over(times, NOW + 1 - timeouts.idle)  # a machine whose clock is behind
    assert timeouts.is_over(times, NOW - timeouts.idle)


@given(limits, limits)
def test_timeouts_are_values(one, other):
    assert eval(repr(one), {"Timeouts": Timeouts}) == one
    assert one.replace() == one
    assert hash(one.replace()) == hash(one)
    assert (one == other) == (repr(one) == repr(other))
    assert one.replace(idle=7).lifetime == one.lifetime
    assert one.replace(idle=7).idle == 7
    for field in ("idle", "lifetime"):
        with pytest.raises(AttributeError):
            setattr(one, field, 1)
        with pytest.raises(AttributeError):
            delattr(one, field)


@pytest.mark.parametrize("field", ["idle", "lifetime", "renew_every", "grace"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True, "30m", b"1", [1]], ids=repr)
def test_what_is_no_time_is_an_error_that_names_it(field, value):
    with pytest.raises(ConfigurationError, match=f"{field} is a number of seconds above 0"):
        Timeouts(**{field: value})


def test_only_the_renewal_may_be_left_out():
    assert not Timeouts(renew_every=None).needs_new_id(Times(0, 0, 0, 0, 0), NOW)
    for field in ("idle", "lifetime", "grace"):
        with pytest.raises(ConfigurationError):
            Timeouts(**{field: None})


@pytest.mark.parametrize(
    ("preset", "idle", "lifetime"),
    [
        (Timeouts.AAL1, 30 * 86400, 30 * 86400),
        (Timeouts.AAL2, 30 * 60, 12 * 3600),
        (Timeouts.AAL3, 15 * 60, 12 * 3600),
    ],
)
def test_the_presets_have_the_limits_of_nist_sp_800_63b(preset, idle, lifetime):
    assert (preset.idle, preset.lifetime) == (idle, lifetime)
