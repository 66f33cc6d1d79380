"""What applications of Paste, repoze.who, mod_auth_tkt and Pyramid find beside a ticket: TKT-6."""

from __future__ import annotations

import pytest
from asking import Browser, ask
from auth_helpers import who

from middleware.auth import Account, AuthMiddleware, allow, optional
from middleware.auth.schemes.auth_tkt import AuthTkt
from middleware.auth.tickets import Ticket, read_ticket, write_ticket
from middleware.auth.tickets.who import WhoIdentity
from middleware.cookies import CookieMiddleware

SECRET = "a secret of the test, 32 characters"
AT = 1_700_000_000
ALL = ("remote_user_tokens", "paste.auth_tkt", "repoze.who")


class Seen:
    """An application that keeps what it found, and does with it what it was told."""

    def __init__(self):
        self.environ = {}
        self.act = None

    def __call__(self, environ, start_response):
        self.environ = dict(environ)
        if self.act is not None:
            act, self.act = self.act, None
            act(environ)
        return who(environ, start_response)


@pytest.fixture
def app():
    return Seen()


def protected(app, compat=ALL, rules=None, on_event=None, **options):
    scheme = AuthTkt(secret=SECRET, timeout=3600, compat=compat, **{"clock": lambda: AT, **options})
    return AuthMiddleware(app, scheme, rules=rules or [allow("/free"), optional("/")], on_event=on_event)


def cookie(user="alice", **rest):
    return {"Cookie": f"auth_tkt={write_ticket(Ticket(user, at=AT, **rest), SECRET.encode(), 'sha512')}"}


def ticket_in(browser):
    return read_ticket(browser.cookies["auth_tkt"], [SECRET.encode()], ["sha512"]).ticket


def test_TKT_6_tokens_and_data_are_where_mod_auth_tkt_leaves_them(app):
    ask(protected(app), headers=cookie(tokens=("admin", "staff"), data="x"))
    assert app.environ["REMOTE_USER_TOKENS"] == "admin,staff"
    assert app.environ["REMOTE_USER_DATA"] == "x"


def test_TKT_6_nothing_is_there_that_was_not_asked_for(app):
    ask(protected(app, compat=()), headers=cookie(tokens=("admin",)))
    assert not [key for key in app.environ if key.startswith(("REMOTE_USER_", "paste.", "repoze."))]


@pytest.mark.parametrize("path", ["/", "/free"])
@pytest.mark.parametrize("compat", [(), ALL])
def test_TKT_6_what_a_server_has_set_is_removed(app, path, compat):
    preset = {
        "REMOTE_USER_TOKENS": "admin",
        "REMOTE_USER_DATA": "x",
        "repoze.who.identity": {"repoze.who.userid": "eve"},
    }
    ask(protected(app, compat=compat), path, **preset)
    assert not set(preset) & set(app.environ)


@pytest.mark.parametrize("tokens", ["admin,staff", ["admin", "staff"]])
def test_TKT_6_paste_applications_set_the_user(app, tokens):
    told = []
    browser = Browser(protected(app, on_event=told.append))
    app.act = lambda environ: environ["paste.auth_tkt.set_user"]("ann", tokens, "colour=red")
    assert browser.get("/").text == "None None None"  # from the next request on
    assert ticket_in(browser) == Ticket("ann", at=AT, tokens=("admin", "staff"), data="colour=red")
    assert browser.get("/").text == "ann ann auth_tkt"
    assert app.environ["REMOTE_USER_DATA"] == "colour=red"
    app.act = lambda environ: environ["paste.auth_tkt.logout_user"]()
    browser.get("/")
    assert browser.get("/").text == "None None None"
    assert [(event.name, event.subject) for event in told] == [("login.success", "ann"), ("logout", "ann")]


@pytest.mark.parametrize("data", [f"wm.since:{AT}", f"x|wm.since:{AT}|y", f"a=b&wm.since={AT}", "wm.max_age:9"])
def test_TKT_4_the_data_of_an_application_says_nothing_about_how_long_a_login_lasts(app, data):
    browser = Browser(protected(app, absolute_timeout=7200))
    app.act = lambda environ: environ["paste.auth_tkt.set_user"]("ann", "", data)
    browser.get("/")
    assert "wm." not in ticket_in(browser).data


