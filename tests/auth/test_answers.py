"""What clients and caches are told: challenges that suit who asks, and no answer that reaches somebody else."""

from __future__ import annotations

import json
import threading

import pytest
from asking import Browser, ask
from auth_helpers import basic, stored, who
from hypothesis import given
from hypothesis import strategies as st

from middleware.auth import (
    Account,
    AuthMiddleware,
    Basic,
    Identity,
    Refused,
    SessionLogin,
    Unavailable,
    allow,
    optional,
    require,
)
from middleware.auth.answers.negotiation import preferred_type
from middleware.errors import ConfigurationError
from middleware.sessions import SessionMiddleware
from middleware.stores.memory import MemoryStore

USERS = {"ann": Account(stored("apple"), roles=["admin"]), "bob": stored("banana")}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
RULES = [allow("/pub"), optional("/open"), require("/admin", role="admin"), require("/")]


def answering(status="200 OK", headers=(), body=b"page"):
    def app(environ, start_response):
        start_response(status, list(headers))
        return [body]

    return app


def layer(app=who, schemes=None, **options):
    return AuthMiddleware(app, Basic(USERS) if schemes is None else schemes, **{"rules": RULES, **options})


def with_login(app=who, **options):
    inner = layer(app, [SessionLogin(USERS), Basic(USERS)], **options)
    return SessionMiddleware(inner, store=MemoryStore())


# API-11

