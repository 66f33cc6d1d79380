"""The two configurations, and each line in which they differ as an option of its own."""

from __future__ import annotations

import pytest
from cached_site import START, Site

from middleware.caching import CachePolicy
from middleware.errors import ConfigurationError
from middleware.headers import http_date

FRESH = "Cache-Control: max-age=60"
A_DAY_AGO = http_date(START - 86400)


def policies(**option):
    """The default, and three ways of wanting the other thing."""
    return [("default", False), ("conformance", True), (CachePolicy(**option), True)]


@pytest.mark.parametrize(("policy", "stores"), policies(store_set_cookie=True))
def test_an_answer_that_sets_a_cookie(policy, stores):
    site = Site(policy=policy)
    site.answers(FRESH, "Set-Cookie: a=1")
    site.ask()
    assert site.is_hit() == stores
    assert site.ask().header("Set-Cookie") == "a=1"


def test_only_a_public_answer_that_sets_a_cookie():
    site = Site(policy=CachePolicy(store_set_cookie="public"))
    site.answers(FRESH, "Set-Cookie: a=1")
    site.ask()
    assert not site.is_hit()
    site.answers(FRESH + ", public", "Set-Cookie: a=1")
    site.ask()
    assert site.is_hit()


@pytest.mark.parametrize(("policy", "stores"), policies(store_private_fields=True))
def test_an_answer_with_a_private_field(policy, stores):
    site = Site(policy=policy)
    site.answers(FRESH + ', private="x-u"', "X-U: 1", "X-V: 2")
    site.ask()
    assert site.is_hit() == stores
    if stores:
        assert (site.ask().header("X-U"), site.ask().header("X-V")) == (None, "2")


@pytest.mark.parametrize(("policy", "stores"), policies(guess_for_cookies=True))
def test_an_answer_to_a_cookie_without_explicit_freshness(policy, stores):
    site = Site(policy=policy)
    site.answers(f"Last-Modified: {A_DAY_AGO}")
    site.ask(headers={"Cookie": "a=1"})
    assert site.is_hit(headers={"Cookie": "a=1"}) == stores


@pytest.mark.parametrize(("policy", "shares"), policies(guard_unkeyed=False))
def test_a_field_that_says_which_host_is_meant(policy, shares):
    site = Site(policy=policy)
    site.answers(FRESH)
    site.ask(headers={"X-Forwarded-Host": "a.example"})
    assert site.is_hit(headers={"X-Forwarded-Host": "b.example"}) == shares


@pytest.mark.parametrize(("policy", "stores"), policies(user_is_authorization=False))
def test_an_answer_to_a_user_whom_the_server_knows(policy, stores):
    site = Site(policy=policy)
    site.answers(FRESH)
    site.ask(REMOTE_USER="ann")
    assert site.is_hit() == stores


@pytest.mark.parametrize(("policy", "reloads"), policies(honour_reload=True))
def test_a_reload(policy, reloads):
    site = Site(policy=policy)
    site.answers(FRESH)
    site.ask()
    assert site.is_hit(headers={"Cache-Control": "no-cache"}) == (not reloads)


def posts(policy, location):
    site = Site(policy=policy)
    site.answers(FRESH, f"Content-Location: {location}", body=b"made")
    site.ask(method="POST", body=b"x=1")
    return site


@pytest.mark.parametrize("location", ["/a", "http://127.0.0.1/a"])
@pytest.mark.parametrize(("policy", "stores"), policies(store_post=True))
def test_the_answer_to_a_post_that_is_that_of_its_own_url(policy, stores, location):
    site = posts(policy, location)
    assert site.is_hit() == stores
    if stores:
        assert site.ask().body == b"made"


@pytest.mark.parametrize("location", ["/b", "http://other.example/a", "//["])
def test_the_answer_to_a_post_about_another_url_is_never_stored(location):
    assert not posts("conformance", location).is_hit()


def test_the_answer_to_another_unsafe_method_is_never_stored():
    site = Site(policy="conformance")
    site.answers(FRESH, "Content-Location: /a")
    site.ask(method="PUT", body=b"x")
    assert not site.is_hit()


@pytest.mark.parametrize("strips", [False, True])
def test_fields_for_caches_alone(strips):
    site = Site(policy=CachePolicy(strip_targeted=strips, strip_tags=strips))
    site.answers("CDN-Cache-Control: max-age=60", "Cache-Tag: a, b", "Surrogate-Key: c")
    for answer in (site.ask(), site.ask(), site.ask(method="POST")):
        for name in ("CDN-Cache-Control", "Cache-Tag", "Surrogate-Key"):
            assert (answer.header(name) is None) == strips
    site.ask()
    assert site.is_hit()


@pytest.mark.parametrize(
    "options",
    [
        {"policy": "safe"},
        {"policy": None},
        {"keys": {}},
        {"max_object": 0},
        {"max_object": 1.5},
        {"flight_timeout": 0},
        {"flight_timeout": "5s"},
        {"max_waiters": -1},
        {"purge_by": "secret"},
        {"on_event": 1},
        {"name": ""},
        {"name": "a\nb"},
        {"store": object()},
    ],
)
def test_a_wrong_option_is_told_when_the_layer_is_made(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        Site(**options)
