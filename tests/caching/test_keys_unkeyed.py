"""What a site adds to its keys: fields that no Vary names, functions that normalise, a function of its own.

C108, C109, S5 to S7, S9.
"""

from __future__ import annotations

import logging

import pytest
from asking import call
from hypothesis import given
from hypothesis import strategies as st
from targeted_site import TargetedSite, caching, each_server, echoing

from middleware import operators
from middleware.caching import CacheKeys
from middleware.caching.keys.key_options import UNKEYED
from middleware.caching.keys.keys import Keys


def environ_key(name):
    return "HTTP_" + name.upper().replace("-", "_")


@pytest.fixture
def warnings(caplog, monkeypatch):
    """What operators are told, each thing once a test."""
    monkeypatch.setattr(operators, "_said", {})
    caplog.set_level(logging.WARNING, "middleware.caching")
    return caplog


# Fields that no Vary names

KEYED = [name for name, mode in UNKEYED.items() if mode == "key"]
OVERRIDES = [name for name, mode in UNKEYED.items() if mode == "bypass"]


@pytest.mark.parametrize("name", KEYED)
@each_server
def test_a_forwarding_field_is_part_of_the_key(raw, name):
    site = echoing(raw, names=[environ_key(name)])
    for value in ("evil", None, "good", ""):
        request = {environ_key(name): value}
        assert site.ask(**request).text == repr([value])
        assert site.is_hit(**request)


@pytest.mark.parametrize("name", OVERRIDES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@each_server
def test_a_request_in_disguise_is_neither_answered_nor_stored(raw, name, method):
    site = caching(raw)
    for _ in range(2):
        assert not site.is_hit(method=method, **{environ_key(name): "evil"})
    assert not site.is_hit()
    assert not site.is_hit(method=method, **{environ_key(name): ""})


@pytest.mark.parametrize("name", ["User-Agent", "referer", "X_Theme", "Accept-Language"])
def test_a_field_that_a_site_adds_is_part_of_the_key(name):
    key = environ_key(name)
    site = echoing(names=[key], keys=CacheKeys(unkeyed={name: "key"}))
    for value in ("evil", "good", None):
        assert site.ask(**{key: value}).text == repr([value])
        assert site.is_hit(**{key: value})


def test_cookies_can_be_part_of_the_key_but_for_those_that_are_ignored():
    site = echoing(names=["HTTP_COOKIE"], keys=CacheKeys(unkeyed={"cookie": "key"}, ignore_cookies=["_ga*"]))
    for cookie in ("sid=1", "sid=2", None):
        assert site.ask(HTTP_COOKIE=cookie).text == repr([cookie])
        assert site.is_hit(HTTP_COOKIE=f"{cookie}; _ga=1" if cookie else "_ga=2")


def test_a_content_type_that_gateways_invent_is_none_in_the_key():
    site = caching(keys=CacheKeys(unkeyed={"content-type": "key"}))
    site.ask(CONTENT_TYPE=None)
    assert site.is_hit(CONTENT_TYPE="")
    assert not site.is_hit(CONTENT_TYPE="text/plain")


def test_two_fields_of_the_key_are_not_taken_for_one():
    site = echoing(names=["HTTP_X_HOST", "HTTP_FORWARDED"])
    pairs = [("a", "b"), ("b", "a"), ("ab", ""), ("", "ab"), ("a", None), (None, "a"), ("1:a", "b")]
    for pair in pairs * 2:
        assert site.ask(HTTP_X_HOST=pair[0], HTTP_FORWARDED=pair[1]).text == repr(list(pair))
    assert site.calls == len(pairs)


def test_a_site_can_let_requests_with_a_field_bypass():
    site = caching(keys=CacheKeys(unkeyed={"x-debug": "bypass", "x-host": "bypass"}))
    site.ask()
    for name in ("HTTP_X_DEBUG", "HTTP_X_HOST"):
        for _ in range(2):
            assert "fwd=bypass; detail=unkeyed" in site.ask(**{name: "1"}).header("Cache-Status")
    assert site.is_hit()


@each_server
def test_a_field_that_is_stripped_is_not_seen_and_selects_nothing(raw):
    keys = CacheKeys(unkeyed={"x-forwarded-host": "strip", "x-original-url": "strip"})
    site = echoing(raw, "Vary: X-Forwarded-Host", names=["HTTP_X_FORWARDED_HOST", "HTTP_X_ORIGINAL_URL"], keys=keys)
    assert site.ask(HTTP_X_FORWARDED_HOST="evil", HTTP_X_ORIGINAL_URL="/evil").text == "[None, None]"
    assert site.is_hit()
    assert site.is_hit(HTTP_X_FORWARDED_HOST="good")


def test_a_field_that_is_stripped_is_back_when_the_answer_has_ended():
    site = echoing(keys=CacheKeys(unkeyed={"x-host": "strip"}))
    environ = site.environ(HTTP_X_HOST="h")
    call(site.cache, environ)
    assert environ["HTTP_X_HOST"] == "h"


def test_credentials_can_be_stripped():
    keys = CacheKeys(unkeyed={"cookie": "strip", "authorization": "strip"}, ignore_cookies=["_ga"])
    site = echoing(names=["HTTP_COOKIE", "HTTP_AUTHORIZATION"], keys=keys)
    assert site.ask(HTTP_COOKIE="sid=evil; _ga=1", HTTP_AUTHORIZATION="Basic evil").text == "[None, None]"
    assert site.is_hit()


@pytest.mark.parametrize("name", UNKEYED)
def test_under_the_conformance_policy_a_field_that_vary_does_not_name_counts_for_nothing(name):
    site = caching(policy="conformance")
    site.ask()
    assert site.is_hit(**{environ_key(name): "evil"})


def test_under_the_conformance_policy_a_field_that_the_site_names_counts():
    site = caching(policy="conformance", keys=CacheKeys(unkeyed={"x-host": "key", "x-debug": "bypass"}))
    site.ask()
    assert not site.is_hit(HTTP_X_HOST="evil")
    assert not site.is_hit(HTTP_X_DEBUG="1")
    assert site.is_hit(HTTP_FORWARDED="host=evil")


@pytest.mark.parametrize("policy", ["default", "conformance"])
@pytest.mark.parametrize(
    "request_", [{"body": b"x=evil"}, {"HTTP_TRANSFER_ENCODING": "chunked"}, {"HTTP_IF_MATCH": "*"}]
)
def test_what_the_cache_itself_cannot_answer_bypasses_under_every_policy(policy, request_):
    site = caching(policy=policy)
    site.ask()
    for _ in range(2):
        assert not site.is_hit(**request_)


# What Vary names, normalised


def gzip_or_nothing(value):
    return "gzip" if "gzip" in value else None


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("gzip, br", "gzip", True),
        ("gzip, br", "br", False),
        ("br", None, True),
        ("br", "identity", True),
        (None, "gzip", False),
    ],
)
def test_answers_are_told_apart_by_what_a_function_makes_of_a_field(first, second, same):
    site = caching(
        "REQUEST_URI", "Vary: Accept-Encoding", keys=CacheKeys(normalise={"Accept-Encoding": gzip_or_nothing})
    )
    site.ask(HTTP_ACCEPT_ENCODING=first)
    assert site.is_hit(HTTP_ACCEPT_ENCODING=second) is same


