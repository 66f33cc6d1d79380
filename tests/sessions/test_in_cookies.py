"""Sessions kept in a cookie, signed or sealed: what opens, what it gives away, how much it holds. S40-S42, S44."""

from __future__ import annotations

import json
import sys
from base64 import urlsafe_b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessions.kit import HTTPS, SECRET, Clock, Site, SpyStore, everything, put
from sessions.values import same, values

from middleware.cookies import CookieOptions
from middleware.errors import ConfigurationError, MissingExtra, SessionTooLarge
from middleware.sessions import SessionMiddleware, Timeouts

KINDS = {"signed": {"secret": SECRET}, "sealed": {"secret": SECRET, "seal": True}}
OLDER = "an older secret, also long enough"
SECRET_TEXT = "account number 4711"


@pytest.fixture(params=KINDS)
def options(request):
    return dict(KINDS[request.param])


@pytest.fixture
def sealed():
    return dict(KINDS["sealed"])


def decoded(cookie):
    """All that whoever has the cookie can make of its value by base64."""
    value = cookie.partition("=")[2]
    return value.encode() + b"".join(urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in value.split("."))


# Confidentiality


def test_what_a_sealed_session_holds_cannot_be_read_in_its_cookie(sealed):
    visitor = Site(**sealed).visitor()
    visitor(put(account=SECRET_TEXT))
    user = "ann@example.com"  # long, as all of it: three letters may be there by chance
    visitor(lambda session: (session.login(user, label="a browser"), session.flash("a message"), session.csrf_token))
    shown = decoded(visitor.cookie)
    for hidden in (b"account", SECRET_TEXT.encode(), user.encode(), b"browser", b"message", b'"csrf"', b"17000"):
        assert hidden not in shown
    assert visitor(everything).text == repr({"account": SECRET_TEXT})
    assert visitor(lambda session: session.user).text == repr(user)


def test_what_a_signed_session_holds_can_be_read_as_documented():
    visitor = Site(secret=SECRET).visitor()
    visitor(put(account=SECRET_TEXT))
    assert SECRET_TEXT.encode() in decoded(visitor.cookie)


def test_equal_sealed_sessions_have_different_cookies(sealed):
    clock = Clock()
    site = Site(clock=clock, **sealed)
    visitor = site.visitor()
    visitor(put(a=1))
    first = visitor.cookie
    clock.now += 180
    assert visitor(everything).all("Set-Cookie") != []
    assert visitor.cookie != first
    assert len(visitor.cookie) == len(first)
    assert site.ask(everything, first).text == site.ask(everything, visitor.cookie).text == "{'a': 1}"


# What does not open


