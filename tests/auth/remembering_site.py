"""A site that remembers people who ask for it, and the browsers that visit it."""

from __future__ import annotations

from asking import Browser, ask
from auth_helpers import stored

from middleware.auth import AuthMiddleware, Basic, SessionLogin, allow, get_auth, get_identity, optional, require
from middleware.auth.login.remember_logins import RememberedLogins
from middleware.auth.login.remember_me import RememberMe
from middleware.sessions import SessionMiddleware
from middleware.stores.memory import MemoryStore
from middleware.testing import FakeClock

USERS = {"ann": stored("apple"), "bob": stored("banana")}
OURS = {"Sec-Fetch-Site": "same-origin"}
SECRET = "a secret of the tests, 32 letters"
PATIENCE = 60
DAYS = 30 * 86400.0
RULES = [allow("/free"), require("/money", fresh=600), optional("/open"), require("/")]


def tells(environ, start_response):
    """Says who asks and how that is known, and does with the handle what the query says."""
    auth = get_auth(environ)
    word, _, user = environ["QUERY_STRING"].partition("=")
    if word == "in":
        auth.login(user, remember=True)
    elif word == "out":
        auth.logout(everywhere=user == "everywhere")
    identity = get_identity(environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    if identity is None:
        return [b"nobody"]
    return [f"{identity.user} {','.join(identity.factors)} {identity.authenticated_at is not None}".encode()]


class Site:
    """A site that remembers, its stores, its users, its clock, and what it told."""

    def __init__(self, app=tells, *, store=None, session=None, rules=RULES, users=None, **options):
        self.clock = FakeClock()
        self.users = dict(USERS) if users is None else users
        self.store = MemoryStore(clock=self.clock) if store is None else store
        self.told = []
        scheme = SessionLogin(self.users, remember=RememberMe(**options), clock=self.clock)
        layer = AuthMiddleware(
            app, [scheme, Basic(self.users)], rules=rules, store=self.store, on_event=self.told.append, clock=self.clock
        )
        kept = {"store": MemoryStore(clock=self.clock)} if session is None else session
        self.app = SessionMiddleware(layer, clock=self.clock, **kept)

    def browser(self, **environ):
        return Browser(self.app, **environ)

    def names(self):
        return [event.name for event in self.told]


def sign_in(browser, user="ann", password="apple", remember="on", headers=OURS, **more):
    form = {"username": user, "password": password, **more, **({"remember": remember} if remember else {})}
    return browser.post("/login", form, headers)


def closed(browser):
    """The browser as it is when it was closed and opened again: cookies with a Max-Age are still there."""
    browser.cookies = {name: value for name, value in browser.cookies.items() if name.endswith("remember")}
    return browser


def copy_of(browser):
    other = Browser(browser.app, **browser.environ)
    other.cookies = dict(browser.cookies)
    return other


def remember_line(answer):
    return next((line for line in answer.all("Set-Cookie") if "remember" in line.partition("=")[0]), None)


# In processes of their own, which find functions by the name of their module: the names of test files they do not know.


def welcome(series):
    return True


def use_at_once(value, store, number, barrier):
    """In a process of its own: 2 if the token was exchanged, 1 if it was good, 0 for a thief."""
    logins = RememberedLogins(store, DAYS, extend=False, clock=FakeClock())
    barrier.wait(PATIENCE)
    used = logins.use(value, welcome)
    return [0 if used.is_theft else 2 if used.value else 1]


def ask_at_once(cookie, store, number, barrier):
    """In a process of its own: the status of a request, whether the cookie was replaced, and what its session is."""
    site = Site(store=store, session={"store": store})
    barrier.wait(PATIENCE)
    answer = ask(site.app, "/", headers={"Cookie": cookie})
    browser = site.browser()
    browser.cookies = {
        line.partition("=")[0]: line.partition("=")[2].partition(";")[0] for line in answer.all("Set-Cookie")
    }
    browser.cookies.pop("remember", None)
    barrier.wait(PATIENCE)
    theft = site.names().count("remember.theft")
    return [answer.code, int(remember_line(answer) is not None), theft, browser.get("/").text]
