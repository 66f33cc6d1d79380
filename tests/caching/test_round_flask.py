"""The cache round Flask: its sessions and flashed messages, its files, streams, conditions and errors, and its host."""

from __future__ import annotations

import os

import flask
import pytest
from asking import make_environ
from auth_helpers import basic, stored
from cached_site import START
from caching.rounds import HOST, Round, check_that_nothing_crosses, is_hit
from flask import Flask, Response, flash, get_flashed_messages, redirect, request, session, stream_with_context, url_for
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from sessions.kit import SECRET
from werkzeug.middleware.proxy_fix import ProxyFix

from middleware import (
    AuthMiddleware,
    Basic,
    CacheMiddleware,
    MemoryStore,
    SessionLogin,
    SessionMiddleware,
    allow,
    require,
)
from middleware.integrations.flask import SessionInterface, use_sessions

FRESH = "public, max-age=60"


def same(app):
    return app


class User(UserMixin):
    def __init__(self, name):
        self.id = name


class Site:
    """A Flask application whose pages say that they are public, whatever they hold. `made`: calls of `/counted`."""

    def __init__(self, *, folder=None, members=False, **settings):
        self.app = app = Flask("site_of_the_test", static_folder=folder, static_url_path="/static")
        app.config.update(SECRET_KEY=SECRET, SERVER_NAME=None, **settings)
        self.made = 0
        self.torn_down = 0
        self.closed = 0
        if members:  # Flask-Login looks into the session on every page
            LoginManager(app).user_loader(User)

        def page(path, **options):
            def register(view):
                def said(**arguments):
                    answer = flask.make_response(view(**arguments))
                    answer.headers.setdefault("Cache-Control", FRESH)
                    return answer

                app.add_url_rule(path, path, said, **options)
                return view

            return register

        def name():
            return f"<{session.get('me', 'nobody')}>"

        @app.teardown_request
        def torn_down(error):
            self.torn_down += 1

        @app.post("/log-in")
        def log_in():
            session["me"] = request.args["me"]
            if members:
                login_user(User(request.args["me"]))
            return "", 204

        @page("/counted")
        def counted():
            self.made += 1
            answer = flask.make_response(f"page {self.made}")
            answer.call_on_close(lambda: setattr(self, "closed", self.closed + 1))
            return answer

        page("/read")(name)
        page("/contains")(lambda: name() if "me" in session else "<nobody>")
        page("/keys")(lambda: "".join(f"<{value}>" for key, value in session.items() if key == "me") or "<nobody>")
        page("/length")(lambda: name() if len(session) else "<nobody>")
        page("/flashed")(lambda: "".join(get_flashed_messages()) + name())
        page("/current")(lambda: f"<{current_user.id}>" if current_user.is_authenticated else "<nobody>")

        @page("/write")
        def write():
            session["visits"] = session.get("visits", 0) + 1
            return name()

        @page("/permanent")
        def permanent():
            session.permanent = True
            return name()

        @page("/flashing")
        def flashing():
            flash(name())
            return name()

        @page("/for-members")
        @login_required
        def for_members():
            return f"<{current_user.id}>"

        @page("/streamed")
        def streamed():
            def chunks():
                for number in range(3):
                    self.made += 1
                    yield f"{number},"

            answer = Response(chunks())
            answer.call_on_close(lambda: setattr(self, "closed", self.closed + 1))
            return answer

        @page("/streamed-for-one")
        def streamed_for_one():
            me = name()
            return Response(stream_with_context(chunk for chunk in ("hello ", me)))

        @page("/tagged")
        def tagged():
            self.made += 1
            answer = flask.make_response("tagged")
            answer.headers["Cache-Control"] = "max-age=10"
            answer.add_etag()
            return answer.make_conditional(request)

        @page("/by-kind")
        def by_kind():
            answer = flask.make_response(request.headers.get("X-Kind", "none"))
            answer.vary.update(["X-Kind", "Accept-Language"])
            return answer

        page("/where")(lambda: f"{request.host} {request.url_root} {url_for('/counted', _external=True)}")
        page("/moved")(lambda: redirect(url_for("/counted", _external=True)))
        page("/cookie")(answer_with_cookie)
        page("/slash/")(lambda: "slash")
        page("/missing")(lambda: flask.abort(404))
        page("/forbidden")(lambda: flask.abort(403))
        page("/failing")(lambda: 1 / 0)

        @page("/changed", methods=["GET", "POST"])
        def changed():
            self.made += request.method == "POST"
            return f"value {self.made}"


