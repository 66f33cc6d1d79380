"""People who asked to be kept signed in: the cookie that does it, and what ends it."""

from __future__ import annotations

import re
from functools import partial
from threading import Barrier

import pytest
from asking import Browser, ask
from auth.remembering_site import (
    OURS,
    RULES,
    SECRET,
    USERS,
    Site,
    ask_at_once,
    closed,
    copy_of,
    remember_line,
    sign_in,
    tells,
)
from auth_helpers import stored
from hypothesis import given
from hypothesis import strategies as st
from sessions.races import at_once

from middleware.auth import (
    Account,
    AuthMiddleware,
    SessionLogin,
    get_auth,
)
from middleware.auth.login.remember_me import RememberMe
from middleware.cookies import CookieOptions
from middleware.errors import ConfigurationError, StoreError
from middleware.sessions import SessionMiddleware, get_session
from middleware.stores.memory import MemoryStore
from middleware.stores.sqlite import SQLiteStore
from middleware.testing import FakeClock
from middleware.testing.crowds import in_processes

PATIENCE = 60


@pytest.fixture(params=["stored", "signed"])
def site(request):
    return Site(session=None if request.param == "stored" else {"secret": SECRET, "revocations": MemoryStore()})


# What the browser is given.


def test_a_person_who_asks_for_it_is_still_signed_in_when_the_browser_was_closed(site):
    browser = site.browser()
    sign_in(browser)
    assert browser.get("/").text == "ann pwd True"
    assert closed(browser).get("/").text == "ann remember False"
    assert browser.get("/").text == "ann remember False", "from the session, now"
    assert site.names().count("remember.used") == 1


@pytest.mark.parametrize("remember", [None, "", "0", "off", "no"])
def test_a_person_who_does_not_ask_for_it_is_not(site, remember):
    browser = site.browser()
    answer = sign_in(browser, remember=remember)
    assert not any("remember" in line for line in answer.all("Set-Cookie"))
    assert closed(browser).get("/").code == 401


def test_the_cookie_is_a_series_and_a_token_that_no_script_and_no_other_site_gets():
    line = remember_line(sign_in(Site().browser(**{"wsgi.url_scheme": "https"})))
    assert re.fullmatch(
        r"__Host-remember=[0-9a-f]{32}:[0-9a-f]{48}; Max-Age=2592000; Path=/; Secure; HttpOnly; SameSite=Lax", line
    )


def test_over_http_the_cookie_has_a_plain_name():
    line = remember_line(sign_in(Site(days=1).browser()))
    assert re.fullmatch(r"remember=[0-9a-f]{32}:[0-9a-f]{48}; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax", line)


def test_an_answer_with_the_cookie_is_kept_by_no_cache():
    browser = Site().browser()
    assert "no-store" in sign_in(browser).header("Cache-Control")
    assert "no-store" in closed(browser).get("/").header("Cache-Control")


def test_the_cookie_lasts_from_the_login_and_each_use_gives_what_is_left():
    site = Site(days=2)
    browser = site.browser()
    sign_in(browser)
    site.clock.advance(86400)
    assert "; Max-Age=86400;" in remember_line(closed(browser).get("/"))
    site.clock.advance(86400)
    answer = closed(browser).get("/open")
    assert answer.text == "nobody"
    assert "Max-Age=0" in remember_line(answer)


def test_the_cookie_lasts_from_the_last_use_where_it_is_to_extend():
    site = Site(days=2, extend=True)
    browser = site.browser()
    sign_in(browser)
    for _ in range(3):
        site.clock.advance(1.5 * 86400)
        assert "; Max-Age=172800;" in remember_line(closed(browser).get("/"))
    site.clock.advance(2 * 86400)
    assert closed(browser).get("/").code == 401


def test_the_token_is_another_one_after_each_use_and_stands_in_no_store():
    site = Site()
    browser = site.browser()
    sign_in(browser)
    seen = {browser.cookies["remember"]}
    for _ in range(3):
        closed(browser).get("/")
        seen.add(browser.cookies["remember"])
    assert len(seen) == 4
    assert len({value.partition(":")[0] for value in seen}) == 1
    assert not any(value.partition(":")[2] in repr(vars(site.store)) for value in seen)


