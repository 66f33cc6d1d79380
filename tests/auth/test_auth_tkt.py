"""Logins in tickets: from the cookie to what the application finds, and back into a cookie."""

from __future__ import annotations

import threading

import pytest
from asking import Browser, ask, make_environ
from auth_helpers import basic, stored, who
from hypothesis import given
from hypothesis import strategies as st
from pyramid.authentication import AuthTktCookieHelper
from pyramid.request import Request

from middleware import operators
from middleware.auth import Account, AuthMiddleware, Basic, allow, get_auth, optional, require
from middleware.auth.schemes.auth_tkt import AuthTkt
from middleware.auth.tickets import Ticket, read_ticket, write_ticket
from middleware.auth.users import UsersFrom
from middleware.cookies import CookieOptions
from middleware.errors import ConfigurationError, CookieTooLarge

SECRET = "a secret of the test, 32 characters"
NEW_SECRET = "another secret of the test, of 40 bytes"
AT = 1_700_000_000
HOUR = 3600
NAVIGATION = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


class Clock:
    def __init__(self):
        self.now = float(AT)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def scheme(clock, **options):
    return AuthTkt(**{"secret": SECRET, "timeout": HOUR, "clock": clock, **options})


def site(environ, start_response):
    """Signs in and out by its paths, and says who is asking."""
    auth = get_auth(environ)
    action, _, user = environ["PATH_INFO"].strip("/").partition("/")
    if action in ("in", "keep"):
        auth.login(user, remember=action == "keep")
    if action == "out":
        auth.logout()
    return who(environ, start_response)


def protected(clock, app=site, rules=None, on_event=None, **options):
    rules = [optional("/")] if rules is None else rules
    return AuthMiddleware(app, scheme(clock, **options), rules=rules, on_event=on_event)


def cookie(user="alice", *, at=AT, secret=SECRET, digest="sha512", address="0.0.0.0", name="auth_tkt", **rest):
    return {"Cookie": f"{name}={write_ticket(Ticket(user, at=at, **rest), secret.encode(), digest, address)}"}


def set_by(answer):
    """The tickets that an answer sets, by the attributes of their cookies."""
    found = {}
    for line in answer.all("Set-Cookie"):
        pair, _, attributes = line.partition("; ")
        value = pair.partition("=")[2]
        read = read_ticket(value, [SECRET.encode(), NEW_SECRET.encode()], ["sha512", "md5"]) if value else None
        found[attributes] = read and read.ticket
    return found


def deletes(answer):
    """Whether an answer leaves no ticket in the browser."""
    tickets = set_by(answer)
    return bool(tickets) and not any(tickets.values()) and all("Max-Age=0" in line for line in answer.all("Set-Cookie"))


def test_TKT_1_a_ticket_reaches_the_application_as_an_identity(clock):
    answer = ask(protected(clock, rules=[require("/")]), headers=cookie(tokens=("admin",)))
    assert answer.text == "alice alice auth_tkt"
    assert answer.all("Set-Cookie") == []
    assert answer.header("Vary") == "Cookie"
    assert answer.header("Cache-Control") == "private"


def test_the_identity_says_what_the_ticket_says(clock):
    environ = make_environ(headers=cookie("42", tokens=("admin", "staff"), data="userid_type:int"))
    identity = scheme(clock).authenticate(environ)
    assert (identity.user, identity.scheme, identity.roles) == ("42", "auth_tkt", {"admin", "staff"})
    assert identity.authenticated_at is None
    assert identity.expires_at == AT + HOUR
    assert dict(identity.claims) == {
        "userid": 42,
        "tokens": ("admin", "staff"),
        "userdata": "userid_type:int",
        "timestamp": AT,
    }


def test_tokens_are_roles(clock):
    app = protected(clock, rules=[require("/", role="admin")])
    assert ask(app, headers=cookie(tokens=("admin",))).code == 200
    assert ask(app, headers=cookie(tokens=("staff",))).code == 403


def test_a_ticket_is_never_fresh(clock):
    app = AuthMiddleware(who, [scheme(clock), Basic({"ann": stored("apple")})], rules=[require("/", fresh=600)])
    assert ask(app, headers=cookie()).code == 401
    assert ask(app, headers=basic()).code == 200


def test_without_a_ticket_one_is_asked_for(clock):
    answer = ask(protected(clock, rules=[require("/")]))
    assert answer.code == 401
    assert answer.header("WWW-Authenticate") == "Ticket"


