"""The reference app through WebTest: every layer in its place, stacked in Python and in a PasteDeploy file."""

from __future__ import annotations

import shutil
from html import unescape

import pytest
from auth_helpers import stored
from paste.deploy import loadapp
from reference_server import ROOT
from webtest import TestApp

from examples.reference.stack import build
from middleware import MemoryStore, SQLiteStore

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "examples" / "reference"
SECRET = "a secret for the tests, long enough"
ANN = ("ann", "seven-green-apples")
BOB = ("bob", "three-blue-boats")


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory):
    """The example's files, with the same passwords stored so that no login takes long: served, it reads its own."""
    folder = tmp_path_factory.mktemp("reference")
    for name in ("groups", "stack.ini"):
        shutil.copy(EXAMPLE / name, folder)
    lines = [f"{user}:{stored(password)}\n" for user, password in (ANN, BOB)]
    (folder / "users.htpasswd").write_text("".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("examples.reference.stack.HERE", folder)
        yield folder


def from_python(folder):
    return build(SECRET, MemoryStore(when_full="refuse"))


def from_file(folder):
    return loadapp(
        f"config:{folder / 'stack.ini'}",
        global_conf={"cookie_secret": SECRET, "sessions": "memory://?when_full=refuse"},
    )


@pytest.fixture(params=[pytest.param(from_python, id="python"), pytest.param(from_file, id="pastedeploy")])
def site(request, folder):
    return request.param(folder)


@pytest.fixture
def app(site):
    return TestApp(
        site, extra_environ={"HTTP_ACCEPT": "text/html", "HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_HOST": "localhost"}
    )


def sign_in(app, user, password, path="/notes"):
    form = app.get(path).follow().form
    form["username"] = user
    form["password"] = password
    return form.submit()


def test_a_visitor_sees_the_home_page_and_is_nobody(app):
    assert "Sign in" in app.get("/")


def test_a_login_leads_back_to_the_page_that_asked_for_it(app):
    answer = sign_in(app, *ANN)
    assert answer.status_int == 303
    assert answer.follow().request.path == "/notes"


def test_a_wrong_password_is_told_without_saying_what_was_wrong(app):
    form = app.get("/notes").follow().form
    form["username"] = "ann"
    form["password"] = "wrong"
    assert "The name or the password is not right." in form.submit(status=401)


def test_notes_are_kept_in_the_session_and_escaped(app):
    sign_in(app, *ANN)
    form = app.get("/notes").forms[1]
    form["note"] = "<b>bread</b>"
    page = form.submit().follow()
    assert "&lt;b&gt;bread&lt;/b&gt;" in page
    assert "Noted." in page
    assert "Noted." not in app.get("/notes")  # shown once


def test_a_form_without_the_token_of_its_session_is_refused(app):
    sign_in(app, *ANN)
    assert "too old, or from elsewhere" in app.post("/notes", {"note": "planted"}, status=403)
    assert "planted" not in app.get("/notes")


def test_notes_and_login_survive_a_restart(tmp_path):
    def start():
        site = build(SECRET, SQLiteStore(tmp_path / "sessions.db"))
        return TestApp(site, extra_environ={"HTTP_ACCEPT": "text/html", "HTTP_SEC_FETCH_SITE": "same-origin"})

    before = start()
    sign_in(before, *ANN)
    form = before.get("/notes").forms[1]
    form["note"] = "still here"
    form.submit()
    after = start()
    after.cookiejar = before.cookiejar
    assert "still here" in after.get("/notes")


def test_a_user_sees_where_she_is_signed_in_and_ends_it_there(app, site):
    phone = TestApp(
        site,
        extra_environ={
            "HTTP_ACCEPT": "text/html",
            "HTTP_SEC_FETCH_SITE": "same-origin",
            "HTTP_HOST": "localhost",
            "HTTP_USER_AGENT": "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0",
        },
    )
    sign_in(app, *ANN)
    sign_in(phone, *ANN)
    page = app.get("/signed-in")
    assert "Firefox" in page
    assert page.text.count("this browser") == 1
    assert "Signed out there." in page.forms[1].submit("end").follow()
    assert phone.get("/notes").status_int == 302
    sign_in(phone, *ANN)
    page = app.get("/signed-in")
    assert "You are signed in here only." in page.forms[1].submit("others").follow()
    assert phone.get("/notes").status_int == 302
    assert app.get("/notes").status_int == 200


def test_signing_out_ends_the_session(app):
    sign_in(app, *ANN)
    app.post("/logout").follow()
    assert app.get("/notes").status_int == 302


def test_who_asks_for_it_is_kept_signed_in_beyond_the_session(app):
    form = app.get("/notes").follow().form
    form["username"], form["password"] = ANN
    form["remember"] = True
    form.submit()
    app.cookiejar.clear("localhost.local", "/", "id")
    assert "Nothing noted yet" in app.get("/notes")
    assert "again=1" in app.get("/signed-in", status=302).headers["Location"]


def test_signing_out_everywhere_ends_what_is_remembered_too(app):
    form = app.get("/signed-in").follow().form
    form["username"], form["password"] = ANN
    form["remember"] = True
    page = form.submit().follow()
    assert page.forms[1].submit("everywhere").headers["Location"].endswith("/")
    assert app.get("/notes").status_int == 302


def test_the_page_for_one_role_refuses_the_others(app, site):
    sign_in(app, *ANN)
    assert "Welcome, ann" in app.get("/admin")
    other = TestApp(
        site, extra_environ={"HTTP_ACCEPT": "text/html", "HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_HOST": "localhost"}
    )
    sign_in(other, *BOB)
    assert "not for you" in other.get("/admin", status=403)


def test_the_admin_asks_which_rule_decides_a_request(app):
    sign_in(app, *ANN)
    form = app.get("/admin").click("Ask which rule").forms[1]
    form["path"] = "//admin"
    told = form.submit()
    assert "400" in told
    assert "decided by rule" not in told.text.partition("can be read as")[0]
    told = told.click("/static/../admin", index=0)
    assert "can be read as" in told
    form["path"] = "/api/<b>"
    told = form.submit()
    assert "/api/&lt;b&gt;" in told
    assert "asks basic, which reads Authorization" in told


def test_the_admin_sees_the_last_requests_and_nobody_forges_one(app):
    app.get("/nowhere", {"q": "<b>"}, headers={"User-Agent": 'x" 200 1\n"GET /forged'}, status=404)
    sign_in(app, *ANN)
    page = app.get("/admin").click("The last lines")
    lines = unescape(page.text.partition("<pre")[2].partition(">")[2].partition("</pre>")[0]).splitlines()
    assert any("GET /nowhere?q=%3Cb%3E" in line and " 404 " in line for line in lines)
    assert not any(line.startswith('"GET /forged') for line in lines)
    assert "seven-green-apples" not in page


def test_only_the_role_admin_is_told_the_rules(app):
    sign_in(app, *BOB)
    app.get("/admin/explain", status=403)


def test_the_api_takes_basic_credentials_and_no_form_login(app):
    sign_in(app, *ANN)
    assert app.get("/api/me", status=401).headers["WWW-Authenticate"].startswith("Basic ")
    app.authorization = ("Basic", ANN)
    assert app.get("/api/me").json == {"user": "ann", "roles": ["admin"], "scheme": "basic"}


def test_the_clock_comes_from_the_cache_for_everybody(app, site):
    first = app.get("/clock")
    sign_in(app, *ANN)
    again = app.get("/clock")
    stranger = TestApp(site, extra_environ={"HTTP_HOST": "localhost"}).get("/clock")
    assert "stored" in first.headers["Cache-Status"]
    assert "hit" in again.headers["Cache-Status"]
    assert made(first) == made(again) == made(stranger) != ""
    assert "; hit" in stranger


def test_what_the_cache_said_stands_in_the_page_with_its_age(app):
    first, again = app.get("/clock"), app.get("/clock")
    assert "wsgi-middleware; fwd=uri-miss; stored" in first
    assert "none: it was made for you" in first
    assert again.headers["Cache-Status"] in again
    assert f"{again.headers['Age']} s" in again


def test_a_part_of_a_page_that_changes_on_its_way_is_not_cut(app):
    app.get("/clock")
    answer = app.get("/clock", headers={"Range": "bytes=0-9"})
    assert answer.status_int == 200
    assert answer.content_length == len(answer.body)


@pytest.mark.parametrize(
    ("button", "told"),
    [
        ("page", "The page /clock is purged."),
        ("tag", "All pages with the tag clock are purged."),
        ("all", "Everything is purged."),
    ],
)
def test_after_a_purge_a_hit_is_a_miss_for_everybody(app, site, button, told):
    stranger = TestApp(site, extra_environ={"HTTP_HOST": "localhost"})
    stranger.get("/clock")
    assert "; hit" in stranger.get("/clock").headers["Cache-Status"]
    sign_in(app, *ANN)
    stranger.get("/clock")
    assert told in app.get("/admin").forms[1].submit("purge", value=button).follow()
    assert stranger.get("/clock").headers["Cache-Status"] == "wsgi-middleware; fwd=uri-miss; stored"
    assert "; hit" in stranger.get("/clock").headers["Cache-Status"]


def test_only_the_role_admin_purges_and_only_from_its_own_form(app, site):
    app.post("/admin", {"purge": "all"}, status=401)
    sign_in(app, *BOB)
    app.post("/admin", {"purge": "all"}, status=403)
    admin = TestApp(
        site, extra_environ={"HTTP_ACCEPT": "text/html", "HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_HOST": "localhost"}
    )
    sign_in(admin, *ANN)
    admin.get("/clock")
    assert "too old, or from elsewhere" in admin.post("/admin", {"purge": "all"}, status=403)
    assert "fwd=uri-miss" not in admin.get("/clock").headers["Cache-Status"]  # a hit, or stale on a slow machine


def test_what_is_no_button_purges_nothing(app):
    sign_in(app, *ANN)
    form = app.get("/admin").forms[1]
    token = form["csrf_token"].value
    assert "Nothing is purged." in app.post("/admin", {"csrf_token": token, "purge": "<b>"}).follow()


def made(page):
    return page.text.partition("<time>")[2].partition("</time>")[0]


def test_the_theme_is_a_signed_cookie_that_nobody_can_forge(app):
    app.post("/theme", {"theme": "dark"})
    assert 'data-theme="dark"' in app.get("/")
    app.set_cookie("theme", "light")
    assert "data-theme" not in app.get("/").text.partition(">")[0]


def test_the_report_says_what_each_layer_did(app):
    sign_in(app, *ANN)
    page = app.get("/report")
    for said in (page.headers["X-Request-ID"], "fwd=", "you sent", "ann, by session, roles: admin, let in by optional"):
        assert said in page


def test_an_unknown_address_is_a_page_of_its_own(app):
    assert "No page has this address" in app.get("/nowhere", status=404)


def test_a_wrong_method_is_told_which_are_right(app):
    assert app.get("/theme", status=405).headers["Allow"] == "POST"


def test_a_head_request_has_the_length_of_the_page_and_no_body(app):
    answer = app.head("/static/style.css")
    assert answer.body == b""
    assert answer.content_length == len(app.get("/static/style.css").body)
