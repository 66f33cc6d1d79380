"""What a request asks of the caches on its way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.caching import CachePolicy
from middleware.caching.rules.asked import NOTHING, Asked, asked_of
from middleware.caching.rules.freshness import FOREVER
from middleware.caching.rules.policy import DEFAULT

HONOURS = CachePolicy(honour_reload=True)
awkward = st.text(st.sampled_from(list(',;="\\ \tno-storemax-stale=9min-fresh')), max_size=40)


def asks(control=None, pragma=None, policy=DEFAULT):
    """What is asked, without what is not."""
    environ = {"HTTP_CACHE_CONTROL": control, "HTTP_PRAGMA": pragma}
    asked = asked_of({name: value for name, value in environ.items() if value is not None}, policy)
    told = {name: getattr(asked, name) for name in Asked.__slots__}
    return {name: value for name, value in told.items() if value is not None and value is not False}


@pytest.mark.parametrize(
    ("control", "asked"),
    [
        ("", {}),
        ("foo, max-age", {}),
        ("No-Store", {"no_store": True}),
        ("max-age=0; no-store", {"no_store": True}),
        ("only-if-cached", {"only_if_cached": True}),
        ("min-fresh=8, MAX-STALE=5", {"min_fresh": 8, "max_stale": 5}),
        ("max-stale", {"max_stale": FOREVER}),
        ("max-stale=", {}),
        ("max-stale=x, min-fresh=-1", {}),
        ("max-stale=0, min-fresh=0", {"max_stale": 0, "min_fresh": 0}),
        ("max-stale=" + "9" * 5000, {"max_stale": FOREVER}),
        ("max-age=0", {}),
        ("no-cache", {}),
        ("no-cache, max-age=5", {}),
    ],
)
def test_what_may_be_asked_by_default(control, asked):
    assert asks(control) == asked


def test_a_reload_counts_where_the_policy_honours_it():
    assert asks("no-cache", policy=HONOURS) == {"no_cache": True}
    assert asks("max-age=0", policy=HONOURS) == {"max_age": 0}
    assert asks("max-age=5, no-cache", policy=HONOURS) == {"max_age": 5, "no_cache": True}
    assert asks("max-age=x", policy=HONOURS) == {}


def test_pragma_counts_only_alone_and_only_as_no_cache():
    assert asks(pragma="no-cache") == {}
    assert asks(pragma="foo, No-Cache", policy=HONOURS) == {"no_cache": True}
    assert asks("max-stale=5", "no-cache", HONOURS) == {"max_stale": 5}
    assert asks(pragma="no-store", policy=HONOURS) == {}


def test_only_if_cached_counts_unless_the_policy_says_otherwise():
    assert asks("only-if-cached", policy=CachePolicy(only_if_cached=False)) == {}


def test_a_request_that_asks_nothing_costs_nothing():
    for environ in ({}, {"HTTP_CACHE_CONTROL": ""}, {"HTTP_PRAGMA": "no-cache"}, {"HTTP_CACHE_CONTROL": "no-cache"}):
        assert asked_of(environ, DEFAULT) is NOTHING


@given(awkward | st.text(max_size=40), st.booleans())
def test_nothing_that_is_asked_is_too_odd(control, honour):
    for environ in ({"HTTP_CACHE_CONTROL": control}, {"HTTP_PRAGMA": control}):
        asked = asked_of(environ, HONOURS if honour else DEFAULT)
        for number in (asked.max_age, asked.min_fresh, asked.max_stale):
            assert number is None or 0 <= number <= FOREVER
    assert asked_of({"HTTP_CACHE_CONTROL": f"{control},no-store"}, DEFAULT).no_store


def test_endless_requests_take_no_endless_time():
    for unit in (",", '"', "a=", 'max-age="', "\\", '"\\', "no-cache,"):
        endless = unit * (60_000 // len(unit))
        for name in ("HTTP_CACHE_CONTROL", "HTTP_PRAGMA"):
            asked_of({name: endless}, HONOURS)