def test_a_request_of_a_session_does_not_look_at_the_cookie():
    site = Site()
    browser = site.browser()
    sign_in(browser)
    before = browser.cookies["remember"]
    assert remember_line(browser.get("/")) is None
    assert browser.cookies["remember"] == before


def test_where_everybody_is_let_in_nobody_is_recalled():
    browser = Site().browser()
    sign_in(browser)
    answer = closed(browser).get("/free")
    assert (answer.text, answer.all("Set-Cookie")) == ("nobody", [])


def test_a_remembered_login_has_a_new_session_and_its_old_id_opens_nothing(site):
    browser = site.browser()
    sign_in(browser)
    anonymous = copy_of(closed(browser))
    closed(browser).get("/")
    session = {name: value for name, value in browser.cookies.items() if name != "remember"}
    assert session
    assert not set(session.items()) & set(anonymous.cookies.items())


# SES-8: never fresh.


def test_a_remembered_login_is_never_fresh_until_the_person_signs_in_again(site):
    browser = site.browser()
    sign_in(browser)
    assert browser.get("/money").code == 200
    closed(browser)
    assert browser.get("/money").code == 401
    navigation = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
    assert browser.get("/money", navigation).header("Location") == "/login?next=/money&again=1"
    page = browser.get("/login?next=/money&again=1", navigation)
    assert "Please sign in again" in page.text
    assert 'name="remember"' not in page.text
    assert sign_in(browser, remember=None).code == 303
    assert browser.get("/money").text == "ann pwd True"
    assert closed(browser).get("/").text == "ann remember False", "still remembered"


def test_a_login_by_a_link_that_was_remembered_is_never_fresh():
    def by_link(environ, start_response):
        get_auth(environ).login("ann", factors=["remember", "link"])
        return tells(environ, start_response)

    assert Site(by_link).browser().get("/open").text == "ann remember,link False"


# API-3: what is good for nothing is as if it were not there, and is deleted.

SERIES = "0" * 32
BAD = ["", "x", ":", f"{SERIES}:{'1' * 48}", f"{SERIES}:{'g' * 48}", SERIES, '"quoted"', "a" * 3000, "\xff:\xff"]


@pytest.mark.parametrize("value", BAD, ids=[ascii(value)[:20] for value in BAD])
def test_a_cookie_that_names_nothing_is_deleted(site, value):
    browser = site.browser()
    browser.cookies["remember"] = value
    answer = browser.get("/open")
    assert (answer.code, answer.text) == (200, "nobody")
    assert remember_line(answer).startswith("remember=; Expires=")
    assert browser.cookies == {}
    assert "remember.theft" not in site.names()


@given(st.text(st.characters(max_codepoint=255)), st.sampled_from(["remember=", "", "remember"]))
def test_whatever_comes_as_a_cookie_is_nobody_and_no_error(value, name):
    site = Site()
    assert ask(site.app, "/open", headers={"Cookie": name + value}).text == "nobody"
    assert site.told == []


def test_of_two_cookies_of_the_name_none_counts():
    site = Site()
    mine, other = site.browser(), site.browser()
    sign_in(mine)
    sign_in(other, "bob", "banana")
    both = f"remember={other.cookies['remember']}; remember={mine.cookies['remember']}"
    answer = ask(site.app, "/open", headers={"Cookie": both})
    assert answer.text == "nobody"
    assert "Max-Age=0" in remember_line(answer)


def test_the_series_of_a_user_opens_nothing_with_another_series_token():
    site = Site()
    ann, bob = site.browser(), site.browser()
    sign_in(ann)
    sign_in(bob, "bob", "banana")
    mixed = f"{ann.cookies['remember'].partition(':')[0]}:{bob.cookies['remember'].partition(':')[2]}"
    assert ask(site.app, "/", headers={"Cookie": f"remember={mixed}"}).code == 401


# SES-6, SES-5: what ends it.


@pytest.mark.parametrize(
    "change",
    [
        lambda users: users.update(ann=stored("pear")),
        lambda users: users.pop("ann"),
        lambda users: users.update(ann=Account(stored("apple"), disabled=True)),
    ],
    ids=["changed", "deleted", "disabled"],
)
def test_it_ends_with_the_password_it_was_made_with(site, change):
    browser = site.browser()
    sign_in(browser)
    before = dict(site.users)
    change(site.users)
    answer = closed(browser).get("/open")
    assert (answer.text, "Max-Age=0" in remember_line(answer)) == ("nobody", True)
    site.users.update(before)
    assert ask(site.app, "/", headers={"Cookie": f"remember={SERIES}:{'1' * 48}"}).code == 401


