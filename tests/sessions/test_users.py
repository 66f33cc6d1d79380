"""The sessions of a user over all browsers: listed, and ended one by one, all others, all.

Numbers: S31 and S32 of the notes, point 5 of the issue. The same in every order of calls is in test_users_at_once.py.
"""

from __future__ import annotations

import pytest
from sessions.kit import Clock, Site, SpyStore, everything, put
from sessions.races import Crowded, Interleaved, cookie_of, during, live

from middleware.errors import StoreError
from middleware.sessions import Timeouts
from middleware.stores.memory import MemoryStore


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store():
    return SpyStore()


@pytest.fixture
def site(store, clock):
    return Site(store=store, clock=clock)


def login(user="ann", label="", **values):
    return lambda session: (put(**values)(session), session.login(user, label=label))


def visitors(site, *labels, user="ann"):
    """A browser for each label, in which the user is logged in."""
    found = []
    for label in labels:
        visitor = site.visitor()
        visitor(login(user, label))
        found.append(visitor)
    return found


def labels_of(site, user="ann"):
    return sorted(info.label for info in site.app.users.sessions_of(user))


def user_of(visitor):
    return eval(visitor(lambda session: session.user).text)


def id_in(visitor):
    return eval(visitor(lambda session: session.id).text)


def assert_nobody_is_hidden(site, store, user="ann"):
    """Every session of the user that is alive in the store can be listed, and ended with all the others."""
    site.app.users.end_all(user)
    assert not any(b'"user":"%b"' % user.encode() in value for value in live(store))
    assert site.app.users.sessions_of(user) == []


# The list


def test_the_sessions_of_a_user_are_listed_with_their_times_and_labels(site, clock):
    phone, laptop = site.visitor(), site.visitor()
    began = clock.now
    phone(login(label="phone"))
    clock.now += 60
    laptop(put(a=1))
    clock.now += 60
    laptop(login(label="laptop"))
    clock.now += 1000
    phone(put(b=1))
    first, second = site.app.users.sessions_of("ann")
    assert first == (id_in(phone), began, began + 1120, began + 2920, "phone")
    assert second == (id_in(laptop), began + 60, began + 120, began + 1920, "laptop")


def test_a_handle_opens_nothing(site):
    visitors(site, "phone")
    [info] = site.app.users.sessions_of("ann")
    assert site.ask(everything, f"id={info.id}").text == "{}"


def test_a_label_is_cut(site):
    visitors(site, "x" * 500)
    assert labels_of(site) == ["x" * 200]


def test_another_users_sessions_never_appear(site):
    visitors(site, "phone", "laptop")
    visitors(site, "tablet", user="bob")
    visitors(site, "desk", user="ann:")
    site.visitor()(put(user="ann"))
    assert labels_of(site) == ["laptop", "phone"]
    assert labels_of(site, "bob") == ["tablet"]
    assert labels_of(site, "ann:") == ["desk"]
    assert labels_of(site, "") == labels_of(site, "nobody") == []


def test_an_ended_session_is_listed_no_more(site):
    phone, laptop, tablet = visitors(site, "phone", "laptop", "tablet")
    phone(lambda session: session.logout())
    laptop(lambda session: session.invalidate())
    tablet(login("bob"))
    assert labels_of(site) == []


def test_an_expired_session_is_listed_no_more_and_leaves_the_index(site, store, clock):
    phone, _ = visitors(site, "phone", "laptop")
    for _ in range(3):
        clock.now += 1000
        phone(everything)
    assert labels_of(site) == ["phone"]
    assert not any(b"laptop" in value for value in live(store) if value[:1] == b"{")
    clock.now += 1800
    assert labels_of(site) == []
    assert not any(b"phone" in value for value in live(store) if value[:1] == b"{")


@pytest.mark.parametrize("change", ["rotates", "is renewed", "logs in again"])
def test_a_session_that_gets_a_new_id_is_listed_once_with_its_label(store, clock, change):
    site = Site(store=store, clock=clock, timeouts=Timeouts(renew_every=60))
    phone, _ = visitors(site, "phone", "laptop")
    for _ in range(3):
        clock.now += 61 if change == "is renewed" else 1
        before = phone.cookie
        phone(
            {"rotates": lambda s: s.rotate(), "is renewed": everything, "logs in again": login(label="phone")}[change]
        )
        assert phone.cookie != before
        assert labels_of(site) == ["laptop", "phone"]
    assert id_in(phone) in {info.id for info in site.app.users.sessions_of("ann")}


