"""Acting as another user: who is who meanwhile, and how it ends."""

from __future__ import annotations

import pytest
from asking import Browser
from auth_helpers import basic, stored

from middleware.auth import Account, AuthMiddleware, Basic, SessionLogin, get_auth, get_identity, optional, require
from middleware.auth.login.remember_me import RememberMe
from middleware.sessions import SessionMiddleware, get_session
from middleware.stores.memory import MemoryStore
from middleware.testing import FakeClock

OURS = {"Sec-Fetch-Site": "same-origin"}
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
SECRET = "a secret of the tests, 32 letters"


def acts(environ, start_response):
    """Acts as the query says, and says who is who."""
    auth = get_auth(environ)
    session = get_session(environ)
    if environ["PATH_INFO"] == "/act":
        auth.impersonate(environ["QUERY_STRING"])
    elif environ["PATH_INFO"] == "/stop":
        auth.stop_impersonating()
    elif environ["PATH_INFO"] == "/out":
        auth.logout(everywhere=bool(environ["QUERY_STRING"]))
    elif environ["PATH_INFO"] == "/note":
        session["note"] = environ["QUERY_STRING"]
    identity = get_identity(environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    if identity is None:
        return [b"nobody"]
    shown = identity.user, identity.actor, environ["REMOTE_USER"], sorted(identity.roles), session.get("note")
    return [" ".join(map(str, shown)).encode()]


class Site:
    def __init__(self, session=None, **options):
        self.clock = FakeClock(1_790_000_000.0)
        self.users = {
            "root": Account(stored("radish"), roles=["admin"]),
            "ann": Account(stored("apple"), roles=["staff"]),
            "bob": stored("banana"),
            "off": Account(stored("olive"), disabled=True),
        }
        self.told = []
        scheme = SessionLogin(self.users, clock=self.clock, remember=RememberMe(), **options)
        rules = [require("/money", fresh=600), optional("/open"), require("/")]
        layer = AuthMiddleware(
            acts,
            [scheme, Basic(self.users)],
            rules=rules,
            clock=self.clock,
            on_event=self.told.append,
            store=MemoryStore(clock=self.clock),
        )
        self.app = SessionMiddleware(layer, clock=self.clock, **(session or {"store": MemoryStore(clock=self.clock)}))

    def browser(self, user="root", password="radish", **more):
        browser = Browser(self.app)
        assert browser.post("/login", {"username": user, "password": password, **more}, OURS).code == 303
        return browser

    def ends(self):
        return [
            (event.subject, event.details["actor"], event.details.get("reason"))
            for event in self.told
            if event.name == "impersonation.end"
        ]


@pytest.fixture(params=["stored", "signed"])
def site(request):
    session = {"secret": SECRET, "revocations": MemoryStore()}
    return Site(session=None if request.param == "stored" else session)


def test_one_user_acts_as_another_and_is_themselves_again(site):
    browser = site.browser()
    assert browser.get("/").text == "root None root ['admin'] None"
    assert browser.get("/act?ann").text == "ann root ann ['staff'] None"
    assert browser.get("/").text == "ann root ann ['staff'] None"
    assert browser.get("/stop").text == "root None root ['admin'] None"
    assert browser.get("/").text == "root None root ['admin'] None"
    start = next(event for event in site.told if event.name == "impersonation.start")
    assert (start.subject, start.details["actor"]) == ("ann", "root")
    assert site.ends() == [("ann", "root", None)]


def test_the_answers_at_both_ends_are_kept_by_no_cache(site):
    browser = site.browser()
    for path in ("/act?ann", "/stop"):
        assert "no-store" in browser.get(path).header("Cache-Control")


def test_the_session_is_another_one_at_both_ends_and_holds_nothing_of_the_other_user(site):
    browser = site.browser()
    browser.get("/note?of-root")
    seen = [dict(browser.cookies)]
    assert browser.get("/act?ann").text.endswith("None")
    seen.append(dict(browser.cookies))
    browser.get("/note?of-ann")
    assert browser.get("/stop").text.endswith("None")
    seen.append(dict(browser.cookies))
    assert seen[0] != seen[1] != seen[2]
    for cookies in seen[:2]:
        thief = Browser(site.app)
        thief.cookies = cookies
        assert thief.get("/").code == 401


def test_nobody_who_acts_as_another_is_fresh(site):
    browser = site.browser()
    assert browser.get("/money").code == 200
    browser.get("/act?ann")
    assert browser.get("/money").code == 401
    answer = browser.get("/money", NAVIGATION)
    assert answer.header("Location") == "/login?next=/money&again=1"
    page = browser.get(answer.header("Location"), NAVIGATION)
    assert page.code == 403
    assert "You act as another user" in page.text
    browser.get("/stop")
    assert browser.get("/money").code == 200, "the proof is that of the login"
    site.clock.advance(601)
    assert browser.get("/money").code == 401


def test_nobody_acts_as_a_second_user_on_top(site):
    browser = site.browser()
    browser.get("/act?ann")
    with pytest.raises(RuntimeError, match="stop_impersonating"):
        browser.get("/act?bob")
    assert browser.get("/").text == "ann root ann ['staff'] None"


def test_who_is_known_by_another_scheme_makes_nobody_else_act(site):
    layer = site.app.app
    site.app.app = AuthMiddleware(acts, [layer.schemes[1], layer.schemes[0]], clock=site.clock, store=layer.store)
    browser = site.browser("ann", "apple")
    with pytest.raises(RuntimeError, match="nobody is signed in"):
        browser.get("/act?bob", basic("root", "radish"))  # whom the application has let do this; the session is ann's
    assert browser.get("/").text == "ann None ann ['staff'] None"


@pytest.mark.parametrize("user", ["eve", "off", ""])
def test_nobody_acts_as_a_user_who_is_unknown_or_disabled(site, user):
    browser = site.browser()
    browser.get("/note?kept")
    with pytest.raises(LookupError):
        browser.get(f"/act?{user}")
    assert browser.get("/").text == "root None root ['admin'] kept"


def test_nobody_acts_as_themselves(site):
    with pytest.raises(ValueError, match="root"):
        site.browser().get("/act?root")


def test_a_stranger_and_who_is_identified_by_something_else_act_as_nobody(site):
    with pytest.raises(RuntimeError, match="nobody is signed in"):
        Browser(site.app).get("/act?ann", basic("root", "radish"))


def test_who_acts_as_nobody_cannot_stop(site):
    with pytest.raises(RuntimeError, match="nobody acts"):
        site.browser().get("/stop")


@pytest.mark.parametrize("user", ["root", "ann"])
@pytest.mark.parametrize("change", ["password", "gone", "disabled"])
def test_it_ends_with_the_account_of_either(site, user, change):
    browser = site.browser()
    browser.get("/act?ann")
    if change == "gone":
        del site.users[user]
    else:
        site.users[user] = Account(stored("other" if change == "password" else "radish"), disabled=change == "disabled")
    assert browser.get("/open").text == "nobody"
    assert browser.get("/").code == 401
    assert site.ends() == [("ann", "root", "account changed")]


def test_who_comes_back_to_an_account_that_is_gone_is_nobody(site):
    def stop_later(environ, start_response):
        site.users.pop("root")
        with pytest.raises(LookupError):
            get_auth(environ).stop_impersonating()
        start_response("200 OK", [])
        return []

    browser = site.browser()
    browser.get("/act?ann")
    site.app.app.app = stop_later
    browser.get("/")
    site.app.app.app = acts
    assert browser.get("/open").text == "nobody"


@pytest.mark.parametrize("path", ["/out", "/logout"])
def test_a_logout_ends_it_and_the_login_of_who_acted(site, path):
    browser = site.browser()
    browser.get("/act?ann")
    assert browser.get(path).code == 200 if path == "/out" else browser.post(path, {}, OURS).code == 303
    assert browser.get("/open").text == "nobody"
    assert site.ends() == [("ann", "root", "logout")]


def test_a_logout_everywhere_is_of_who_acts(site):
    browser, other, ann = site.browser(), site.browser(), site.browser("ann", "apple")
    browser.get("/act?ann")
    browser.get("/out?everywhere")
    assert browser.get("/").code == 401
    assert other.get("/").code == 401
    assert ann.get("/").code == 200


def test_it_ends_when_who_acts_signs_out_everywhere_from_elsewhere(site):
    browser, other = site.browser(), site.browser()
    browser.get("/act?ann")
    other.get("/out?everywhere")
    assert browser.get("/").code == 401


def test_who_signs_in_meanwhile_is_that_user_and_finds_nothing_of_the_other(site):
    for user, password in (("root", "radish"), ("bob", "banana")):
        browser = site.browser()
        browser.get("/act?ann")
        browser.get("/note?of-ann")
        assert browser.post("/login", {"username": user, "password": password}, OURS).code == 303
        assert browser.get("/").text.startswith(f"{user} None")
        assert browser.get("/").text.endswith("None")
    assert site.ends() == [("ann", "root", "login")] * 2


def test_it_takes_no_room_among_the_sessions_of_the_other_user():
    store = MemoryStore()
    site = Site(session={"store": store, "max_sessions": 1})
    ann, browser = site.browser("ann", "apple"), site.browser()
    browser.get("/act?ann")
    assert ann.get("/").code == 200
    assert [len(site.app.users.sessions_of(user)) for user in ("ann", "root")] == [1, 1]


def test_a_browser_that_is_closed_remembers_who_acted_not_as_whom(site):
    browser = site.browser(remember="on")
    browser.get("/act?ann")
    browser.cookies = {"remember": browser.cookies["remember"]}
    assert browser.get("/").text == "root None root ['admin'] None"


def test_an_acting_login_without_its_actor_is_nobody(site):
    def plant(environ, start_response):
        del get_session(environ)["middleware.auth.actor"]
        start_response("200 OK", [])
        return []

    browser = site.browser()
    browser.get("/act?ann")
    site.app.app.app = plant
    browser.get("/")
    site.app.app.app = acts
    assert browser.get("/open").text == "nobody"