def answer_with_cookie():
    answer = flask.make_response("with a cookie")
    answer.set_cookie("visitor", request.headers["X-Me"])
    return answer


PAGES = ["/read", "/write", "/contains", "/keys", "/length", "/permanent", "/flashing", "/flashed", "/streamed-for-one"]
MEMBERS = [*PAGES, "/current"]


# What is public


def test_a_page_that_says_it_is_public_is_made_once():
    site = Site()
    round_ = Round(site.app)
    for headers in ({}, {"Cookie": "theme=dark"}, {"User-Agent": "x"}):
        answer = round_.get("/counted", headers)
        assert (answer.code, answer.text) == (200, "page 1")
    head = round_.get("/counted", method="HEAD")
    assert (head.code, head.body, head.header("Content-Length")) == (200, b"", "6")
    assert (site.made, site.torn_down, site.closed) == (1, 1, 1)
    assert round_.each_was_closed_once()


def test_a_cookie_that_a_page_sets_is_for_its_client():
    round_ = Round(Site().app)
    for me in ("ann", "bob"):
        assert round_.get("/cookie", {"X-Me": me}).all("Set-Cookie") == [f"visitor={me}; Path=/"]


def test_answers_are_told_apart_as_flask_says():
    round_ = Round(Site().app)
    for _ in range(2):
        for kind in ("a", "b", None):
            assert round_.get("/by-kind", {"X-Kind": kind} if kind else {}).text == (kind or "none")
    assert round_.calls == 3


# Sessions


@pytest.mark.slow
@pytest.mark.parametrize("refresh", [True, False])
def test_nothing_of_flasks_own_sessions_crosses(refresh):
    site = Site(members=True, SESSION_REFRESH_EACH_REQUEST=refresh)
    round_ = Round(site.app)
    check_that_nothing_crosses(round_, MEMBERS)
    assert round_.each_was_closed_once()


@pytest.mark.slow
def test_nothing_of_our_sessions_in_flask_crosses():
    site = Site(members=True)
    use_sessions(site.app, store=MemoryStore())
    round_ = Round(site.app)
    check_that_nothing_crosses(round_, MEMBERS)
    assert round_.each_was_closed_once()


def test_nothing_of_our_sessions_outside_of_the_cache_crosses():
    site = Site(members=True)
    site.app.session_interface = SessionInterface()
    check_that_nothing_crosses(
        Round(site.app, outside=lambda app: SessionMiddleware(app, store=MemoryStore())), MEMBERS
    )


def test_a_cache_inside_of_flask_is_as_good_as_one_round_it():
    site = Site(members=True)
    use_sessions(site.app, store=MemoryStore())
    inner = site.app.wsgi_app
    site.app.wsgi_app = CacheMiddleware(inner, store=MemoryStore())
    check_that_nothing_crosses(Round(site.app), MEMBERS)


def test_a_page_for_members_is_for_each_of_them():
    site = Site(members=True)
    round_ = Round(site.app)
    browsers = {me: round_.browser() for me in ("ann", "bob")}
    for me, browser in browsers.items():
        browser.post(f"/log-in?me={me}")
    for _ in range(2):
        assert round_.get("/for-members").code == 401
        for me, browser in browsers.items():
            assert browser.get("/for-members").text == f"<{me}>"


@pytest.mark.parametrize("ours", [False, True])
def test_a_page_that_leaves_the_session_alone_is_shared_by_all_who_have_one(ours):
    site = Site()
    if ours:
        use_sessions(site.app, store=MemoryStore())
    round_ = Round(site.app)
    for me in ("ann", "bob"):
        browser = round_.browser()
        browser.post(f"/log-in?me={me}")
        assert browser.get("/counted").text == "page 1"


# Conditions