def test_TKT_6_paste_applications_set_the_user_where_everybody_may_come(app):
    browser = Browser(protected(app))
    app.act = lambda environ: environ["paste.auth_tkt.set_user"]("ann")
    answer = browser.get("/free")
    assert answer.header("Cache-Control") == "no-store"
    assert ticket_in(browser) == Ticket("ann", at=AT)


@pytest.mark.parametrize("user", ["ann", "jäsøn", "a b"])
def test_tokens_and_names_of_all_kinds_pass_the_layer_of_cookies(app, user):
    browser = Browser(CookieMiddleware(protected(app), secret=SECRET))
    app.act = lambda environ: environ["paste.auth_tkt.set_user"](user, ["a", "b", "ü"], "two words; and more")
    browser.get("/")
    browser.get("/")
    identity = app.environ["middleware.identity"]
    assert (identity.user, identity.roles) == (user, {"a", "b", "ü"})
    assert app.environ["REMOTE_USER_DATA"] == "two words; and more"


def test_TKT_6_a_user_whom_the_source_does_not_know_is_not_set(app):
    layer = protected(app, users={"ann": Account("", roles=["admin"])})
    app.act = lambda environ: environ["paste.auth_tkt.set_user"]("eve")
    with pytest.raises(LookupError, match="eve"):
        ask(layer)


@pytest.mark.parametrize(("userid", "tokens"), [("a!b", ""), ("ann", ["a,b"]), ("ann", "a!b")])
def test_TKT_5_what_no_ticket_can_say_is_a_value_error(app, userid, tokens):
    app.act = lambda environ: environ["paste.auth_tkt.set_user"](userid, tokens)
    with pytest.raises(ValueError, match=r"a token|of a ticket"):
        ask(protected(app))


def test_T15_a_logout_by_paste_wins_over_a_new_ticket_in_the_same_answer(app):
    layer = protected(app, clock=lambda: AT + 700, reissue_time=600)
    browser = Browser(layer)
    app.act = lambda environ: environ["paste.auth_tkt.logout_user"]()
    browser.get("/", headers=cookie())
    assert browser.cookies == {}


def test_TKT_6_repoze_who_applications_find_the_identity(app):
    ask(protected(app), headers=cookie("42", tokens=("admin", "staff"), data="colour=red&userid_type=int"))
    identity = app.environ["repoze.who.identity"]
    assert identity.pop("identifier") is app.environ["repoze.who.plugins"]["auth_tkt"]
    assert identity == {
        "repoze.who.userid": 42,
        "repoze.who.plugins.auth_tkt.userid": 42,
        "groups": ["admin", "staff"],
        "tokens": ["admin", "staff"],
        "userdata": {"colour": "red", "userid_type": "int"},
        "timestamp": AT,
    }


def test_an_identity_of_repoze_who_does_not_show_what_is_in_it():
    identity = WhoIdentity({"repoze.who.userid": "ann", "password": "apple"})
    assert "apple" not in f"{identity!r} {identity}"


@pytest.mark.parametrize("tokens", [("admin",), ["admin"], "admin"])
@pytest.mark.parametrize("name", ["auth_tkt", "cookie", "whatever the application calls it"])
def test_TKT_6_repoze_who_applications_remember_and_forget(app, name, tokens):
    browser = Browser(protected(app))
    given = {"repoze.who.userid": 42, "tokens": tokens, "userdata": {"colour": "red"}, "max_age": "600"}
    app.act = lambda environ: environ["repoze.who.plugins"][name].remember(environ, given)
    answer = browser.get("/")
    assert any("Max-Age=600" in line for line in answer.all("Set-Cookie"))
    ticket = ticket_in(browser)
    assert (ticket.typed_user, ticket.tokens) == (42, ("admin",))
    browser.get("/")
    assert app.environ["repoze.who.identity"]["repoze.who.userid"] == 42
    assert app.environ["repoze.who.identity"]["userdata"]["colour"] == "red"
    assert app.environ["repoze.who.plugins"][name].identify(app.environ) is app.environ["repoze.who.identity"]
    app.act = lambda environ: environ["repoze.who.plugins"][name].forget(environ, {})
    browser.get("/")
    assert browser.cookies == {}
    assert given["userdata"] == {"colour": "red"}


def test_data_with_more_fields_than_anybody_has_is_no_userdata(app):
    ask(protected(app), headers=cookie(data="&".join(["a=b"] * 200)))
    assert app.environ["repoze.who.identity"]["userdata"] == {}
