"""Why an answer is not stored, in a word."""

from __future__ import annotations

import pytest
from cache_rules import fields, policies, statuses, text
from cached_site import START
from hypothesis import example, given
from hypothesis import strategies as st

from middleware.caching import CachePolicy
from middleware.caching.rules.policy import DEFAULT
from middleware.caching.rules.said import Said
from middleware.caching.rules.storing import may_guess, refusal, refusal_at_sight
from middleware.headers import http_date

CONFORMANCE = CachePolicy.CONFORMANCE
YESTERDAY = http_date(START - 86400)


def why(status, pairs, policy=DEFAULT, **asked):
    its = Said(status, pairs, START, START, policy)
    return refusal(status, its, policy=policy, **{"authorized": False, "with_cookie": False, **asked})


def why_lines(*lines, status="200", policy=DEFAULT, **asked):
    return why(status, [tuple(line.split(": ", 1)) for line in lines], policy, **asked)


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (["Cache-Control: max-age=60"], None),
        (['ETag: "1"'], None),
        ([f"Last-Modified: {YESTERDAY}"], None),
        ([], "no-freshness"),
        (["Cache-Control: public"], "no-freshness"),
        (["Cache-Control: max-age=0"], "expired"),
        (["Cache-Control: max-age=60", "Age: 60"], "expired"),
        (["Cache-Control: max-age=60, no-cache"], "expired"),
        (["Cache-Control: max-age=0, stale-while-revalidate=5"], None),
        (["Cache-Control: max-age=0, stale-if-error=5"], None),
        (["Cache-Control: max-age=0, stale-while-revalidate=5, must-revalidate"], "expired"),
        (["Cache-Control: stale-while-revalidate=5"], "no-freshness"),
        (["Cache-Control: max-age=60, no-store"], "no-store"),
        (["Cache-Control: max-age=60, no-store, must-understand"], None),
        (["Cache-Control: max-age=60, private"], "private"),
        (['Cache-Control: max-age=60, private="x"'], "private"),
        (['Cache-Control: max-age=60, x="'], "unreadable"),
        (["Cache-Control: max-age=60", "Vary: a, *"], "vary-star"),
        (["Cache-Control: max-age=60", "Vary: a b"], "vary"),
        (["Cache-Control: max-age=60", "Set-Cookie: a=1"], "set-cookie"),
        (["Cache-Control: max-age=60, public", "Set-Cookie: a=1"], "set-cookie"),
    ],
)
def test_the_answer_says_why_it_is_not_stored(lines, word):
    assert why_lines(*lines) == word


@pytest.mark.parametrize(
    ("status", "word"), [("304", "status"), ("100", "status"), ("abc", "status"), ("206", "partial")]
)
def test_some_statuses_are_never_stored(status, word):
    assert why_lines("Cache-Control: max-age=60", status=status) == word


def test_a_status_that_is_not_understood_is_told():
    for control in ("max-age=60, must-understand", "max-age=60, must-understand, no-store"):
        assert why_lines(f"Cache-Control: {control}", status="599") == "must-understand"


@pytest.mark.parametrize(
    ("control", "authorized", "with_cookie"),
    [
        ("max-age=60", "authorization", None),
        ("public, max-age=60", None, None),
        ("s-maxage=60", None, None),
        ("max-age=60, must-revalidate", None, None),
        ("must-revalidate", None, "cookie"),
        ("s-maxage=0", None, "cookie"),
        ("public", None, None),
        ("x", "authorization", "cookie"),
    ],
)
def test_the_request_says_why_its_answer_is_not_stored(control, authorized, with_cookie):
    lines = (f"Cache-Control: {control}", 'ETag: "1"')
    assert why_lines(*lines, authorized=True) == authorized
    assert why_lines(*lines, with_cookie=True) == with_cookie
    assert why_lines(*lines, authorized=True, with_cookie=True) == (authorized or with_cookie)


MEMBERS = (
    "no-store", "private", "PRIVATE ", 'private="set-cookie"', "max-age=60", "public", "must-understand", "no-store=1",
    "must-understand=x", "no-cache", '"', "x", "private; max-age=1", "\tno-store", "s-maxage=5",
)  # fmt: skip


