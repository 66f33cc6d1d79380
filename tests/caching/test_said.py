"""What an answer says of its storing and reuse, whatever it says."""

from __future__ import annotations

import pytest
from cache_rules import fields, policies, said, statuses, text
from cached_site import START
from hypothesis import given
from hypothesis import strategies as st

from middleware.caching import CachePolicy
from middleware.caching.rules.policy import DEFAULT
from middleware.caching.rules.said import Said
from middleware.caching.rules.selecting import selecting, selecting_value
from middleware.caching.rules.storing import declared_length, kept, refusal_at_sight, updated
from middleware.headers import http_date

YESTERDAY = f"Last-Modified: {http_date(START - 86400)}"
CONFORMANCE = CachePolicy.CONFORMANCE


@given(statuses, fields, policies, st.floats(0, 1e11), st.floats(0, 1e11))
def test_no_answer_is_too_odd_to_be_read(status, pairs, policy, asked_at, received_at):
    its = Said(status, pairs, asked_at, received_at, policy)
    assert its.initial_age >= 0
    assert its.lifetime is None or 0 <= its.lifetime <= 1 << 31
    assert 0 <= its.guessed <= 86400
    assert its.lifetime is None or not its.guessed
    assert 0 <= its.declared_staleness <= 1 << 31
    assert its.may_be_stale or not (its.stale_while_revalidate or its.stale_on_failure or its.declared_staleness)
    assert not (its.must_validate and (its.may_be_stale or its.guessed))
    assert 1 <= its.useful_for(status) <= 366 * 86400
    refusal_at_sight(pairs, policy)
    kept(pairs, received_at, its.private_fields)
    updated(pairs, pairs, received_at)
    declared_length(pairs)


@given(fields, st.booleans())
def test_what_is_kept_can_be_sent_again(pairs, conformance):
    its = Said("200", pairs, START, START, CONFORMANCE if conformance else DEFAULT)
    stored = kept(pairs, START, its.private_fields)
    if stored is not None:
        assert not any(character in name + value for name, value in stored for character in "\r\n\0")
        assert any(name.lower() == "date" for name, _ in stored)
        assert its.private_fields.isdisjoint(name.lower() for name, _ in stored)


@given(st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True)))
def test_white_space_round_commas_counts_only_where_it_may_mean_something(words):
    loose, tight = ", ".join(words), ",".join(words)
    assert selecting_value("accept-encoding", loose) == selecting_value("accept-encoding", tight)
    assert (selecting_value("x", loose) == selecting_value("x", tight)) is (len(words) < 2)


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("accept-language", "en-US, de ;q=0.5", "EN-us,de; q=0.5", True),
        ("accept", "text/HTML;level=1", "Text/html ; level=1", True),
        ("accept", "text/html;level=A", "text/html;level=a", False),
        ("accept", 'text/html;x="A"', 'text/html;x="a"', False),
        ("accept-language", "en, de", "de, en", False),
        ("x", "A", "a", False),
        ("x", " a\t", "a", True),
        ("accept-language", "", None, False),
    ],
)
def test_field_values_are_compared_as_they_are_meant(name, one, other, same):
    assert (selecting_value(name, one) == selecting_value(name, other)) is same


@given(st.lists(text, max_size=4))
def test_a_star_in_vary_always_counts(lines):
    assert selecting([*lines, "*"], ()) is None
    assert selecting(["a, *, b", *lines], ()) is None


@pytest.mark.parametrize(
    ("origin", "policy", "names"),
    [("*", DEFAULT, ()), ("https://a.example", DEFAULT, ("origin",)), ("https://a.example", CONFORMANCE, ())],
)
def test_an_allowed_origin_selects_the_answer_unless_the_policy_is_not_to_guard(origin, policy, names):
    assert said(f"Access-Control-Allow-Origin: {origin}", policy=policy).selecting == names


@pytest.mark.parametrize("status", ["200", "203", "204", "300", "301", "308", "404", "405", "410", "414", "501"])
def test_the_freshness_of_some_statuses_may_be_guessed(status):
    assert said(YESTERDAY, status=status).guessed == 8640


@pytest.mark.parametrize("status", ["201", "202", "302", "303", "307", "403", "500", "502", "503", "504", "599"])
def test_that_of_others_only_where_they_are_public(status):
    assert said(YESTERDAY, status=status).guessed == 0
    assert said(YESTERDAY, "Cache-Control: public", status=status).guessed == 8640