def test_people_are_led_to_the_login_page_of_the_application(clock):
    rules = [allow("/login"), require("/")]
    app = protected(clock, rules=rules, login_page="/login", next_field="came_from")
    answer = ask(app, "/notes?a=1", headers=NAVIGATION)
    assert (answer.code, answer.header("Location")) == (302, "/login?came_from=/notes%3Fa%3D1")
    assert ask(app, "/notes").header("WWW-Authenticate") == 'Ticket login="/login"'
    assert ask(app, "/login").code == 200


def test_a_login_page_that_the_rules_hide_is_no_loop(clock):
    app = protected(clock, rules=[require("/")], login_page="/login")
    assert ask(app, "/login?next=/", headers=NAVIGATION).code == 401


@pytest.mark.parametrize(
    ("age", "code"), [(-61, 401), (-60, 200), (0, 200), (HOUR, 200), (HOUR + 1, 401), (AT, 401)], ids=str
)
def test_TKT_4_a_ticket_is_good_between_its_time_and_its_end(clock, age, code):
    answer = ask(protected(clock, rules=[require("/")]), headers=cookie(at=AT - age))
    assert answer.code == code
    assert deletes(answer) == (code == 401)


BAD = [
    "junk",
    "",
    "!",
    '"',
    "INVALID",
    "b'0f0f0f'",
    "0" * 136 + "alice!",
    write_ticket(Ticket("alice", at=AT), b"some other secret", "sha512"),
    write_ticket(Ticket("alice", at=AT), SECRET.encode(), "sha256"),
    write_ticket(Ticket("alice", at=AT), SECRET.encode(), "md5"),
    write_ticket(Ticket("alice", at=AT, data="wm.since:soon"), SECRET.encode(), "sha512"),
    write_ticket(Ticket("alice", at=AT, data=f"wm.since:{AT + 1}"), SECRET.encode(), "sha512"),
    write_ticket(Ticket("alice", at=AT, data=f"x|wm.since:{'9' * 50}"), SECRET.encode(), "sha512"),
    "\xff" * 200,
    "名" * 200,
    "A" * (1 << 20),
]


@pytest.mark.parametrize("value", BAD, ids=lambda value: ascii(value)[:20])
def test_TKT_5_API_3_a_bad_ticket_is_nobodys_and_is_deleted(clock, value):
    headers = {"Cookie": f"auth_tkt={value}; other=1"}
    answer = ask(protected(clock, absolute_timeout=2 * HOUR), headers=headers)
    assert (answer.code, answer.text) == (200, "None None None")
    assert deletes(answer)
    assert answer.header("Cache-Control") == "no-store"
    answer = ask(protected(clock, rules=[require("/")], absolute_timeout=2 * HOUR), headers=headers)
    assert answer.code == 401
    assert deletes(answer)


def test_API_3_a_bad_ticket_leaves_the_request_to_other_schemes(clock):
    app = AuthMiddleware(who, [scheme(clock), Basic({"ann": stored("apple")})])
    assert ask(app, headers={"Cookie": "auth_tkt=junk", **basic()}).text == "ann ann Basic"


def test_an_allowed_path_looks_at_no_ticket(clock):
    app = protected(clock, rules=[allow("/")])
    assert ask(app, headers={"Cookie": "auth_tkt=junk"}).all("Set-Cookie") == []


def test_of_several_good_tickets_the_newest_counts(clock):
    old, new, bad = cookie("ann", at=AT - 9), cookie("bob", at=AT - 1), {"Cookie": "auth_tkt=junk"}
    for order in ([old, new, bad], [bad, new, old], [new, bad, old]):
        headers = {"Cookie": "; ".join(one["Cookie"] for one in order)}
        assert ask(protected(clock), headers=headers).text.startswith("bob")


def test_more_tickets_than_anybody_has_are_not_tried(clock):
    many = "; ".join(["auth_tkt=junk"] * 1000)
    assert ask(protected(clock), headers={"Cookie": f"{many}; {cookie()['Cookie']}"}).text.startswith("None")


@pytest.mark.parametrize("scheme_of_url", ["http", "https"])
def test_a_login_sets_a_ticket(clock, scheme_of_url):
    answer = ask(protected(clock), "/in/ann", HTTP_HOST="www.example.com", **{"wsgi.url_scheme": scheme_of_url})
    assert answer.text == "ann ann auth_tkt"
    assert answer.header("Cache-Control") == "no-store"
    secure = "; Secure" if scheme_of_url == "https" else ""
    own = f"Path=/{secure}; HttpOnly; SameSite=Lax"
    assert set_by(answer)[own] == Ticket("ann", at=AT)
    assert len(answer.all("Set-Cookie")) == 2


