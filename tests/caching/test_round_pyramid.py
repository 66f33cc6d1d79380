"""The cache round Pyramid: its sessions, CSRF tokens, permissions, static views, streams and errors."""

from __future__ import annotations

import os
import warnings

import pytest
from asking import make_environ
from auth_helpers import basic, stored
from cached_site import START
from caching.rounds import HOST, Round, check_that_nothing_crosses, is_hit
from pyramid.authorization import Allow, Authenticated
from pyramid.config import Configurator
from pyramid.csrf import get_csrf_token
from pyramid.httpexceptions import HTTPForbidden, HTTPFound, HTTPNotFound
from pyramid.response import FileResponse, Response
from pyramid.session import SignedCookieSessionFactory
from sessions.kit import SECRET

from middleware import AuthMiddleware, Basic, MemoryStore, SessionMiddleware, allow, require

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of a package that asks for pkg_resources
    from paste.deploy.config import PrefixMiddleware


def same(app):
    return app


def our_sessions(app):
    return SessionMiddleware(app, store=MemoryStore())


class Stream:
    """A body that counts what it gave, and its close()."""

    def __init__(self, site):
        self.site = site

    def __iter__(self):
        for number in range(3):
            self.site.made += 1
            yield b"%d," % number

    def close(self):
        self.site.closed += 1


class Security:
    """Pyramid's security policy over its session."""

    def identity(self, request):
        return request.session.get("me")

    authenticated_userid = identity

    def permits(self, request, context, permission):
        return self.identity(request) is not None

    def remember(self, request, userid, **options):
        return []

    forget = remember


class Root:
    __acl__ = [(Allow, Authenticated, "view")]

    def __init__(self, request):
        pass


class Site:
    """A Pyramid application whose pages say for how long they are fresh. `made`: calls of `/counted`."""

    def __init__(self, *, sessions="ours", says="public, max-age=60", folder=None):
        self.made = 0
        self.closed = 0
        self.says = says
        self.config = config = Configurator(root_factory=Root)
        if sessions == "ours":
            config.include("middleware.integrations.pyramid")
        else:
            config.set_session_factory(SignedCookieSessionFactory(SECRET))
        config.set_security_policy(Security())
        if folder:
            config.add_static_view("static", folder, cache_max_age=100)
        self.page("/log-in", self.log_in, require_csrf=False)
        self.page("/read", self.greeting)
        self.page("/write", self.write)
        self.page("/contains", lambda request: self.greeting(request) if "me" in request.session else "<nobody>")
        self.page("/keys", lambda request: self.greeting(request) if "me" in [*request.session] else "<nobody>")
        self.page("/flashing", self.flashing)
        self.page("/flashed", lambda request: "".join(request.session.pop_flash()) + self.greeting(request))
        self.page("/identity", lambda request: f"<{request.authenticated_userid or 'nobody'}>")
        self.page("/for-members", self.greeting, permission="view")
        self.page("/streamed-for-one", self.streamed_for_one)
        self.page("/counted", self.counted)
        self.page("/by-pyramid", self.counted, http_cache=60)
        self.page("/for-one-by-pyramid", self.counted, http_cache=(60, {"private": True}))
        self.page("/never-by-pyramid", self.counted, http_cache=0)
        self.page("/token", get_csrf_token)
        self.page("/form", lambda request: "taken", require_csrf=True)
        self.page("/streamed", lambda request: Response(app_iter=Stream(self)))
        self.page("/file", lambda request: FileResponse(request.params["path"], request=request, cache_max_age=60))
        self.page("/tagged", self.tagged)
        self.page("/by-kind", self.by_kind)
        self.page("/where", lambda request: f"{request.host_url} {request.route_url('/counted')}")
        self.page("/moved", lambda request: HTTPFound(request.route_url("/counted")))
        self.page("/missing", self.missing)
        self.page("/forbidden", self.forbidden)
        self.page("/failing", lambda request: 1 / 0)
        self.page("/changed", self.changed)
        self.page("/user", lambda request: f"<{request.remote_user}>")

    @property
    def app(self):
        return self.config.make_wsgi_app()

    def page(self, path, view, **options):
        def said(request):
            answer = view(request)
            answer = answer if isinstance(answer, Response) else Response(answer)
            if self.says and "Cache-Control" not in answer.headers and "http_cache" not in options:
                answer.headers["Cache-Control"] = self.says
            return answer

        self.config.add_route(path, path)
        self.config.add_view(said, route_name=path, **options)

    @staticmethod
    def greeting(request):
        return f"<{request.session.get('me', 'nobody')}>"

    @staticmethod
    def log_in(request):
        request.session["me"] = request.params["me"]
        return Response(status=204)

    def write(self, request):
        request.session["visits"] = request.session.get("visits", 0) + 1
        return self.greeting(request)

    def flashing(self, request):
        request.session.flash(self.greeting(request))
        return self.greeting(request)

    def streamed_for_one(self, request):
        name = self.greeting(request).encode()
        return Response(app_iter=(chunk for chunk in (b"hello ", name)))

    def counted(self, request):
        self.made += 1
        return f"page {self.made}"

    def tagged(self, request):
        self.made += 1
        answer = Response("tagged", conditional_response=True, cache_control="max-age=10")
        answer.md5_etag()
        return answer

    def by_kind(self, request):
        return Response(request.headers.get("X-Kind", "none"), vary=["X-Kind", "Accept"])

    def missing(self, request):
        raise HTTPNotFound

    def forbidden(self, request):
        raise HTTPForbidden

    def changed(self, request):
        self.made += request.method == "POST"
        return f"value {self.made}"