def test_a_logout_ends_it_in_this_browser_only(site):
    browser, other = site.browser(), site.browser()
    sign_in(browser)
    sign_in(other)
    kept = copy_of(browser)
    answer = browser.post("/logout", {}, OURS)
    assert "Max-Age=0" in remember_line(answer)
    assert closed(browser).get("/").code == 401
    assert closed(kept).get("/").code == 401, "who kept the cookie"
    assert closed(other).get("/").text == "ann remember False"


def test_a_logout_in_the_request_that_uses_the_token_leaves_the_cookie_deleted(site):
    browser = site.browser()
    sign_in(browser)
    answer = closed(browser).get("/?out")
    assert answer.text == "nobody"
    assert browser.cookies == {}
    assert len([line for line in answer.all("Set-Cookie") if line.startswith("remember=")]) == 1


def test_a_login_and_a_logout_in_one_request_leave_nothing(site):
    def both(environ, start_response):
        get_auth(environ).login("ann", remember=True)
        get_auth(environ).logout()
        return tells(environ, start_response)

    browser = Site(both).browser()
    browser.get("/open")
    assert "remember" not in browser.cookies


def test_a_logout_everywhere_ends_all_sessions_and_all_that_is_remembered(site):
    browsers = [site.browser() for _ in range(3)]
    for browser in browsers:
        sign_in(browser)
    bob = site.browser()
    sign_in(bob, "bob", "banana")
    copies = [copy_of(browser) for browser in browsers]
    assert browsers[0].get("/?out=everywhere").text == "nobody"
    assert browsers[0].cookies == {}
    for browser in [*browsers, *copies]:
        assert browser.get("/").code == 401
    assert bob.get("/").text == "bob pwd True"
    assert closed(bob).get("/").text == "bob remember False"
    logout = next(event for event in site.told if event.name == "logout")
    assert (logout.subject, logout.details["reason"]) == ("ann", "everywhere")


def test_a_logout_everywhere_says_what_it_needs_where_sessions_are_only_in_cookies():
    site = Site(session={"secret": SECRET})
    browser = site.browser()
    sign_in(browser)
    with pytest.raises(ConfigurationError, match="revocations=store"):
        browser.get("/?out=everywhere")


def test_another_person_who_signs_in_ends_what_the_browser_remembered(site):
    browser = site.browser()
    sign_in(browser)
    copy = copy_of(browser)
    sign_in(browser, "bob", "banana", remember=None)
    assert "remember" not in browser.cookies
    assert closed(copy).get("/").code == 401


def test_who_signs_in_again_and_asks_for_it_gets_another_series(site):
    browser = site.browser()
    sign_in(browser)
    first = copy_of(browser)
    sign_in(browser)
    assert closed(first).get("/").code == 401
    assert closed(browser).get("/").code == 200


def test_an_application_that_signs_in_by_itself_can_have_it_remembered(site):
    browser = site.browser()
    browser.get("/open?in=ann")
    assert closed(browser).get("/").text == "ann remember False"


# SES-7: theft.


def test_a_token_that_is_used_by_two_browsers_ends_everything_of_the_user(site):
    victim, elsewhere = site.browser(), site.browser()
    sign_in(victim)
    sign_in(elsewhere)
    thief = closed(copy_of(victim))
    assert thief.get("/").text == "ann remember False"
    site.clock.advance(60)
    assert closed(thief).get("/").text == "ann remember False"
    site.clock.advance(60)
    answer = closed(victim).get("/open")
    assert (answer.text, "Max-Age=0" in remember_line(answer)) == ("nobody", True)
    assert victim.cookies == {}
    theft = next(event for event in site.told if event.name == "remember.theft")
    assert (theft.subject, theft.details["scheme"]) == ("ann", "session")
    for browser in (thief, elsewhere, closed(thief), closed(elsewhere)):
        assert browser.get("/").code == 401
    assert site.names().count("remember.theft") == 1
    assert sign_in(victim).code == 303


