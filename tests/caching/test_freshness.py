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


def modified(seconds):
    return f"Last-Modified: {http_date(START - seconds)}"


@pytest.mark.parametrize(("at", "hit"), [(999, True), (1001, False)])
def test_where_nothing_is_said_a_tenth_of_the_age_is_fresh(at, hit):
    assert stores(modified(10_000), at=at) is hit


def test_what_was_guessed_is_validated_when_it_is_over():
    site = Site()
    site.answers(modified(10_000))
    site.ask()
    assert site.validates(at=1001)


@pytest.mark.parametrize("code", ["203", "204", "300", "301", "308", "404", "405", "410", "414", "501"])
def test_the_freshness_of_some_answers_is_guessed(code):
    assert stores(modified(86400), status=f"{code} Reason")


@pytest.mark.parametrize("code", ["201", "302", "403", "500", "599"])
def test_that_of_others_is_not_unless_they_are_public(code):
    assert not stores(modified(86400), status=f"{code} Reason")
    assert stores(modified(86400), "Cache-Control: public", status=f"{code} Reason")


@pytest.mark.parametrize(
    "request_",
    [
        {"headers": {"Cookie": "a=1"}},
        {"headers": {"Authorization": "Basic YTpi"}},
        {"REMOTE_USER": "ada"},
        {"AUTH_TYPE": "Basic"},
    ],
)
@pytest.mark.parametrize("more", [[], ["Cache-Control: public"]])
def test_nothing_is_guessed_for_a_request_that_says_who_asks(request_, more):
    assert not stores(modified(86400), *more, request=request_)


def test_a_request_that_says_who_asks_does_not_get_what_is_only_guessed_to_be_fresh():
    site = Site()
    site.answers(modified(86400))
    site.ask()
    for personal in ({"headers": {"Cookie": "a=1"}}, {"headers": {"Authorization": "x"}}, {"REMOTE_USER": "ada"}):
        assert not site.is_hit(at=1, **personal)
    assert site.is_hit(at=2)


def test_nothing_that_was_not_guessed_is_guessed_when_it_is_read_again():
    """Also where the head comes out of the store as bytes."""
    site = Site()
    site.answers(modified(86400), "Cache-Control: public")
    site.ask(headers={"Cookie": "a=1"})
    assert site.validates(at=5)


@pytest.mark.parametrize(
    "line", ["Set-Cookie: a=1", "Pragma: no-cache", f"Expires: {PAST}", "Cache-Control: max-age=x"]
)
def test_nothing_is_guessed_for_an_answer_that_says_otherwise(line):
    assert not stores(modified(86400), line)


def test_the_time_to_live_of_what_was_guessed_is_whole_seconds():
    site = Site()
    site.answers(modified(10_005))
    site.ask()
    assert "; ttl=999" in site.ask(at=1).header("Cache-Status")


@pytest.mark.parametrize(
    ("fields", "hit"),
    [
        (["CDN-Cache-Control: max-age=60", "Cache-Control: no-store"], True),
        (["CDN-Cache-Control: max-age=60", f"Expires: {PAST}"], True),
        (["CDN-Cache-Control: max-age=60, foo;x=1", "Cache-Control: private"], True),
        (["CDN-Cache-Control: max-age=1000000000000"], True),
        (["CDN-Cache-Control: no-store", "Cache-Control: max-age=60"], False),
        (["CDN-Cache-Control: private", "Cache-Control: max-age=60"], False),
        (["CDN-Cache-Control: max-age=0", "Cache-Control: max-age=60"], False),
        (["CDN-Cache-Control: no-cache", "Cache-Control: max-age=60"], False),
        (["CDN-Cache-Control: max-age=1", "Cache-Control: max-age=900"], False),
        (["CDN-Cache-Control: max-age=900, max-age=1"], False),
        (['CDN-Cache-Control: max-age="60"', "Cache-Control: max-age=60"], False),
        (["CDN-Cache-Control: max-age=60, ;", "Cache-Control: no-store"], False),
        (["CDN-Cache-Control: MaX-aGe=60", "Cache-Control: no-store"], False),
        (["CDN-Cache-Control: foo", modified(86400)], False),
    ],
)
def test_a_field_that_speaks_to_this_cache_alone_counts_alone(fields, hit):
    assert stores(*fields, at=2) is hit


def test_a_targeted_field_passes_unchanged():
    site = Site()
    site.answers("CDN-Cache-Control: max-age=60;x", "Cache-Control: no-store")
    for _ in range(2):
        answer = site.ask()
        assert answer.header("CDN-Cache-Control") == "max-age=60;x"
        assert answer.header("Cache-Control") == "no-store"


def test_what_was_never_said_to_be_fresh_is_not_sent_stale_to_a_request_that_says_who_asks():
    site = Site()
    site.answers(modified(10_000), "Cache-Control: stale-while-revalidate=600")
    site.ask()
    assert not site.is_hit(at=1001, headers={"Cookie": "a=1"})
    assert not site.is_hit(at=1001, headers={"Cookie": "a=1", "Cache-Control": "max-stale"})
    assert "; hit" in site.ask(at=1001).header("Cache-Status")
