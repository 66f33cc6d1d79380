"""Whether a stored answer may be sent: for what a request asks, at a time."""

from __future__ import annotations

import pytest
from cache_rules import kept_answer
from cached_site import START
from hypothesis import given
from hypothesis import strategies as st

from middleware.caching import CachePolicy
from middleware.caching.rules.asked import NOTHING, Asked
from middleware.caching.rules.freshness import (
    FOREVER,
    FRESH,
    REVALIDATE_LATER,
    STALE,
    VALIDATE,
    judge,
    usable_on_failure,
)
from middleware.headers import http_date

numbers = st.integers(0, 40)
directives = st.lists(
    st.one_of(
        st.builds("max-age={}".format, numbers),
        st.builds("stale-while-revalidate={}".format, numbers),
        st.builds("stale-if-error={}".format, numbers),
        st.sampled_from(["immutable", "must-revalidate", "proxy-revalidate", "no-cache", 'no-cache="x"', "s-maxage=9"]),
    ),
    max_size=4,
)
answers = st.builds(
    lambda given_directives, age, on_failure: kept_answer(
        f"Cache-Control: {', '.join(given_directives)}",
        f"Age: {age}",
        policy=CachePolicy(stale_on_failure=on_failure),
    ),
    directives,
    numbers,
    numbers,
)
maybe = st.none() | numbers
requests = st.builds(Asked, no_cache=st.booleans(), max_age=maybe, min_fresh=maybe, max_stale=maybe | st.just(FOREVER))
times = st.integers(-40, 120).map(lambda seconds: START + seconds)
ORDER = (FRESH, REVALIDATE_LATER, STALE, VALIDATE)


def at(control, seconds, asked=NOTHING, **more):
    return judge(kept_answer(f"Cache-Control: {control}", **more), asked, START + seconds)


@pytest.mark.parametrize(
    ("control", "seconds", "verdict"),
    [
        ("max-age=10", 9, FRESH),
        ("max-age=10", 9.9, FRESH),
        ("max-age=10", 10, VALIDATE),
        ("max-age=10", -1000, FRESH),
        ("max-age=0", -1000, VALIDATE),
        ("max-age=10, no-cache", 1, VALIDATE),
        ('max-age=10, no-cache="x"', 1, FRESH),
        ("max-age=1, stale-while-revalidate=60", 1, REVALIDATE_LATER),
        ("max-age=1, stale-while-revalidate=60", 60, REVALIDATE_LATER),
        ("max-age=1, stale-while-revalidate=60", 61, VALIDATE),
        ("s-maxage=1, stale-while-revalidate=60", 3, VALIDATE),
        ("max-age=1, must-revalidate, stale-while-revalidate=60", 3, VALIDATE),
    ],
)
def test_a_plain_request(control, seconds, verdict):
    assert at(control, seconds) == verdict


@pytest.mark.parametrize(
    ("control", "seconds", "asked", "verdict"),
    [
        ("max-age=10", 5, Asked(min_fresh=8), VALIDATE),
        ("max-age=10", 2, Asked(min_fresh=8), FRESH),
        ("max-age=10", 15, Asked(max_stale=10), STALE),
        ("max-age=10", 15, Asked(max_stale=5), STALE),
        ("max-age=10", 15, Asked(max_stale=2), VALIDATE),
        ("max-age=10", 9999, Asked(max_stale=FOREVER), STALE),
        ("max-age=10, must-revalidate", 15, Asked(max_stale=10), VALIDATE),
        ("s-maxage=10", 15, Asked(max_stale=10), VALIDATE),
        ("max-age=10", 3, Asked(no_cache=True), VALIDATE),
        ("max-age=10, immutable", 3, Asked(no_cache=True), VALIDATE),
        ("max-age=10", 3, Asked(max_age=5), FRESH),
        ("max-age=10", 5, Asked(max_age=5), FRESH),
        ("max-age=10", 6, Asked(max_age=5), VALIDATE),
        ("max-age=10", 0, Asked(max_age=0), VALIDATE),
        ("max-age=10, immutable", 3, Asked(max_age=0), FRESH),
        ("max-age=10, immutable", 11, Asked(max_age=0), VALIDATE),
        ("max-age=10, immutable", 11, NOTHING, VALIDATE),
        ("max-age=10", 15, Asked(max_age=20), VALIDATE),
        ("max-age=10", 15, Asked(max_age=20, max_stale=9), STALE),
        ("max-age=10", 15, Asked(max_age=12, max_stale=9), VALIDATE),
        ("max-age=10, stale-while-revalidate=60", 15, Asked(max_stale=9), REVALIDATE_LATER),
        ("max-age=10, stale-while-revalidate=60", 25, Asked(max_stale=9), VALIDATE),
        ("max-age=10, stale-while-revalidate=60", 15, Asked(min_fresh=0), VALIDATE),
        ("max-age=10", 5, Asked(no_store=True), FRESH),
    ],
)
def test_a_request_that_asks(control, seconds, asked, verdict):
    assert at(control, seconds, asked) == verdict