def test_the_application_sees_the_field_as_it_came():
    keys = CacheKeys(normalise={"accept-encoding": gzip_or_nothing})
    site = echoing("REQUEST_URI", "Vary: Accept-Encoding", names=["HTTP_ACCEPT_ENCODING"], keys=keys)
    assert site.ask(HTTP_ACCEPT_ENCODING="gzip, br").text == "['gzip, br']"


def test_a_field_that_vary_does_not_name_is_not_normalised():
    def never(value):
        raise AssertionError

    site = caching("REQUEST_URI", "Vary: X", keys=CacheKeys(normalise={"y": never}))
    site.ask(HTTP_Y="1", HTTP_X="1")
    assert site.is_hit(HTTP_Y="2", HTTP_X="1")


def test_cookies_are_normalised_without_those_that_are_ignored():
    keys = CacheKeys(normalise={"cookie": str.upper}, ignore_cookies=["_ga"])
    site = caching("REQUEST_URI", "Vary: Cookie", keys=keys)
    site.ask(HTTP_COOKIE="_ga=1; a=b")
    assert site.is_hit(HTTP_COOKIE="A=b; _ga=2")


def fails(_):
    raise OSError("the function is down")


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (fails, "raised OSError"),
        (len, "gave a value of type int"),
        (str.encode, "gave a value of type bytes"),
    ],
)
def test_where_a_function_fails_the_value_counts_as_it_came_and_that_is_said_once(function, told, warnings):
    site = caching("REQUEST_URI", "Vary: X", keys=CacheKeys(normalise={"x": function}))
    for value in ("1", "2"):
        assert not site.is_hit(HTTP_X=value)
        assert site.is_hit(HTTP_X=value)
    messages = [record.getMessage() for record in warnings.records]
    assert [message.split(":")[0] for message in messages] == [f"CacheKeys(normalise=) {told} for 'x'"]


# A function of the site's own


@each_server
def test_what_a_function_gives_separates(raw):
    site = caching(raw, keys=CacheKeys(extra=lambda environ: environ.get("tenant")))
    for tenant in ("a", "b", "", None):
        assert not site.is_hit(tenant=tenant), tenant
        assert site.is_hit(tenant=tenant)


def test_what_a_function_gives_may_be_several_texts():
    site = caching(keys=CacheKeys(extra=lambda environ: environ["texts"]))
    for texts in ("ab", ["ab"], ["a", "b"], ["b", "a"], [], ["", "ab"], iter(["a", "", "b"])):
        given = list(texts) if not isinstance(texts, str) else texts
        assert site.is_hit(texts=given) is (given == ["ab"]), given
        assert site.is_hit(texts=iter(given) if isinstance(given, list) else given)


