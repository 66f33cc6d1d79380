"""Stale, refreshed behind, waited for, purged, under keys of a site's own: as safe as what is fresh. S2, S9 to S41."""

from __future__ import annotations

import logging
import tracemalloc
from threading import Event

import pytest
from asking import ask, call, make_environ
from cached_site import Site
from caching.flying import start

from middleware import CacheKeys, CacheMiddleware, MemoryStore, get_cache

PATIENCE = 20
ENDS = {"wsgi.run_once": True}  # a process that ends with the request: what is refreshed is refreshed in close()
SWR = "max-age=10, stale-while-revalidate=600"


def cookie(value):
    return {"Cookie": f"sid={value}"}


# A cookie that comes in by the back door: S2


def test_a_cookie_in_an_answer_to_head_is_for_its_client_alone():
    site = Site()
    site.answers("Cache-Control: max-age=10", 'ETag: "1"')
    site.ask()
    site.answers("Cache-Control: max-age=60", 'ETag: "1"', "Set-Cookie: sid=1", "X: of the head")
    assert site.ask(at=11, method="HEAD").all("Set-Cookie") == ["sid=1"]
    site.answers("Cache-Control: max-age=60", 'ETag: "1"', status="304 Not Modified")
    for at in (12, 13, 14):
        assert site.ask(at=at).all("Set-Cookie") == []
        assert site.ask(at=at, method="HEAD").all("Set-Cookie") == []


@pytest.mark.parametrize("status", ["200 OK", "304 Not Modified"])
def test_a_cookie_that_a_refresh_sets_is_for_nobody(status):
    site = Site()
    site.answers(f"Cache-Control: {SWR}", 'ETag: "1"')
    site.ask(**ENDS)
    site.answers(f"Cache-Control: {SWR}", 'ETag: "1"', "Set-Cookie: sid=1", status=status)
    assert site.ask(at=11, **ENDS).all("Set-Cookie") == []
    assert site.calls == 2
    site.answers(f"Cache-Control: {SWR}", 'ETag: "1"')
    for at in (12, 13, 30):
        assert site.ask(at=at, **ENDS).all("Set-Cookie") == []


# A refresh is nobody's request: S35


@pytest.mark.parametrize("ends", [True, False], ids=["in close()", "beside the request"])
def test_a_refresh_carries_nothing_of_the_client_that_met_what_is_stale(ends):
    refreshed = Event()

    def app(environ, start_response):
        site.seen.append(dict(environ))
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Cache-Control", SWR)])
        if len(site.seen) == 2:
            refreshed.set()
        return [b"for " + environ.get("HTTP_COOKIE", "nobody").encode() + body]

    site = Site(app=app)
    server = ENDS if ends else {}
    site.ask(**server)
    secret = {
        "HTTP_COOKIE": "sid=SECRET",
        "HTTP_X_FORWARDED_FOR": "SECRET",
        "HTTP_X_API_KEY": "SECRET",
        "HTTP_X_CSRF_TOKEN": "SECRET",
        "REMOTE_ADDR": "SECRET",
        "SSL_CLIENT_CERT": "SECRET",
        "middleware.session": None,
        "some.framework": "SECRET",
    }
    assert site.ask(at=11, **server, **secret).text == "for nobody"
    assert refreshed.wait(PATIENCE)
    assert "SECRET" not in str(site.seen[1])
    assert site.seen[1]["REQUEST_METHOD"] == "GET"


def test_what_the_cookie_selects_is_not_refreshed_for_another_cookie():
    def app(environ, start_response):
        site.calls += 1
        start_response("200 OK", [("Cache-Control", SWR), ("Vary", "Cookie")])
        return [f"{environ.get('HTTP_COOKIE')}".encode()]

    site = Site(app=app)
    for at in (0, 11, 12, 23):
        for who in ("ann", "bob"):
            assert site.ask(at=at, headers=cookie(who), **ENDS).text == f"sid={who}"
        assert site.ask(at=at, **ENDS).text == "None"


def test_a_refresh_that_finds_the_page_private_now_leaves_nothing_of_it():
    site = Site()
    site.answers(f"Cache-Control: {SWR}", body=b"public")
    site.ask(**ENDS)
    site.answers("Cache-Control: private", body=b"for one")
    assert site.ask(at=11, **ENDS).body == b"public"
    assert site.ask(at=12, **ENDS).body == b"for one"
    assert not site.is_hit(at=13, **ENDS)


# What is stale: S34