@pytest.mark.parametrize(
    ("control", "asked", "verdict", "usable"),
    [
        ("max-age=10", NOTHING, VALIDATE, True),
        ("max-age=10, stale-while-revalidate=5", NOTHING, REVALIDATE_LATER, True),
        ("max-age=10", Asked(max_stale=0), STALE, True),
        ("max-age=10, must-revalidate, stale-while-revalidate=5", Asked(max_stale=5), VALIDATE, False),
        ("max-age=10, stale-if-error=0", NOTHING, VALIDATE, False),
        ("max-age=10, immutable", NOTHING, VALIDATE, True),
    ],
)
def test_what_was_purged_softly_is_stale_at_once(control, asked, verdict, usable):
    head = kept_answer(f"Cache-Control: {control}")
    assert judge(head, asked, START + 1, soft=True) == verdict
    assert usable_on_failure(head, START + 1, soft=True) is usable


def test_what_was_guessed_ends_too():
    head = kept_answer(f"Last-Modified: {http_date(START - 1000)}")
    assert head.lifetime == 100
    assert judge(head, NOTHING, START + head.lifetime - 1) == FRESH
    assert judge(head, NOTHING, START + head.lifetime + 1) == VALIDATE


@pytest.mark.parametrize(
    ("control", "usable_until"),
    [
        ("max-age=2", 602),
        ("max-age=2, stale-if-error=60", 62),
        ("max-age=2, stale-if-error=9999", 10001),
        ("max-age=2, stale-if-error=0", 1),
        ("max-age=2, stale-if-error=x", 1),
        ("max-age=2, must-revalidate", 1),
        ("max-age=2, proxy-revalidate", 1),
        ("s-maxage=2", 1),
        ("max-age=2, no-cache", -1),
    ],
)
def test_when_the_application_fails(control, usable_until):
    head = kept_answer(f"Cache-Control: {control}")
    usable = [second for second in range(10100) if usable_on_failure(head, START + second)]
    assert usable == [*range(usable_until + 1)]


def test_a_policy_may_forbid_to_be_stale_on_failure():
    head = kept_answer("Cache-Control: max-age=2", policy=CachePolicy(stale_on_failure=0))
    assert not usable_on_failure(head, START + 2)
    head = kept_answer("Cache-Control: max-age=2, stale-if-error=9", policy=CachePolicy(stale_on_failure=0))
    assert usable_on_failure(head, START + 11)


@given(answers, requests, times, times, st.booleans())
def test_with_time_an_answer_gets_no_fresher(head, asked, one, other, soft):
    sooner, later = sorted((one, other))
    assert ORDER.index(judge(head, asked, sooner, soft=soft)) <= ORDER.index(judge(head, asked, later, soft=soft))
    assert usable_on_failure(head, sooner, soft=soft) >= usable_on_failure(head, later, soft=soft)
    assert judge(head, asked, sooner, soft=True) != FRESH
    assert usable_on_failure(head, sooner, soft=True) <= usable_on_failure(head, sooner)


@given(answers, requests, times)
def test_what_is_fresh_is_not_stale_and_what_is_stale_was_accepted(head, asked, now):
    verdict = judge(head, asked, now)
    age = head.initial_age + max(0, now - head.received)
    if verdict == FRESH:
        assert age < head.lifetime
        assert usable_on_failure(head, now)
    elif verdict == STALE:
        assert asked.max_stale is not None
        assert head.lifetime <= age <= head.lifetime + asked.max_stale
    elif verdict == REVALIDATE_LATER:
        assert head.lifetime <= age < head.lifetime + head.stale_while_revalidate
    if verdict in (STALE, REVALIDATE_LATER):
        assert head.may_be_stale


@given(answers, requests, times)
def test_only_max_stale_makes_more_usable(head, asked, now):
    plain = judge(head, NOTHING, now)
    strict = judge(head, Asked(no_cache=asked.no_cache, max_age=asked.max_age, min_fresh=asked.min_fresh), now)
    assert strict in (plain, VALIDATE)
    if plain == FRESH:
        assert judge(head, asked, now) in (FRESH, VALIDATE)