@pytest.mark.parametrize(
    "line",
    [
        "Cache-Control: max-age=60",
        "Cache-Control: s-maxage=x",
        "Cache-Control: no-cache",
        "Expires: 0",
        "Set-Cookie: a=1",
        "Pragma: foo, No-Cache",
        "CDN-Cache-Control: foo",
        f"Last-Modified: {http_date(START)}",
        f"Date: {http_date(START - 90000)}",
    ],
)
def test_nothing_is_guessed_beside(line):
    assert said(YESTERDAY, line).guessed == 0


def test_what_is_guessed_is_a_share_of_the_age_and_a_day_at_most():
    ancient = f"Last-Modified: {http_date(0)}"
    assert said(ancient).guessed == 86400
    assert said(YESTERDAY, policy=CachePolicy(heuristic=1)).guessed == 86400
    assert said(YESTERDAY, policy=CachePolicy(heuristic=0)).guessed == 0
    assert said("Last-Modified: yesterday").guessed == 0


@pytest.mark.parametrize("directive", ["must-revalidate", "proxy-revalidate", "s-maxage=5", "no-cache", "S-MaxAge"])
def test_a_directive_may_forbid_to_be_stale(directive):
    its = said(f"Cache-Control: max-age=5, {directive}, stale-while-revalidate=60, stale-if-error=60")
    assert (its.may_be_stale, its.stale_while_revalidate, its.stale_on_failure) == (False, 0, 0)


def test_how_stale_it_may_be():
    its = said("Cache-Control: max-age=5")
    assert (its.may_be_stale, its.stale_while_revalidate, its.stale_on_failure) == (True, 0, 600)
    its = said('Cache-Control: max-age=5, no-cache="x", stale-while-revalidate=60, stale-if-error=7')
    assert (its.may_be_stale, its.stale_while_revalidate, its.stale_on_failure) == (True, 60, 7)
    its = said("Cache-Control: max-age=5, stale-while-revalidate=x, stale-if-error=0")
    assert (its.may_be_stale, its.stale_while_revalidate, its.stale_on_failure) == (True, 0, 0)


@pytest.mark.parametrize(
    ("control", "withheld", "must_validate"),
    [
        ('no-cache="X-P, x-q"', {"x-p", "x-q"}, False),
        ('no-cache="a", no-cache="b"', {"a", "b"}, False),
        ("no-cache=x-p", {"x-p"}, False),
        ('no-cache="a", no-cache', set(), True),
        ('no-cache=""', set(), True),
        ('no-cache=" , "', set(), True),
        ('no-cache="a b"', set(), True),
        ('no-cache="a";b', set(), True),
        ('no-cache="content-type"', set(), True),
        ("max-age=5", set(), False),
    ],
)
def test_no_cache_means_some_fields_or_the_whole_answer(control, withheld, must_validate):
    its = said(f"Cache-Control: {control}")
    assert (its.withheld, its.must_validate) == (withheld, must_validate)


@pytest.mark.parametrize(
    ("control", "private_fields"),
    [
        ('private="X-U"', {"x-u"}),
        ('private="a", private="b,c"', {"a", "b", "c"}),
        ('private="a", private', None),
        ('private, private="a"', None),
        ('private="vary"', None),
        ('private="a" b', None),
        ('private=""', None),
        ('private="a"; max-age=5', None),
    ],
)
def test_private_means_some_fields_or_the_whole_answer(control, private_fields):
    its = said(f"Cache-Control: {control}", policy=CONFORMANCE)
    assert (None if its.forbidden else its.private_fields) == private_fields
    assert said(f"Cache-Control: {control}").forbidden == "private"


