"""Events: stable names, one line each, nothing secret in them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from asking import Browser, ask
from auth_helpers import basic, stored, who

from middleware.auth import Account, ApiKey, AuthMiddleware, AuthTkt, Basic, SessionLogin, get_auth, optional, require
from middleware.auth.event_log import EVENTS
from middleware.sessions import SessionMiddleware
from middleware.stores.memory import MemoryStore
from middleware.testing import FakeClock

USERS = {"ann": Account(stored("apple"), roles=["admin"]), "bob": stored("banana")}
ROOM = Path(__file__).parents[2] / "src" / "middleware" / "auth"
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


def layer(app=who, rules=None, **options):
    told = []
    made = AuthMiddleware(
        app,
        Basic(USERS, clock=FakeClock(1000)),
        rules=rules or [require("/admin", role="admin"), optional("/")],
        on_event=told.append,
        clock=FakeClock(1000),
        **options,
    )
    return made, told


@cache
def nodes():
    """All that the room is written of, but for the lists of its events."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in ROOM.rglob("*.py")]
    return [node for tree in trees for part in tree.body if not is_list(part) for node in ast.walk(part)]


def is_list(part):
    targets = [part.target] if isinstance(part, ast.AnnAssign) else getattr(part, "targets", [])
    return any(getattr(target, "id", "") in ("EVENTS", "_WARNINGS") for target in targets)


@pytest.mark.slow
def test_every_name_that_is_told_is_one_of_the_list():
    told = {
        node.args[1].value
        for node in nodes()
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tell" and len(node.args) > 1
        if isinstance(node.args[1], ast.Constant)
    }
    assert len(told) > 5
    assert told <= set(EVENTS)


@cache
def texts():
    return [node.value for node in nodes() if isinstance(node, ast.Constant) and isinstance(node.value, str)]


@pytest.mark.slow
@pytest.mark.parametrize("name", EVENTS)
def test_every_name_of_the_list_is_told_somewhere(name):
    assert any(text == name or text.startswith(f"auth.{name} ") for text in texts())


def test_who_is_turned_away_by_a_rule_is_told_with_the_rule_and_the_request():
    app, told = layer()
    ask(app, "/admin", headers=basic("bob", "banana"), **{"middleware.request_id": "r-1"})
    event = told[-1]
    assert (event.layer, event.name, event.subject, event.client) == ("auth", "forbidden", "bob", "127.0.0.1")
    assert event.time == 1000
    assert event.details["reason"] == "role"
    assert event.details["rule"] == "require('/admin', role=['admin'])"
    assert (event.details["method"], event.details["path"]) == ("GET", "/admin")
    assert event.details["request_id"] == "r-1"


def test_a_doubtful_path_is_told():
    app, told = layer()
    ask(app, "/x/..//admin")
    assert [event.name for event in told] == ["path.ambiguous"]


def test_a_request_that_passes_tells_nothing():
    app, told = layer()
    ask(app, "/")
    ask(app, "/", headers=basic())
    told.clear()
    ask(app, "/", headers=basic())
    assert told == []


def test_what_a_client_sent_is_cut():
    app, told = layer()
    ask(app, PATH_INFO="//" + "a" * 10_000 + "/../admin")
    assert len(told[-1].details["path"]) == 256


def test_without_a_listener_an_event_is_one_line_of_the_log(caplog):
    app = AuthMiddleware(who, Basic(USERS))
    ask(app, "/a\r\nb//c", headers=basic("eve\r\nroot", "x"))
    lines = [record.getMessage() for record in caplog.records]
    assert lines
    assert all("\n" not in line and "\r" not in line for line in lines)
    assert all(line.startswith("auth.") for line in lines)


def test_an_event_is_a_note_for_the_line_of_the_request():
    app, _ = layer()
    notes = {}
    ask(app, "/admin", headers=basic("bob", "banana"), **{"middleware.notes": notes})
    assert notes["auth"] == "forbidden role"


def test_a_listener_that_fails_changes_no_answer():
    def fail(event):
        raise RuntimeError("no disk")

    app = AuthMiddleware(who, Basic(USERS), rules=[require("/", role="admin")], on_event=fail)
    assert ask(app, headers=basic("bob", "banana")).code == 403


def test_public_answers_that_were_made_private_are_told():
    def app(environ, start_response):
        start_response("200 OK", [("Cache-Control", "public")])
        return [b""]

    made, told = layer(app)
    ask(made, headers=basic())
    assert told[-1].name == "cache.public_removed"


def test_logins_and_logouts_of_the_application_are_told():
    def app(environ, start_response):
        auth = get_auth(environ)
        if environ["PATH_INFO"] == "/in":
            auth.login("ann")
        else:
            auth.logout(everywhere=True)
        start_response("200 OK", [])
        return [b""]

    told = []
    inner = AuthMiddleware(app, SessionLogin(USERS), rules=[optional("/")], on_event=told.append)
    browser = Browser(SessionMiddleware(inner, store=MemoryStore()))
    browser.get("/in")
    browser.get("/out")
    assert [(event.name, event.subject) for event in told] == [("login.success", "ann"), ("logout", "ann")]


class Flaky(dict):
    """Users or keys, until they cannot be asked any more."""

    is_down = False

    def get(self, name, default=None):
        if self.is_down:
            raise OSError("the database is down")
        return super().get(name, default)


@pytest.mark.parametrize(
    "scheme",
    [
        Basic,
        SessionLogin,
        lambda users: AuthTkt(secret="a secret of the test, 32 characters", timeout=60, users=users),
    ],
    ids=["basic", "session", "auth_tkt"],
)
def test_users_who_cannot_be_looked_up_are_told_whatever_the_scheme(scheme):
    def app(environ, start_response):
        if environ["PATH_INFO"] == "/in":
            get_auth(environ).login("ann")
        start_response("200 OK", [])
        return [b""]

    users, told = Flaky(ann=stored("apple")), []
    made = AuthMiddleware(app, scheme(users), rules=[optional("/in"), require("/")], on_event=told.append)
    browser = Browser(SessionMiddleware(made, store=MemoryStore()))
    if made.schemes[0].name != "basic":
        browser.get("/in")
    told.clear()
    users.is_down = True
    answer = browser.get("/", headers=basic() if made.schemes[0].name == "basic" else {})
    assert answer.code == 503
    assert "source.unavailable" in [event.name for event in told]


def test_keys_that_cannot_be_looked_up_are_told():
    keys, told = Flaky(), []
    keys.is_down = True
    made = AuthMiddleware(who, ApiKey(keys.get), on_event=told.append)
    assert (
        ask(made, headers={"X-API-Key": "key_2HCpGyGGWjtkl3_baXHzSJxpK25fYH75aI6YbRzlw0ONDVNUbB8YD6fDkS"}).code == 503
    )
    assert [(event.name, event.details["reason"]) for event in told] == [("source.unavailable", "OSError")]


@pytest.mark.parametrize("name", EVENTS)
def test_the_page_lists_the_event(name):
    page = Path(__file__).parents[2] / "docs" / "auth.md"
    assert f"`{name}`" in page.read_text(encoding="utf-8")
