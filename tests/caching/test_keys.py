"""Which requests mean the same stored answer by their URL: scheme, host and target. C102 to C107, S15, S16."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from targeted_site import RAW, caching, each_server, echoing

from middleware.caching import CacheKeys
from middleware.caching.keys.hosts import canonical_host
from middleware.caching.keys.keys import Keys
from middleware.stores import MemoryStore

PLAIN = Keys(CacheKeys())

# The target


@each_server
def test_a_target_is_one_address_on_every_server(raw):
    site = caching(raw)
    assert not site.is_hit("/a?b=1")
    assert site.is_hit("/a?b=1")
    assert site.is_hit("/a?b=1", method="HEAD")


@pytest.mark.parametrize("first", RAW)
@each_server
def test_servers_that_tell_the_target_differently_share_what_they_store(raw, first):
    store = MemoryStore()
    caching(first, store=store).ask("/a%20b?c=%20")
    assert caching(raw, store=store).is_hit("/a%20b?c=%20")


def test_where_both_raw_targets_are_told_request_uri_counts():
    site = caching("REQUEST_URI")
    site.ask("/a", RAW_URI="/b")
    assert site.is_hit("/a")
    assert site.is_hit("/a", RAW_URI="/c")


@pytest.mark.parametrize("given", ["", None])
def test_without_a_request_uri_raw_uri_counts(given):
    site = caching("RAW_URI")
    site.ask("/a%2Fb", REQUEST_URI=given)
    assert site.is_hit("/a%2Fb", REQUEST_URI=given)
    assert not site.is_hit("/a/b", REQUEST_URI=given)


@pytest.mark.parametrize("missing", ["SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"])
@each_server
def test_what_a_server_leaves_out_counts_as_empty(raw, missing):
    site = caching(raw)
    request = {missing: None, "HTTP_HOST": "b.example"}
    site.ask("/", **request)
    assert site.is_hit("/", **request)
    assert site.is_hit("/", **{**request, missing: ""})


TARGETS = [
    "/x",
    "/X",
    "//x",
    "/./x",
    "/x?",
    "/x;p=1",
    "/x%2Fb",
    "/x/b",
    "/x%3Fz=1",
    "/x?z=1",
    "/x?a=1&b=2",
    "/x?a=1%26b=2",
    "/x?b=2&a=1",
    "/x?a=1;b=2",
    "/x?a=1&a=2",
    "/x?a=2&a=1",
    "/%C3%A9",
    "/%c3%a9",
    "/%00",
    "/x%0A",
    "/x%20b",
    "/x+b",
    "/x?a",
    "/x??",
    "/x%3F",
    "/x#z",
    "/x%23z",
]


@each_server
def test_targets_that_differ_share_no_entry(raw):
    names = ("PATH_INFO", "QUERY_STRING", "REQUEST_URI", "RAW_URI")
    site = echoing(raw, names=names)
    seen = [repr([site.environ(target).get(name) for name in names]) for target in TARGETS]
    for _ in range(2):
        assert [site.ask(target).text for target in TARGETS] == seen
        assert site.calls == len(set(seen))


@each_server
def test_a_path_that_an_outer_layer_changed_is_part_of_the_key(raw):
    site = caching(raw)
    site.ask("/a")
    assert not site.is_hit("/a", PATH_INFO="/b")
    assert not site.is_hit("/a", SCRIPT_NAME="/a", PATH_INFO="")
    assert not site.is_hit("/a", QUERY_STRING="q")
    assert site.is_hit("/a")


@each_server
def test_where_the_path_ends_and_the_query_begins_is_part_of_the_key(raw):
    site = caching(raw)
    site.ask("/a?b")
    assert not site.is_hit("/a?b", PATH_INFO="/a?b", QUERY_STRING="")


@each_server
def test_where_an_application_is_mounted_is_part_of_the_key(raw):
    site = caching(raw)
    for script, path in (("", "/a/b"), ("/a", "/b"), ("/a/b", "")):
        assert not site.is_hit("/a/b", SCRIPT_NAME=script, PATH_INFO=path)
        assert site.is_hit("/a/b", SCRIPT_NAME=script, PATH_INFO=path)


def test_an_absolute_target_must_name_the_same_host():
    site = caching()
    for target in ("http://evil.example/a", "https://a.example/a", "http://a.example:81/a", "http://u@a.example/a"):
        for _ in range(2):
            assert not site.is_hit("/a", REQUEST_URI=target), target
    assert not site.is_hit("/a")
    assert site.is_hit("/a", REQUEST_URI="http://a.example/a")
    assert site.is_hit("/a", REQUEST_URI="HTTP://A.example:80/a")


@pytest.mark.parametrize("target", ["*", "a", "evil.example:80", "http:/a.example/a", "http://", "?a", "#"])
def test_a_target_that_is_none_is_neither_answered_nor_stored(target):
    site = caching()
    site.ask("/a")
    for _ in range(2):
        assert not site.is_hit("/a", REQUEST_URI=target)
    assert "detail=target" in site.ask("/a", REQUEST_URI=target).header("Cache-Status")


@each_server
def test_an_absolute_target_that_a_server_left_in_the_path_is_neither_answered_nor_stored(raw):
    site = caching(raw)
    for path in ("http://evil.example/a", "http://a.example/a", "*"):
        for _ in range(2):
            assert not site.is_hit("/a", PATH_INFO=path)


def test_a_path_that_no_server_could_have_sent_is_left_to_the_application():
    site = caching("neither")
    for _ in range(2):
        assert not site.is_hit("/a", PATH_INFO="/\u20ac")


@pytest.mark.parametrize("target", ["/a\nSet-Cookie: evil=1", "/a\r\nX: y", "/a\0b", "/\xff"])
@each_server
def test_a_target_with_line_breaks_is_an_address_like_any_other_and_is_nowhere_repeated(raw, target):
    site = caching(raw)
    site.ask(target)
    answer = site.ask(target)
    assert "; hit" in answer.header("Cache-Status")
    assert not any(mark in name + value for name, value in answer.headers for mark in "\r\n\0\xff")


def test_an_address_that_reads_like_a_stores_key_is_not_one():
    site = caching()
    site.ask("/a")
    for target in ("/cache url http://a.example/a", "/- http://a.example/a", "/a cache head - http://a.example/a"):
        assert not site.is_hit(target)
    assert site.is_hit("/a")


class Colliding(MemoryStore):
    """All keys of one kind have one hash here, and nothing but their hashes is looked at."""

    def get(self, key):
        return super().get(self.hashed(key))

    def set(self, key, value, ttl=None):
        super().set(self.hashed(key), value, ttl)

    def add(self, key, value, ttl=None):
        return super().add(self.hashed(key), value, ttl)

    def swap(self, key, old, new, ttl=None):
        return super().swap(self.hashed(key), old, new, ttl)

    def delete(self, key):
        super().delete(self.hashed(key))

    @staticmethod
    def hashed(key):
        return " ".join(key.split(" ")[:2])


@each_server
def test_what_a_store_gives_for_another_key_of_the_same_hash_is_no_answer(raw):
    site = echoing(raw, "Vary: X", names=("PATH_INFO", "HTTP_X", "HTTP_X_HOST"), store=Colliding())
    for path, value, host in [("/a", "1", None), ("/b", "1", None), ("/b", "2", None), ("/b", "2", "h")] * 3:
        assert site.ask(path, HTTP_X=value, HTTP_X_HOST=host).text == repr([path, value, host])
    site.ask("/a", HTTP_X="1")
    assert site.is_hit("/a", HTTP_X="1")


@pytest.mark.parametrize("scheme", ["ftp", "", "HTTP", None, 7])
def test_a_scheme_that_is_not_of_the_web_is_left_to_the_application(scheme):
    site = caching()
    for _ in range(2):
        assert not site.is_hit("/a", **{"wsgi.url_scheme": scheme})


@each_server
def test_schemes_share_no_entry(raw):
    site = caching(raw)
    for scheme in ("http", "https"):
        assert not site.is_hit(**{"wsgi.url_scheme": scheme})
        assert site.is_hit(**{"wsgi.url_scheme": scheme})


# The host


@pytest.mark.parametrize("host", ["A.example", "a.example:80", "A.EXAMPLE:80", "a.example:"])
@each_server
def test_a_host_that_could_be_written_plainer_is_answered_but_not_stored(raw, host):
    site = caching(raw)
    site.ask(HTTP_HOST=host)
    assert not site.is_hit()
    assert site.is_hit(HTTP_HOST=host)


def test_the_port_of_the_other_scheme_is_not_left_out():
    site = caching()
    site.ask(HTTP_HOST="a.example:443")
    assert site.is_hit(HTTP_HOST="a.example:443")
    assert not site.is_hit(HTTP_HOST="a.example")
    assert not site.is_hit(HTTP_HOST="a.example", **{"wsgi.url_scheme": "https"})
    assert site.is_hit(HTTP_HOST="a.example:443", **{"wsgi.url_scheme": "https"})


NO_HOSTS = [
    "",
    "a.example, b.example",
    "a.example,a.example",
    "a b",
    "a.example/x",
    "u@a.example",
    "u:p@a.example",
    "a.example:x",
    "a.example:-1",
    "a.example:123456",
    "a.example:\u0663",
    "[::1",
    "a\n",
    "a.example\t",
    " a.example",
    "\xe9",
    "a.example:80:80",
    "[::1]x",
    "[]",
    "[::g]",
    "a?b",
    "a#b",
    "a\\b",
    "a%2eexample",
    ":80",
    "a" * 301,
    None,
]


@pytest.mark.parametrize("host", NO_HOSTS)
@each_server
def test_a_host_that_is_none_is_neither_answered_nor_stored(raw, host):
    site = caching(raw)
    for _ in range(2):
        assert not site.is_hit(HTTP_HOST=host)
    assert "detail=host" in site.ask(HTTP_HOST=host).header("Cache-Status")


@each_server
def test_hosts_share_no_entry(raw):
    site = caching(raw)
    for host in ("evil.example", "good.example", "good.example:1234", "good.example.", "[::1]", "[::1]:81", "10.0.0.1"):
        assert not site.is_hit(HTTP_HOST=host)
        assert site.is_hit(HTTP_HOST=host)


@given(
    st.text(max_size=20) | st.from_regex(r"[A-Za-z.\[\]:0-9]{1,12}", fullmatch=True), st.sampled_from(["http", "https"])
)
def test_the_plainest_form_of_a_host_has_no_plainer_one(host, scheme):
    plain = canonical_host(host, scheme)
    assert plain is None or canonical_host(plain, scheme) == plain


@pytest.mark.parametrize("host", ["a.example", "A.EXAMPLE", "a.example:80"])
@each_server
def test_a_host_that_is_allowed_is_answered_from_the_store(raw, host):
    site = caching(raw, keys=CacheKeys(allowed_hosts=["A.example", "b.example:8080"]))
    site.ask()
    assert site.is_hit(HTTP_HOST=host)


@pytest.mark.parametrize("host", ["evil.example", "a.example:81", "a.example.", "b.example", "x.a.example", "10.0.0.1"])
@each_server
def test_a_host_that_is_not_allowed_is_neither_answered_nor_stored(raw, host):
    site = caching(raw, keys=CacheKeys(allowed_hosts=["a.example", "b.example:8080"]))
    for _ in range(2):
        assert not site.is_hit(HTTP_HOST=host)
    assert "detail=host" in site.ask(HTTP_HOST=host).header("Cache-Status")


def test_the_port_of_an_allowed_host_counts_with_the_scheme():
    site = caching(keys=CacheKeys(allowed_hosts=["a.example", "b.example:443"]))
    secure = {"wsgi.url_scheme": "https"}
    for request in ({"HTTP_HOST": "a.example", **secure}, {"HTTP_HOST": "b.example", **secure}):
        assert not site.is_hit(**request)
        assert site.is_hit(**request)
    for _ in range(2):
        assert not site.is_hit(HTTP_HOST="b.example")


# What is in doubt is told


@pytest.mark.parametrize(
    ("request_", "detail"),
    [
        ({"HTTP_HOST": ""}, "host"),
        ({"PATH_INFO": "*"}, "target"),
        ({"body": b"x"}, "body"),
        ({"CONTENT_LENGTH": "abc"}, "body"),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, "transfer-encoding"),
        ({"HTTP_X_HTTP_METHOD_OVERRIDE": "DELETE"}, "method-override"),
        ({"HTTP_X_HTTP_METHOD": "DELETE"}, "method-override"),
        ({"HTTP_X_METHOD_OVERRIDE": "DELETE"}, "method-override"),
        ({"HTTP_X_ORIGINAL_URL": "/evil"}, "url-override"),
        ({"HTTP_X_REWRITE_URL": "/evil"}, "url-override"),
        ({"HTTP_IF_MATCH": '"a"'}, "precondition"),
        ({"HTTP_IF_UNMODIFIED_SINCE": "Thu, 21 Sep 2056 00:00:00 GMT"}, "precondition"),
    ],
)
@each_server
def test_why_a_request_bypasses_the_cache_is_told_in_a_word(raw, request_, detail):
    site = caching(raw)
    site.ask()
    status = site.ask(**request_).header("Cache-Status")
    assert f"fwd=bypass; detail={detail}" in status


def test_of_several_reasons_the_one_that_says_most_is_told():
    site = caching()
    request = {"HTTP_X_REWRITE_URL": "/b", "HTTP_IF_MATCH": "*", "HTTP_TRANSFER_ENCODING": "chunked"}
    for name, detail in zip(request.copy(), ("url-override", "precondition", "transfer-encoding"), strict=True):
        assert f"detail={detail}" in site.ask(body=b"x", **request).header("Cache-Status")
        del request[name]


@pytest.mark.parametrize("length", ["", "0", "00", None])
def test_a_length_of_nothing_is_no_body(length):
    site = caching()
    site.ask(CONTENT_LENGTH=length)
    assert site.is_hit(CONTENT_LENGTH=length)


# Properties

texts = st.text(st.sampled_from("/ab?%1&;:.@ \n\xe9\u20ac"), max_size=6)
requests = st.fixed_dictionaries(
    {
        "wsgi.url_scheme": st.sampled_from(["http", "https"]),
        "HTTP_HOST": st.sampled_from(["a.example", "b.example", "a.example:80", "a.example:443", "[::1]", "a,b", ""]),
        "SCRIPT_NAME": st.just("") | texts.map("/".__add__),
        "PATH_INFO": texts.map("/".__add__) | texts,
        "QUERY_STRING": texts,
    },
    optional={
        "REQUEST_URI": texts.map("/".__add__) | texts | st.just("http://a.example/a"),
        "RAW_URI": texts.map("/".__add__),
        "HTTP_X_FORWARDED_HOST": texts,
        "HTTP_FORWARDED": texts,
    },
)


@given(requests, requests)
def test_two_requests_that_differ_in_what_the_application_sees_never_share_a_key(one, other):
    first, second = PLAIN.key_of(one), PLAIN.key_of(other)
    for key, request in ((first, one), (second, other)):
        assert key.bypass in ("", "host", "target")
        assert bool(key.url) is (key.bypass == "")
        again = PLAIN.key_of(dict(request))
        assert (again.url, again.seen, again.bypass) == (key.url, key.seen, key.bypass)
    if not first.url or (first.url, first.seen) != (second.url, second.seen):
        return
    for name in ("wsgi.url_scheme", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"):
        assert one[name] == other[name]
    assert one.get("HTTP_FORWARDED") == other.get("HTTP_FORWARDED")
    assert one.get("HTTP_X_FORWARDED_HOST") == other.get("HTTP_X_FORWARDED_HOST")
    scheme = one["wsgi.url_scheme"]
    assert canonical_host(one["HTTP_HOST"], scheme) == canonical_host(other["HTTP_HOST"], scheme)


@given(requests)
def test_a_key_does_not_depend_on_what_was_asked_before(request_):
    fresh, known = (keys.key_of(request_) for keys in (Keys(CacheKeys()), PLAIN))
    assert (fresh.url, fresh.seen, fresh.canonical) == (known.url, known.seen, known.canonical)
    assert fresh.bypass == known.bypass