def test_a_login_ends_what_the_peers_have_set_for_the_domain(clock):
    answer = ask(protected(clock), "/in/ann", HTTP_HOST="www.example.com:8080")
    assert sorted("Domain=www.example.com" in line for line in answer.all("Set-Cookie")) == [False, True]
    domain = next(line for line in answer.all("Set-Cookie") if "Domain=" in line)
    assert domain.startswith("auth_tkt=; ")
    assert "Max-Age=0" in domain


@pytest.mark.parametrize("host", ["", "127.0.0.1", "[::1]:80", "a..b", "a b", "exa;mple", "é", "a" * 300, "x\r\ny"])
def test_a_host_that_is_no_domain_is_in_no_cookie(clock, host):
    answer = ask(protected(clock), "/out", headers=cookie(), HTTP_HOST=host, SERVER_NAME="")
    assert len(answer.all("Set-Cookie")) == 1
    assert deletes(answer)


def test_a_logout_deletes_the_ticket_with_its_attributes_and_for_the_host(clock):
    options = CookieOptions("tkt", domain="example.com", path="/app")
    answer = ask(protected(clock, cookie=options), "/out", headers=cookie(name="tkt"), HTTP_HOST="www.example.com")
    assert answer.text == "None None None"
    assert deletes(answer)
    domains = ["Domain=example.com" in line or "Domain=www.example.com" in line for line in answer.all("Set-Cookie")]
    assert sorted(domains) == [False, True, True]
    assert all("Path=/app" in line for line in answer.all("Set-Cookie"))


def test_a_cookie_with_a_prefix_has_no_twin_for_a_domain(clock):
    options = CookieOptions("__Host-tkt", secure=True)
    answer = ask(protected(clock, cookie=options), "/out", headers=cookie(name="__Host-tkt"), HTTP_HOST="example.com")
    assert len(answer.all("Set-Cookie")) == 1


@pytest.mark.parametrize(
    "options",
    [
        CookieOptions("__Host-tkt", secure=True),
        CookieOptions("tkt", samesite="None", secure=True, partitioned=True),
        CookieOptions("tkt", secure=False, samesite="Strict", httponly=False, domain="example.com"),
        CookieOptions(),
    ],
    ids=repr,
)
@pytest.mark.parametrize("scheme_of_url", ["http", "https"])
def test_whatever_the_attributes_are_a_request_is_answered(clock, options, scheme_of_url):
    app = protected(clock, cookie=options)
    over = {"wsgi.url_scheme": scheme_of_url, "HTTP_HOST": "www.example.com"}
    for path in ("/", "/in/ann", "/keep/ann", "/out"):
        answer = ask(app, path, headers={"Cookie": f"{options.name or 'auth_tkt'}=junk"}, **over)
        assert answer.code == 200
        assert answer.all("Set-Cookie")


def test_a_browser_goes_through_login_and_logout(clock):
    browser = Browser(protected(clock))
    browser.get("/in/ann")
    assert browser.get("/").text == "ann ann auth_tkt"
    clock.now += HOUR
    assert browser.get("/").text == "ann ann auth_tkt"
    browser.get("/in/bob")
    assert browser.get("/").text == "bob bob auth_tkt"
    browser.get("/out")
    assert browser.get("/").text == "None None None"