def test_a_remembered_session_is_listed_until_its_end(site, clock):
    phone, _ = visitors(site, "phone", "laptop")
    phone(lambda session: session.remember(30))
    clock.now += 29 * 86400
    assert labels_of(site) == ["phone"]
    assert user_of(phone) == "ann"
    clock.now += 86400
    assert labels_of(site) == []


def test_two_logins_at_once_are_both_listed(any_store):
    site = Crowded(store=any_store)
    answers = site.all_at_once([login(label=f"browser {number}") for number in range(8)])
    assert [answer.code for answer in answers] == [200] * 8
    assert labels_of(site) == [f"browser {number}" for number in range(8)]


# One


def test_one_session_is_ended_by_its_handle(site):
    phone, laptop = visitors(site, "phone", "laptop")
    assert site.app.users.end("ann", id_in(phone)) is True
    assert (user_of(phone), user_of(laptop)) == (None, "ann")
    assert labels_of(site) == ["laptop"]


def test_a_session_is_ended_by_the_handle_that_was_shown_before_it_got_a_new_id(site):
    phone, laptop = visitors(site, "phone", "laptop")
    shown = id_in(phone)
    phone(lambda session: session.rotate())
    phone(lambda session: session.rotate())
    assert site.app.users.end("ann", shown) is True
    assert user_of(phone) is None
    assert user_of(laptop) == "ann"
    assert labels_of(site) == ["laptop"]


def test_only_a_session_of_this_user_is_ended(site):
    [phone] = visitors(site, "phone")
    [tablet] = visitors(site, "tablet", user="bob")
    shown = id_in(tablet)
    tablet(lambda session: session.rotate())
    for id in (shown, id_in(tablet), "", "0" * 64, "user:bob"):
        assert site.app.users.end("ann", id) is False
    assert (user_of(phone), user_of(tablet)) == ("ann", "bob")


def test_ending_twice_ends_once(site):
    [phone] = visitors(site, "phone")
    shown = id_in(phone)
    assert site.app.users.end("ann", shown) is True
    assert site.app.users.end("ann", shown) is False


# All, and all others


def test_log_out_everywhere_ends_every_session_of_this_user(site):
    browsers = visitors(site, "phone", "laptop", "tablet")
    [bob] = visitors(site, "desk", user="bob")
    assert site.app.users.end_all("ann") == 3
    assert [user_of(one) for one in browsers] == [None] * 3
    assert user_of(bob) == "bob"
    assert labels_of(site) == []
    assert site.app.users.end_all("ann") == 0


@pytest.mark.parametrize(
    "late", [put(late=1), everything, lambda s: s.rotate(), lambda s: s.increment("n"), login(label="x")]
)
def test_a_slow_request_does_not_undo_a_log_out_everywhere(site, store, late):
    phone, laptop, tablet = visitors(site, "phone", "laptop", "tablet")
    answer = during(phone, lambda: laptop(lambda s: s.users.end_all("ann", but=s.id)), late)
    assert answer.code == 200
    assert [user_of(one) for one in (phone, laptop, tablet)] == [None, "ann", None]
    if "x" in labels_of(site):  # a login in the slow request is a login after the log-out
        assert answer.all("Set-Cookie") != []
    else:
        assert answer.all("Set-Cookie") == []
        assert labels_of(site) == ["laptop"]


def test_all_others_are_ended_and_this_one_is_unaffected(site):
    phone, laptop, tablet = visitors(site, "phone", "laptop", "tablet")
    laptop(put(a=1))
    answer = laptop(lambda session: (session.users.end_all("ann", but=session.id), put(b=2)(session)))
    assert answer.text == "(2, None)"
    assert [user_of(one) for one in (phone, laptop, tablet)] == [None, "ann", None]
    assert laptop(everything).text == "{'a': 1, 'b': 2}"
    assert labels_of(site) == ["laptop"]


def test_all_others_are_ended_by_the_handle_that_this_one_had_before_it_got_a_new_id(site):
    phone, laptop = visitors(site, "phone", "laptop")
    had = id_in(laptop)
    laptop(lambda session: session.rotate())
    assert site.app.users.end_all("ann", but=had) == 1
    assert (user_of(phone), user_of(laptop)) == (None, "ann")


