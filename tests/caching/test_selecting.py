"""Which stored answer a request gets: Vary, the key, the host (RFC 9111, sections 2 and 4.1)."""

from __future__ import annotations

import tracemalloc

import pytest
from asking import ask
from cached_site import Site
from hypothesis import given
from hypothesis import strategies as st

from middleware.caching import CacheMiddleware
from middleware.caching.keys.key_options import CacheKeys
from middleware.caching.keys.keys import Keys
from middleware.caching.keys.variants import framed
from middleware.stores import MemoryStore

PLAIN = Keys(CacheKeys())


def varying(*vary):
    site = Site()
    site.answers("Cache-Control: max-age=60", *[f"Vary: {line}" for line in vary])
    return site


@pytest.mark.parametrize("lines", [["*"], ["*, *"], [", *"], ["X, *"], ["*, X"], ["X", "*"], ["", "*"]])
def test_an_answer_that_varies_by_anything_is_never_reused(lines):
    site = varying(*lines)
    site.ask()
    assert not site.is_hit()


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("1", "1", True),
        ("1", "2", False),
        ("1", None, False),
        (None, "1", False),
        (None, "", False),
        (None, None, True),
    ],
)
def test_the_fields_that_vary_names_must_be_equal(first, second, same):
    site = varying("x")
    site.ask(headers={} if first is None else {"X": first})
    assert site.is_hit(headers={} if second is None else {"X": second}) is same


@pytest.mark.parametrize("vary", [["X, Y, Z"], ["z,,Y, x"], ["Y", "X", "Z"]])
def test_all_of_the_fields_must_be_equal(vary):
    site = varying(*vary)
    site.ask(headers={"X": "1", "Y": "2", "Z": "3"})
    assert site.is_hit(headers={"X": "1", "Y": "2", "Z": "3", "W": "4"})
    assert not site.is_hit(headers={"X": "1", "Y": "2", "Z": "4"})


def test_variants_live_side_by_side():
    site = varying("X")
    for value in ("1", "2"):
        assert not site.is_hit(headers={"X": value})
    assert site.is_hit(headers={"X": "1"})
    assert site.is_hit(headers={"X": "2"})


def test_another_variant_is_a_vary_miss():
    site = varying("X")
    site.ask(headers={"X": "1"})
    assert "fwd=vary-miss" in site.ask(headers={"X": "2"}).header("Cache-Status")


@pytest.mark.parametrize(
    ("name", "first", "second", "same"),
    [
        ("Accept-Language", "en-US, de", "EN-us,de", True),
        ("Accept-Language", "en, de", "de, en", False),
        ("Accept-Encoding", "gzip;q=1, br", "GZIP ; q=1,br", True),
        ("Accept", 'a/b;c="X"', 'a/b;c="x"', False),
        ("X", "A", "a", False),
        ("X", " a", "a ", True),
        ("X", "a, b", "a,b", False),
    ],
)
def test_how_fields_are_compared(name, first, second, same):
    site = varying(name)
    site.ask(headers={name: first})
    assert site.is_hit(headers={name: second}) is same


@pytest.mark.parametrize(("name", "key"), [("Content-Type", "CONTENT_TYPE"), ("Content-Length", "CONTENT_LENGTH")])
def test_an_empty_content_type_counts_as_absent(name, key):
    site = varying(name)
    site.ask()
    assert site.is_hit(**{key: ""})


def test_an_answer_stored_later_takes_the_place_of_all_that_would_have_matched():
    site = Site()
    site.answers("Cache-Control: max-age=10")
    site.ask(headers={"X": "a"})
    site.answers("Cache-Control: max-age=60", "Vary: X")
    site.ask(at=11, headers={"X": "a"})
    site.fails()
    with pytest.raises(OSError, match="down"):
        site.ask(at=12, headers={"X": "b"})
    assert site.is_hit(headers={"X": "a"})


def test_an_answer_with_another_vary_replaces_the_one_that_matched():
    site = Site()
    site.answers("Cache-Control: max-age=10", "Vary: X")
    site.ask(headers={"X": "a"})
    site.answers("Cache-Control: max-age=60", "Vary: Y")
    newer = site.ask(at=11, headers={"X": "a"})
    assert site.ask(at=12, headers={"X": "a"}).body == newer.body


def test_of_two_answers_that_fit_the_latest_is_given():
    site = varying("X")
    site.ask(headers={"X": "1", "Y": "1"})
    site.answers("Cache-Control: max-age=60", "Vary: Y")
    older = site.ask(at=1, headers={"X": "2", "Y": "2"})
    assert site.ask(at=2, headers={"X": "3", "Y": "2"}).body == older.body
    site.answers("Cache-Control: max-age=60", "Vary: X")
    newer = site.ask(at=3, headers={"X": "3", "Y": "3"})
    assert site.ask(at=4, headers={"X": "3", "Y": "2"}).body == newer.body


@pytest.mark.parametrize("vary", ["Accept Cookie", "Accept;Cookie", "X, \u00e9", "X\x0b", '"X"', "X: Y"])
def test_a_vary_that_is_no_list_of_names_is_not_stored(vary):
    site = varying(vary)
    site.ask()
    assert not site.is_hit()


