"""The cache round Django: its sessions, CSRF tokens and views on caching, its files, streams and errors."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from asking import make_environ
from auth_helpers import basic, stored
from cached_site import START
from caching.rounds import HOST, Round, check_that_nothing_crosses, is_hit
from integrations import django_site  # noqa: F401 - it gives Django its settings

from middleware import AuthMiddleware, Basic, MemoryStore, SessionMiddleware, allow, require

from django.conf import settings  # isort: skip - the settings come first
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, Http404, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.test import override_settings
from django.urls import path, re_path
from django.views.decorators.cache import cache_control, cache_page, never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import condition
from django.views.decorators.vary import vary_on_cookie, vary_on_headers
from django.views.static import serve

public = cache_control(public=True, max_age=60)
views = {"count": 0}  # calls of `counted`


def name_of(request):
    return f"<{request.session.get('me', 'nobody')}>"


@csrf_exempt
def log_in(request):
    request.session["me"] = request.GET["me"]
    return HttpResponse(status=204)


@public
def counted(request):
    views["count"] += 1
    return HttpResponse(f"page {views['count']}")


@public
def read(request):
    return HttpResponse(name_of(request))


@public
def write(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(name_of(request))


@public
def contains(request):
    """Looks into the session without reading a value."""
    return HttpResponse(name_of(request) if "me" in request.session else "<nobody>")


@public
def keys(request):
    known = [value for key, value in request.session.items() if key == "me"]
    return HttpResponse(f"<{known[0]}>" if known else "<nobody>")


@public
def flashing(request):
    messages.info(request, name_of(request))
    return HttpResponse(name_of(request))


@public
def flashed(request):
    shown = "".join(str(message) for message in messages.get_messages(request))
    return HttpResponse(shown + name_of(request))


@public
def form(request):
    return HttpResponse(get_token(request))


@vary_on_cookie
@public
def by_cookie(request):
    return HttpResponse(request.headers.get("Cookie", "none"))


@vary_on_headers("X-Kind", "Accept-Language")
@public
def by_headers(request):
    return HttpResponse(repr((request.headers.get("X-Kind"), request.headers.get("Accept-Language"))))


@public
def where(request):
    return HttpResponse(request.build_absolute_uri("/next"))


@public
def moved(request):
    return HttpResponseRedirect(request.build_absolute_uri("/next"))


@cache_control(max_age=10)
def tagged(request):
    views["count"] += 1
    return HttpResponse("tagged")


@condition(etag_func=lambda request: '"v1"')
@cache_control(max_age=10)
def conditional(request):
    views["count"] += 1
    return HttpResponse("conditional")


def untold(request):
    views["count"] += 1
    return HttpResponse("nothing said of caches")


@public
def streamed(request):
    def chunks():
        for number in range(3):
            views["count"] += 1
            yield f"{number},"

    return StreamingHttpResponse(chunks())


@public
def streamed_for_one(request):
    name = name_of(request)
    return StreamingHttpResponse(chunk for chunk in ("hello ", name))


@public
def sent_file(request):
    return FileResponse(Path(request.GET["path"]).open("rb"))


@public
def failing(request):
    raise {"404": Http404, "403": PermissionDenied, "500": ZeroDivisionError}[request.GET["code"]]


@csrf_exempt
@public
def changed(request):
    views["count"] += request.method == "POST"
    return HttpResponse(f"value {views['count']}")


urls = (
    path("log-in", log_in),
    path("counted", counted),
    path("read", read),
    path("write", write),
    path("contains", contains),
    path("keys", keys),
    path("flashing", flashing),
    path("flashed", flashed),
    path("form", form),
    path("post", lambda request: HttpResponse("taken")),
    path("by-cookie", by_cookie),
    path("by-headers", by_headers),
    path("where", where),
    path("moved", moved),
    path("tagged", tagged),
    path("conditional", conditional),
    path("untold", untold),
    path("never", never_cache(untold)),
    path("private", cache_control(private=True, max_age=60)(untold)),
    path("kept-by-django", cache_page(60)(untold)),
    path("streamed", streamed),
    path("streamed-for-one", streamed_for_one),
    path("file", sent_file),
    path("failing", failing),
    path("changed", changed),
    path("slash/", untold),
    re_path(r"^static/(?P<path>.*)$", lambda request, path: serve(request, path, settings.STATIC_FOLDER)),
)

COMMON = "django.middleware.common.CommonMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
MESSAGES = "django.contrib.messages.middleware.MessageMiddleware"
OWN_SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
OUR_SESSIONS = "middleware.integrations.django.SessionMiddleware"
CONDITIONAL = "django.middleware.http.ConditionalGetMiddleware"
GZIP = "django.middleware.gzip.GZipMiddleware"

PAGES = ["/read", "/write", "/contains", "/keys", "/flashing", "/flashed", "/streamed-for-one"]


def same(app):
    return app


def our_sessions(app):
    return SessionMiddleware(app, store=MemoryStore())


@pytest.fixture
def made(tmp_path):
    """Makes a cache round the project with these settings, which hold until the test ends."""
    overrides = []

    def make(*layers, inside=same, outside=same, **changes):
        engine = "django.contrib.sessions.backends.signed_cookies"
        if OUR_SESSIONS in layers:
            engine = "middleware.integrations.django"
        given = {
            "ROOT_URLCONF": urls,
            "MIDDLEWARE": [*layers],
            "SESSION_ENGINE": engine,
            "MESSAGE_STORAGE": "django.contrib.messages.storage.session.SessionStorage",
            "STATIC_FOLDER": str(tmp_path),
        }
        overrides.append(override_settings(**{**given, **changes}))
        overrides[-1].enable()
        views["count"] = 0
        return Round(get_wsgi_application(), inside=inside, outside=outside)

    yield make
    for override in reversed(overrides):
        override.disable()


# What is public


def test_a_page_that_says_it_is_public_is_made_once(made):
    round_ = made(COMMON)
    for headers in ({}, {"Cookie": "theme=dark"}, {"User-Agent": "x"}):
        answer = round_.get("/counted", headers)
        assert (answer.code, answer.text) == (200, "page 1")
    head = round_.get("/counted", method="HEAD")
    assert (head.code, head.body, head.header("Content-Length")) == (200, b"", "6")
    assert views["count"] == 1
    assert round_.each_was_closed_once()


@pytest.mark.parametrize("url", ["/never", "/private", "/untold"])
def test_what_django_keeps_out_of_caches_is_kept_out(made, url):
    round_ = made(COMMON)
    for number in (1, 2, 3):
        assert not is_hit(round_.get(url))
        assert views["count"] == number


def test_a_page_of_djangos_own_cache_is_kept_by_both(made):
    round_ = made(COMMON)
    first = round_.get("/kept-by-django")
    assert (is_hit(first), is_hit(round_.get("/kept-by-django")), views["count"]) == (False, True, 1)


# Sessions


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["signed_cookies", "cache"])
def test_nothing_of_djangos_own_sessions_crosses(made, engine):
    round_ = made(OWN_SESSIONS, COMMON, CSRF, MESSAGES, SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}")
    check_that_nothing_crosses(round_, PAGES)
    assert round_.each_was_closed_once()


@pytest.mark.parametrize(("inside", "outside"), [(our_sessions, same), (same, our_sessions)], ids=["inside", "outside"])
def test_nothing_of_our_sessions_crosses_wherever_they_stand(made, inside, outside):
    round_ = made(OUR_SESSIONS, COMMON, CSRF, MESSAGES, inside=inside, outside=outside)
    check_that_nothing_crosses(round_, PAGES)
    assert round_.each_was_closed_once()


def test_a_page_that_leaves_the_session_alone_is_shared_by_all_who_have_one(made):
    for layers, inside in ((OWN_SESSIONS, same), (OUR_SESSIONS, our_sessions)):
        round_ = made(layers, COMMON, inside=inside)
        for me in ("ann", "bob"):
            browser = round_.browser()
            browser.post(f"/log-in?me={me}")
            assert browser.get("/counted").text == "page 1"


# CSRF


def test_each_client_gets_a_csrf_token_of_its_own_that_works(made):
    round_ = made(COMMON, CSRF)
    browsers = [round_.browser(), round_.browser()]
    for _ in range(2):
        tokens = [browser.get("/form").text for browser in browsers]
        assert browsers[0].cookies["csrftoken"] != browsers[1].cookies["csrftoken"]
        for browser, token in zip(browsers, tokens, strict=True):
            assert browser.post("/post", {"csrfmiddlewaretoken": token}).text == "taken"
        assert browsers[0].post("/post", {"csrfmiddlewaretoken": "x" * 64}).code == 403


def test_a_page_without_a_form_is_shared_by_all_who_have_a_token(made):
    round_ = made(COMMON, CSRF)
    for _ in range(2):
        browser = round_.browser()
        browser.get("/form")
        assert browser.get("/counted").text == "page 1"


# Vary


def test_answers_are_told_apart_as_django_says(made):
    round_ = made(COMMON)
    for _ in range(2):
        for cookie in ("a=1", "a=2"):
            assert round_.get("/by-cookie", {"Cookie": cookie}).text == cookie
        assert round_.get("/by-cookie").text == "none"
        for kind, language in (("a", "de"), ("a", "en"), ("b", "de"), (None, None)):
            headers = {name: value for name, value in (("X-Kind", kind), ("Accept-Language", language)) if value}
            assert round_.get("/by-headers", headers).text == repr((kind, language))
    assert round_.calls == 3 + 4


def test_a_page_that_django_compresses_goes_compressed_to_those_alone_who_take_it(made):
    round_ = made(GZIP, COMMON, CONDITIONAL)
    text = "page 1 " * 100
    with override_settings(ROOT_URLCONF=(path("", public(lambda request: HttpResponse(text))),)):
        for _ in range(2):
            for takes in ("gzip", None, "gzip, br", "identity"):
                answer = round_.get("/", {"Accept-Encoding": takes} if takes else {})
                coded = answer.header("Content-Encoding") == "gzip"
                assert coded == ("gzip" in (takes or ""))
                assert (gzip.decompress(answer.body) if coded else answer.body).decode() == text
    assert round_.calls == 4


# Conditions


@pytest.mark.parametrize(("url", "executed"), [("/tagged", True), ("/conditional", False)])
def test_django_confirms_what_the_cache_has(made, url, executed):
    round_ = made(CONDITIONAL, COMMON)
    first = round_.get(url)
    etag = first.header("ETag")
    assert round_.get(url, {"If-None-Match": etag}).code == 304
    round_.now += 11
    again = round_.get(url)
    assert (again.code, again.text, again.header("ETag")) == (200, first.text, etag)
    assert "fwd=stale; fwd-status=304" in again.header("Cache-Status")
    assert views["count"] == (2 if executed else 1)
    assert is_hit(round_.get(url))
    round_.now += 11
    assert round_.get(url, {"If-None-Match": etag}).code == 304
    assert round_.each_was_closed_once()


def test_a_304_that_django_gives_to_one_client_is_nobody_elses(made):
    round_ = made(CONDITIONAL, COMMON)
    etag = round_.get("/tagged").header("ETag")
    other = made(CONDITIONAL, COMMON)
    assert other.get("/tagged", {"If-None-Match": etag}).code == 304
    assert (other.get("/tagged").code, other.get("/tagged").text) == (200, "tagged")
    assert other.get("/tagged", {"If-None-Match": '"another"'}).code == 200


# Streams and files


def test_a_stream_passes_as_it_is_made_and_is_stored_whole(made):
    round_ = made(COMMON)
    body = round_.app(make_environ("/streamed", HTTP_HOST=HOST), lambda status, headers, exc_info=None: None)
    for number, chunk in enumerate(body):
        assert chunk == f"{number},".encode()
        assert views["count"] == number + 1
    body.close()
    hit = round_.get("/streamed")
    assert (is_hit(hit), hit.text, hit.header("Content-Length")) == (True, "0,1,2,", "6")
    assert round_.each_was_closed_once()


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_stream_whose_client_leaves_is_closed_once_and_not_stored(made, after):
    round_ = made(COMMON)
    round_.leave("/streamed", after)
    assert round_.closings == [1]
    assert not is_hit(round_.get("/streamed"))


def test_the_file_that_django_sends_is_stored_and_closed(made, tmp_path):
    round_ = made(COMMON)
    file = tmp_path / "file.txt"
    file.write_text("content " * 2000)
    for hit in (False, True, True):
        answer = round_.get(f"/file?path={file}")
        assert (is_hit(answer), answer.text) == (hit, "content " * 2000)
    assert round_.each_was_closed_once()


def test_a_static_file_is_fresh_for_a_while_and_then_asked_for_with_its_date(made, tmp_path):
    round_ = made(COMMON)
    file = tmp_path / "site.css"
    file.write_text("a {}")
    os.utime(file, (START, START - 1000))
    first = round_.get("/static/site.css")
    date = first.header("Last-Modified")
    assert (first.code, first.text) == (200, "a {}")
    assert round_.get("/static/site.css", {"If-Modified-Since": date}).code == 304
    head = round_.get("/static/site.css", method="HEAD")
    assert (head.code, head.body, head.header("Content-Length")) == (200, b"", "4")
    round_.now += 101
    again = round_.get("/static/site.css")
    assert (again.code, again.text) == (200, "a {}")
    assert "fwd=stale; fwd-status=304" in again.header("Cache-Status")
    file.write_text("b {}")
    os.utime(file, (START, START - 500))
    round_.now += 3000
    assert round_.get("/static/site.css").text == "b {}"
    assert round_.each_was_closed_once()


def test_a_static_file_that_was_not_there_yet_is_found_when_it_is(made, tmp_path):
    round_ = made(COMMON)
    assert round_.get("/static/site.css").code == 404
    (tmp_path / "site.css").write_text("a {}")
    assert round_.get("/static/site.css").text == "a {}"


# Errors, redirects, changes


@pytest.mark.parametrize("code", [403, 404, 500])
def test_the_error_pages_of_django_are_not_stored(made, code):
    round_ = made(COMMON)
    for number in (1, 2):
        assert round_.get(f"/failing?code={code}").code == code
        assert round_.calls == number
    assert round_.each_was_closed_once()


def test_a_redirect_to_the_address_with_a_slash_is_not_stored(made):
    round_ = made(COMMON)
    for _ in range(2):
        assert round_.get("/slash").header("Location") == "/slash/"
    assert round_.calls == 2


def test_a_change_through_django_is_seen_at_once(made):
    round_ = made(COMMON)
    assert round_.get("/changed").text == "value 0"
    assert is_hit(round_.get("/changed"))
    round_.get("/changed", method="POST")
    assert round_.get("/changed").text == "value 1"


# The host and the scheme


@pytest.mark.parametrize("url", ["/where", "/moved"])
def test_a_host_that_django_refuses_leaves_nothing_behind(made, url):
    round_ = made(COMMON)
    for host in ("evil.example", f"{HOST}@evil.example", f"{HOST}, evil.example", "evil.example:80"):
        assert round_.get(url, HTTP_HOST=host).code == 400
    for _ in range(2):
        answer = round_.get(url)
        assert f"http://{HOST}/next" in (answer.text, answer.header("Location"))


@pytest.mark.parametrize("url", ["/where", "/moved"])
def test_what_django_believes_of_a_proxy_it_tells_to_nobody_else(made, url):
    round_ = made(
        COMMON,
        ALLOWED_HOSTS=["*"],
        USE_X_FORWARDED_HOST=True,
        USE_X_FORWARDED_PORT=True,
        SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    )
    forwarded = [
        ({"X-Forwarded-Host": "evil.example"}, "http://evil.example/next"),
        ({"X-Forwarded-Host": "evil.example", "X-Forwarded-Port": "99"}, "http://evil.example/next"),
        ({"X-Forwarded-Proto": "https"}, f"https://{HOST}/next"),
        ({"X-Forwarded-Port": "99"}, f"http://{HOST}/next"),
        ({}, f"http://{HOST}/next"),
        ({"X-Forwarded-Host": "good.example", "X-Forwarded-Proto": "https"}, "https://good.example/next"),
    ]
    for _ in range(2):
        for headers, expected in forwarded:
            answer = round_.get(url, headers)
            assert expected in (answer.text, answer.header("Location"))
    assert round_.calls == len(forwarded)


def test_the_redirect_to_https_is_for_those_who_come_without(made):
    round_ = made(
        "django.middleware.security.SecurityMiddleware",
        COMMON,
        SECURE_SSL_REDIRECT=True,
        SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    )
    for _ in range(2):
        assert round_.get("/counted").header("Location") == f"https://{HOST}/counted"
        assert round_.get("/counted", {"X-Forwarded-Proto": "https"}).text == "page 1"


# Our authentication


def guarded(app):
    users = {name: stored(f"{name}-password") for name in ("ann", "bob")}
    return AuthMiddleware(app, [Basic(users)], rules=[allow("/counted"), require("/")])


@pytest.mark.parametrize(("inside", "outside"), [(guarded, same), (same, guarded)], ids=["inside", "outside"])
def test_nothing_of_our_authentication_crosses_wherever_it_stands(made, inside, outside):
    round_ = made(COMMON, inside=inside, outside=outside)
    greeting = public(lambda request: HttpResponse(f"<{request.META.get('REMOTE_USER')}>"))
    with override_settings(ROOT_URLCONF=(*urls, path("me", greeting))):
        for _ in range(2):
            assert round_.get("/me").code == 401
            for name in ("ann", "bob"):
                assert round_.get("/me", basic(name, f"{name}-password")).text == f"<{name}>"
            assert round_.get("/me", basic("ann", "wrong")).code == 401
            assert round_.get("/counted").text == "page 1"