PAGES = ["/read", "/write", "/contains", "/keys", "/flashing", "/flashed", "/identity", "/streamed-for-one"]


# What is public


@pytest.mark.parametrize("url", ["/counted", "/by-pyramid"])
def test_a_page_that_says_it_is_fresh_is_made_once(url):
    site = Site()
    round_ = Round(site.app, inside=our_sessions)
    for headers in ({}, {"Cookie": "theme=dark"}, {"User-Agent": "x"}):
        answer = round_.get(url, headers)
        assert (answer.code, answer.text) == (200, "page 1")
    head = round_.get(url, method="HEAD")
    assert (head.code, head.body, head.header("Content-Length")) == (200, b"", "6")
    assert site.made == 1
    assert round_.each_was_closed_once()


@pytest.mark.parametrize("url", ["/for-one-by-pyramid", "/never-by-pyramid"])
def test_what_pyramid_keeps_out_of_caches_is_kept_out(url):
    round_ = Round(Site().app, inside=our_sessions)
    for number in (1, 2, 3):
        assert round_.get(url).text == f"page {number}"


def test_answers_are_told_apart_as_pyramid_says():
    round_ = Round(Site().app, inside=our_sessions)
    for _ in range(2):
        for kind in ("a", "b", None):
            assert round_.get("/by-kind", {"X-Kind": kind} if kind else {}).text == (kind or "none")
    assert round_.calls == 3


# Sessions


@pytest.mark.parametrize(("inside", "outside"), [(our_sessions, same), (same, our_sessions)], ids=["inside", "outside"])
def test_nothing_of_our_sessions_crosses_wherever_they_stand(inside, outside):
    round_ = Round(Site().app, inside=inside, outside=outside)
    check_that_nothing_crosses(round_, PAGES)
    assert round_.each_was_closed_once()


@pytest.mark.slow
@pytest.mark.parametrize("says", [None, "private, max-age=60", "max-age=0", "no-cache"])
def test_nothing_of_pyramids_own_sessions_crosses_where_its_pages_do_not_call_themselves_public(says):
    round_ = Round(Site(sessions="own", says=says).app)
    check_that_nothing_crosses(round_, PAGES)
    assert round_.each_was_closed_once()


@pytest.mark.slow
def test_nothing_of_pyramids_own_sessions_crosses_where_its_pages_name_the_cookie_in_vary():
    site = Site(sessions="own")

    def vary(event):
        event.response.vary = ["Cookie"]

    site.config.add_subscriber(vary, "pyramid.events.NewResponse")
    check_that_nothing_crosses(Round(site.app), PAGES)


def test_a_page_for_members_is_for_each_of_them():
    round_ = Round(Site().app, inside=our_sessions)
    browsers = {me: round_.browser() for me in ("ann", "bob")}
    for me, browser in browsers.items():
        browser.post(f"/log-in?me={me}")
    for _ in range(2):
        assert round_.get("/for-members").code == 403
        for me, browser in browsers.items():
            assert browser.get("/for-members").text == f"<{me}>"