@pytest.mark.parametrize("directive", ["must-revalidate", "proxy-revalidate", "s-maxage=10", "no-cache"])
@pytest.mark.parametrize("more", ["stale-if-error=600", SWR, "stale-while-revalidate=600, stale-if-error=600"])
def test_what_must_be_validated_is_not_sent_stale_whatever_else_it_says(directive, more):
    site = Site()
    site.answers(f"Cache-Control: {directive}, max-age=10, {more}", 'ETag: "1"')
    site.ask()
    for headers in ({}, {"Cache-Control": "max-stale"}, {"Cache-Control": "max-stale=600"}):
        site.answers(status="503 Down")
        assert site.ask(at=11, headers=headers).code == 503
        site.fails()
        with pytest.raises(OSError, match="down"):
            site.ask(headers=headers)


@pytest.mark.parametrize("act", ["purge", "tags", "all", "post"])
def test_what_was_purged_is_sent_neither_stale_nor_for_a_failure(act):
    def app(environ, start_response):
        if environ["PATH_INFO"] == "/a":
            return site.app(environ, start_response)
        cache = get_cache(environ)
        {"purge": lambda: cache.purge("/a"), "tags": lambda: cache.purge_tags("t"), "all": cache.purge_all}[act]()
        start_response("204 No Content", [])
        return []

    site = Site(app=app)
    site.answers(f"Cache-Control: {SWR}, stale-if-error=600", "Cache-Tag: t", 'ETag: "1"')
    site.ask()
    site.ask(*(["/a"] if act == "post" else ["/purge"]), at=5, method="POST")
    site.fails()
    for at in (5, 11, 12):
        with pytest.raises(OSError, match="down"):
            site.ask(at=at)


def test_a_page_for_one_user_is_never_sent_for_a_failure_to_another():
    site = Site()
    for fields in (["Cache-Control: private, max-age=10"], ["Set-Cookie: sid=1", "Cache-Control: max-age=10"], []):
        site.answers(*fields, 'ETag: "1"')
        site.ask(headers=cookie("ann"))
        site.fails()
        with pytest.raises(OSError, match="down"):
            site.ask(headers=cookie("bob"))


# Who waits for whose answer: S36

FOR_ONE = [
    ["Cache-Control: private"],
    ["Cache-Control: no-store"],
    ["Cache-Control: max-age=60", "Set-Cookie: sid=new"],
    ["Cache-Control: max-age=60", "Vary: Cookie"],
    ["Cache-Control: max-age=60", "Vary: X, Cookie"],
    ["Cache-Control: max-age=60", "Vary: *"],
    ["Cache-Control: max-age=0"],
    ['ETag: "1"'],
    [],
]


@pytest.mark.parametrize("fields", FOR_ONE, ids=" ".join)
@pytest.mark.parametrize("by", ["Cookie", "Authorization", "X-Remote-User"])
def test_of_many_clients_that_ask_at_the_same_time_each_gets_its_own_answer(fields, by):
    key = {"X-Remote-User": "REMOTE_USER"}.get(by, f"HTTP_{by.upper()}")
    entered = Event()

    def app(environ, start_response):
        entered.set()
        start_response("200 OK", [tuple(field.split(": ", 1)) for field in fields])
        return (chunk for chunk in [b"for ", environ[key].encode()])

    cache = CacheMiddleware(app, store=MemoryStore())

    def visit(who):
        return [ask(cache, "/a", **{key: f"sid={who}-{number}"}).text for number in range(5)]

    results = start([lambda who=who: visit(who) for who in "abcdefgh"])()
    assert results == [[f"for sid={who}-{number}" for number in range(5)] for who in "abcdefgh"]


# Who is slow, and who comes in crowds: S38