def test_the_password_tells_a_thief_from_nobody_in_what_is_told():
    site = Site()
    victim = site.browser()
    sign_in(victim)
    thief = closed(copy_of(victim))
    tokens = {victim.cookies["remember"]}
    for _ in range(2):
        closed(thief).get("/")
        tokens.add(thief.cookies["remember"])
        site.clock.advance(60)
    closed(victim).get("/")
    told = repr([(event.subject, event.details) for event in site.told])
    assert "remember.theft" in site.names()
    assert not any(part in told for token in tokens for part in token.split(":"))


def test_a_theft_is_noticed_also_where_no_session_in_a_cookie_can_be_ended(caplog):
    site = Site(session={"secret": SECRET})
    victim = site.browser()
    sign_in(victim)
    thief = closed(copy_of(victim))
    for _ in range(2):
        closed(thief).get("/")
        site.clock.advance(60)
    assert closed(victim).get("/open").text == "nobody"
    assert "revocations=store" in caplog.text


def test_a_page_whose_parts_come_at_once_is_no_theft(site):
    browser = site.browser()
    sign_in(browser)
    cookie = {"Cookie": f"remember={browser.cookies['remember']}"}
    barrier = Barrier(8)

    def part():
        barrier.wait(PATIENCE)
        return ask(site.app, "/", headers=cookie)

    answers = at_once([part] * 8)
    assert [answer.text for answer in answers] == ["ann remember False"] * 8
    assert len([answer for answer in answers if remember_line(answer)]) == 1
    assert "remember.theft" not in site.names()


def test_an_answer_that_never_arrived_costs_nothing(site):
    browser = site.browser()
    sign_in(browser)
    for pause in (1, 60, 86400):
        lost = closed(copy_of(browser))
        assert lost.get("/").code == 200
        site.clock.advance(pause)
    assert closed(browser).get("/").text == "ann remember False"
    assert closed(browser).get("/").text == "ann remember False"
    assert "remember.theft" not in site.names()


@pytest.mark.slow
def test_four_processes_that_get_the_token_at_once_replace_it_once(tmp_path):
    clock = FakeClock()
    opened = partial(SQLiteStore, tmp_path / "site.db", clock=clock)
    with opened() as store:
        browser = Site(store=store, session={"store": store}).browser()
        sign_in(browser)
        cookie = f"remember={browser.cookies['remember']}"
        found = in_processes(partial(ask_at_once, cookie), opened)
    remembered = "ann remember False"
    assert sorted(found) == [[200, 0, 0, remembered]] * 3 + [[200, 1, 0, remembered]]


# At the same time as something else.


class Meddling(MemoryStore):
    """A store in which something happens right after a call of this verb for this kind of key."""

    meanwhile = None

    def _then(self, verb, key, found):
        if self.meanwhile is not None and self.meanwhile[0] == verb and key.startswith(self.meanwhile[1]):
            (_, _, happening), self.meanwhile = self.meanwhile, None
            happening()
        return found

    def get(self, key):
        return self._then("get", key, super().get(key))

    def swap(self, key, *arguments):
        return self._then("swap", key, super().swap(key, *arguments))


@pytest.mark.parametrize(
    ("verb", "kind"), [("get", "middleware.remember:"), ("get", "middleware.remember.user:"), ("swap", "middleware.")]
)
def test_a_logout_everywhere_ends_also_the_login_that_is_recalled_meanwhile(verb, kind):
    store = Meddling()
    site = Site(store=store)
    browser, other = site.browser(), site.browser()
    sign_in(browser)
    sign_in(other)
    store.meanwhile = verb, kind, lambda: other.get("/?out=everywhere")
    assert closed(browser).get("/open").text == "nobody"
    assert store.meanwhile is None
    assert "remember" not in browser.cookies
    assert browser.get("/").code == 401


def test_one_place_too_many_leaves_the_person_remembered():
    clock = FakeClock()
    site = Site(session={"store": MemoryStore(clock=clock), "max_sessions": 1, "when_too_many": "refuse"})
    browser = site.browser()
    sign_in(browser)
    first = copy_of(browser)
    assert closed(browser).get("/open").text == "nobody"
    del first.cookies["remember"]
    first.post("/logout", {}, OURS)
    assert browser.get("/open").text == "ann remember False"


class Broken(MemoryStore):
    broken = False

    def get(self, key):
        if self.broken:
            raise StoreError("the store is down")
        return super().get(key)