def test_TKT_4_without_reissue_time_a_login_ends_after_timeout(clock):
    app = protected(clock, rules=[require("/")])
    for age in (0, HOUR // 2, HOUR):
        clock.now = AT + age
        answer = ask(app, headers=cookie())
        assert (answer.code, answer.all("Set-Cookie")) == (200, [])


def test_TKT_4_a_ticket_is_reissued_when_it_is_old_enough(clock):
    app = protected(clock, reissue_time=600)
    clock.now = AT + 600
    assert ask(app, headers=cookie()).all("Set-Cookie") == []
    clock.now = AT + 601
    answer = ask(app, headers=cookie(tokens=("a", "b"), data="x"))
    assert [*set_by(answer).values()] == [Ticket("alice", at=AT + 601, tokens=("a", "b"), data="x")]
    assert answer.header("Cache-Control") == "no-store"


def test_TKT_4_a_refused_request_does_not_lose_its_new_ticket(clock):
    clock.now = AT + 601
    app = protected(clock, reissue_time=600, rules=[require("/", role="admin")])
    answer = ask(app, headers=cookie())
    assert answer.code == 403
    assert [*set_by(answer).values()] == [Ticket("alice", at=AT + 601)]


def test_TKT_4_pyramid_1151_a_reissued_cookie_keeps_its_max_age(clock):
    for options in ({"cookie": CookieOptions("auth_tkt", max_age=9 * HOUR)}, {}):
        app = protected(clock, reissue_time=600, **options)
        browser = Browser(app)
        first = browser.get("/keep/ann")
        assert len([line for line in first.all("Set-Cookie") if f"Max-Age={HOUR}" in line]) == 1
        clock.now += 601
        again = browser.get("/")
        assert f"Max-Age={HOUR}" in again.header("Set-Cookie")


def test_TKT_4_the_max_age_of_the_options_holds_for_each_ticket(clock):
    browser = Browser(protected(clock, reissue_time=600, cookie=CookieOptions("auth_tkt", max_age=9 * HOUR)))
    assert f"Max-Age={9 * HOUR}" in "".join(browser.get("/in/ann").all("Set-Cookie"))
    clock.now += 601
    assert f"Max-Age={9 * HOUR}" in browser.get("/").header("Set-Cookie")


def test_a_login_that_is_not_to_be_kept_has_no_max_age(clock):
    browser = Browser(protected(clock, reissue_time=600))
    lines = browser.get("/in/ann").all("Set-Cookie")
    assert all("Max-Age" not in line or "Max-Age=0" in line for line in lines)
    clock.now += 601
    assert "Max-Age" not in browser.get("/").header("Set-Cookie")


def test_TKT_4_pyramid_262_a_logout_wins_over_a_new_ticket_in_the_same_answer(clock):
    clock.now = AT + 601
    app = protected(clock, reissue_time=600)
    answer = ask(app, "/out", headers=cookie())
    assert deletes(answer)


@pytest.mark.parametrize("act", ["forget", "remember"])
def test_TKT_4_what_the_application_does_with_the_cookie_by_itself_wins(clock, act):
    """While an application moves, its own policy may still sign people out."""
    helper = AuthTktCookieHelper(SECRET)

    def app(environ, start_response):
        request = Request(environ)
        headers = helper.forget(request) if act == "forget" else helper.remember(request, "bob")
        start_response("200 OK", [("Content-Type", "text/plain"), *headers])
        return [b"done"]

    clock.now = AT + 601
    answer = ask(protected(clock, app, reissue_time=600), headers=cookie())
    tickets = [ticket for ticket in set_by(answer).values() if ticket]
    assert [ticket.user for ticket in tickets] == ([] if act == "forget" else ["bob"])
    assert answer.header("Cache-Control") == "no-store"


def test_TKT_4_a_login_wins_over_a_new_ticket_in_the_same_answer(clock):
    clock.now = AT + 601
    answer = ask(protected(clock, reissue_time=600), "/in/bob", headers=cookie())
    assert [ticket.user for ticket in set_by(answer).values() if ticket] == ["bob"]


def test_TKT_4_pyramid_3032_a_login_ends_after_absolute_timeout_however_active(clock):
    browser = Browser(protected(clock, reissue_time=600, absolute_timeout=2 * HOUR, rules=[optional("/")]))
    browser.get("/in/ann")
    for _ in range(11):
        clock.now += 640
        assert browser.get("/").text == "ann ann auth_tkt"
    clock.now = AT + 2 * HOUR + 1
    assert browser.get("/").text == "None None None"
    assert browser.cookies == {}


@pytest.mark.parametrize("data", ["", "x", "userid_type:int", "a=b&userid_type=int"])
def test_TKT_4_the_beginning_of_a_login_stands_beside_the_data_of_the_application(clock, data):
    clock.now = AT + 601
    told = {}

    def app(environ, start_response):
        told.update(environ)
        return who(environ, start_response)

    options = {"reissue_time": 600, "absolute_timeout": 2 * HOUR, "compat": ["remote_user_tokens"]}
    layer = protected(clock, app, **options)
    (ticket,) = set_by(ask(layer, headers=cookie("7", data=data))).values()
    assert ticket.data in (f"{data}|wm.since:{AT}", f"wm.since:{AT}", f"{data}&wm.since={AT}")
    clock.now = AT + 2000
    (again,) = set_by(ask(layer, headers=cookie("7", at=ticket.at, data=ticket.data))).values()
    assert again.data == ticket.data
    assert told["REMOTE_USER_DATA"] == data
    assert told["middleware.identity"].expires_at == min(AT + 2 * HOUR, ticket.at + HOUR)


def test_TKT_5_a_ticket_for_an_address_holds_there(clock):
    app = protected(clock, include_ip=True)
    for address in ("192.0.2.7", "::1", "2001:db8::7"):
        assert ask(app, headers=cookie(address=address), REMOTE_ADDR=address).text.startswith("alice")
        assert ask(app, headers=cookie(address=address), REMOTE_ADDR="192.0.2.8").text.startswith("None")
        browser = Browser(app, REMOTE_ADDR=address)
        browser.get("/in/ann")
        assert browser.get("/").text.startswith("ann")


def test_TKT_5_without_an_address_there_is_no_ticket_for_one(clock):
    app = protected(clock, include_ip=True)
    assert ask(app, headers=cookie(), REMOTE_ADDR="").text.startswith("None")
    with pytest.raises(ValueError, match="address"):
        ask(app, "/in/ann", REMOTE_ADDR="")


def test_API_19_the_last_secret_signs_and_all_verify(clock):
    old = cookie()
    answer = ask(protected(clock, secret=[SECRET, NEW_SECRET]), headers=old)
    assert answer.text.startswith("alice")
    value = answer.header("Set-Cookie").partition("=")[2].partition(";")[0]
    assert value == write_ticket(Ticket("alice", at=AT), NEW_SECRET.encode(), "sha512")
    new = {"Cookie": f"auth_tkt={value}"}
    assert ask(protected(clock, secret=[SECRET, NEW_SECRET]), headers=new).all("Set-Cookie") == []
    assert ask(protected(clock, secret=NEW_SECRET), headers=new).text.startswith("alice")
    assert ask(protected(clock, secret=NEW_SECRET), headers=old).text.startswith("None")


def test_a_ticket_of_a_digest_that_is_only_read_is_replaced_and_lasts_no_longer(clock):
    clock.now = AT + 100
    app = protected(clock, also_reads=["md5"])
    answer = ask(app, headers=cookie(digest="md5", tokens=("a",), data="x"))
    assert answer.text.startswith("alice")
    value = answer.header("Set-Cookie").partition("=")[2].partition(";")[0]
    assert value == write_ticket(Ticket("alice", at=AT, tokens=("a",), data="x"), SECRET.encode(), "sha512")


def test_TKT_1_md5_is_told_once(clock, caplog, monkeypatch):
    monkeypatch.setattr(operators, "_said", {})
    for options in ({"digest": "md5"}, {"also_reads": ["md5"]}, {}):
        scheme(clock, **options)
    assert caplog.text.count("md5, as mod_auth_tkt and Paste make them") == 1


def test_a_ticket_that_would_be_too_large_to_be_replaced_stays(clock):
    clock.now = AT + 601
    headers = cookie(data="x" * 3900)
    answer = ask(protected(clock, reissue_time=600, absolute_timeout=HOUR), headers=headers)
    assert answer.text.startswith("alice")


@pytest.mark.parametrize("user", ["", "a!b", "a\nb", "\0", "\x85"])
def test_TKT_5_a_user_whom_no_ticket_can_name_cannot_sign_in(clock, user):
    with pytest.raises(ValueError, match="user of a ticket"):
        scheme(clock).remember(make_environ(), user)


def test_a_user_who_is_too_long_for_a_cookie_cannot_sign_in(clock):
    with pytest.raises(CookieTooLarge):
        scheme(clock).remember(make_environ(), "a" * 5000)


def test_no_ticket_can_be_called_back(clock):
    with pytest.raises(RuntimeError, match="called back"):
        scheme(clock).forget(make_environ(), everywhere=True)


def test_users_are_asked_for_every_request(clock):
    users = {"ann": Account("", roles=["admin"], name="Ann"), "bob": Account("", disabled=True)}
    browser = Browser(protected(clock, users=users))
    answer = browser.get("/in/ann")
    assert answer.text.startswith("ann")
    assert [ticket.tokens for ticket in set_by(answer).values() if ticket] == [("admin",)]
    assert browser.get("/").text.startswith("ann")
    for user in ("bob", "eve"):
        with pytest.raises(LookupError, match=user):
            browser.get(f"/in/{user}")
        assert ask(protected(clock, users=users), headers=cookie(user)).text.startswith("None")
    users["ann"] = Account("", disabled=True)
    answer = browser.get("/")
    assert answer.text.startswith("None")
    assert deletes(answer)


def test_who_has_an_account_is_called_as_the_source_does(clock):
    source = UsersFrom({"ann": Account("", roles=["staff"])}.get, case_map=True)
    assert ask(protected(clock, users=source), headers=cookie("Ann")).text == "ann ann auth_tkt"
    browser = Browser(protected(clock, users=source))
    assert browser.get("/in/ANN").text == "ann ann auth_tkt"
    assert browser.get("/").text == "ann ann auth_tkt"


def test_with_users_the_roles_are_those_of_the_account(clock):
    users = {"ann": Account("", roles=["staff"], name="Ann")}
    environ = make_environ(headers=cookie("ann", tokens=("admin",)))
    identity = scheme(clock, users=users).authenticate(environ)
    assert (identity.roles, identity.name, identity.claims["tokens"]) == ({"staff"}, "Ann", ("admin",))


def test_a_role_that_no_ticket_can_tell_is_left_out_of_it(clock):
    users = {"ann": Account("", roles=["a,b", "c!", "d\n", "e"])}
    browser = Browser(protected(clock, users=users))
    assert [ticket.tokens for ticket in set_by(browser.get("/in/ann")).values() if ticket] == [("e",)]


def test_a_source_of_users_that_fails_is_503_and_keeps_the_ticket(clock):
    def users(_):
        raise OSError("down")

    answer = ask(protected(clock, users=users), headers=cookie())
    assert answer.code == 503
    assert answer.all("Set-Cookie") == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"secret": "short"}, "16"),
        ({"secret": []}, "secret"),
        ({"secret": None}, "secret"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": None}, "timeout"),
        ({"timeout": "1h"}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"reissue_time": HOUR}, "reissue_time"),
        ({"reissue_time": -1}, "reissue_time"),
        ({"absolute_timeout": HOUR - 1}, "absolute_timeout"),
        ({"digest": "sha1"}, "sha1"),
        ({"digest": None}, "digest"),
        ({"also_reads": ["md4"]}, "md4"),
        ({"also_reads": "md4"}, "md4"),
        ({"include_ip": "no"}, "include_ip"),
        ({"cookie": "auth_tkt"}, "cookie"),
        ({"cookie": CookieOptions("__Host-tkt")}, "secure=True"),
        ({"cookie": CookieOptions("tkt", samesite="None")}, "secure=True"),
        ({"users": 7}, "users"),
        ({"compat": ["paste"]}, "compat"),
        ({"compat": "repoze"}, "compat"),
        ({"login_page": "login"}, "login_page"),
        ({"login_page": "//evil.example"}, "login_page"),
        ({"login_page": "/login?x=1"}, "login_page"),
        ({"next_field": ""}, "next_field"),
        ({"next_field": "a b"}, "next_field"),
    ],
)
def test_API_7_wrong_options_are_refused(clock, options, named):
    with pytest.raises(ConfigurationError, match=named):
        scheme(clock, **options)


