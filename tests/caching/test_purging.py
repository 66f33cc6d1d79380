"""Purging from outside the application: over HTTP where it is allowed, and from another process."""

from __future__ import annotations

import subprocess
import sys
from time import time

import pytest
from asking import ask
from cached_site import Site

from middleware import __main__ as command_line
from middleware.caching import CacheMiddleware, get_cache
from middleware.errors import StoreError
from middleware.stores import MemoryStore, SQLiteStore, open_store

FRESH = "Cache-Control: max-age=600"
KEY = {"Authorization": "Bearer key"}


def may_purge(environ):
    return environ.get("HTTP_AUTHORIZATION") == "Bearer key"


@pytest.fixture
def site():
    site = Site(purge_by=may_purge)
    for path, tags in (("/a", "news, front"), ("/b", "news"), ("/c", "front")):
        site.answers(FRESH, "Vary: X", 'ETag: "1"', f"Cache-Tag: {tags}")
        for value in "12":
            site.ask(path, headers={"X": value})
    site.answers(FRESH, "Vary: X", 'ETag: "1"')
    return site


def hits(site, at):
    site.calls = 0
    return [
        path
        for path in ("/a", "/b", "/c")
        if all("; hit" in site.ask(path, at=at, headers={"X": value}).header("Cache-Status") for value in "12")
    ]


def purge(site, path="/a", **fields):
    """The answer to a PURGE request, a second after the start; the application hears nothing of it."""
    calls = site.calls
    answer = site.ask(path, at=1, method="PURGE", headers={**KEY, **fields})
    assert site.calls == calls
    assert answer.header("Cache-Control") == "no-store"
    return answer


def test_who_may_purges_a_url_with_all_its_variants(site):
    assert purge(site).code == 204
    assert hits(site, 2) == ["/b", "/c"]


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"Cache-Tag": "front"}, ["/b"]),
        ({"Surrogate-Key": "front news"}, []),
        ({"Cache-Tag": "front", "Surrogate-Key": "news"}, []),
        ({"Cache-Tag": "never-used"}, ["/a", "/b", "/c"]),
    ],
)
def test_who_may_purges_tags(site, fields, left):
    assert purge(site, **fields).code == 204
    assert hits(site, 2) == left


@pytest.mark.parametrize("path", ["/a", "*"])
def test_tags_are_purged_by_any_url(site, path):
    assert purge(site, path, **{"Cache-Tag": "news"}).code == 204
    assert hits(site, 2) == ["/c"]


@pytest.mark.parametrize("fields", [{}, {"Cache-Tag": "front"}])
def test_a_soft_purge_makes_stale(site, fields):
    assert purge(site, **{"Soft-Purge": "?1"}, **fields).code == 204
    site.answers(FRESH, 'ETag: "1"', status="304 Not Modified")
    assert site.validates("/a", at=2, headers={"X": "1"})
    assert site.is_hit("/a", at=3, headers={"X": "1"})


def test_a_purge_that_says_it_is_not_soft_is_not(site):
    assert purge(site, **{"Soft-Purge": "?0"}).code == 204
    assert hits(site, 2) == ["/b", "/c"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer other"}])
def test_nobody_else_purges(site, headers):
    for fields in ({}, {"Cache-Tag": "news"}):
        answer = site.ask("/a", at=1, method="PURGE", headers={**headers, **fields})
        assert (answer.code, answer.header("Cache-Control")) == (403, "no-store")
    assert hits(site, 2) == ["/a", "/b", "/c"]


@pytest.mark.parametrize(
    "fields",
    [
        {"Cache-Tag": ""},
        {"Cache-Tag": " , "},
        {"Cache-Tag": "a b"},
        {"Surrogate-Key": "caf\xe9"},
        {"Cache-Tag": ",".join(map(str, range(65)))},
        {"Soft-Purge": "1"},
        {"Soft-Purge": "yes"},
        {"Soft-Purge": ""},
    ],
)
def test_what_cannot_be_meant_purges_nothing(site, fields):
    answer = purge(site, **fields)
    assert (answer.code, answer.header("Content-Type")) == (400, "text/plain")
    assert hits(site, 2) == ["/a", "/b", "/c"]


@pytest.mark.parametrize("environ", [{"HTTP_HOST": "a b"}, {"HTTP_HOST": ""}, {"PATH_INFO": "*", "REQUEST_URI": "*"}])
def test_a_url_in_doubt_is_not_purged(site, environ):
    assert site.ask("/a", method="PURGE", headers=KEY, **environ).code == 400
    assert hits(site, 2) == ["/a", "/b", "/c"]


def test_a_store_that_does_not_answer_is_told_to_who_purges():
    class Down(MemoryStore):
        def delete(self, *arguments):
            raise StoreError("secret details")

        set = swap = delete

    site = Site(store=Down(), purge_by=may_purge)
    for fields in ({}, {"Cache-Tag": "a"}):
        answer = site.ask(method="PURGE", headers={**KEY, **fields})
        assert answer.code == 503
        assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"X-HTTP-Method-Override": "PURGE"}),
        ("POST", {"X-HTTP-Method-Override": "PURGE"}),
        ("HEAD", {"X-HTTP-Method": "PURGE"}),
        ("GET", {"Soft-Purge": "?1", "Cache-Tag": "news"}),
        ("purge", {}),
        ("BAN", {}),
    ],
)
def test_no_other_method_is_a_purge(method, headers):
    site = Site(purge_by=lambda _: pytest.fail("was asked"))
    site.answers(FRESH)
    site.ask()
    site.answers(FRESH, status="405 Method Not Allowed")
    site.ask(method=method, headers=headers)
    assert site.is_hit()