def test_what_a_function_gives_only_adds_to_the_key():
    site = caching(keys=CacheKeys(extra=lambda environ: "the same"))
    for target in ("/a", "/b", "/a?c"):
        assert not site.is_hit(target)
    assert not site.is_hit(HTTP_X_HOST="evil")
    assert not site.is_hit(HTTP_HOST="b.example")
    assert site.is_hit("/a")


def test_a_purge_reaches_whatever_a_function_gave():
    site = caching(keys=CacheKeys(extra=lambda environ: environ["tenant"]))
    for tenant in ("a", "b"):
        site.ask(tenant=tenant)
    site.ask(method="POST", tenant="a")
    for tenant in ("a", "b"):
        assert not site.is_hit(tenant=tenant)


def test_a_change_is_noticed_also_where_the_function_fails():
    site = caching(keys=CacheKeys(extra=lambda environ: environ["tenant"]))
    site.ask(tenant="a")
    site.ask(method="POST")
    assert not site.is_hit(tenant="a")


@pytest.mark.parametrize(
    "function", [lambda environ: environ["no such"], lambda environ: 7, lambda environ: ["a", None]]
)
@each_server
def test_where_a_function_fails_the_request_bypasses_and_that_is_said_once(raw, function, warnings):
    site = caching(raw, keys=CacheKeys(extra=function))
    for _ in range(3):
        assert "fwd=bypass; detail=extra" in site.ask().header("Cache-Status")
    assert site.calls == 3
    assert len(warnings.records) == 1
    assert warnings.records[0].getMessage().startswith("CacheKeys(extra=) ")


def test_an_error_that_ends_the_process_is_not_held_up_by_a_function():
    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        caching(keys=CacheKeys(extra=interrupted)).ask()


def test_an_answer_that_a_function_tells_apart_is_not_refreshed_for_another():
    """A refresh in the background has none of what layers put into environ, of which the function may be made."""
    site = echoing(
        "REQUEST_URI",
        "Cache-Control: stale-while-revalidate=60",
        names=["tenant"],
        keys=CacheKeys(extra=lambda environ: environ.get("tenant")),
    )
    site.ask(tenant="a")
    site.ask(at=61, tenant="a", **{"wsgi.run_once": True})
    assert site.calls == 2
    assert site.ask(tenant="a").text == "['a']"
    assert site.calls == 2


def test_a_refresh_in_the_background_keeps_what_is_part_of_the_key():
    site = echoing("REQUEST_URI", "Cache-Control: stale-while-revalidate=60", names=["HTTP_X_FORWARDED_HOST"])
    site.ask(HTTP_X_FORWARDED_HOST="a")
    site.ask(at=61, HTTP_X_FORWARDED_HOST="a", **{"wsgi.run_once": True})
    assert site.calls == 2
    assert site.ask(HTTP_X_FORWARDED_HOST="a").text == "['a']"
    assert site.calls == 2


def test_nothing_that_a_function_or_a_field_adds_can_be_read_in_the_store():
    kept = []

    class Watched(type(TargetedSite().store)):
        def set(self, key, value, ttl=None):
            kept.append(key.encode() + value)
            super().set(key, value, ttl)

        def add(self, key, value, ttl=None):
            kept.append(key.encode() + value)
            return super().add(key, value, ttl)

        def swap(self, key, old, new, ttl=None):
            kept.append(key.encode() + new)
            return super().swap(key, old, new, ttl)

    keys = CacheKeys(extra=lambda environ: "SECRET", unkeyed={"authorization": "key", "cookie": "key"})
    site = caching("REQUEST_URI", "Cache-Control: public", store=Watched(), keys=keys)
    request = {"HTTP_COOKIE": "sid=SECRET", "HTTP_AUTHORIZATION": "Bearer SECRET", "HTTP_X_HOST": "SECRET"}
    site.ask(**request)
    assert site.is_hit(**request)
    assert kept
    assert not any(b"SECRET" in data for data in kept)


# Properties

values = st.none() | st.text(st.sampled_from("ab1:-"), max_size=4)
extras = st.lists(st.text(st.sampled_from("ab1:-"), max_size=4), max_size=3)


@given(*[st.tuples(values, values, values, extras)] * 2)
def test_two_requests_that_differ_in_a_part_of_the_key_never_share_it(one, other):
    keys = Keys(CacheKeys(extra=lambda environ: environ["texts"], unkeyed={"user-agent": "key"}))
    meant = []
    for host, agent, script, texts in (one, other):
        environ = {"wsgi.url_scheme": "http", "HTTP_HOST": "a.example", "PATH_INFO": "/a", "texts": texts}
        given = {"HTTP_X_HOST": host, "HTTP_USER_AGENT": agent, "SCRIPT_NAME": script}
        key = keys.key_of({**environ, **{name: value for name, value in given.items() if value is not None}})
        assert key.bypass == ""
        meant.append((key.url, key.seen))
    seen = [(host, agent, script or "", texts) for host, agent, script, texts in (one, other)]
    assert (meant[0] == meant[1]) is (seen[0] == seen[1])
