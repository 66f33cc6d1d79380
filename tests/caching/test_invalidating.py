"""What makes the cache forget: unsafe methods (RFC 9111, section 4.4) and purges."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from asking import ask, make_environ
from cached_site import Site

from middleware.caching import CacheKeys, CacheMiddleware, CachePurger, get_cache
from middleware.errors import ConfigurationError, LayerMissing, StoreError
from middleware.stores import MemoryStore, SQLiteStore


def filled(*paths):
    site = Site()
    site.answers("Cache-Control: max-age=60")
    for path in paths or ["/a"]:
        site.ask(path)
    return site


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "M-SEARCH", "FOO", "PURGE"])
@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "303 See Other"])
def test_a_change_that_succeeds_invalidates_its_url(method, status):
    site = filled()
    site.answers(status=status)
    site.ask(method=method)
    assert not site.is_hit()


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY", "HEAD"])
def test_a_method_that_changes_nothing_invalidates_nothing(method):
    site = filled()
    site.ask(method=method)
    assert site.is_hit()


@pytest.mark.parametrize("status", ["400 Bad Request", "405 Method Not Allowed", "500 Error"])
@pytest.mark.parametrize("method", ["POST", "PURGE", "BAN"])
def test_a_change_that_fails_invalidates_nothing(status, method):
    site = filled()
    site.answers(status=status)
    site.ask(method=method)
    assert site.is_hit()


def test_a_change_that_raises_invalidates_nothing():
    site = filled()
    site.fails()
    with pytest.raises(OSError, match="down"):
        site.ask(method="POST")
    assert site.is_hit()


def test_all_variants_are_invalidated():
    site = Site()
    site.answers("Cache-Control: max-age=60", "Vary: X")
    for value in "ab":
        site.ask(headers={"X": value})
    site.ask(headers={"X-Forwarded-Host": "b.example"})
    site.ask(method="POST")
    for headers in ({"X": "a"}, {"X": "b"}, {"X-Forwarded-Host": "b.example"}):
        assert not site.is_hit(headers=headers)


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("Location: b", "/b"),
        ("Content-Location: /c?d=e", "/c?d=e"),
        ("Location: http://127.0.0.1/b", "/b"),
        ("Location: http://127.0.0.1:80/b#top", "/b"),
        ("Location: /caf%C3%A9", "/caf%C3%A9"),
    ],
)
def test_the_urls_that_a_change_names_are_invalidated(field, path):
    site = filled(path)
    site.answers(field, status="201 Created")
    site.ask("/a", method="POST")
    site.answers("Cache-Control: max-age=60")
    assert not site.is_hit(path)


@pytest.mark.parametrize(
    "location", ["//other.example/b", "http://other.example/b", "http://127.0.0.1:8080/b", "https://127.0.0.1/b"]
)
def test_another_origin_is_left_alone(location):
    site = Site()
    site.answers("Cache-Control: max-age=60")
    hosts = [{"HTTP_HOST": host} for host in ("other.example", "127.0.0.1:8080", "127.0.0.1")]
    requests = [*hosts, {"wsgi.url_scheme": "https", "HTTP_HOST": "127.0.0.1"}]
    for request in requests:
        site.ask("/b", **request)
    site.answers(f"Location: {location}", status="303 See Other")
    site.ask("/a", method="POST")
    for request in requests:
        assert site.is_hit("/b", **request)


@pytest.mark.parametrize(
    "location", ["http://[x", "", "mailto:a@b", "http://u@127.0.0.1/b", "\x00", "http://127.0.0.1:99999999/"]
)
def test_a_location_that_is_no_url_is_ignored(location):
    site = filled()
    site.answers(f"Location: {location}", status="303 See Other")
    assert site.ask("/b", method="POST").code == 303


def test_an_answer_that_was_begun_before_a_change_is_not_stored():
    def app(environ, start_response):
        if environ["REQUEST_METHOD"] == "GET" and not changed:
            changed.append(1)
            ask(site.cache, "/a", method="POST")
            start_response("200 OK", [("Cache-Control", "max-age=60")])
            return [b"old"]
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        return [b"new"]

    changed = []
    site = Site(app=app)
    assert site.ask().body == b"old"
    assert site.ask().body == b"new"


def test_an_answer_that_was_read_while_a_change_went_on_does_not_stay():
    value = [b"old"]

    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        if environ["REQUEST_METHOD"] == "GET":
            return [value[0]]
        return slowly()

    def slowly():
        yield b"changing"
        value[0] = b"new"

    site = Site(app=app)
    body = site.cache(make_environ("/a", "POST"), lambda *head: None)
    chunks = iter(body)
    next(chunks)
    assert site.ask().body == b"old"
    assert list(chunks) == []
    body.close()
    assert site.ask().body == b"new"


def test_a_change_is_seen_by_every_cache_on_the_store():
    one = filled()
    other = Site(store=one.store)
    other.answers("Cache-Control: max-age=60")
    assert other.is_hit()
    one.ask(method="POST")
    assert not other.is_hit()


def purging(url):
    def app(environ, start_response):
        if environ["PATH_INFO"] == "/publish":
            get_cache(environ).purge(url)
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        return [environ["PATH_INFO"].encode()]

    return Site(app=app)


@pytest.mark.parametrize("url", ["/a", "a", "http://127.0.0.1/a", "//127.0.0.1/a", "http://127.0.0.1:80/a#x"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS"])
def test_an_application_purges_a_url(url, method):
    site = purging(url)
    site.ask("/a")
    assert "; hit" in site.ask("/a").header("Cache-Status")
    site.ask("/publish", method=method)
    assert "; hit" not in site.ask("/a").header("Cache-Status")


@pytest.mark.parametrize("raw", [{}, {"REQUEST_URI": ""}])
@pytest.mark.parametrize("url", ["/caf%C3%A9", "/caf%c3%a9", "/a%20b", "/a+b?c=d&e=%2F"])
def test_a_purge_finds_a_url_as_the_server_tells_it(raw, url):
    from urllib.parse import unquote_to_bytes

    path, _, query = url.partition("?")
    request = {"PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "QUERY_STRING": query, "REQUEST_URI": url, **raw}
    site = purging(url)
    site.ask(**request)
    assert "; hit" in site.ask(**request).header("Cache-Status")
    site.ask("/publish")
    assert "; hit" not in site.ask(**request).header("Cache-Status")


def test_several_urls_are_purged_at_once():
    site = filled("/a", "/b", "/c")
    CachePurger(site.store, clock=lambda: site.now).purge("http://127.0.0.1/a", "http://127.0.0.1/b")
    assert [path for path in ("/a", "/b", "/c") if site.is_hit(path)] == ["/c"]


@pytest.mark.parametrize("url", ["http://127.0.0.1/a", "http://127.0.0.1/a?b=c", "http://127.0.0.1:80/a?"])
def test_a_path_is_purged_with_every_query(url):
    paths = ["/a", "/a?b=c", "/a?d", "/ab", "/a/", "/?a", "/b?/a?"]
    site = filled(*paths)
    CachePurger(site.store, clock=lambda: site.now).purge(url, prefix=True)
    site.now += 1
    assert [path for path in paths if site.is_hit(path)] == ["/ab", "/a/", "/?a", "/b?/a?"]
    assert all(site.is_hit(path) for path in paths)


def test_a_purge_of_a_url_leaves_its_other_queries():
    site = filled("/a", "/a?b=c")
    purger = CachePurger(site.store, clock=lambda: site.now)
    purger.purge("http://127.0.0.1/a")
    assert site.is_hit("/a?b=c")
    purger.purge("http://127.0.0.1/a?b=c")
    assert not site.is_hit("/a?b=c")


def test_a_purge_ignores_what_the_key_ignores():
    keys = CacheKeys(ignore_query=["utm_*"])
    site = Site(keys=keys)
    site.answers("Cache-Control: max-age=60")
    site.ask("/a?b=c&utm_source=x")
    CachePurger(site.store, keys=keys, clock=lambda: site.now).purge("http://127.0.0.1/a?utm_medium=y&b=c")
    assert not site.is_hit("/a?b=c")


SOFT = {
    "url": lambda purger: purger.purge("http://127.0.0.1/a?b", soft=True),
    "path": lambda purger: purger.purge("http://127.0.0.1/a", soft=True, prefix=True),
    "tag": lambda purger: purger.purge_tags("t", soft=True),
    "all": lambda purger: purger.purge_all(soft=True),
}


def softly_purged(kind, *fields, at=1):
    site = Site()
    site.answers("Cache-Tag: t", *fields)
    site.ask("/a?b")
    site.now += at
    SOFT[kind](CachePurger(site.store, clock=lambda: site.now))
    return site


@pytest.mark.parametrize("kind", SOFT)
def test_what_was_softly_purged_is_still_sent_where_the_application_fails(kind):
    site = softly_purged(kind, "Cache-Control: max-age=600")
    site.fails()
    assert site.ask("/a?b", at=2).body == b"answer 1"
    site.answers("Cache-Control: max-age=600", "Cache-Tag: t")
    assert not site.is_hit("/a?b", at=3)
    assert site.is_hit("/a?b", at=4)


@pytest.mark.parametrize("kind", SOFT)
@pytest.mark.parametrize("directive", ["must-revalidate", "proxy-revalidate", "s-maxage=600"])
def test_what_must_be_revalidated_is_not_sent_after_a_soft_purge(kind, directive):
    site = softly_purged(kind, f"Cache-Control: max-age=600, {directive}")
    site.fails()
    with pytest.raises(OSError, match="down"):
        site.ask("/a?b", at=2)


@pytest.mark.parametrize("kind", SOFT)
def test_what_was_softly_purged_is_sent_while_it_is_refreshed(kind):
    site = softly_purged(kind, "Cache-Control: max-age=600, stale-while-revalidate=60")
    site.answers("Cache-Control: max-age=600", "Cache-Tag: t", body=b"new")
    answer = site.ask("/a?b", at=2, **{"wsgi.multithread": False, "wsgi.run_once": True})
    assert answer.body == b"answer 1"
    assert site.calls == 2
    assert site.ask("/a?b", at=3).body == b"new"
    assert site.is_hit("/a?b")


@pytest.mark.parametrize("kind", SOFT)
def test_what_was_softly_purged_is_new_again_after_a_304(kind):
    site = softly_purged(kind, "Cache-Control: max-age=600", 'ETag: "1"')
    site.answers("Cache-Control: max-age=600", 'ETag: "1"', status="304 Not Modified")
    assert site.validates("/a?b", at=2)
    assert site.is_hit("/a?b", at=3)
    CachePurger(site.store, clock=lambda: site.now).purge_tags("t")
    assert not site.validates("/a?b", at=4)  # it was purged by its tag, of which the 304 said nothing


@pytest.mark.parametrize("kind", SOFT)
def test_what_the_application_was_asked_for_before_a_soft_purge_is_stale_when_it_comes(kind):
    def app(environ, start_response):
        calls.append(environ.get("HTTP_IF_NONE_MATCH"))
        if len(calls) == 1:
            site.now += 1
            SOFT[kind](CachePurger(site.store, clock=lambda: site.now))
            site.now += 1
        start_response("200 OK", [("Cache-Control", "max-age=600"), ("Cache-Tag", "t"), ("ETag", '"1"')])
        return [b"page"]

    calls = []
    site = Site(app=app)
    for _ in range(3):
        site.ask("/a?b")
        site.now += 1
    # Where nothing was stored yet that it could reach, a soft purge of a URL or of everything need not.
    assert calls in ([None, '"1"'], [None])


HARD = {
    "url": lambda purger: purger.purge("http://127.0.0.1/a?b"),
    "path": lambda purger: purger.purge("http://127.0.0.1/a", prefix=True),
    "tag": lambda purger: purger.purge_tags("t"),
    "all": lambda purger: purger.purge_all(),
}


@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("first", [True, False], ids=["nothing stored", "stored before"])
def test_what_the_application_was_asked_for_before_a_purge_is_not_stored(kind, first):
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=10"), ("Cache-Tag", "t")])
        if purges:
            site.now += 1
            purges.pop()(CachePurger(site.store, clock=lambda: site.now))
            site.now += 1
            return [b"old"]
        return [b"new"]

    purges = []
    site = Site(app=app)
    if not first:
        site.ask("/a?b")
    purges.append(HARD[kind])
    assert site.ask("/a?b", at=20).body == b"old"
    assert site.ask("/a?b").body == b"new"
    assert "; hit" in site.ask("/a?b", at=23).header("Cache-Status")


@pytest.mark.parametrize("kind", HARD)
def test_what_was_purged_is_not_sent_where_the_application_fails(kind):
    site = Site()
    site.answers("Cache-Control: max-age=600", "Cache-Tag: t")
    site.ask("/a?b")
    HARD[kind](CachePurger(site.store, clock=lambda: site.now))
    site.fails()
    with pytest.raises(OSError, match="down"):
        site.ask("/a?b", at=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("shared", [False, True], ids=["memory", "sqlite"])
def test_no_reader_gets_what_is_older_than_the_last_purge(kind, shared, tmp_path):
    """Four readers of two caches on one store, and one who changes what they read and purges it."""

    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=600"), ("Cache-Tag", "t")])
        return [b"%d" % made[0]]

    def read(number):
        barrier.wait()
        while not over:
            floor = purged[0]
            got = int(ask(caches[number % 2], "/a?b").body)
            if got < floor:
                wrong.append((floor, got))

    made, purged, over, wrong = [0], [0], [], []
    barrier = Barrier(5)
    with SQLiteStore(tmp_path / "cache.db", durable=False) if shared else MemoryStore() as store:
        caches = [CacheMiddleware(app, store=store) for _ in range(2)]
        purger = CachePurger(store)
        with ThreadPoolExecutor(4) as threads:
            readers = [threads.submit(read, number) for number in range(4)]
            barrier.wait()
            for version in range(1, 100):
                made[0] = version
                HARD[kind](purger)
                purged[0] = version
                ask(caches[0], "/a?b")  # so that something is stored again
            over.append(1)
            for reader in readers:
                reader.result()
    assert wrong == []


def test_a_purge_of_what_is_not_stored_is_no_error():
    assert purging("/never").ask("/publish").code == 200


@pytest.mark.parametrize("url", ["ftp://x/", "http://[x", "http://u@x/", "mailto:x"])
def test_a_purge_of_what_is_no_url_is_an_error(url):
    with pytest.raises(ValueError):
        purging(url).ask("/publish")


@pytest.mark.parametrize("verb", ["get", "set", "swap", "delete"])
@pytest.mark.parametrize("soft", [True, False])
def test_a_purge_that_the_store_cannot_do_is_the_callers_error(verb, soft):
    class Broken(MemoryStore):
        fails = False

    def fail(self, *arguments):
        if self.fails:
            raise StoreError("down")
        return getattr(MemoryStore, verb)(self, *arguments)

    def purge_all_ways(cache):
        for purge in (
            lambda: cache.purge("/a", soft=soft),
            lambda: cache.purge("/a", soft=soft, prefix=True),
            lambda: cache.purge_tags("t", soft=soft),
            lambda: cache.purge_all(soft=soft),
        ):
            try:
                purge()
            except StoreError:
                raised.append(1)

    def app(environ, start_response):
        if store.fails:
            purge_all_ways(get_cache(environ))
        start_response("200 OK", [("Cache-Control", "max-age=600"), ("Cache-Tag", "t")])
        return [b""]

    setattr(Broken, verb, fail)
    raised = []
    store = Broken()
    cache = CacheMiddleware(app, store=store)
    assert ask(cache, "/a").code == ask(cache, "/a?b").code == 200
    store.fails = True
    assert ask(cache, "/a", "POST").code == 200
    # A hard purge is a `delete`, or for a tag a `set`; a soft one reads and swaps.
    assert len(raised) == {"get": 4 * soft, "set": 1 - soft, "swap": 4 * soft, "delete": 3 * (1 - soft)}[verb]


@pytest.mark.parametrize("store", [None, {}, "redis://localhost"])
def test_what_is_no_store_has_nothing_to_purge(store):
    with pytest.raises(ConfigurationError, match="pass the store of the cache"):
        CachePurger(store)


def test_a_purge_from_elsewhere_needs_whole_urls():
    with pytest.raises(ValueError, match="no http or https URL"):
        CachePurger(MemoryStore()).purge("/a")


def test_an_accessor_without_its_layer_says_which_to_wrap():
    with pytest.raises(LayerMissing, match="CacheMiddleware"):
        get_cache({})
