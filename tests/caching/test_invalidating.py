"""What makes the cache forget: unsafe methods (RFC 9111, section 4.4) and purges."""

from __future__ import annotations

import pytest
from asking import ask, make_environ
from cached_site import Site

from middleware.caching import CacheMiddleware, get_cache
from middleware.errors import LayerMissing, StoreError
from middleware.stores import MemoryStore


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


def test_a_purge_of_what_is_not_stored_is_no_error():
    assert purging("/never").ask("/publish").code == 200


@pytest.mark.parametrize("url", ["ftp://x/", "http://[x", "http://u@x/", "mailto:x"])
def test_a_purge_of_what_is_no_url_is_an_error(url):
    with pytest.raises(ValueError):
        purging(url).ask("/publish")


def test_a_purge_that_the_store_cannot_do_is_the_callers_error():
    class Broken(MemoryStore):
        def delete(self, key):
            raise StoreError("down")

    def app(environ, start_response):
        with pytest.raises(StoreError):
            get_cache(environ).purge("/a")
        start_response("200 OK", [])
        return []

    assert ask(CacheMiddleware(app, store=Broken())).code == 200


def test_an_accessor_without_its_layer_says_which_to_wrap():
    with pytest.raises(LayerMissing, match="CacheMiddleware"):
        get_cache({})