def test_a_page_that_leaves_the_session_alone_is_shared_by_all_who_have_one():
    for site, inside in ((Site(), our_sessions), (Site(sessions="own"), same)):
        round_ = Round(site.app, inside=inside)
        for me in ("ann", "bob"):
            browser = round_.browser()
            browser.post(f"/log-in?me={me}")
            assert browser.get("/counted").text == "page 1"


@pytest.mark.parametrize(("sessions", "inside"), [("ours", our_sessions), ("own", same)])
def test_each_client_gets_a_csrf_token_of_its_own_that_works(sessions, inside):
    round_ = Round(
        Site(sessions=sessions, says="no-cache" if sessions == "own" else "public, max-age=60").app, inside=inside
    )
    browsers = [round_.browser(), round_.browser()]
    for _ in range(2):
        tokens = [browser.get("/token").text for browser in browsers]
        assert tokens[0] != tokens[1]
        for browser, token in zip(browsers, tokens, strict=True):
            assert browser.post("/form", {"csrf_token": token}).text == "taken"
        assert browsers[0].post("/form", {"csrf_token": tokens[1]}).code == 400


# Conditions


def test_pyramid_confirms_what_the_cache_has():
    site = Site()
    round_ = Round(site.app, inside=our_sessions)
    first = round_.get("/tagged")
    etag = first.header("ETag")
    assert round_.get("/tagged", {"If-None-Match": etag}).code == 304
    round_.now += 11
    again = round_.get("/tagged")
    assert (again.code, again.text, again.header("ETag")) == (200, "tagged", etag)
    assert "fwd=stale; fwd-status=304" in again.header("Cache-Status")
    assert site.made == 2
    assert is_hit(round_.get("/tagged"))
    assert round_.each_was_closed_once()


def test_a_304_that_pyramid_gives_to_one_client_is_nobody_elses():
    etag = Round(Site().app, inside=our_sessions).get("/tagged").header("ETag")
    round_ = Round(Site().app, inside=our_sessions)
    assert round_.get("/tagged", {"If-None-Match": etag}).code == 304
    assert (round_.get("/tagged").code, round_.get("/tagged").text) == (200, "tagged")
    assert round_.get("/tagged", {"If-None-Match": '"another"'}).code == 200


# Files and streams


def test_a_static_view_is_kept_and_then_asked_for_with_its_date(tmp_path):
    file = tmp_path / "site.css"
    file.write_text("0123456789")
    os.utime(file, (START, START - 1000))
    round_ = Round(Site(folder=str(tmp_path)).app, inside=our_sessions)
    first = round_.get("/static/site.css")
    assert first.text == "0123456789"
    assert is_hit(round_.get("/static/site.css"))
    assert round_.get("/static/site.css", {"If-Modified-Since": first.header("Last-Modified")}).code == 304
    head = round_.get("/static/site.css", method="HEAD")
    assert (head.code, head.body, head.header("Content-Length")) == (200, b"", "10")
    part = round_.get("/static/site.css", {"Range": "bytes=2-4"})
    assert (part.code, part.text, part.header("Content-Range")) == (206, "234", "bytes 2-4/10")
    assert round_.get("/static/site.css").text == "0123456789"
    round_.now += 101
    again = round_.get("/static/site.css")
    assert again.text == "0123456789"
    assert "fwd=stale; fwd-status=304" in again.header("Cache-Status")
    file.write_text("changed")
    os.utime(file, (START, START - 5))
    round_.now += 101
    assert round_.get("/static/site.css").text == "changed"
    assert round_.get("/static/none.css").code == 404
    assert round_.each_was_closed_once()


def test_the_file_that_pyramid_sends_is_stored_and_closed(tmp_path):
    file = tmp_path / "file.txt"
    file.write_text("content " * 5000)
    round_ = Round(Site().app, inside=our_sessions)
    for hit in (False, True, True):
        answer = round_.get(f"/file?path={file}")
        assert (is_hit(answer), answer.text) == (hit, "content " * 5000)
    assert round_.each_was_closed_once()