def test_any_changed_character_of_a_sealed_cookie_is_an_anonymous_visitor(sealed):
    events = []
    site = Site(on_event=events.append, **sealed)
    visitor = site.visitor()
    visitor(put(user="ann"))
    name, _, token = visitor.cookie.partition("=")
    events.clear()
    for at in range(len(token)):
        wrong = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert site.ask(everything, f"{name}={wrong}").text == "{}"
    for wrong in (token[:-1], token + "A", token + token, token[: len(token) // 2]):
        assert site.ask(everything, f"{name}={wrong}").text == "{}"
    assert {event.name for event in events} == {"tampered_cookie"}
    assert len(events) == len(token) + 4


def test_a_value_under_another_name_opens_nothing(options):
    site = Site(**options)
    visitor = site.visitor()
    visitor(put(user="ann"))
    value = visitor.cookie.partition("=")[2]
    assert site.ask(everything, f"__Host-id={value}", **HTTPS).text == "{}"
    for name in ("other", "id2", "i"):
        assert Site(cookie=CookieOptions(name), **options).ask(everything, f"{name}={value}").text == "{}"


def test_there_is_no_way_from_signed_to_sealed_and_none_back(sealed):
    signed_site, sealed_site = Site(secret=SECRET), Site(**sealed)
    signed, hidden = signed_site.visitor(), sealed_site.visitor()
    signed(put(user="ann"))
    hidden(put(user="ann"))
    assert sealed_site.ask(everything, signed.cookie).text == "{}"
    assert signed_site.ask(everything, hidden.cookie).text == "{}"
    plain = json.dumps(["0" * 32, 1_700_000_000, {"user": "ann"}])
    for site in (signed_site, sealed_site):
        assert site.ask(everything, f"id={plain}").text == "{}"


def test_without_the_package_a_sealed_session_is_an_error_at_construction_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtra, match=r"pip install 'wsgi-middleware\[crypto\]'"):
        SessionMiddleware(Site.serve, secret=SECRET, seal=True)


# Secrets


def test_an_old_secret_opens_and_the_newest_makes_what_is_written_next(options):
    del options["secret"]
    visitor = Site(secret=OLDER, **options).visitor()
    visitor(put(a=1))
    old = visitor.cookie
    both = Site(secret=[OLDER, SECRET], **options)
    newest = Site(secret=[SECRET], **options)
    assert both.ask(everything, old).all("Set-Cookie") == []
    visitor.browser.app = both.app
    visitor.site = both
    visitor(put(b=2))
    assert newest.ask(everything, visitor.cookie).text == "{'a': 1, 'b': 2}"
    assert newest.ask(everything, old).text == "{}"
    assert Site(secret=OLDER, **options).ask(everything, visitor.cookie).text == "{}"


def test_a_text_is_one_secret_and_no_list_of_characters(options):
    site = Site(**options)
    visitor = site.visitor()
    visitor(put(a=1))
    with pytest.raises(ConfigurationError, match="16 or more"):
        Site(**{**options, "secret": list(SECRET)})
    assert Site(**{**options, "secret": SECRET.encode()}).ask(everything, visitor.cookie).text == "{'a': 1}"


@pytest.mark.parametrize("wrong", ["", b"", [], [""], "15 bytes, short.", [SECRET, "short"], 5, None, [None], {SECRET}])
def test_a_secret_that_can_be_guessed_is_an_error_at_construction(options, wrong):
    wrong = wrong[:15] if isinstance(wrong, str) else wrong
    with pytest.raises(ConfigurationError):
        Site(**{**options, "secret": wrong})


# Contents


@pytest.mark.slow
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), values, max_size=3))
def test_every_value_comes_back_from_a_sealed_cookie(content):
    site = Site(chunks=20, **KINDS["sealed"])
    found = []
    visitor = site.visitor()
    visitor(lambda session: session.update(content))
    visitor(lambda session: found.append(dict(session)))
    assert same(found[0], content)


def test_a_cookie_is_set_only_where_something_changed(options):
    visitor = Site(**options).visitor()
    visitor(put(a=1, l=[1]))
    for use in (
        everything,
        put(a=1, l=[1]),
        lambda session: session["l"].append(session["l"].pop()),
        lambda session: (session.pop_flash(), session.changed(), session.check_csrf_token("")),
    ):
        assert visitor(use).all("Set-Cookie") == []


def test_what_was_deleted_does_not_come_back_with_a_new_id(options):
    clock = Clock()
    visitor = Site(clock=clock, timeouts=Timeouts(renew_every=600), **options).visitor()
    visitor(put(a=1))
    clock.now += 700
    assert "Max-Age=0" in visitor(lambda session: session.clear()).all("Set-Cookie")[0]
    assert visitor.cookie == ""
    visitor(put(a=1))

    def use(session):
        session.clear()
        session.save()
        session.rotate()

    visitor(use)
    assert visitor.cookie == ""


def test_remember_happens_at_the_call_whatever_the_answer(options):
    site = Site(clock=Clock(), **options)
    visitor = site.visitor()
    visitor(put(a=1))
    site.status = "500 Sorry"
    [line] = visitor(lambda session: (session.update(lost=1), session.remember(30))).all("Set-Cookie")
    assert "Max-Age=2592000" in line
    site.status = "200 OK"
    assert visitor(everything).text == "{'a': 1}"


# Size