def test_an_answer_to_a_cookie_is_stored_without_explicit_freshness_only_by_policy():
    lines = ("Cache-Control: public", f"Last-Modified: {YESTERDAY}")
    guesses = CachePolicy(guess_for_cookies=True)
    for asked in ({"with_cookie": True}, {"authorized": True}):
        assert why_lines(*lines, status="404", **asked) == "no-freshness"
        assert why_lines(*lines, status="404", policy=guesses, **asked) is None
    assert why_lines('ETag: "1"', with_cookie=True, policy=guesses) is None
    assert not may_guess(authorized=True, with_cookie=False, policy=DEFAULT)
    assert may_guess(authorized=False, with_cookie=False, policy=DEFAULT)


@pytest.mark.parametrize(
    ("policy", "control", "word"),
    [
        (False, "public, max-age=60", "set-cookie"),
        ("public", "max-age=60", "set-cookie"),
        ("public", "public, max-age=60", None),
        (True, "max-age=60", None),
        (True, "max-age=0", "set-cookie"),
        (True, "public", "set-cookie"),
    ],
)
def test_answers_that_set_a_cookie_are_stored_as_the_policy_says(policy, control, word):
    policy = CachePolicy(store_set_cookie=policy)
    pairs = [("Cache-Control", control), ("Set-Cookie", "a=1"), ("ETag", '"1"')]
    assert why("200", pairs, policy) == word
    assert refusal_at_sight(pairs, policy) in (None, word)


def test_parts_are_stored_as_the_policy_says():
    lines = ("Cache-Control: max-age=60, no-store, must-understand", "Content-Range: bytes 0-1/4")
    assert why_lines(*lines, status="206") == "partial"
    assert why_lines(*lines, status="206", policy=CONFORMANCE) is None
    assert why_lines(lines[0], status="206", policy=CONFORMANCE) == "partial"


@given(statuses, fields, policies, st.booleans(), st.booleans())
def test_no_answer_is_too_odd_to_be_judged(status, pairs, policy, authorized, with_cookie):
    word = why(status, pairs, policy, authorized=authorized, with_cookie=with_cookie)
    assert word is None or word.replace("-", "").isalpha()
    if word is None:
        assert refusal_at_sight(pairs, policy) is None


@example(["private", "no-store=1"], [], DEFAULT)
@given(st.lists(st.sampled_from(MEMBERS)), st.lists(st.sampled_from(MEMBERS)), policies)
def test_what_is_refused_at_sight_is_refused_for_the_same_reason(members, others, policy):
    lines = [", ".join(members), ", ".join(others)]
    for pairs in ([("Cache-Control", line) for line in lines[:count]] for count in (1, 2)):
        assert refusal_at_sight(pairs, policy) in (None, why("200", pairs, policy))


@given(fields, st.sampled_from(["no-store", "private"]), policies, st.data())
def test_no_store_and_private_are_obeyed_in_any_company(pairs, directive, policy, data):
    cased = "".join(data.draw(st.sampled_from([c.upper(), c])) for c in directive)
    before, after = (
        data.draw(st.sampled_from(["", "max-age=60,", "public, s-maxage=9 ,", ",", 'x="a,b",'])),
        data.draw(st.sampled_from(["", ",max-age=60", " ", "\t, public", ";", "; max-age=60", " =x", ' ="x"'])),
    )
    position = data.draw(st.integers(0, len(pairs)))
    pairs = [("Cache-Control", "public, max-age=60"), *(pair for pair in pairs if pair[0] != "CDN-Cache-Control")]
    pairs.insert(position, ("cache-CONTROL", before + cased + after))
    assert why("200", pairs, policy) is not None


@given(fields, text)
def test_a_cookie_is_never_stored_by_default(pairs, value):
    assert why("200", [*pairs, ("Set-Cookie", value), ("Cache-Control", "public, max-age=60")]) is not None


@given(fields, policies)
def test_credentials_never_make_more_storable(pairs, policy):
    for asked in ({"authorized": True}, {"with_cookie": True}):
        if why("200", pairs, policy, **asked) is None:
            assert why("200", pairs, policy) is None
