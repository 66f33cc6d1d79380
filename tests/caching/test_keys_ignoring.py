"""What a site lets its cache ignore: query parameters and cookies. C110 to C112, S17.

What is ignored selects no answer, and the application does not see it either.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from targeted_site import TargetedSite, caching, each_server, echoing

from middleware import get_cache
from middleware.caching import CacheKeys, CachePolicy
from middleware.caching.keys.ignoring import Names, kept_cookies, kept_query, kept_target
from middleware.caching.keys.keys import Keys

TRACKERS = CacheKeys(ignore_query=["utm_*", "gclid"], ignore_cookies=["_ga*", "_fbp"])

# Parameters


@pytest.mark.parametrize(
    ("target", "same"),
    [
        ("/a?a=1&utm_source=x", "/a?a=1"),
        ("/a?utm_source=x&a=1", "/a?a=1"),
        ("/a?a=1&utm_source=x&b=2", "/a?a=1&b=2"),
        ("/a?utm_source=x", "/a"),
        ("/a?utm_source=x&utm_medium=y&gclid=z", "/a"),
        ("/a?gclid", "/a"),
        ("/a?utm_", "/a"),
        ("/a?utm_source==&a=1", "/a?a=1"),
        ("/a?a=1&gclid=2&a=3", "/a?a=1&a=3"),
        ("/a?a=1&gclid=a?b", "/a?a=1"),
        ("/a?&gclid=1&", "/a?&"),
    ],
)
@each_server
def test_an_ignored_parameter_selects_no_answer(raw, target, same):
    site = caching(raw, keys=TRACKERS)
    site.ask(target)
    assert site.is_hit(same)
    assert site.is_hit(target)


@pytest.mark.parametrize(
    "target",
    [
        "/a?a=1;utm_source=x",
        "/a?utm%5Fsource=x",
        "/a?UTM_source=x",
        "/a?utm=x",
        "/a?gclid2=x",
        "/a?xgclid=x",
        "/a?a=utm_source",
        "/a?utm_content=1;cb=evil",
        "/a?a=1%26utm_source=x",
        "/a?%20gclid=x",
        "/a?gclid%3Dx",
        "/a?gclid[]=x",
    ],
)
@each_server
def test_what_only_looks_like_an_ignored_parameter_is_part_of_the_key(raw, target):
    site = echoing(raw, keys=TRACKERS)
    for plain in ("/a", "/a?a=1"):
        site.ask(plain)
    calls = site.calls
    assert target.partition("?")[2] in site.ask(target).text
    assert site.calls == calls + 1
    site.ask(target)
    assert site.calls == calls + 1


@each_server
def test_the_order_of_the_rest_is_kept(raw):
    site = caching(raw, keys=TRACKERS)
    site.ask("/a?b=2&gclid=x&a=1")
    assert site.is_hit("/a?b=2&a=1")
    assert not site.is_hit("/a?a=1&b=2")


@each_server
def test_the_application_does_not_see_an_ignored_parameter(raw):
    site = echoing(raw, keys=TRACKERS)
    first = site.ask("/a?utm_source=evil&b=1").text
    assert "evil" not in first
    assert "b=1" in first
    assert site.ask("/a?b=1").text == first


@each_server
def test_the_application_does_not_see_that_there_was_a_query(raw):
    site = echoing(raw, keys=TRACKERS)
    assert "?" not in site.ask("/a?utm_source=evil").text


@each_server
def test_an_empty_query_is_told_from_none_where_the_server_does(raw):
    site = caching(raw, keys=TRACKERS)
    site.ask("/a?")
    assert site.is_hit("/a") is (raw == "neither")


def test_an_absolute_target_loses_an_ignored_parameter_too():
    site = echoing(keys=TRACKERS)
    answer = site.ask("/a?utm_source=evil", REQUEST_URI="http://a.example/a?utm_source=evil&b=1")
    assert "evil" not in answer.text


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@each_server
def test_what_was_ignored_is_back_when_the_answer_has_ended(raw, method):
    site = echoing(raw, keys=TRACKERS)
    environ = site.environ("/a?utm_source=x&b=1", method, {"Cookie": "_ga=1; a=2"})
    before = dict(environ)
    answer = site.cache(environ, lambda status, headers, exc_info=None: None)
    list(answer)
    getattr(answer, "close", lambda: None)()
    assert {name: environ[name] for name in before} == before


def test_what_was_ignored_is_back_when_the_application_has_failed():
    site = TargetedSite(keys=TRACKERS)
    site.fails()
    environ = site.environ("/a?utm_source=x", headers={"Cookie": "_ga=1"})
    before = dict(environ)
    with pytest.raises(OSError, match="down"):
        site.cache(environ, lambda status, headers, exc_info=None: None)
    assert {name: environ[name] for name in before} == before


def test_an_answer_that_is_not_stored_does_not_bring_back_early_what_its_body_must_not_see():
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "no-store")])
        yield b""
        yield environ["QUERY_STRING"].encode()

    site = TargetedSite(app=app, keys=TRACKERS)
    assert site.ask("/a?utm_source=x&b=1").text == "b=1"


def test_a_request_that_changes_something_is_passed_on_as_it_came():
    site = echoing(keys=TRACKERS)
    assert "utm_source=x" in site.ask("/a?utm_source=x", method="POST").text


def test_a_change_of_an_address_removes_what_was_stored_of_it_whatever_is_ignored():
    site = caching(keys=TRACKERS)
    site.ask("/a?b=1")
    site.ask("/a?utm_source=x&b=1", method="POST")
    assert not site.is_hit("/a?b=1")


def test_a_location_that_a_change_names_may_have_ignored_parameters():
    site = caching(keys=TRACKERS)
    site.ask("/b?c=1")
    site.answers("Location: /b?c=1&utm_source=x", status="303 See Other")
    site.ask("/a", method="POST")
    site.answers("Cache-Control: max-age=60")
    assert not site.is_hit("/b?c=1")


def test_a_purge_of_an_address_with_ignored_parameters_is_one_of_the_address_without():
    def app(environ, start_response):
        if environ["PATH_INFO"] == "/purge":
            get_cache(environ).purge("/a?utm_source=x&b=1")
        start_response("200 OK", [("Cache-Control", "max-age=60")])
        site.calls += 1
        return [b"page"]

    site = TargetedSite(app=app, keys=TRACKERS)
    site.ask("/a?b=1&gclid=2")
    assert site.is_hit("/a?b=1")
    site.ask("/purge")
    assert not site.is_hit("/a?b=1")


@each_server
def test_a_refresh_in_the_background_does_not_see_what_is_ignored_either(raw):
    site = echoing(raw, "Cache-Control: stale-while-revalidate=60", keys=TRACKERS)
    site.ask("/a")
    site.ask("/a?utm_source=evil", at=61, headers={"Cookie": "_ga=evil"}, **{"wsgi.run_once": True})
    assert site.calls == 2
    assert "evil" not in site.ask("/a").text
    assert site.calls == 2


@pytest.mark.parametrize("hidden", ["utm_source=evil", "_ga=evil", "X-Theme"])
def test_an_answer_to_post_in_which_something_was_ignored_answers_no_get(hidden):
    def app(environ, start_response):
        fields = [("Cache-Control", "max-age=60"), ("Content-Location", "/a")]
        start_response("200 OK", fields)
        seen = [environ.get(name) for name in ("QUERY_STRING", "HTTP_COOKIE", "HTTP_X_THEME")]
        return [repr(seen).encode()]

    site = TargetedSite(app=app, policy="conformance", keys=TRACKERS.replace(unkeyed={"x-theme": "strip"}))
    requests = {
        "utm_source=evil": {"target": "/a?utm_source=evil"},
        "_ga=evil": {"HTTP_COOKIE": "_ga=evil"},
        "X-Theme": {"HTTP_X_THEME": "evil"},
    }
    assert "evil" in site.ask(method="POST", **requests[hidden]).text
    assert "evil" not in site.ask().text


@pytest.mark.parametrize(
    "request_", [{"HTTP_HOST": "A.example"}, {"HTTP_X_ORIGINAL_URL": "/evil"}, {"HTTP_X_HTTP_METHOD_OVERRIDE": "PUT"}]
)
@pytest.mark.parametrize("body", [b"", b"x"])
def test_an_answer_to_a_post_that_is_not_what_it_looks_like_answers_no_get(request_, body):
    site = TargetedSite(policy=CachePolicy(store_post=True))
    site.answers("Cache-Control: max-age=60", "Content-Location: /a")
    site.ask(method="POST", body=body, **request_)
    assert not site.is_hit()


def test_what_selects_an_answer_to_post_is_the_request_as_it_came():
    def app(environ, start_response):
        text = environ["HTTP_X"]
        environ["HTTP_X"] = "good"
        start_response("200 OK", [("Cache-Control", "max-age=60"), ("Content-Location", "/a"), ("Vary", "X")])
        return [text.encode()]

    site = TargetedSite(app=app, policy="conformance")
    site.ask(method="POST", body=b"x", HTTP_X="evil")
    assert site.ask(HTTP_X="good").text == "good"
    assert "; hit" in site.ask(HTTP_X="evil").header("Cache-Status")


def test_an_answer_to_post_in_which_nothing_was_ignored_may_answer_a_get():
    site = TargetedSite(policy="conformance", keys=TRACKERS)
    site.answers("Cache-Control: max-age=60", "Content-Location: /a")
    site.ask(method="POST", body=b"x")
    assert site.is_hit()


def test_every_parameter_can_be_ignored():
    site = echoing(keys=CacheKeys(ignore_query=["*"]))
    first = site.ask("/a?b=evil&c").text
    assert "evil" not in first
    assert site.ask("/a").text == site.ask("/a?d=2").text == first


# Cookies


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("_ga=1", "_ga=2"),
        ("_ga=1", None),
        ("_ga=1; _ga_X=2; _fbp=3", None),
        ("a=1; _ga=1", "a=1"),
        ("_ga=1; a=1", "a=1"),
        ("a=1; _ga=1; b=2", "a=1; b=2"),
        ("a=1;_ga=1;b=2", "a=1;b=2"),
        ("_ga", None),
        (" _ga =1", None),
        ("_ga=1;", None),
        ("_ga=1; ; ", None),
    ],
)
def test_an_ignored_cookie_selects_no_answer(one, other):
    site = caching("REQUEST_URI", "Vary: Cookie", keys=TRACKERS)
    for _ in range(2):
        site.ask(HTTP_COOKIE=one)
        assert site.is_hit(HTTP_COOKIE=other)
        one, other = other, one
        site.now += 100


@pytest.mark.parametrize(
    "cookie",
    [
        "ga=1",
        "_GA=1",
        "_fbp2=1",
        "a=_ga",
        "_ga=1, sid=2",
        "sid=2, _ga=1",
        'a="1; _ga=2"',
        'a="1; _ga=2; b=3',
        "a=1; b=2",
        "",
    ],
)
def test_what_only_looks_like_an_ignored_cookie_is_seen_and_selects(cookie):
    site = echoing("REQUEST_URI", "Vary: Cookie", keys=TRACKERS)
    site.ask()
    site.ask(HTTP_COOKIE="a=1")
    calls = site.calls
    assert site.ask(HTTP_COOKIE=cookie).text == repr(["", "/a", None, cookie])
    assert site.calls == calls + 1


def test_the_application_does_not_see_an_ignored_cookie():
    site = echoing(keys=TRACKERS)
    assert "evil" not in site.ask(HTTP_COOKIE="_ga=evil; a=1").text
    assert site.seen[-1]["HTTP_COOKIE"] == "a=1"


def test_a_request_with_none_but_ignored_cookies_is_one_without():
    site = TargetedSite(keys=TRACKERS)
    site.answers('ETag: "v1"')
    site.ask(HTTP_COOKIE="_ga=1")
    assert "HTTP_COOKIE" not in site.seen[-1]
    assert site.validates()


def test_a_request_with_another_cookie_is_one_with():
    site = TargetedSite(keys=TRACKERS)
    site.answers('ETag: "v1"')
    site.ask(HTTP_COOKIE="_ga=1; sid=2")
    assert not site.validates(HTTP_COOKIE="_ga=1; sid=3")


def test_two_sessions_are_told_apart_whatever_trackers_are_beside_them():
    site = echoing("REQUEST_URI", "Vary: Cookie", keys=TRACKERS)
    pages = [site.ask(HTTP_COOKIE=f"_ga={number}; sid={number % 2}").text for number in range(4)]
    assert pages[0] == pages[2] != pages[1] == pages[3]
    assert site.calls == 2


# Bombs


@pytest.mark.slow
@pytest.mark.parametrize(
    "bomb", ["&" * (1 << 16), "utm_a=1&" * (1 << 13), "utm_=" + "=" * (1 << 16), "a;&?" * (1 << 14)]
)
@each_server
def test_an_endless_query_is_one_address(raw, bomb):
    site = caching(raw, keys=TRACKERS)
    for _ in range(2):
        site.ask(f"/a?{bomb}")
    assert site.calls == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "bomb", [";" * (1 << 16), "_ga=1;" * (1 << 13), '"' * 65_535, '_ga="; ' * (1 << 13), ", " * (1 << 15)]
)
def test_endless_cookies_are_one_variant(bomb):
    site = caching("REQUEST_URI", "Vary: Cookie", keys=TRACKERS)
    for _ in range(2):
        site.ask(HTTP_COOKIE=bomb)
    assert site.calls == 1


# Nothing is asked for, nothing is done


def test_without_options_the_application_sees_the_request_as_it_came():
    site = echoing()
    assert site.ask("/a?utm_source=x&&", HTTP_COOKIE="_ga=1;").text == repr(
        ["utm_source=x&&", "/a?utm_source=x&&", None, "_ga=1;"]
    )


def test_without_options_nothing_is_hidden():
    environ = TargetedSite().environ("/a?utm_source=x", HTTP_COOKIE="_ga=1")
    before = dict(environ)
    assert Keys(CacheKeys()).hide(environ) is None
    assert environ == before


def test_a_request_with_nothing_to_hide_is_left_alone():
    environ = TargetedSite().environ("/a?b=1", HTTP_COOKIE="a=1")
    before = dict(environ)
    assert Keys(TRACKERS).hide(environ) is None
    assert environ == before


# Properties

names = st.lists(st.sampled_from(["a", "b*", "utm_*", "_*", "*", "ab"]), max_size=3).map(tuple)
queries = st.text(st.sampled_from("ab_=&;?%utm"), max_size=12)
cookies = st.text(st.sampled_from('ab_=; ,"\t'), max_size=12)


@given(queries, names)
def test_what_is_left_of_a_query_is_parts_of_it_in_order_and_nothing_more_can_be_taken_out(query, patterns):
    ignored = Names(patterns)
    kept = kept_query(query, ignored)
    if kept is None:
        assert all(ignored.__contains__(one.partition("=")[0]) for one in query.split("&"))
        return
    parts = iter(query.split("&"))
    assert all(one in parts for one in kept.split("&"))
    assert kept_query(kept, ignored) == kept


@given(queries, queries, names)
def test_a_target_loses_what_its_query_loses(path, query, patterns):
    ignored = Names(patterns)
    path = "/" + path.replace("?", "")
    kept = kept_query(query, ignored)
    assert kept_target(f"{path}?{query}", ignored) == (path if kept is None else f"{path}?{kept}")
    assert kept_target(path, ignored) == path


@given(cookies, names)
def test_what_is_left_of_cookies_is_parts_of_them_in_order_and_nothing_more_can_be_taken_out(field, patterns):
    ignored = Names(patterns)
    kept = kept_cookies(field, ignored)
    if kept is None:
        return
    parts = iter([one.strip(" \t") for one in field.split(";")])
    assert all(one.strip(" \t") in parts for one in kept.split(";"))
    assert kept_cookies(kept, ignored) == kept


environs = st.fixed_dictionaries(
    {
        "wsgi.url_scheme": st.just("http"),
        "HTTP_HOST": st.just("a.example"),
        "SCRIPT_NAME": st.just(""),
        "PATH_INFO": st.just("/a"),
        "QUERY_STRING": queries,
    },
    optional={
        "REQUEST_URI": queries.map("/a?".__add__) | queries,
        "RAW_URI": queries.map("/a?".__add__),
        "HTTP_COOKIE": cookies,
        "HTTP_X": st.text(max_size=3),
        "HTTP_Y": st.text(max_size=3),
    },
)
modes = st.dictionaries(st.sampled_from(["x", "y", "cookie"]), st.sampled_from(["key", "strip"]), max_size=3)
options = st.builds(CacheKeys, ignore_query=names, ignore_cookies=names, unkeyed=modes)
selections = st.sampled_from([(), ("cookie",), ("x",), ("cookie", "x", "y")])


@given(environs, options)
def test_to_hide_and_to_restore_is_to_do_nothing(environ, options):
    keys = Keys(options)
    before = dict(environ)
    keys.restore(environ, keys.hide(environ))
    assert environ == before


NO_TARGET = {
    "wsgi.url_scheme": "http",
    "HTTP_HOST": "a.example",
    "PATH_INFO": "/a",
    "QUERY_STRING": "",
    "REQUEST_URI": "?",
}


@given(environs, options, selections)
@example(NO_TARGET, CacheKeys(ignore_query=("*",)), ())
def test_a_request_means_the_same_with_and_without_what_is_hidden(environ, options, selection):
    keys = Keys(options)
    key = keys.key_of(environ)
    variant = keys.variant(environ, key.seen, selection)
    keys.hide(environ)
    hidden = keys.key_of(environ)
    assert (hidden.url, hidden.seen, hidden.bypass) == (key.url, key.seen, key.bypass)
    assert keys.variant(environ, hidden.seen, selection) == variant
    assert keys.hide(environ) is None


@given(environs, environs, options)
def test_two_requests_that_share_an_answer_look_the_same_to_the_application(one, other, options):
    keys = Keys(options)
    meant = []
    for environ in (one, other):
        key = keys.key_of(environ)
        meant.append((key.url, key.seen, keys.variant(environ, key.seen, ("cookie", "x", "y"))))
        keys.hide(environ)
    if not meant[0][0] or meant[0] != meant[1]:
        return
    for name in ("QUERY_STRING", "HTTP_COOKIE", "HTTP_X", "HTTP_Y"):
        seen = [environ.get(name) for environ in (one, other)]
        assert seen[0] == seen[1] or [value and value.strip(" \t") for value in seen] == [seen[0].strip(" \t")] * 2
