"""A session that comes from another browser than it was given to: three policies, and none by default. S34."""

from __future__ import annotations

import pytest
from sessions.kit import SECRET, Site, SpyStore, everything, put

KINDS = {
    "stored": lambda: {"store": SpyStore()},
    "signed": lambda: {"secret": SECRET, "revocations": SpyStore()},
    "sealed": lambda: {"secret": SECRET, "seal": True, "revocations": SpyStore()},
}
MINE = "Mozilla/5.0 (X11; Linux x86_64) one"
OTHER = "Mozilla/5.0 (Windows NT 10.0) another"


@pytest.fixture(params=KINDS)
def options(request):
    return KINDS[request.param]()


@pytest.fixture
def events():
    return []


def signed_in(options, events, policy):
    """Ann in her browser, and a copy of her cookie in another."""
    site = Site(on_other_browser=policy, on_event=events.append, **options)
    visitor = site.visitor(HTTP_USER_AGENT=MINE)
    visitor(lambda session: (session.login("ann"), session.update(a=1)))
    thief = visitor.twin()
    thief.browser.environ = {"HTTP_USER_AGENT": OTHER}
    return visitor, thief


def who(session):
    return session.user, dict(session)


def told(events):
    return [event for event in events if event.name == "other_browser"]


def test_by_default_nobody_looks_at_the_browser(options, events):
    visitor, thief = signed_in(options, events, None)
    for each in (visitor, thief, visitor):
        assert each(who).text == "('ann', {'a': 1})"
    assert told(events) == []


def test_another_browser_is_told_with_the_session_and_its_user(options, events):
    visitor, thief = signed_in(options, events, "tell")
    assert visitor(who).text == "('ann', {'a': 1})"
    assert told(events) == []
    assert thief(who).text == "('ann', {'a': 1})"
    [event] = told(events)
    assert event.subject == visitor(lambda session: session.id).text.strip("'")
    assert event.details == {"user": "ann"}
    assert MINE not in repr(event)
    assert OTHER not in repr(event)
    assert visitor(who).text == "('ann', {'a': 1})"
    assert len(told(events)) == 1


def test_with_rotate_only_one_of_the_two_goes_on(options, events):
    visitor, thief = signed_in(options, events, "rotate")
    assert thief(who).text == "('ann', {'a': 1})"
    assert visitor(who).text == "(None, {})"
    assert thief(who).text == "('ann', {'a': 1})"
    assert len(told(events)) == 1
    assert [event.name for event in events].count("rotated") == 1


def test_with_end_neither_does(options, events):
    visitor, thief = signed_in(options, events, "end")
    answer = thief(who)
    assert answer.text == "(None, {})"
    assert "Max-Age=0" in answer.all("Set-Cookie")[0]
    assert visitor(who).text == "(None, {})"
    assert [event.name for event in events][-3:] == [
        "other_browser",
        "logout",
        "stale_id" if "secret" in options else "unknown_id",
    ]


@pytest.mark.parametrize("policy", ["tell", "rotate", "end"])
def test_a_session_without_a_user_is_bound_too_and_a_visitor_who_leaves_nothing_begins_none(options, events, policy):
    site = Site(on_other_browser=policy, on_event=events.append, **options)
    assert site.ask(everything, HTTP_USER_AGENT=MINE).all("Set-Cookie") == []
    visitor = site.visitor(HTTP_USER_AGENT=MINE)
    visitor(put(a=1))
    assert visitor(everything).text == "{'a': 1}"
    thief = visitor.twin()
    thief.browser.environ = {}  # says nothing at all
    thief(everything)
    assert len(told(events)) == 1


def test_the_browser_is_noted_once(events):
    store = SpyStore()
    visitor, _ = signed_in({"store": store}, events, "end")
    visitor(everything)
    store.forget_calls()
    for _ in range(3):
        visitor(everything)
    assert store.writes == []


def test_tokens_for_forms_stay_good(options, events):
    visitor, thief = signed_in(options, events, "rotate")
    token = visitor(lambda session: session.csrf_token).text.strip("'")
    thief.browser.cookies = dict(visitor.browser.cookies)
    assert thief(lambda session: session.check_csrf_token(token)).text == "True"


def test_a_store_that_is_down_is_an_outage_here_too(options, events):
    visitor, thief = signed_in(options, events, "rotate")
    store = options.get("store") or options["revocations"]
    store.before["get"] = lambda: None
    store.down = True
    assert thief(who).code == 503
    store.down = False
    assert visitor(who).text == "('ann', {'a': 1})"