def fill(session):
    """Put in the longest text that has room, found by halving."""
    fits, too_long = 0, 40_000
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        try:
            session["a"] = "x" * middle
            fits = middle
        except SessionTooLarge:
            too_long = middle
    session["a"] = "x" * fits


def test_a_cookie_of_4096_bytes_passes_and_one_of_4097_raises(options):
    at = {}
    for name in ("i", "id", "ids", "abcd"):  # one of them fits to the byte, for base64 makes four characters of three
        visitor = Site(cookie=CookieOptions(name), **options).visitor()
        visitor(fill)
        size = len(visitor.cookie) - len("=")
        at[size] = visitor
    assert max(at) == 4096
    assert min(at) >= 4094
    full = at[4096]
    earlier = full.cookie
    with pytest.raises(
        SessionTooLarge, match=r"409[78] bytes of name and value, browsers keep 4096.*'a' \(2\d+ bytes\)"
    ):
        full(lambda session: session.update(a=session["a"] + "x"))
    assert full.cookie == earlier
    assert full(len).text == "1"


def test_what_is_too_large_names_its_three_largest_keys(options):
    visitor = Site(**options).visitor()
    visitor(put(l=[], tiny=1, large="x" * 900, larger="x" * 1000, small="x" * 10))
    earlier = visitor.cookie
    with pytest.raises(SessionTooLarge) as raised:
        visitor(lambda session: session["l"].append("x" * 2000))
    message = str(raised.value)
    assert "'l' (2007 bytes), 'larger' (1010 bytes), 'large' (909 bytes)" in message
    assert "tiny" not in message
    assert "small" not in message
    assert "store=" in message
    assert "xxx" not in message
    assert visitor.cookie == earlier
    assert visitor(lambda session: session["l"]).text == "[]"


@pytest.mark.parametrize("act", [lambda session: session.login("ann"), lambda session: session.remember(30)])
def test_a_session_without_room_for_what_it_notes_about_itself_raises_and_stays(options, act):
    store = SpyStore()
    visitor = Site(revocations=store, **options).visitor()
    visitor(fill)
    with pytest.raises(SessionTooLarge):
        visitor(act)
    assert store.writes == []
    assert visitor(lambda session: (session.user, len(session))).text == "(None, 1)"


def test_a_full_session_that_is_due_for_a_new_id_lives_on_with_the_old_one(options):
    clock = Clock()
    store = SpyStore()
    visitor = Site(clock=clock, revocations=store, timeouts=Timeouts(renew_every=60), **options).visitor()
    visitor(fill)
    for _ in range(5):
        clock.now += 1000
        assert visitor(len).text == "1"
    assert store.writes == []


def test_a_change_that_has_no_room_costs_the_session_neither_its_id_nor_its_data(options):
    visitor = Site(rotate_on=["user"], revocations=SpyStore(), **options).visitor()
    visitor(put(user="ann", l=[]))
    with pytest.raises(SessionTooLarge):
        visitor(lambda session: (session.update(user="bob"), session["l"].append("x" * 5000)))
    assert visitor(everything).text == "{'user': 'ann', 'l': []}"


# What a cookie cannot do


@pytest.mark.parametrize("act", [lambda session: session.increment("n"), lambda session: session.lock().__enter__()])
def test_what_needs_a_store_says_so(options, act):
    visitor = Site(**options).visitor()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"store="):
            visitor(act)
        visitor(put(a=1))


def test_sessions_in_cookies_are_in_no_list_and_cannot_be_counted(options):
    site = Site(**options)
    for act in (
        lambda users: users.sessions_of("ann"),
        lambda users: users.end_all("ann"),
        lambda users: users.end("ann", "0" * 64),
    ):
        with pytest.raises(ConfigurationError, match=r"store="):
            act(site.app.users)
        with pytest.raises(ConfigurationError, match=r"store="):
            site.ask(lambda session, act=act: act(session.users))
    with pytest.raises(ConfigurationError, match=r"store="):
        Site(max_sessions=2, **options)
