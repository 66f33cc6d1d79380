"""How long an answer may be reused, and how old it is (RFC 9111, sections 4.2 and 5)."""

from __future__ import annotations

import pytest
from cached_site import START, Site, stores

from middleware.headers import http_date

LATER = "Thu, 21 Sep 2056 00:00:00 GMT"
PAST = "Mon, 21 Sep 2020 00:00:00 GMT"


@pytest.mark.parametrize("argument", ["90", "0090", '"90"', str(2**31 - 1), str(2**31), str(10**12), "9" * 5000])
def test_a_number_of_seconds_is_digits(argument):
    assert stores(f"Cache-Control: max-age={argument}", at=10)


@pytest.mark.parametrize("text", ["max-age =90", "max-age= 90", "max-age='90'", "max-age=a90", "max-age=90a"])
@pytest.mark.parametrize("more", ["", ", public"])
def test_anything_else_is_zero_whatever_expires_says(text, more):
    assert not stores(f"Cache-Control: {text}{more}", f"Expires: {LATER}")


@pytest.mark.parametrize(
    "text", ["max-age=90.0", "max-age=-90", "max-age=\u00b2", "max-age", "max-age=", "s-maxage=x, max-age=90"]
)
def test_what_is_no_number_is_zero(text):
    assert not stores(f"Cache-Control: {text}", f"Expires: {LATER}")


@pytest.mark.parametrize(
    ("fields", "at", "fresh"),
    [
        (["Cache-Control: max-age=900, max-age=1"], 10, True),
        (["Cache-Control: max-age=1, max-age=900"], 10, False),
        (["Cache-Control: max-age=900", "Cache-Control: max-age=1"], 10, True),
        (["Cache-Control: max-age=1", "Cache-Control: max-age=900"], 10, False),
        (['Cache-Control: note="max-age=900", max-age=1'], 2, False),
        (["Cache-Control: max-age=900, s-maxage=1"], 2, False),
        (["Cache-Control: s-maxage=1, max-age=900"], 2, False),
        (["Cache-Control: max-age=900", "Cache-Control: s-maxage=1"], 2, False),
        (["Cache-Control: s-maxage=900, max-age=0", f"Expires: {PAST}"], 2, True),
        (["Cache-Control: max-age=60", "Expires: 0"], 2, True),
        (["Cache-Control: max-age=0", f"Expires: {LATER}"], 0, False),
        (["Cache-Control: max-age=10"], 9, True),
        (["Cache-Control: max-age=10"], 10, False),
        ([f"Expires: {LATER}"], 10**7, True),
        (["Expires: Fri, 31 Dec 9999 23:59:59 GMT"], 10**7, True),
        ([f"Expires: {LATER}", "Expires: Thu, 21 Sep 2057 00:00:00 GMT"], 1, False),
        ([f"Expires: {LATER}", f"Date: {LATER}"], 1, False),
        ([f"Expires: {PAST}"], 1, False),
        ([f"Expires: {LATER}", "Date: foo"], 1, True),
        (["Expires: 0"], 1, False),
        (["Cache-Control: max-age=60", f"Date: {http_date(START - 100)}"], 0, False),
        ([f"Expires: {http_date(START - 3540)}", f"Date: {http_date(START - 3600)}", "Age: 3600"], 0, False),
        ([f"Expires: {http_date(START + 3660)}", f"Date: {http_date(START + 3600)}", "Age: 3600"], 0, False),
    ],
)
def test_the_lifetime(fields, at, fresh):
    assert stores(*fields, at=at) is fresh


@pytest.mark.parametrize(
    ("fields", "fresh"),
    [
        (["5000, 1"], False),
        (["1, 5000"], True),
        (["5000", "1"], False),
        (["1", "5000"], True),
        (["old"], True),
        (["-5000"], True),
        (["5000.0"], True),
        (["5000;x=1"], True),
        ([""], True),
        ([str(2**31 - 1)], False),
        ([str(2**31 + 1)], False),
        (["9" * 5000], False),
    ],
)
def test_the_age_that_an_answer_brings(fields, fresh):
    assert stores("Cache-Control: max-age=900", *[f"Age: {value}" for value in fields]) is fresh


@pytest.mark.parametrize("freshness", ["Cache-Control: max-age=900", f"Expires: {LATER}"])
def test_a_hit_has_one_age(freshness):
    site = Site()
    site.answers("Age: 40", freshness)
    assert site.ask().all("Age") == ["40"]
    assert site.ask(at=5).all("Age") == ["45"]


def test_an_answer_that_is_too_old_on_arrival_is_not_reused():
    assert not stores("Age: 901", "Cache-Control: max-age=900", at=0)


def test_the_time_that_the_application_took_counts():
    site = Site()
    site.takes = 5
    site.answers("Cache-Control: max-age=60")
    site.ask()
    assert site.ask().header("Age") == "5"


def test_a_clock_that_steps_back_makes_nothing_younger():
    site = Site()
    site.answers("Age: 40", "Cache-Control: max-age=900")
    site.ask()
    assert site.ask(at=-1000).header("Age") == "40"


def test_an_answer_without_date_gets_the_time_of_its_receipt():
    site = Site()
    site.answers("Cache-Control: max-age=60")
    assert site.ask().header("Date") is None
    assert site.ask(at=20).header("Date") == site.ask(at=30).header("Date") == http_date(START)


def test_a_miss_is_passed_on_without_an_age():
    site = Site()
    site.answers("Cache-Control: max-age=60")
    assert site.ask().header("Age") is None


def test_a_hit_repeats_what_was_stored():
    fields = [f"Date: {http_date(START)}", f"Expires: {LATER}", "Cache-Control: max-age=60 ,  X", 'eTaG: W/"1"']
    site = Site()
    site.answers(*fields)
    site.ask()
    hit = site.ask(at=30)
    assert [f"{name}: {value}" for name, value in hit.headers][:4] == fields
    assert hit.header("Warning") is None