@pytest.mark.slow
def test_many_bodies_on_their_way_into_the_store_take_bounded_room_together():
    limit = 1 << 16

    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        for _ in range(16):
            yield bytes(limit // 16)

    site = Site(app=app, store=MemoryStore(max_bytes=1 << 20), max_object=limit)
    tracemalloc.start()
    try:
        bodies = [site.cache(make_environ(f"/{number}"), lambda *head: None) for number in range(200)]
        iterators = [iter(body) for body in bodies]
        for _ in range(16):
            for iterator in iterators:
                assert len(next(iterator)) == limit // 16
        _, peak = tracemalloc.get_traced_memory()
        for iterator, body in zip(iterators, bodies, strict=True):
            assert list(iterator) == []
            body.close()
    finally:
        tracemalloc.stop()
    assert peak < 32 * limit + 200 * 8192, "of 200 bodies of the largest size"
    assert len(site.ask("/0").body) == limit


def test_what_leaves_half_way_makes_room_for_what_comes():
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        for _ in range(4):
            yield bytes(1000)

    site = Site(app=app, max_object=4000)
    for number in range(200):
        body = site.cache(make_environ(f"/left/{number}"), lambda *head: None)
        next(iter(body))
        body.close()
    site.ask("/a")
    assert "; hit" in site.ask("/a").header("Cache-Status")


# Who was overtaken: S41


@pytest.mark.parametrize("ends", [True, False], ids=["in close()", "beside the request"])
def test_a_refresh_that_began_before_a_change_does_not_bring_the_old_page_back(ends):
    value = [b"old"]
    began, changed, done = Event(), Event(), Event()

    def app(environ, start_response):
        if environ["REQUEST_METHOD"] == "POST":
            value[0] = b"new"
            start_response("204 No Content", [])
            return []
        start_response("200 OK", [("Cache-Control", SWR)])
        read = value[0]
        site.calls += 1
        if site.calls == 2:
            began.set()
            if ends:
                call(site.cache, make_environ("/a", "POST"))
            else:
                assert changed.wait(PATIENCE)

        def body():
            yield read
            if site.calls == 2:
                done.set()

        return body()

    site = Site(app=app)
    server = ENDS if ends else {}
    site.ask(**server)
    assert site.ask(at=11, **server).body == b"old"
    assert began.wait(PATIENCE)
    if not ends:
        site.ask(method="POST")
        changed.set()
        assert done.wait(PATIENCE)
    assert site.ask(at=12, **server).body == b"new"
    assert site.ask(at=13, **server).body == b"new"


def test_a_validation_that_began_before_a_change_does_not_bring_the_old_page_back():
    value = [b"old"]

    def app(environ, start_response):
        if environ["REQUEST_METHOD"] == "POST":
            value[0] = b"new"
            start_response("204 No Content", [])
            return []
        if environ.get("HTTP_IF_NONE_MATCH") == f'"{value[0].decode()}"':
            call(site.cache, make_environ("/a", "POST"))
            start_response("304 Not Modified", [("Cache-Control", "max-age=60")])
            return []
        start_response("200 OK", [("Cache-Control", "max-age=10"), ("ETag", f'"{value[0].decode()}"')])
        return [value[0]]

    site = Site(app=app)
    site.ask()
    assert site.ask(at=11).body == b"old"
    assert site.ask(at=12).body == b"new"
    assert site.ask(at=13).body == b"new"


# Who may purge, and who is told what went wrong: S31, S33


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "GET", "headers": {"X-HTTP-Method-Override": "PURGE"}},
        {"method": "POST", "headers": {"X-HTTP-Method-Override": "PURGE"}},
        {"method": "GET", "headers": {"Soft-Purge": "?1", "Cache-Tag": "t"}},
        {"method": "purge"},
        {"method": "PURGE"},
        {"method": "PURGE", "headers": {"Cache-Tag": "t"}},
        {"method": "PURGE", "headers": {"Surrogate-Key": "t", "Soft-Purge": "?1"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("purge_by", [None, lambda environ: False], ids=["not configured", "refused"])
def test_a_stranger_purges_nothing(request_, purge_by):
    site = Site(purge_by=purge_by)
    site.answers("Cache-Control: max-age=60", "Cache-Tag: t")
    site.ask()
    site.answers(status="405 Method Not Allowed")
    site.ask(**request_)
    assert site.is_hit()


def test_what_decides_on_purges_and_fails_purges_nothing():
    def broken(environ):
        raise KeyError("user")

    site = Site(purge_by=broken)
    site.answers("Cache-Control: max-age=60")
    site.ask()
    with pytest.raises(KeyError):
        site.ask(method="PURGE")
    assert site.is_hit()


def test_a_failure_that_was_covered_is_told_to_the_operator_and_not_to_the_client(caplog):
    caplog.set_level(logging.DEBUG)
    site = Site()
    site.answers("Cache-Control: max-age=10")
    site.ask()
    site.error = OSError("SECRET of the database")
    answer = site.ask(at=11, headers=cookie("SECRET-COOKIE"))
    assert answer.text == "answer 1"
    assert "SECRET" not in str(answer.headers)
    assert "SECRET of the database" in caplog.text
    assert "SECRET-COOKIE" not in caplog.text


# What a site says of its own keys: S9, S15, S17


@pytest.mark.parametrize("field", ["User-Agent", "Referer", "X-Device", "Accept-Language"])
@pytest.mark.parametrize("mode", ["key", "bypass", "strip"])
def test_a_field_that_is_said_to_be_reflected_reaches_nobody_else(field, mode):
    key = f"HTTP_{field.upper().replace('-', '_')}"

    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        return [environ.get(key, "none").encode()]

    site = Site(app=app, keys=CacheKeys(unkeyed={field: mode}))
    for _ in range(2):
        assert site.ask(headers={field: "evil"}).text == ("none" if mode == "strip" else "evil")
        assert site.ask().text == "none"
        assert site.ask(headers={field: "good"}).text == ("none" if mode == "strip" else "good")


@pytest.mark.parametrize("host", ["evil.example", "good.example.evil.example", "good.example:1234", "evil.example:80"])
def test_a_host_that_is_not_the_sites_is_neither_answered_nor_stored(host):
    site = Site(keys=CacheKeys(allowed_hosts=("good.example",)))
    site.answers("Cache-Control: max-age=60")
    for _ in range(2):
        assert not site.is_hit(HTTP_HOST=host)
    assert not site.is_hit(HTTP_HOST="good.example")
    assert site.is_hit(HTTP_HOST="good.example")


IGNORING = CacheKeys(ignore_query=("utm_*", "gclid"), ignore_cookies=("_ga*",))


def echoing():
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "max-age=60"), ("Vary", "Cookie")])
        keys = ("QUERY_STRING", "REQUEST_URI", "HTTP_COOKIE")
        return ["|".join(environ.get(key, "") for key in keys).encode()]

    return Site(app=app, keys=IGNORING)


