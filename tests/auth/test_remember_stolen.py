"""A copy of the cookie in other hands: whose session counts, in whatever order the two come, and what is told of it."""

from __future__ import annotations

from threading import Barrier

import pytest
from asking import ask
from auth.remembering_site import OURS, RULES, SECRET, Site, closed, copy_of, remember_line, sign_in, tells
from sessions.races import at_once

from middleware.auth import AuthMiddleware, SessionLogin, get_auth
from middleware.auth.login.kept_login import LOGIN
from middleware.auth.login.remember_series import LATE
from middleware.errors import StoreError
from middleware.sessions import Timeouts, get_session
from middleware.stores.memory import MemoryStore

HOUR = 3600
REMEMBERED = "ann remember False"
PATIENCE = 60


def kept(kind):
    """How sessions are kept: in a store, in cookies that can be ended, in cookies alone."""
    signed = {"secret": SECRET}
    return {"stored": None, "signed": {**signed, "revocations": MemoryStore()}, "signed only": signed}[kind]


@pytest.fixture(params=["stored", "signed", "signed only"])
def site(request):
    return Site(session=kept(request.param))


def signed_in(site, user="ann", password="apple"):
    browser = site.browser()
    sign_in(browser, user, password)
    return browser


def without_token(browser):
    """The same browser, with its session alone."""
    other = copy_of(browser)
    other.cookies.pop("remember", None)
    return other


def told(site, name):
    return [(event.subject, event.details.get("reason")) for event in site.told if event.name == name]


# Both orders.


def test_the_session_of_a_thief_ends_when_the_owner_comes_back(site):
    owner = signed_in(site)
    thief = closed(copy_of(owner))
    assert thief.get("/").text == REMEMBERED
    site.clock.advance(HOUR / 4)
    assert closed(owner).get("/").text == REMEMBERED
    assert told(site, "remember.used") == [("ann", None), ("ann", "again")]
    site.clock.advance(LATE)
    assert without_token(thief).get("/open").text == "nobody"
    assert told(site, "session.ended") == [("ann", "remembered login used again")]
    assert owner.get("/").text == REMEMBERED
    assert told(site, "remember.theft") == []


def test_a_thief_who_comes_back_with_a_token_after_that_is_noticed_by_the_next_one_of_the_owner(site):
    owner = signed_in(site)
    elsewhere = signed_in(site)
    thief = closed(copy_of(owner))
    for browser in (thief, closed(owner), thief):
        assert browser.get("/").text == REMEMBERED
        site.clock.advance(HOUR / 4)
    answer = owner.get("/open")
    assert answer.text == "nobody"
    assert "Max-Age=0" in remember_line(answer)
    assert told(site, "remember.theft") == [("ann", None)]
    assert thief.get("/open").text == "nobody"
    assert closed(elsewhere).get("/open").text == "nobody"


def test_the_session_of_a_thief_who_comes_second_ends_with_the_next_request_of_the_owner(site):
    owner = closed(signed_in(site))
    thief = copy_of(owner)
    assert owner.get("/").text == REMEMBERED
    site.clock.advance(HOUR / 4)
    assert thief.get("/").text == REMEMBERED
    site.clock.advance(LATE)
    assert owner.get("/").text == REMEMBERED, "by the newer token: the session has ended"
    assert told(site, "session.ended") == [("ann", "remembered login used again")]
    site.clock.advance(LATE)
    assert without_token(thief).get("/open").text == "nobody"
    assert owner.get("/").text == REMEMBERED
    assert told(site, "remember.theft") == []
    assert closed(thief).get("/open").text == "nobody"
    assert told(site, "remember.theft") == [("ann", None)]
    assert owner.get("/open").text == "nobody"


@pytest.mark.parametrize("first", ["owner", "thief"])
@pytest.mark.parametrize("pause", [LATE + 1, HOUR / 4, HOUR * 20])
def test_two_who_go_on_with_one_cookie_are_never_both_signed_in_and_are_noticed(site, first, pause):
    owner = closed(signed_in(site))
    browsers = [owner, copy_of(owner)]
    if first == "thief":
        browsers.reverse()
    for visit in range(4):
        site.clock.advance(pause)
        one, other = browsers[visit % 2], browsers[(visit + 1) % 2]
        if one.get("/open").text == "nobody":
            break
        site.clock.advance(LATE)
        assert without_token(other).get("/open").text == "nobody"
    assert told(site, "remember.theft") == [("ann", None)]


# What it costs the owner alone.