def test_flask_confirms_what_the_cache_has():
    site = Site()
    round_ = Round(site.app)
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


def test_a_304_that_flask_gives_to_one_client_is_nobody_elses():
    etag = Round(Site().app).get("/tagged").header("ETag")
    round_ = Round(Site().app)
    assert round_.get("/tagged", {"If-None-Match": etag}).code == 304
    assert (round_.get("/tagged").code, round_.get("/tagged").text) == (200, "tagged")
    assert round_.get("/tagged", {"If-None-Match": '"another"'}).code == 200


# Files and streams


def test_a_static_file_is_asked_for_each_time_as_flask_says(tmp_path):
    file = tmp_path / "site.css"
    file.write_text("0123456789")
    round_ = Round(Site(folder=str(tmp_path)).app)
    first = round_.get("/static/site.css")
    assert (first.text, first.header("Cache-Control")) == ("0123456789", "no-cache")
    again = round_.get("/static/site.css")
    assert again.text == "0123456789"
    assert "fwd=stale; fwd-status=304" in again.header("Cache-Status")
    assert round_.get("/static/site.css", {"If-None-Match": first.header("ETag")}).code == 304
    assert round_.get("/static/site.css", {"If-Modified-Since": first.header("Last-Modified")}).code == 304
    head = round_.get("/static/site.css", method="HEAD")
    assert (head.code, head.body, head.header("Content-Length")) == (200, b"", "10")
    part = round_.get("/static/site.css", {"Range": "bytes=2-4"})
    assert (part.code, part.text, part.header("Content-Range")) == (206, "234", "bytes 2-4/10")
    assert round_.get("/static/site.css").text == "0123456789"
    file.write_text("changed")
    os.utime(file, (START, START - 5))
    assert round_.get("/static/site.css").text == "changed"
    assert round_.get("/static/none.css").code == 404
    assert round_.each_was_closed_once()


def test_a_static_file_that_may_be_kept_is_kept(tmp_path):
    (tmp_path / "site.css").write_text("0123456789")
    round_ = Round(Site(folder=str(tmp_path), SEND_FILE_MAX_AGE_DEFAULT=60).app)
    for hit in (False, True, True):
        answer = round_.get("/static/site.css")
        assert (is_hit(answer), answer.text) == (hit, "0123456789")
    assert round_.get("/static/site.css", {"Range": "bytes=2-4"}).text == "234"
    assert round_.get("/static/site.css").text == "0123456789"
    assert round_.each_was_closed_once()


def test_a_stream_passes_as_it_is_made_and_is_stored_whole():
    site = Site()
    round_ = Round(site.app)
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
    round_ = Round(site.app)
    round_.leave("/streamed", after)
    assert (round_.closings, site.closed) == ([1], 1)
    assert not is_hit(round_.get("/streamed"))


# Errors, redirects, changes


@pytest.mark.parametrize(
    ("url", "code"), [("/missing", 404), ("/nowhere", 404), ("/forbidden", 403), ("/failing", 500)]
)
def test_the_error_pages_of_flask_are_not_stored(url, code):
    site = Site()
    round_ = Round(site.app)
    for number in (1, 2):
        assert round_.get(url).code == code
        assert round_.calls == number
    assert round_.each_was_closed_once()


def test_an_error_that_flask_lets_out_is_let_out():
    site = Site(PROPAGATE_EXCEPTIONS=True)
    round_ = Round(site.app)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            round_.get("/failing")


def test_a_redirect_to_the_address_with_a_slash_names_the_host_that_was_asked_for():
    round_ = Round(Site().app)
    for host in ("evil.example", HOST, "evil.example", HOST):
        assert round_.get("/slash", HTTP_HOST=host).header("Location") == f"http://{host}/slash/"


def test_a_change_through_flask_is_seen_at_once():
    round_ = Round(Site().app)
    assert round_.get("/changed").text == "value 0"
    assert is_hit(round_.get("/changed"))
    round_.get("/changed", method="POST")
    assert round_.get("/changed").text == "value 1"


# What Flask reflects of a proxy

