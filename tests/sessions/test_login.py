"""Logging in, and new ids: the old one opens nothing, and what the session held stays.

Numbers: S19 to S21 and S23 of the notes, point 3 of the issue.
"""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from sessions.kit import Clock, Site, SpyStore, everything, put
from sessions.races import Crowded, cookie_of, during

from middleware.errors import ReauthenticationRequired, SessionTooLarge
from middleware.sessions import Timeouts
from middleware.stores.memory import MemoryStore


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store():
    return SpyStore()


@pytest.fixture
def events():
    return []


@pytest.fixture
def site(store, clock, events):
    return Site(store=store, clock=clock, on_event=events.append, rotate_on=["user_id", "role"])


@pytest.fixture
def visitor(site):
    visitor = site.visitor()
    visitor(put(cart=[1]))
    return visitor


def login(user="ann", label="", **values):
    return lambda session: (put(**values)(session), session.login(user, label=label))


def labels_of(site, user="ann"):
    return [info.label for info in site.app.users.sessions_of(user)]


def names(events):
    return [event.name for event in events]


# A new id

CHANGES = {
    "login": lambda session: session.login("ann"),
    "rotate": lambda session: session.rotate(),
    "a key in rotate_on": put(user_id=7),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_known_before_opens_nothing_and_the_data_stays(site, visitor, clock, change):
    """Whoever had planted or seen the earlier id stays outside: of the data of then, too."""
    planted = visitor.cookie
    visitor(lambda session: (CHANGES[change](session), put(secret=1)(session)))
    assert visitor.cookie not in ("", planted)
    for seconds in (0, 29, 31, 1000):
        clock.now += seconds
        for use in (everything, put(late=1), lambda s: s.flash("x"), lambda s: s.increment("n")):
            attackers = site.ask(use, planted)
            assert (attackers.code, attackers.text in ("{}", "None", "1")) == (200, True)
            assert visitor.cookie not in repr(attackers.headers)
    data = eval(visitor(everything).text)
    assert (data["cart"], data["secret"]) == ([1], 1)
    assert not {"late", "n"} & {*data}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_of_eight_at_once_that_change_the_id_none_leaves_the_old_one_or_shares_the_data(any_store, change):
    site = Crowded(store=any_store, rotate_on=["user_id"])
    for _ in range(5):
        cookie = cookie_of(site.ask(put(cart=[1])))
        answers = site.all_at_once([CHANGES[change]] * 8, cookie)
        assert [answer.code for answer in answers] == [200] * 8
        assert site.ask(everything, cookie).text == "{}"
        given = [one for one in map(cookie_of, answers) if one]
        assert len(set(given)) == len(given) == (8 if change == "login" else 1)
        assert [site.ask(lambda session: session.get("cart"), one).text for one in given].count("[1]") == 1


def test_a_forged_or_unknown_id_is_never_adopted_by_a_login_or_a_rotation(site, store):
    forged = "id=" + "ab" * 32
    for use in (*CHANGES.values(), lambda s: s.increment("n"), lambda s: len(s.csrf_token), lambda s: s.flash("x")):
        answer = site.ask(use, forged)
        assert answer.code == 200
        assert forged not in repr(answer.headers)
        assert site.ask(lambda session: (session.user, dict(session)), forged).text == "(None, {})"


def test_a_login_is_told_once_with_its_user_and_a_rotation_with_whose_it_is(visitor, events):
    events.clear()
    visitor(lambda session: session.login("ann"))
    visitor(lambda session: session.rotate())
    visitor(lambda session: session.login("ann"))
    id = eval(visitor(lambda session: session.id).text)
    assert [(event.name, dict(event.details)) for event in events] == [
        ("login", {"user": "ann"}),
        ("rotated", {"user": "ann"}),
        ("login", {"user": "ann"}),
    ]
    assert events[-1].subject == id


def test_a_new_session_that_is_rotated_keeps_what_it_was_told_before(site):
    """There is no id to change yet, and nothing to begin anew."""
    visitor = site.visitor()

    def use(session):
        token = session.csrf_token
        session["a"] = 1
        session.flash("hello")
        session.remember(30)
        session.rotate()
        return token

    answer = visitor(use)
    assert "Max-Age=2592000" in answer.all("Set-Cookie")[0]
    assert visitor(lambda session: (session.check_csrf_token(eval(answer.text)), session.pop_flash())).text == repr(
        (True, [("message", "hello")])
    )


def test_a_login_after_remember_is_remembered_and_one_before_it_too(site):
    for use in (
        lambda session: (session.remember(30), session.login("ann")),
        lambda session: (session.login("ann"), session.remember(30)),
    ):
        for visitor in (site.visitor(), site.visitor()):
            visitor(put(a=1))
            assert "Max-Age=2592000" in visitor(use).all("Set-Cookie")[0]
            assert "Max-Age" in visitor(lambda session: session.rotate()).all("Set-Cookie")[0]


@pytest.mark.parametrize(("before", "after"), [(30, 0), (0, 30)])
@pytest.mark.parametrize(
    "late", [put(late=1), lambda s: s.increment("n"), lambda s: s.rotate(), lambda s: s.login("ann")]
)
def test_a_slow_request_does_not_take_back_whether_the_session_is_remembered(visitor, clock, before, after, late):
    """Neither the wish to be remembered nor the one to be forgotten."""
    visitor(lambda session: session.remember(before))
    answer = during(visitor, lambda: visitor(lambda session: session.remember(after)), late)
    clock.now += 86400
    found = visitor.site.ask(lambda session: session.get("cart"), cookie_of(answer) or visitor.cookie).text
    assert found == ("[1]" if after else "None")


# rotate_on


@pytest.mark.parametrize(
    "change",
    [
        put(user_id=8),
        put(role="admin"),
        lambda session: session.pop("user_id"),
        lambda session: session.clear(),
        lambda session: session["role"].append("admin"),
        lambda session: (put(user_id=8)(session), session.save()),
        put(user_id=8, role=[]),
    ],
)
def test_a_change_of_a_key_in_rotate_on_gives_a_new_id_once(visitor, events, change):
    visitor(put(user_id=7, role=["reader"]))
    old = visitor.cookie
    events.clear()
    visitor(change)
    assert visitor.cookie not in ("", old)
    assert names(events) == ["rotated"]


@pytest.mark.parametrize(
    "use", [everything, put(user_id=7), put(other=1), lambda s: s["role"], lambda s: s.setdefault("user_id", 9)]
)
def test_no_change_of_such_a_key_gives_no_new_id(visitor, events, use):
    visitor(put(user_id=7, role=["reader"]))
    old = visitor.cookie
    events.clear()
    visitor(use)
    assert visitor.cookie == old
    assert events == []


@pytest.mark.parametrize("status", ["500 Sorry", "raises"])
def test_a_change_that_is_not_kept_gives_no_new_id(visitor, status):
    old = visitor.cookie
    if status == "raises":
        with pytest.raises(ZeroDivisionError):
            visitor(lambda session: (put(user_id=7)(session), 1 / 0))
    else:
        visitor.site.status = status
        visitor(put(user_id=7))
    assert visitor.cookie == old
    assert visitor(everything).text == "{'cart': [1]}"


def test_a_change_that_has_no_room_leaves_the_session_under_its_id(store):
    visitor = Site(store=store, rotate_on=["user"], max_bytes=1000).visitor()
    visitor(put(user=[]))
    with pytest.raises(SessionTooLarge):
        visitor(lambda session: session["user"].append("x" * 1000))
    assert visitor(everything).text == "{'user': []}"


def test_nothing_is_written_under_the_old_id_before_the_new_one_is_there(visitor, store):
    store.forget_calls()
    visitor(put(user_id=7))
    assert store.calls == ["get", "add", "swap", "swap"]
    assert not any(
        b"user_id" in value for value in store.values[: store.values.index(b"{") if b"{" in store.values else 3]
    )


def test_tokens_of_forms_change_with_such_a_key_and_at_a_login_only(visitor):
    def token(session):
        return session.csrf_token

    def good(text):
        return visitor(lambda session: session.check_csrf_token(text)).text

    first = eval(visitor(token).text)
    visitor(lambda session: session.rotate())
    assert good(first) == "True"
    visitor(put(user_id=7))
    assert good(first) == "False"
    second = eval(visitor(token).text)
    visitor(lambda session: session.login("ann"))
    assert good(second) == "False"


# Recent authentication


@pytest.mark.parametrize(("seconds", "fresh"), [(0, True), (299, True), (300, False), (301, False)])
def test_a_login_is_fresh_for_as_long_as_was_said(visitor, clock, seconds, fresh):
    visitor(lambda session: session.login("ann"))
    clock.now += seconds

    def use(session):
        with nullcontext() if fresh else pytest.raises(ReauthenticationRequired, match=r"session\.login\(\)"):
            session.require_fresh(300)

    assert visitor(use).code == 200


@pytest.mark.parametrize("use", [everything, put(user_id=7), lambda session: session.rotate()])
def test_whoever_has_not_logged_in_is_not_fresh(visitor, use):
    visitor(use)

    def required(session):
        with pytest.raises(ReauthenticationRequired):
            session.require_fresh(300)

    assert visitor(required).code == 200


def test_to_log_in_again_makes_it_fresh_and_gives_a_new_id_and_a_new_life(clock):
    site = Site(store=MemoryStore(clock=clock), clock=clock, timeouts=Timeouts(idle=4000, lifetime=7200))
    visitor = site.visitor()
    visitor(login(cart=[1]))
    clock.now += 3600
    visitor(lambda session: session.rotate())  # which is neither
    old = visitor.cookie
    assert visitor(lambda session: clock.now - session.authenticated_at).text == "3600.0"
    visitor(lambda session: session.login("ann"))
    assert visitor.cookie != old
    assert site.ask(everything, old).text == "{}"
    clock.now += 3600
    assert visitor(lambda session: (session.require_fresh(3601), session.user, dict(session))).text == repr(
        (None, "ann", {"cart": [1]})
    )
    clock.now += 3600
    assert visitor(lambda session: session.user).text == "None"


# Who is logged in


def test_a_session_knows_its_user_and_when_that_logged_in(site, clock):
    visitor = site.visitor()
    assert visitor(lambda session: (session.user, session.authenticated_at)).text == "(None, None)"
    assert visitor(lambda session: (session.login("ann"), session.user)).text == "(None, 'ann')"
    at = clock.now
    clock.now += 60
    assert visitor(lambda session: (session.user, session.authenticated_at)).text == repr(("ann", at))
    visitor(lambda session: session.logout())
    assert visitor(lambda session: (session.user, session.authenticated_at)).text == "(None, None)"


@pytest.mark.parametrize(
    ("keep", "kept"), [(None, {"cart": [1], "theme": "dark"}), (["cart", "no such"], {"cart": [1]}), ([], {})]
)
def test_what_an_anonymous_session_held_stays_or_only_the_keys_named(site, keep, kept):
    visitor = site.visitor()
    visitor(put(cart=[1], theme="dark"))
    seen = visitor(lambda session: (session.login("ann", keep=keep), dict(session))[1]).text
    assert eval(seen) == kept
    assert eval(visitor(everything).text) == kept


def test_what_the_same_request_left_before_its_login_is_kept_or_dropped_in_the_same_way(site):
    visitor = site.visitor()
    visitor(lambda session: (put(cart=[1], theme="dark")(session), session.login("ann", keep=["cart"])))
    assert visitor(everything).text == "{'cart': [1]}"


def test_what_another_users_session_held_is_dropped_with_that_session(site):
    visitor = site.visitor()
    visitor(login("ann", secret="of ann"))
    old = visitor.cookie
    visitor(login("bob", own=1))
    assert visitor(lambda session: (session.user, dict(session))).text == "('bob', {})"
    assert site.ask(everything, old).text == "{}"
    assert labels_of(site, "ann") == []
    assert labels_of(site, "bob") == [""]


@pytest.mark.parametrize("user", ["", None, 7, b"ann"])
def test_a_user_is_a_text(site, user):
    def use(session):
        with pytest.raises(TypeError, match="a user is a text"):
            session.login(user)

    site.visitor()(use)


def test_a_label_and_the_keys_to_keep_are_judged_too(site):
    def use(session):
        with pytest.raises(TypeError, match="label= is text"):
            session.login("ann", label=b"Firefox")
        with pytest.raises(TypeError, match="keep= a list"):
            session.login("ann", keep="cart")
        assert session.user is None

    site.visitor()(use)


def test_half_a_surrogate_pair_is_no_user_and_no_label():
    def use(session):
        for wrong in ({"user": "ann\ud800"}, {"user": "ann", "label": "\udc80"}):
            with pytest.raises(ValueError, match="surrogate"):
                session.login(**wrong)
        return session.user

    assert Site(store=MemoryStore()).ask(use).text == "None"


def test_a_clock_may_count_in_whole_seconds(store):
    visitor = Site(store=store, clock=lambda: 1_700_000_000).visitor()
    visitor(login())
    assert visitor(lambda session: session.user).text == repr("ann")