@pytest.mark.parametrize(
    "query", ["utm_source=evil", "utm_=evil", "gclid=evil", "gclid=a&utm_a=evil", "gclid&utm_source=evil&gclid=evil"]
)
def test_a_parameter_that_is_ignored_is_not_reflected_to_anybody(query):
    site = echoing()
    for asked in (f"/a?{query}", "/a", f"/a?a=1&{query}", "/a?a=1"):
        answer = site.ask(asked)
        assert "evil" not in answer.text
        assert answer.text.startswith("a=1|" if "a=1" in asked else "|")


@pytest.mark.parametrize(
    "query",
    [
        "utm_content=1;cb=evil",
        "a=1%26cb=evil",
        "utm%5Fsource=evil",
        "UTM_source=evil",
        "gclid[]=evil",
        "gclidx=evil",
        "a=1;utm_source=evil",
        "a=1&a=evil",
    ],
)
def test_a_parameter_that_hides_behind_one_that_is_ignored_has_an_answer_of_its_own(query):
    site = echoing()
    site.ask(f"/a?{query}", QUERY_STRING=query, REQUEST_URI=f"/a?{query}")
    for asked in ("/a", "/a?a=1", "/a?utm_content=1"):
        assert "evil" not in site.ask(asked).text


@pytest.mark.parametrize("line", ["_ga=evil", "_ga=evil; _gat=evil", " _ga=evil ", "_ga=evil;"])
def test_a_cookie_that_is_ignored_is_not_reflected_to_anybody(line):
    site = echoing()
    for headers in ({"Cookie": line}, {}, {"Cookie": f"a=1; {line}"}, {"Cookie": "a=1"}):
        assert "evil" not in site.ask(headers=headers).text


@pytest.mark.parametrize("line", ["a=1; b=_ga=evil", "a=evil", '_gb="; _ga=x"; c=evil', "_GA=evil"])
def test_a_cookie_that_hides_behind_one_that_is_ignored_has_an_answer_of_its_own(line):
    site = echoing()
    assert "evil" in site.ask(headers={"Cookie": line}).text
    for headers in ({}, {"Cookie": "a=1"}, {"Cookie": "_ga=x"}):
        assert "evil" not in site.ask(headers=headers).text


# The second configuration stays shut where nothing but a standard opens it


@pytest.mark.parametrize(
    "fields", [["Cache-Control: private"], ["Cache-Control: no-store"], ["Vary: *", "Cache-Control: max-age=60"]]
)
def test_what_is_for_one_client_is_not_stored_for_measuring_either(fields):
    site = Site(policy="conformance")
    site.answers(*fields)
    site.ask(headers=cookie("ann"))
    assert not site.is_hit()