FORWARDED = [
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Port": "99"},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Port": "99"},
    {"X-Forwarded-Prefix": "/evil"},
    {"X-Forwarded-Host": "evil.example, good.example"},
    {},
]


@pytest.mark.parametrize("url", ["/where", "/moved"])
@pytest.mark.parametrize("place", ["inside", "outside", "nowhere"])
def test_what_flask_believes_of_a_proxy_it_tells_to_nobody_else(url, place):
    def believing(app):
        return ProxyFix(app, x_for=1, x_proto=1, x_host=1, x_port=1, x_prefix=1)

    site = Site()
    bare = believing(site.app) if place != "nowhere" else site.app
    round_ = Round(site.app, **({} if place == "nowhere" else {place: believing}))
    expected = [tell(make_environ(url, headers=headers, HTTP_HOST=HOST), bare) for headers in FORWARDED]
    for _ in range(2):
        told = [tell(make_environ(url, headers=headers, HTTP_HOST=HOST), round_.app) for headers in FORWARDED]
        assert told == expected
        told = [tell(make_environ(url, headers=headers, HTTP_HOST=HOST), round_.app) for headers in FORWARDED[::-1]]
        assert told == expected[::-1]


def tell(environ, app):
    """The page and where it sends."""
    heads = []
    body = app(environ, lambda status, headers, exc_info=None: heads.append(dict(headers)))
    text = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    return text, heads[-1].get("Location")


@pytest.mark.parametrize("host", ["evil.example", f"{HOST}:8080", "EVIL.example", f"{HOST}, evil.example", ""])
def test_a_host_that_flask_reflects_is_reflected_to_its_client(host):
    round_ = Round(Site().app)
    round_.get("/where", HTTP_HOST=host)
    for _ in range(2):
        assert round_.get("/where").text == f"{HOST} http://{HOST}/ http://{HOST}/counted"


# Our authentication


def guarded(app):
    users = {name: stored(f"{name}-password") for name in ("ann", "bob")}
    return AuthMiddleware(app, [Basic(users)], rules=[allow("/counted"), require("/")])


@pytest.mark.parametrize("place", ["inside", "outside"])
def test_nothing_of_our_authentication_crosses_wherever_it_stands(place):
    site = Site()
    site.app.add_url_rule(
        "/me", "/me", lambda: (f"<{request.environ['REMOTE_USER']}>", {"Cache-Control": "public, max-age=60"})
    )
    round_ = Round(site.app, **{place: guarded})
    for _ in range(2):
        assert round_.get("/me").code == 401
        for name in ("ann", "bob"):
            assert round_.get("/me", basic(name, f"{name}-password")).text == f"<{name}>"
        assert round_.get("/me", basic("ann", "wrong")).code == 401
        assert round_.get("/counted").text == "page 1"


@pytest.mark.parametrize("order", ["inside", "outside", "between"])
def test_nothing_of_a_login_by_form_crosses_wherever_the_layers_stand(order):
    def auth(app):
        users = {name: stored(f"{name}-password") for name in ("ann", "bob")}
        return AuthMiddleware(app, [SessionLogin(users)], rules=[allow("/counted"), require("/")])

    def sessions(app):
        return SessionMiddleware(app, store=MemoryStore())

    site = Site()
    site.app.session_interface = SessionInterface()
    site.app.add_url_rule(
        "/me", "/me", lambda: (f"<{request.environ['REMOTE_USER']}>", {"Cache-Control": "public, max-age=60"})
    )
    places = {
        "inside": {"inside": lambda app: sessions(auth(app))},
        "outside": {"outside": lambda app: sessions(auth(app))},
        "between": {"inside": auth, "outside": sessions},
    }
    round_ = Round(site.app, **places[order])
    browsers = {me: round_.browser() for me in ("ann", "bob")}
    for me, browser in browsers.items():
        form = {"username": me, "password": f"{me}-password"}
        assert browser.post("/login", form, {"Sec-Fetch-Site": "same-origin"}).code == 303
    for _ in range(2):
        assert round_.get("/me").code == 401
        for me, browser in browsers.items():
            assert browser.get("/me").text == f"<{me}>"
            assert browser.get("/counted").text == "page 1"