def test_without_a_rule_a_purge_is_the_applications(site):
    site = Site()
    site.answers(FRESH)
    site.ask()
    site.answers(status="405 Method Not Allowed")
    assert site.ask(method="PURGE", headers=KEY).code == 405
    assert site.is_hit()


@pytest.mark.parametrize("method", ["PURGE", "GET"])
def test_an_error_of_the_rule_is_the_sites(method):
    site = Site(purge_by=lambda environ: environ["no such key"])
    if method == "GET":
        assert site.ask().code == 200
        return
    with pytest.raises(KeyError):
        site.ask(method=method)


# From another process

PURGES = {
    "url": ["--url", "http://127.0.0.1/a"],
    "urls": ["--url", "http://127.0.0.1/b", "--url", "http://127.0.0.1/a"],
    "path": ["--url", "http://127.0.0.1/a", "--prefix"],
    "tag": ["--tag", "news"],
    "tags": ["--tag", "other", "--tag", "news"],
    "all": ["--all"],
    "soft": ["--all", "--soft"],
}


def page(environ, start_response):
    get_cache(environ).tag("news")
    start_response("200 OK", [("Cache-Control", "max-age=600")])
    return [b"%d" % time()]


def is_hit(cache):
    return "; hit" in ask(cache, "/a").header("Cache-Status")


@pytest.mark.parametrize("kind", PURGES)
def test_the_command_line_purges_a_store(kind, tmp_path, capsys):
    with SQLiteStore(tmp_path / "cache.db") as store:
        cache = CacheMiddleware(page, store=store)
        assert not is_hit(cache)
        assert is_hit(cache)
        assert command_line.main(["purge", "--store", f"sqlite:///{tmp_path}/cache.db", *PURGES[kind]]) == 0
        assert capsys.readouterr() == ("purged\n", "")
        assert not is_hit(cache)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ([], 2, "--url, --tag or --all"),
        (["--soft"], 2, "--url, --tag or --all"),
        (["--url", "/a"], 2, "no http or https URL"),
        (["--tag", "a b"], 2, "a tag is"),
    ],
)
def test_wrong_use_of_the_command_line_purges_nothing(arguments, status, says, tmp_path, capsys):
    assert command_line.main(["purge", "--store", f"sqlite:///{tmp_path}/cache.db", *arguments]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("memory://", "only there"),
        ("nonsense://", "nonsense"),
        ("redis://127.0.0.1:1/0?timeout=1", "127.0.0.1:1"),
    ],
)
def test_a_store_that_cannot_be_purged_is_told_in_one_line(url, says, capsys):
    pytest.importorskip("redis")
    assert command_line.main(["purge", "--store", url, "--tag", "a"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err


@pytest.fixture(params=["sqlite", "redis", "redis_cluster", "memcached", "postgresql"])
def shared(request, tmp_path):
    """The URL of a store that processes share."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/cache.db"
    if request.param == "redis":
        return request.getfixturevalue("redis_server").url("?prefix=purging:")
    if request.param == "redis_cluster":
        return request.getfixturevalue("redis_cluster").url("?prefix=purging:")
    if request.param == "memcached":
        return request.getfixturevalue("memcached").url("?prefix=purging:")
    url = request.getfixturevalue("postgresql").url("postgresql", "?table=purging")
    assert command_line.main(["stores", "create", url]) == 0
    return url


@pytest.mark.slow
def test_another_process_purges_every_store(shared):
    kinds = ("url", "path", "tag", "all", "soft") if shared.startswith("sqlite") else ("tag", "all")
    with open_store(shared) as store:
        caches = [CacheMiddleware(page, store=store) for _ in range(2)]
        for kind in kinds:
            for cache in caches:
                is_hit(cache)
            assert [is_hit(cache) for cache in caches] == [True, True], kind
            command = [sys.executable, "-m", "middleware", "purge", "--store", "-", *PURGES[kind]]
            subprocess.run(command, check=True, input=shared, text=True, timeout=60, capture_output=True)
            assert not is_hit(caches[1]), kind
            assert is_hit(caches[0]), kind