def test_while_the_store_is_down_nobody_who_is_remembered_is_taken_for_a_stranger():
    site = Site(store=Broken(), session={"store": MemoryStore()})
    browser = site.browser()
    sign_in(browser)
    site.store.broken = True
    assert browser.get("/").code == 200, "the session does not need it"
    answer = closed(browser).get("/open")
    assert (answer.code, answer.header("Retry-After"), remember_line(answer)) == (503, "5", None)
    site.store.broken = False
    assert browser.get("/open").text == "ann remember False"


def test_what_a_stranger_held_is_kept_when_the_browser_is_recalled():
    def cart(environ, start_response):
        session = get_session(environ)
        session.setdefault("item", environ["PATH_INFO"])
        start_response("200 OK", [])
        return [session["item"].encode()]

    browser = Site(cart).browser()
    sign_in(browser)
    closed(browser).get("/free/tea")
    assert browser.get("/").text == "/free/tea"


@pytest.mark.parametrize("kind", ["wsgi.multiprocess", "wsgi.run_once"])
def test_a_store_that_other_processes_do_not_share_is_told_of_once(kind, caplog, tmp_path):
    shared = SQLiteStore(tmp_path / "site.db")
    with shared:
        sign_in(Site(store=shared).browser(**{kind: True}))
    assert "remembered logins" not in caplog.text
    for _ in range(2):
        sign_in(Site().browser(**{kind: True}))
    assert caplog.text.count("remembered logins are kept in a MemoryStore") == 1


# Options.


@pytest.mark.parametrize("days", [0, -1, 401, "30", True, None])
def test_days_that_no_browser_keeps_are_refused(days):
    with pytest.raises(ConfigurationError, match="days"):
        RememberMe(days)


@pytest.mark.parametrize(
    "options",
    [
        {"extend": 1},
        {"cookie": "remember"},
        {"cookie": CookieOptions(httponly=False)},
        {"cookie": CookieOptions(max_age=60)},
        {"cookie": CookieOptions(name="__Host-me")},
    ],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ConfigurationError):
        RememberMe(**options)


def test_name_and_attributes_of_the_cookie_can_be_chosen():
    cookie = CookieOptions(name="stay", path="/app", domain="example.com", samesite="Strict", secure=True)
    line = next(line for line in sign_in(Site(cookie=cookie).browser()).all("Set-Cookie") if line.startswith("stay="))
    assert line.endswith("; Domain=example.com; Path=/app; Secure; HttpOnly; SameSite=Strict")
    secured = Site(cookie=CookieOptions(domain="example.com")).browser(**{"wsgi.url_scheme": "https"})
    assert remember_line(sign_in(secured)).startswith("__Secure-remember=")
    RememberMe(cookie=CookieOptions(name="__Host-me", secure=True))


def test_options_do_not_change_and_show_themselves():
    options = RememberMe(7, extend=True)
    assert repr(options).startswith("RememberMe(days=7, extend=True, cookie=CookieOptions(")
    with pytest.raises(AttributeError, match="make another one"):
        options.days = 8


def test_remembering_needs_a_store():
    with pytest.raises(ConfigurationError, match="store=SQLiteStore"):
        AuthMiddleware(tells, SessionLogin(USERS, remember=RememberMe()))
    with pytest.raises(ConfigurationError, match=r"remember= takes RememberMe"):
        SessionLogin(USERS, remember=True)


def test_the_form_offers_it_only_where_it_is_there():
    page = Site().browser().get("/login", {"Sec-Fetch-Site": "none"})
    assert '<label class="check"><input name="remember" type="checkbox"> Keep me signed in</label>' in page.text
    plain = AuthMiddleware(tells, SessionLogin(USERS), store=MemoryStore())
    assert 'type="checkbox"' not in ask(SessionMiddleware(plain, store=MemoryStore()), "/login").text


def test_where_it_is_not_there_who_asks_for_it_is_signed_in_all_the_same():
    layer = AuthMiddleware(tells, SessionLogin(USERS), rules=RULES)
    browser = Browser(SessionMiddleware(layer, store=MemoryStore()))
    assert sign_in(browser).code == 303
    assert "remember" not in browser.cookies
    assert browser.get("/open?in=bob").text == "bob pwd True"