def test_the_variants_of_a_url_are_bounded():
    site = varying("X")
    for number in range(100):
        site.ask(headers={"X": str(number)})
    assert site.is_hit(headers={"X": "99"})
    assert site.is_hit(headers={"X": "40"})
    assert not site.is_hit(headers={"X": "10"})


def test_a_vary_of_endless_names_is_not_stored():
    site = varying(",".join(f"x{number}" for number in range(10_000)))
    site.ask()
    assert not site.is_hit()


def test_an_inner_layer_that_changes_the_request_does_not_change_what_was_asked():
    def app(environ, start_response):
        text = environ.get("HTTP_X", "")
        environ["HTTP_X"] = "good"
        start_response("200 OK", [("Cache-Control", "max-age=60"), ("Vary", "X")])
        return [text.encode()]

    site = Site(app=app)
    site.ask(headers={"X": "evil"})
    assert site.ask(headers={"X": "good"}).text == "good"


def reflecting(name):
    key = "HTTP_" + name.upper().replace("-", "_")

    def app(environ, start_response):
        value = environ.get(key, "none")
        start_response("302 Found", [("Cache-Control", "max-age=60"), ("Location", f"//{value}/")])
        return [value.encode("latin-1")]

    return Site(app=app)


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Scheme",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Server",
        "X-Host",
        "X-Original-Host",
        "Forwarded",
    ],
)
def test_a_forwarding_field_is_part_of_the_key(name):
    site = reflecting(name)
    site.ask(headers={name: "evil"})
    for headers in ({}, {name: "good"}, {name: "good"}):
        assert "evil" not in site.ask(headers=headers).text


def test_an_allowed_origin_is_part_of_the_key_whether_vary_says_so_or_not():
    def app(environ, start_response):
        origin = environ.get("HTTP_ORIGIN", "none")
        start_response("200 OK", [("Cache-Control", "max-age=60"), ("Access-Control-Allow-Origin", origin)])
        return []

    site = Site(app=app)
    site.ask(headers={"Origin": "https://evil.example"})
    for headers in ({}, {"Origin": "https://good.example"}):
        assert "evil" not in site.ask(headers=headers).header("Access-Control-Allow-Origin")


@pytest.mark.slow
def test_endless_urls_and_fields_do_not_stay_in_memory():
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60"), ("Vary", "Accept")])
        return []

    cache = CacheMiddleware(app, store=MemoryStore(max_bytes=1 << 20))
    tracemalloc.start()
    try:
        for number in range(100):  # 30 MB
            long = f"/{number:0100000}"
            ask(cache, REQUEST_URI=long, PATH_INFO=long)
            ask(cache, headers={"Accept": long})
            ask(cache, headers={"Host": long[1:]})
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 8 << 20


parts = st.lists(st.none() | st.text(max_size=5, alphabet=st.sampled_from("0123456789:-ab\n")), max_size=5)


@given(parts, parts)
def test_framed_texts_are_equal_only_where_the_parts_are(some, others):
    assert (framed(some) == framed(others)) is (some == others)


words = st.text(max_size=9, alphabet=st.sampled_from("0123456789:-ab\n"))


@given(words, words, words)
def test_no_value_of_one_field_is_taken_for_that_of_another(seen, one, other):
    fields = ("x-a", "x-b")
    name = PLAIN.variant({"HTTP_X_A": one, "HTTP_X_B": other}, seen, fields)
    assert (name == PLAIN.variant({"HTTP_X_A": other, "HTTP_X_B": one}, seen, fields)) is (one == other)
    assert name != PLAIN.variant({"HTTP_X_A": one}, seen, fields)
    assert name != PLAIN.variant({"HTTP_X_A": one, "HTTP_X_B": other}, seen, ("x-a",))


def test_no_credentials_can_be_read_in_a_stores_keys_or_values():
    kept = []

    class Watched(type(Site().store)):
        def set(self, key, value, ttl=None):
            kept.append(key.encode() + value)
            super().set(key, value, ttl)

        def add(self, key, value, ttl=None):
            kept.append(key.encode() + value)
            return super().add(key, value, ttl)

        def swap(self, key, old, new, ttl=None):
            kept.append(key.encode() + new)
            return super().swap(key, old, new, ttl)

    site = Site(store=Watched())
    site.answers("Cache-Control: max-age=60, public", "Vary: Cookie, Authorization")
    request = {"headers": {"Cookie": "id=SECRET", "Authorization": "Bearer SECRET"}}
    site.ask(**request)
    assert site.is_hit(**request)
    assert kept
    assert not any(b"SECRET" in data for data in kept)


def test_a_challenge_is_not_given_to_those_who_bring_credentials():
    site = Site()
    site.answers("Cache-Control: max-age=60", "WWW-Authenticate: Basic", status="401 Unauthorized")
    site.ask()
    assert site.is_hit()
    site.answers("Cache-Control: max-age=60", body=b"protected")
    assert site.ask(headers={"Authorization": "Basic YTpi"}).body == b"protected"
    assert site.ask().code == 401