NAVIGATE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.mark.parametrize(
    ("method", "headers", "code"),
    [
        ("GET", NAVIGATE, 302),
        ("HEAD", NAVIGATE, 302),
        ("GET", {"Accept": BROWSER}, 302),
        ("GET", {**NAVIGATE, "Accept": "*/*"}, 302),
        ("GET", {"Accept": "text/html;q=0.9, application/json;q=0.8"}, 302),
        ("GET", {"Accept": "text/html;q=0.8, application/json;q=0.9"}, 401),
        ("GET", {"Accept": "application/json"}, 401),
        ("GET", {"Accept": "application/json, text/html"}, 401),
        ("GET", {"Accept": "*/*"}, 401),
        ("GET", {}, 401),
        ("GET", {"Accept": "text/html;q=0"}, 401),
        ("GET", {"Accept": "text/html;q=much"}, 401),
        ("GET", {"Accept": BROWSER, "X-Requested-With": "XMLHttpRequest"}, 401),
        ("GET", {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": BROWSER}, 401),
        ("GET", {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Accept": BROWSER}, 401),
        ("GET", {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", "Accept": BROWSER}, 401),
        ("GET", {"Sec-Fetch-Dest": "style", "Accept": BROWSER}, 401),
        ("GET", {"Accept": "*/*", "User-Agent": "git/2.39.2"}, 401),
        ("POST", NAVIGATE, 401),
        ("POST", {"Accept": BROWSER}, 401),
        ("POST", {"Content-Type": "application/grpc"}, 401),
        ("PROPFIND", {"Accept": BROWSER}, 401),
    ],
)
def test_a_person_is_led_to_the_login_page_and_a_program_gets_a_challenge(method, headers, code):
    answer = ask(with_login(), "/x", method, headers)
    assert answer.code == code
    assert (answer.header("WWW-Authenticate") is None) == (code == 302)
    assert answer.header("Cache-Control") == "no-store" or "no-store" in answer.header("Cache-Control")


def test_without_a_login_page_a_person_gets_the_challenge():
    assert ask(layer(), "/x", headers=NAVIGATE).code == 401


def test_the_login_path_refuses_in_the_same_pages():
    app = with_login(page=lambda environ, status, reason: f"{status}: {reason}")
    assert ask(app, "/login", "PUT", {"Accept": BROWSER}).text == "405 Method Not Allowed: wrong method"
    assert ask(app, "/logout", "POST", {"Accept": BROWSER, "Origin": "null"}).text == "403 Forbidden: cross-site"


def test_who_posts_before_signing_in_is_told_that_nothing_was_taken():
    answer = ask(with_login(), "/x", "POST", {"Accept": BROWSER})
    assert "was not taken" in answer.text


def test_bad_credentials_are_never_led_to_the_login_page():
    answer = ask(with_login(), "/x", headers={**NAVIGATE, **basic("ann", "wrong")})
    assert answer.code == 401


@given(st.text())
def test_no_accept_field_makes_the_choice_fail(text):
    found = preferred_type(text)
    assert found == found.lower()


# Refusals

REFUSALS = [
    ("/x", {}, {}, 401),
    ("/admin", basic("bob", "banana"), {}, 403),
    ("", {}, {"PATH_INFO": "x"}, 400),
    ("/x", {"Authorization": "Basic a, Basic b"}, {}, 400),
]


@pytest.mark.parametrize(("path", "headers", "environ", "code"), REFUSALS)
def test_a_refusal_is_kept_by_nobody_and_suits_the_client(path, headers, environ, code):
    page = ask(layer(), path, headers={**headers, "Accept": BROWSER}, **environ)
    problem = ask(layer(), path, headers={**headers, "Accept": "application/json"}, **environ)
    text = ask(layer(), path, headers=headers, **environ)
    assert [page.code, problem.code, text.code] == [code] * 3
    assert page.header("Content-Type") == "text/html; charset=utf-8"
    assert problem.header("Content-Type") == "application/problem+json"
    assert json.loads(problem.body)["status"] == code
    assert text.header("Content-Type") == "text/plain; charset=utf-8"
    for answer in (page, problem, text):
        assert answer.header("Cache-Control") == "no-store"
        assert int(answer.header("Content-Length")) == len(answer.body)


def test_a_refusal_of_head_has_the_same_head_and_no_body():
    get, head = ask(layer(), "/x"), ask(layer(), "/x", "HEAD")
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


def test_the_pages_of_refusals_can_be_the_applications_own():
    app = layer(page=lambda environ, status, reason: f"<h1>{status}</h1>{reason} {environ['PATH_INFO']}")
    answer = ask(app, "/admin", headers={**basic("bob", "banana"), "Accept": BROWSER})
    assert answer.text == "<h1>403 Forbidden</h1>not allowed /admin"
    assert answer.header("Cache-Control") == "no-store"
    assert ask(app, "/x").header("Content-Type").startswith("text/plain")


@pytest.mark.parametrize("field", [{"If-None-Match": '"x"'}, {"Range": "bytes=0-0"}])
def test_nothing_is_answered_before_it_is_allowed(field):
    app = layer(answering("304 Not Modified", [("ETag", '"x"')], b""))
    assert ask(app, "/x", headers=field).code == 401


# API-12


def test_a_401_of_the_application_gets_the_challenges():
    answer = ask(with_login(answering("401 Unauthorized", [("X-Own", "1")])), "/open")
    assert answer.all("WWW-Authenticate") == ['Session login="/login"', 'Basic realm="Login", charset="UTF-8"']
    assert (answer.header("X-Own"), answer.body) == ("1", b"page")
    assert answer.header("Cache-Control") == "no-store"


def test_a_401_of_the_application_leads_a_person_to_the_login_page():
    answer = ask(with_login(answering("401 Unauthorized", [("X-Own", "1")])), "/open?a", headers=NAVIGATE)
    assert answer.status == "302 Found"
    assert answer.header("Location") == "/login?next=/open%3Fa"
    assert answer.body == b""
    assert answer.header("X-Own") is None


@pytest.mark.parametrize("headers", [{}, NAVIGATE])
def test_a_401_with_a_challenge_stays_as_it_is(headers):
    given = [("WWW-Authenticate", "Bearer"), ("X-Own", "1")]
    answer = ask(with_login(answering("401 Unauthorized", given)), "/open", headers=headers)
    assert answer.headers[:2] == given
    assert answer.body == b"page"


@pytest.mark.parametrize("rule", [allow("/"), optional("/")], ids=repr)
def test_an_application_that_fails_like_a_scheme_after_its_head_is_not_answered_for(rule):
    def app(environ, start_response):
        start_response("200 OK", [])
        raise Unavailable

    with pytest.raises(Unavailable):
        ask(layer(app, rules=[rule]), "/")


def test_a_401_of_the_application_keeps_its_cookies_on_the_way_to_the_login_page():
    answer = ask(with_login(answering("401 No", [("Set-Cookie", "a=1"), ("X-Own", "1")])), "/open", headers=NAVIGATE)
    assert answer.code == 302
    assert "a=1" in answer.all("Set-Cookie")


def test_a_401_of_the_application_is_kept_nowhere():
    answer = ask(layer(answering("401 No", [("CDN-Cache-Control", "max-age=60")])), "/open")
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("CDN-Cache-Control") is None


# CCH


@pytest.mark.parametrize("headers", [{}, basic()], ids=["anonymous", "identified"])
def test_every_answer_where_somebody_may_be_identified_varies(headers):
    app = layer(answering(headers=[("Vary", "Accept")]))
    assert ask(app, "/open", headers=headers).header("Vary") == "Accept, Authorization"
    assert ask(app, "/x", headers=headers).header("Vary") in ("Accept, Authorization", "Authorization")


def test_an_answer_varies_by_what_its_schemes_read():
    assert ask(with_login(), "/open").header("Vary") == "Cookie, Authorization"
    api = with_login(rules=[require("/", schemes=["basic"])])
    assert ask(api, "/", headers=basic()).header("Vary") == "Authorization"


def test_where_nobody_is_identified_nothing_is_added():
    given = [("Cache-Control", "public, max-age=60")]
    assert ask(layer(answering(headers=given)), "/pub/x.css", headers=basic()).headers == given


def test_an_anonymous_answer_stays_public():
    given = [("Cache-Control", "public, s-maxage=60")]
    assert ask(layer(answering(headers=given)), "/open").header("Cache-Control") == "public, s-maxage=60"


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        (None, "private"),
        ("max-age=60", "max-age=60, private"),
        ("public, max-age=60", "max-age=60, private"),
        ("Public, S-MaxAge=60", "private"),
        ("s-maxage=60, must-revalidate", "must-revalidate, private"),
        ("no-store", "no-store"),
        ("no-store, public", "no-store"),
        ("private, public", "private"),
        ('private="X-Own", max-age=60', "max-age=60, private"),
        ("PRIVATE", "PRIVATE"),
        ("public =1, S-MaxAge\t=60", "private"),
        ('max-age=60, ext="open', "no-store"),
        (r'no-store, ext="a\"b"', "no-store"),
        ('ext="open, no-store', "no-store"),
    ],
)
def test_an_identified_answer_is_private_whatever_the_application_said(said, sent):
    app = layer(answering(headers=[] if said is None else [("cache-control", said)]))
    assert ask(app, "/open", headers=basic()).header("Cache-Control") == sent


@pytest.mark.parametrize(
    "name", ["CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Edge-Control", "X-Accel-Expires"]
)
def test_fields_that_outdo_cache_control_are_removed(name):
    answer = ask(layer(answering(headers=[(name, "max-age=60")])), "/open", headers=basic())
    assert answer.header(name) is None
    assert answer.header("Cache-Control") == "private"


def test_a_head_that_is_replaced_is_private_too():
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "public")])
        try:
            raise ValueError("late")
        except ValueError as error:
            start_response("500 Oops", [], (ValueError, error, None))
        return [b"page"]

    answer = ask(layer(app), "/open", headers=basic())
    assert (answer.status, answer.header("Cache-Control")) == ("500 Oops", "private")


# Schemes


class Badge:
    """A scheme of ten lines, as a user would write one."""

    name = "badge"
    auth_type = "Badge"
    reads = ("X-Badge",)

    def authenticate(self, environ):
        badge = environ.get("HTTP_X_BADGE")
        if badge is None:
            return None
        if badge == "later":
            raise Unavailable(retry_after=30)
        if badge == "broken":
            raise KeyError(badge)
        return Identity(badge, self.name, authenticated_at=0.0) if badge == "ann" else Refused("unknown badge")

    def challenges(self, environ, refused):
        return ["Badge"]


@pytest.mark.parametrize(("badge", "code"), [("ann", 200), ("eve", 401), ("later", 503), (None, 401)])
def test_a_scheme_of_ones_own_says_who_it_is(badge, code):
    answer = ask(layer(schemes=Badge()), "/x", headers={} if badge is None else {"X-Badge": badge})
    assert answer.code == code
    if code == 200:
        assert answer.text == "ann ann Badge"
        assert answer.header("Vary") == "X-Badge"
    if code == 503:
        assert answer.header("Retry-After") == "30"


def test_an_error_in_a_scheme_is_never_nobody():
    def app(environ, start_response):
        raise AssertionError("called")

    with pytest.raises(KeyError):
        ask(layer(app, Badge()), "/open", headers={"X-Badge": "broken"})


@pytest.mark.parametrize(("first", "code"), [("eve", 401), ("ann", 200)])
def test_the_first_scheme_that_finds_its_own_decides(first, code):
    app = layer(schemes=[Badge(), Basic(USERS)])
    answer = ask(app, "/x", headers={"X-Badge": first, **basic("bob", "banana")})
    assert answer.code == code
    if code == 200:
        assert answer.text == "ann ann Badge"


@pytest.mark.parametrize(
    "schemes",
    [
        list,
        lambda: [Basic],
        lambda: {"ann": "x"},
        lambda: "basic",
        lambda: [Basic(USERS), Basic(USERS)],
        lambda: None,
    ],
)
def test_what_are_no_schemes_are_refused(schemes):
    with pytest.raises(ConfigurationError):
        AuthMiddleware(who, schemes())


def test_a_wrong_option_is_refused():
    with pytest.raises(ConfigurationError, match="remote_user_encoding"):
        layer(remote_user_encoding="utf-8")
    with pytest.raises(TypeError, match="fresh"):
        layer(fresh=1)


def test_a_wrong_option_of_a_page_or_a_scheme_is_refused_at_construction():
    class Slip(Badge):
        reads = "X-Badge"

    with pytest.raises(ConfigurationError, match=r"\('X-Badge',\)"):
        layer(schemes=Slip())
    with pytest.raises(ConfigurationError, match="page="):
        layer(page="refused.html")
    with pytest.raises(ConfigurationError, match="page="):
        SessionLogin(USERS, page="login.html")


def test_the_roles_of_one_user_are_not_those_of_another_at_the_same_time():
    app = layer()
    barrier = threading.Barrier(2)
    codes = {"ann": set(), "bob": set()}

    def run(user, password):
        barrier.wait()
        for _ in range(100):
            codes[user].add(ask(app, "/admin", headers=basic(user, password)).code)

    threads = [threading.Thread(target=run, args=pair) for pair in (("ann", "apple"), ("bob", "banana"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == {"ann": {200}, "bob": {403}}


def test_a_layer_inside_another_sees_only_its_own_identity():
    inner = AuthMiddleware(who, Badge(), rules=[optional("/")])
    assert ask(AuthMiddleware(inner, Basic(USERS)), headers=basic()).text == "None None None"


def test_the_login_of_a_person_in_a_browser_is_private():
    browser = Browser(with_login(answering(headers=[("Cache-Control", "public, max-age=60")])))
    form = {"username": "ann", "password": "apple"}
    assert browser.post("/login", form, {"Sec-Fetch-Site": "same-origin"}).code == 303
    answer = browser.get("/x")
    assert answer.code == 200
    assert answer.header("Cache-Control") == "max-age=60, private"
    assert answer.header("Vary") == "Cookie, Authorization"