def test_a_lost_answer_ends_nothing_but_the_session_that_nobody_heard_of(site):
    browser, elsewhere = signed_in(site), closed(signed_in(site))
    elsewhere.get("/")
    closed(browser)
    for pause in (1, LATE, 400, 400):
        assert copy_of(browser).get("/").code == 200  # and the answer is lost
        site.clock.advance(pause)
    assert browser.get("/").text == REMEMBERED
    site.clock.advance(400)
    assert browser.get("/").text == REMEMBERED
    assert without_token(browser).get("/").text == REMEMBERED
    assert without_token(elsewhere).get("/").text == REMEMBERED
    assert told(site, "session.ended") == told(site, "remember.theft") == []


def test_an_answer_that_comes_later_than_the_next_one_costs_nothing_but_what_the_session_held(site):
    browser = closed(signed_in(site))
    slow = copy_of(browser)
    slow.get("/")
    site.clock.advance(20)
    browser.get("/")
    site.clock.advance(20)
    browser.cookies = slow.cookies  # the answer to the first request arrives at last
    for _ in range(3):
        assert browser.get("/").text == REMEMBERED
        site.clock.advance(20)
    assert told(site, "remember.theft") == []


@pytest.mark.parametrize(("seconds", "text"), [(0, REMEMBERED), (LATE - 1, REMEMBERED), (LATE, "nobody")])
def test_a_request_that_was_on_its_way_with_the_session_before_is_still_answered(site, seconds, text):
    browser = closed(signed_in(site))
    before = copy_of(browser)
    before.get("/")
    site.clock.advance(60)
    browser.get("/")
    site.clock.advance(seconds)
    assert without_token(before).get("/open").text == text


def test_only_the_session_just_before_has_that_time(site):
    browser = closed(signed_in(site))
    sessions = []
    for _ in range(3):
        used = copy_of(browser)
        used.get("/")
        sessions.append(without_token(used))
        site.clock.advance(60)
    browser.get("/")
    assert [session.get("/open").text for session in sessions] == ["nobody", "nobody", REMEMBERED]


@pytest.mark.parametrize("kind", ["stored", "signed"])
def test_each_part_of_a_page_whose_parts_came_at_once_has_a_session_that_counts(kind):
    site = Site(session=kept(kind))
    browser = closed(signed_in(site))
    parts = [copy_of(browser) for _ in range(8)]
    barrier = Barrier(8)

    def ask_for(part):
        barrier.wait(PATIENCE)
        return part.get("/").text

    assert at_once([lambda part=part: ask_for(part) for part in parts]) == [REMEMBERED] * 8
    site.clock.advance(HOUR / 4)
    assert [without_token(part).get("/").text for part in parts] == [REMEMBERED] * 8
    assert len({part.cookies["remember"] for part in parts}) == 2
    assert told(site, "session.ended") == told(site, "remember.theft") == []


def test_a_login_by_password_does_not_end_with_what_the_cookie_does(site):
    owner = signed_in(site)
    thief = closed(copy_of(owner))
    thief.get("/")
    site.clock.advance(60)
    assert owner.get("/").text == "ann pwd True"


def test_who_signs_in_with_the_password_meanwhile_is_signed_in_whatever_becomes_of_the_series(site):
    browser = closed(signed_in(site))
    browser.get("/")
    sign_in(browser, remember=None)
    other = closed(copy_of(browser))
    other.get("/")
    site.clock.advance(60)
    assert browser.get("/").text == "ann pwd True"


# Wherever the session has gone since.


def test_the_session_of_a_thief_ends_also_under_ids_that_it_got_since():
    timeouts = Timeouts(idle=900, renew_every=600, grace=10)
    site = Site(session={"store": MemoryStore(), "timeouts": timeouts})
    owner = closed(signed_in(site))
    thief = copy_of(owner)
    thief.get("/")
    seen = {tuple(without_token(thief).cookies.items())}
    token = thief.cookies["remember"]
    for _ in range(8):
        site.clock.advance(601)
        assert thief.get("/").text == REMEMBERED
        seen.add(tuple(without_token(thief).cookies.items()))
    assert (len(seen), thief.cookies["remember"]) == (9, token)
    owner.get("/")
    site.clock.advance(LATE)
    assert without_token(thief).get("/open").text == "nobody"


def acts(environ, start_response):
    """Acts as bob where it is asked to."""
    if environ["PATH_INFO"] == "/act":
        get_auth(environ).impersonate("bob")
    elif environ["PATH_INFO"] == "/stop":
        get_auth(environ).stop_impersonating()
    return tells(environ, start_response)