@pytest.mark.parametrize(
    ("lines", "lifetime"),
    [
        (["CDN-Cache-Control: max-age=60", "Cache-Control: no-store", "Expires: 0"], 60),
        (["CDN-Cache-Control: max-age=1", "Cache-Control: max-age=900"], 1),
        (["CDN-Cache-Control: max-age=1", "CDN-Cache-Control: max-age=2"], 2),
        (["CDN-Cache-Control: max-age=60;x=1, foo;bar=(1"], None),
        (["CDN-Cache-Control: max-age=60;x=1, foo;bar, baz=(1 2)"], 60),
        (["CDN-Cache-Control: max-age=60, s-maxage=5"], 5),
        (["CDN-Cache-Control: foo", "Cache-Control: max-age=900", "Expires: 0"], None),
        (["CDN-Cache-Control: max-age=1000000000000"], 1 << 31),
        (['CDN-Cache-Control: max-age="60"', "Cache-Control: max-age=900"], 0),
        (["CDN-Cache-Control: max-age=1.5", "Cache-Control: max-age=900"], 0),
        (["CDN-Cache-Control: max-age", "Cache-Control: max-age=900"], 0),
        (["CDN-Cache-Control: max-age=-1", "Cache-Control: max-age=900"], 0),
        (["CDN-Cache-Control: max-age=sixty", "Cache-Control: max-age=900"], 0),
        (["CDN-Cache-Control: ", "Cache-Control: max-age=900"], 900),
        (["CDN-Cache-Control: max-age=60, ;", "Cache-Control: max-age=900"], 900),
        (["CDN-Cache-Control: max-age =60", "Cache-Control: max-age=900"], 900),
        (["CDN-Cache-Control: max-age= 60", "Cache-Control: max-age=900"], 900),
        (["CDN-Cache-Control: MaX-aGe=60", "Cache-Control: max-age=900"], 900),
        (["CDN-Cache-Control: max-age=1234567890123456", "Cache-Control: max-age=900"], 900),
        (["Surrogate-Control: max-age=60", "Cache-Control: max-age=900"], 900),
    ],
)
def test_a_targeted_field_replaces_the_others_where_it_can_be_read(lines, lifetime):
    assert said(*lines).lifetime == lifetime


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("no-store", "no-store"),
        ("no-store=?0", "no-store"),
        ("private", "private"),
        ('private="x"', "private"),
        ("max-age=60", None),
        ("x=" + "9, y=1" * 1000, "unreadable"),
    ],
)
def test_a_targeted_field_forbids_too(line, word):
    assert said(f"CDN-Cache-Control: {line}", "Cache-Control: max-age=60").forbidden == word


def test_a_targeted_field_opens_only_by_what_is_written_right():
    assert said("CDN-Cache-Control: public, s-maxage=5").allows("public")
    assert said("CDN-Cache-Control: s-maxage=5").allows("s-maxage")
    for line in ("public=?0", "public=1", 's-maxage="5"', "must-revalidate=?0"):
        its = said(f"CDN-Cache-Control: {line}")
        assert not any(its.allows(name) for name in ("public", "s-maxage", "must-revalidate"))
    assert said('CDN-Cache-Control: no-cache="x-p"').withheld == {"x-p"}
    for line in ("no-cache", "no-cache=?0", "no-cache=x-p", "no-cache=5"):
        assert said(f"CDN-Cache-Control: {line}").must_validate


def test_of_several_targeted_fields_the_first_that_can_be_read_counts():
    policy = CachePolicy(targeted=("A", "B"), strip_targeted=True)
    assert said("B: max-age=2", "A: max-age=1", policy=policy).lifetime == 1
    assert said("B: max-age=2", "A: ;", policy=policy).lifetime == 2
    assert said("X: 1", policy=policy).stripped == {"a", "b"}
    assert said("X: 1").stripped == set()
    assert refusal_at_sight([("b", "max-age=1")], policy) is None
    assert refusal_at_sight([("b", "max-age=1")], DEFAULT) == "no-freshness"


@given(fields, text)
def test_a_targeted_field_makes_the_others_count_for_nothing(pairs, value):
    others = [pair for pair in pairs if pair[0] not in ("CDN-Cache-Control", "Expires", "Cache-Control")]
    target = [("CDN-Cache-Control", "max-age=60, x")]
    one = Said("200", [*others, *target], START, START, DEFAULT)
    other = Said("200", [*others, ("Cache-Control", value), ("Expires", value), *target], START, START, DEFAULT)
    assert one.targeted
    assert all(getattr(one, name) == getattr(other, name) for name in ("lifetime", "forbidden", "guessed", "withheld"))


@pytest.mark.slow
def test_endless_fields_take_no_endless_time():
    """As many steps as there are characters, whatever they are; a square of that would never come back."""
    names = ("Cache-Control", "CDN-Cache-Control", "Vary", "Age", "Expires", "ETag", "Date", "Connection", "Pragma")
    for unit in (",", '"', '",', "a=", "no-store", ';"', "\\", '"\\', 'private="a",', "no-cache=b,", "a;"):
        for length in (4_000, 16_000, 60_000):
            endless = unit * (length // len(unit))
            pairs = [(name, endless) for name in names]
            its = Said("200", pairs, START, START, CONFORMANCE)
            kept(pairs, START, its.private_fields)