def test_the_data_of_a_session_that_was_ended_with_its_own_request_is_gone(site, store):
    [phone] = visitors(site, "phone")
    answer = phone(lambda session: (session.users.end_all(session.user), put(late=1)(session)))
    assert (answer.code, answer.all("Set-Cookie")) == (200, [])
    assert user_of(phone) is None
    assert not any(b"late" in value for value in live(store))


def test_a_user_who_is_logged_out_everywhere_may_log_in_again_in_the_same_request(site):
    phone, laptop = visitors(site, "phone", "laptop")
    phone(lambda session: (session.users.end_all("ann"), session.login("ann", label="again")))
    assert (user_of(phone), user_of(laptop)) == ("ann", None)
    assert labels_of(site) == ["again"]


# In threads


@pytest.mark.slow
def test_eight_threads_that_log_in_rotate_and_write_and_one_that_logs_out_everywhere_hide_nobody(any_store):
    for _ in range(10):
        site = Crowded(store=any_store)
        cookie = cookie_of(site.ask(login(label="first")))
        acts = [login(label="new"), lambda s: s.rotate(), put(late=1), lambda s: s.remember(30)] * 2
        answers = site.all_at_once([*acts, lambda session: session.users.end_all("ann")], cookie)
        assert [answer.code for answer in answers] == [200] * 9
        alive = [one for one in map(cookie_of, answers) if one and site.ask(lambda s: s.user, one).text == "'ann'"]
        assert site.ask(everything, cookie).text == "{}"
        assert len(labels_of(site)) == len(alive)
        site.app.users.end_all("ann")
        assert [site.ask(lambda session: session.user, one).text for one in alive] == ["None"] * len(alive)


# While the store fails

MOVES = {
    "login": login(label="new"),
    "rotation": lambda session: session.rotate(),
    "renewal": everything,
    "remember": lambda session: session.remember(30),
}
MOST_CALLS = 20  # of the store in one of these requests


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("move", ["login", "rotation", "renewal", "remember"])
def test_a_store_that_fails_at_any_call_hides_nobody_and_loses_no_session(move):
    for calls in range(MOST_CALLS):
        store, clock = Interleaved(), Clock()
        site = Site(store=store, clock=clock, timeouts=Timeouts(renew_every=60))
        visitor, _ = visitors(site, "this", "other")
        clock.now += 61 if move == "renewal" else 1
        store.waiting = [(calls, lambda store=store: setattr(store, "down", True))]
        assert visitor(MOVES[move]).code in (200, 503)
        failed = not store.waiting
        store.waiting.clear()
        store.down = False
        if not failed:
            break
        assert user_of(visitor) == "ann", calls
        assert_nobody_is_hidden(site, store)
    else:
        raise AssertionError("more calls than were tried")


@pytest.mark.usefixtures("elsewhere")
def test_a_log_out_that_fails_at_any_call_is_done_or_can_be_tried_again():
    for calls in range(MOST_CALLS):
        store, clock = Interleaved(), Clock()
        site = Site(store=store, clock=clock)
        [visitor] = visitors(site, "this")
        old = visitor.cookie
        store.waiting = [(calls, lambda store=store: setattr(store, "down", True))]

        def caught(session, store=store):
            put(message="good-bye")(session)
            try:
                session.logout()
            except StoreError:
                store.down = False
                return "failed"

        tried = visitor(caught)
        failed = not store.waiting
        store.waiting.clear()
        store.down = False
        if not failed:
            break
        if user_of(visitor) == "ann":
            assert tried.code == 503 or tried.text == "'failed'"
            assert visitor.cookie == old
            assert visitor(lambda session: session.logout()).code == 200
        assert user_of(visitor) is None, calls
        assert site.ask(lambda session: session.user, old).text == "None"
        assert labels_of(site) == []
        assert_nobody_is_hidden(site, store)
    else:
        raise AssertionError("more calls than were tried")


# Administrators


def test_the_layer_itself_lists_and_ends_sessions(clock):
    site = Site(store=MemoryStore(), clock=clock)
    phone, _ = visitors(site, "phone", "laptop")
    assert [info.label for info in site.app.users.sessions_of("ann")] == ["phone", "laptop"]
    assert site.app.users.end_all("ann") == 2
    assert user_of(phone) is None