def test_a_stream_passes_as_it_is_made_and_is_stored_whole():
    site = Site()
    round_ = Round(site.app, inside=our_sessions)
    body = round_.app(make_environ("/streamed", HTTP_HOST=HOST), lambda status, headers, exc_info=None: None)
    for number, chunk in enumerate(body):
        assert chunk == f"{number},".encode()
        assert site.made == number + 1
    assert site.closed == 0
    body.close()
    assert site.closed == 1
    hit = round_.get("/streamed")
    assert (is_hit(hit), hit.text, hit.header("Content-Length")) == (True, "0,1,2,", "6")
    assert round_.each_was_closed_once()


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_stream_whose_client_leaves_is_closed_once_and_not_stored(after):
    site = Site()
    round_ = Round(site.app, inside=our_sessions)
    round_.leave("/streamed", after)
    assert (round_.closings, site.closed) == ([1], 1)
    assert not is_hit(round_.get("/streamed"))


# Errors and changes


@pytest.mark.parametrize(("url", "code"), [("/missing", 404), ("/nowhere", 404), ("/forbidden", 403)])
def test_the_error_pages_of_pyramid_are_not_stored(url, code):
    round_ = Round(Site().app, inside=our_sessions)
    for number in (1, 2):
        assert round_.get(url).code == code
        assert round_.calls == number
    assert round_.each_was_closed_once()


def test_an_error_that_pyramid_lets_out_is_let_out():
    round_ = Round(Site().app, inside=our_sessions)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            round_.get("/failing")


def test_a_change_through_pyramid_is_seen_at_once():
    round_ = Round(Site().app, inside=our_sessions)
    assert round_.get("/changed").text == "value 0"
    assert is_hit(round_.get("/changed"))
    round_.get("/changed", method="POST")
    assert round_.get("/changed").text == "value 1"


# What Pyramid reflects of a proxy

FORWARDED = [
    ({"X-Forwarded-Host": "evil.example"}, "http://evil.example"),
    ({"X-Forwarded-Server": "evil.example"}, "http://evil.example"),
    ({"X-Forwarded-Proto": "https"}, f"https://{HOST}"),
    ({"X-Forwarded-Scheme": "https"}, f"https://{HOST}"),
    ({"X-Forwarded-Host": "good.example", "X-Forwarded-Proto": "https"}, "https://good.example"),
    ({}, f"http://{HOST}"),
]


@pytest.mark.parametrize("place", ["inside", "outside"])
@pytest.mark.parametrize("url", ["/where", "/moved"])
def test_what_a_layer_believes_of_a_proxy_pyramid_tells_to_nobody_else(url, place):
    def believing(app):
        return PrefixMiddleware(app, prefix="")

    site = our_sessions(Site().app)
    round_ = Round(site, **{place: believing})
    for order in (FORWARDED, FORWARDED[::-1]):
        for headers, origin in order:
            answer = round_.get(url, headers)
            told = answer.header("Location") or answer.text.split()[1]
            assert told == f"{origin}/counted"
    origins = {origin for _, origin in FORWARDED}
    assert round_.calls == (len(origins) if place == "outside" else len(FORWARDED))


@pytest.mark.parametrize("host", ["evil.example", f"{HOST}:8080", "EVIL.example", f"{HOST}, evil.example"])
def test_a_host_that_pyramid_reflects_is_reflected_to_its_client(host):
    round_ = Round(Site().app, inside=our_sessions)
    round_.get("/where", HTTP_HOST=host)
    for _ in range(2):
        assert round_.get("/where").text == f"http://{HOST} http://{HOST}/counted"


# Our authentication


def guarded(app):
    users = {name: stored(f"{name}-password") for name in ("ann", "bob")}
    return AuthMiddleware(app, [Basic(users)], rules=[allow("/counted"), require("/")])


@pytest.mark.parametrize("place", ["inside", "outside"])
def test_nothing_of_our_authentication_crosses_wherever_it_stands(place):
    round_ = Round(our_sessions(Site().app), **{place: guarded})
    for _ in range(2):
        assert round_.get("/user").code == 401
        for name in ("ann", "bob"):
            assert round_.get("/user", basic(name, f"{name}-password")).text == f"<{name}>"
        assert round_.get("/user", basic("ann", "wrong")).code == 401
        assert round_.get("/counted").text == "page 1"