@pytest.mark.parametrize("kind", ["stored", "signed", "signed only"])
def test_who_acts_as_another_user_from_there_ceases_to_do_so(kind):
    site = Site(acts, session=kept(kind))
    owner = closed(signed_in(site))
    thief = copy_of(owner)
    assert thief.get("/act").text == "bob impersonation False"
    assert without_token(thief).get("/").text == "bob impersonation False"
    site.clock.advance(60)
    owner.get("/")
    site.clock.advance(LATE)
    assert without_token(thief).get("/open").text == "nobody"
    assert told(site, "impersonation.end") == [("bob", "remembered login used again")]
    assert owner.get("/act").text == "bob impersonation False"
    assert owner.get("/stop").text == REMEMBERED
    assert owner.get("/").text == REMEMBERED


def test_a_logout_of_the_owner_ends_also_the_session_that_a_copy_has_opened(site):
    owner = signed_in(site)
    thief = closed(copy_of(owner))
    thief.get("/")
    owner.post("/logout", {}, OURS)
    assert thief.get("/open").text == "nobody"
    assert told(site, "session.ended") == [("ann", "remembered login ended")]


@pytest.mark.parametrize("kind", ["stored", "signed", "signed only"])
@pytest.mark.parametrize("bye", ["/logout", "/open?out"])
def test_a_logout_holds_though_another_request_of_the_browser_was_recognised_just_before_and_answers_after(kind, bye):
    meanwhile = []

    def slow(environ, start_response):
        while meanwhile:
            meanwhile.pop()()
        return tells(environ, start_response)

    site = Site(slow, session=kept(kind))
    browser = closed(signed_in(site))
    other_tab = copy_of(browser)
    meanwhile.append(lambda: other_tab.post(bye, {}, OURS))
    assert browser.get("/").text == REMEMBERED, "it had been let in before"
    assert any(name != "remember" for name in browser.cookies)
    for tab in (browser, other_tab):
        assert tab.get("/open").text == "nobody"
        assert closed(tab).get("/open").text == "nobody"


def test_a_session_opened_by_the_cookie_ends_with_its_days():
    site = Site(days=1, session={"store": MemoryStore(), "timeouts": Timeouts(idle=40 * HOUR, lifetime=80 * HOUR)})
    browser = closed(signed_in(site))
    site.clock.advance(20 * HOUR)
    assert browser.get("/").text == REMEMBERED
    site.clock.advance(5 * HOUR)
    assert browser.get("/open").text == "nobody"


def test_nobody_is_asked_to_sign_in_again_who_is_not_signed_in_any_more(site):
    owner = closed(signed_in(site))
    thief = copy_of(owner)
    thief.get("/")
    assert "Please sign in again" in without_token(thief).get("/login?again=1").text
    site.clock.advance(60)
    owner.get("/")
    site.clock.advance(LATE)
    assert "Please sign in again" not in without_token(thief).get("/login?again=1").text


# Around it.


class Broken(MemoryStore):
    broken = False

    def get(self, key):
        if self.broken:
            raise StoreError("the store is down")
        return super().get(key)


def test_while_the_store_is_down_a_remembered_session_waits_and_is_not_ended():
    site = Site(store=Broken())
    browser, by_password = closed(signed_in(site)), signed_in(site)
    assert browser.get("/").code == 200
    site.store.broken = True
    assert (browser.get("/").code, by_password.get("/").code) == (503, 200)
    site.store.broken = False
    assert browser.get("/").text == REMEMBERED


def test_the_mark_in_the_session_opens_nothing_and_no_token_is_in_it():
    seen = []

    def looks(environ, start_response):
        seen.append(get_session(environ).get(LOGIN))
        return tells(environ, start_response)

    site = Site(looks)
    browser = closed(signed_in(site))
    browser.get("/")
    browser.get("/")
    series, _, token = browser.cookies["remember"].partition(":")
    mark = seen[-1].split(" ")[4]
    assert mark.partition(":")[0] == series
    assert token not in seen[-1]
    assert ask(site.app, "/open", headers={"Cookie": f"remember={mark}"}).text == "nobody"
    assert browser.get("/").text == REMEMBERED


def test_sessions_stay_where_the_site_remembers_nobody_any_more():
    site = Site()
    browser = closed(signed_in(site))
    browser.get("/")
    forgetful = AuthMiddleware(tells, SessionLogin(site.users, clock=site.clock), rules=RULES)
    site.app.app = forgetful
    assert browser.get("/").text == REMEMBERED