def test_API_7_secret_and_timeout_are_required():
    with pytest.raises(TypeError):
        AuthTkt(timeout=HOUR)
    with pytest.raises(TypeError):
        AuthTkt(secret=SECRET)


def test_EVT_3_events_hold_no_ticket(clock):
    told = []
    browser = Browser(protected(clock, on_event=told.append))
    browser.get("/in/ann")
    value = browser.cookies["auth_tkt"]
    browser.get("/out")
    browser.get("/", headers={"Cookie": "auth_tkt=junk"})
    assert [(event.name, event.subject) for event in told] == [("login.success", "ann"), ("logout", "ann")]
    assert value not in repr([event.details for event in told])
    assert SECRET not in repr(scheme(clock))


def test_many_threads_share_a_scheme(clock):
    users = [f"user{number}" for number in range(8)]
    app = protected(clock, reissue_time=600, users=dict.fromkeys(users, Account("")))
    clock.now = AT + 601
    gate = threading.Barrier(8)
    answers = []

    def work(user):
        gate.wait()
        for _ in range(20):
            answer = ask(app, headers=cookie(user))
            answers.append(
                (answer.text, [ticket.user for ticket in set_by(answer).values()])
                == (f"{user} {user} auth_tkt", [user])
            )

    threads = [threading.Thread(target=work, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 160


@given(st.text())
def test_every_cookie_field_is_nobody(field):
    app = protected(lambda: AT)
    for value in (field, f"auth_tkt={field}"):
        assert ask(app, headers={"Cookie": value}).text == "None None None"
