"""What a client asks of the cache: its Cache-Control and Pragma (RFC 9111, sections 5.2.1 and 5.4)."""

from __future__ import annotations

import pytest
from cached_site import Site

from middleware.caching import CachePolicy

RELOADS = CachePolicy(honour_reload=True)


def stored(*fields, **options):
    site = Site(**options)
    site.answers("Cache-Control: max-age=10", 'ETag: "1"', *fields)
    site.ask()
    site.answers('ETag: "1"', status="304 Not Modified")
    return site


def asking(directives):
    return {"headers": {"Cache-Control": directives}}


def test_only_what_is_stored_is_given_where_nothing_else_is_wanted():
    site = stored()
    assert site.is_hit(**asking("only-if-cached"))
    answer = site.ask("/other", **asking("only-if-cached"))
    assert (answer.code, site.calls) == (504, 1)
    assert answer.header("Cache-Status") == "wsgi-middleware; detail=only-if-cached"


def test_a_site_may_ignore_that_only_what_is_stored_is_wanted():
    site = stored(policy=CachePolicy(only_if_cached=False))
    site.answers()
    assert site.ask("/other", **asking("only-if-cached")).code == 200


def test_what_is_not_fresh_for_long_enough_is_validated():
    site = stored()
    assert site.is_hit(at=5, **asking("min-fresh=5"))
    assert site.validates(at=5, **asking("min-fresh=6"))


def test_what_is_stale_for_no_longer_than_a_client_bears_is_given():
    site = stored()
    assert site.is_hit(at=15, **asking("max-stale=10"))
    assert site.is_hit(at=15, **asking("max-stale"))
    assert site.validates(at=15, **asking("max-stale=2"))


@pytest.mark.parametrize("directive", ["must-revalidate", "proxy-revalidate", "s-maxage=10"])
def test_no_client_gets_what_is_stale_where_the_application_forbids_it(directive):
    assert stored(f"Cache-Control: {directive}").validates(at=15, **asking("max-stale"))


@pytest.mark.parametrize(
    "headers", [{"Cache-Control": "no-cache"}, {"Cache-Control": "max-age=0"}, {"Pragma": "no-cache"}]
)
def test_a_reload_does_not_reach_the_application_unless_a_site_wants_it(headers):
    assert stored().is_hit(headers=headers)
    site = stored(policy=RELOADS)
    assert site.validates(headers=headers)
    assert site.ask(headers=headers).header("Cache-Status").startswith("wsgi-middleware; fwd=request; fwd-status=304")


def test_where_reloads_count_a_client_may_say_how_old_is_too_old():
    site = stored(policy=RELOADS)
    assert site.is_hit(at=3, **asking("max-age=5"))
    assert site.validates(at=6, **asking("max-age=5"))


def test_pragma_counts_only_without_cache_control_and_for_no_cache_alone():
    site = stored(policy=RELOADS)
    assert site.is_hit(headers={"Pragma": "no-cache", "Cache-Control": "foo"})
    assert site.is_hit(headers={"Pragma": "x-other"})


def test_what_does_not_change_is_reloaded_only_by_no_cache():
    site = stored("Cache-Control: immutable", policy=RELOADS)
    assert site.is_hit(**asking("max-age=0"))
    assert site.validates(**asking("no-cache"))
    assert site.validates(at=11)
