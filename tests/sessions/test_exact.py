"""Counting and locking: nothing that was acknowledged is lost, whatever other requests and processes do.

Numbers: S9, S11 and S12 of the notes, point 1 of the issue. 8 threads and 4 processes, 50 rounds each, at a barrier.
"""

from __future__ import annotations

from functools import partial

import pytest
from sessions.kit import SECRET, Clock, Site, SpyStore, everything, put
from sessions.races import PATIENCE, Crowded, cookie_of, counts, counts_in_a_lock, during, in_process

from middleware.errors import ConfigurationError, LockTimeout, StoreError
from middleware.stores.memory import MemoryStore
from middleware.testing.crowds import PROCESSES, in_processes

THREADS, ROUNDS = 8, 50


@pytest.fixture
def spy():
    return SpyStore()


@pytest.fixture
def visitor(spy):
    visitor = Site(store=spy).visitor()
    visitor(put(a=1))
    return visitor


def rounds(site, use, cookie):
    """The answers to this of 8 requests at a time, 50 times."""
    answers = []
    for turn in range(ROUNDS):
        answers += site.all_at_once([partial(use, turn, number) for number in range(THREADS)], cookie)
    return answers


# Exact, with threads and processes


@pytest.mark.slow
def test_eight_threads_that_count_get_different_numbers_and_lose_none(any_store):
    site = Crowded(store=any_store)
    cookie = cookie_of(site.ask(put(counter=0)))
    answers = rounds(site, lambda turn, number, session: session.increment("counter"), cookie)
    assert {answer.code for answer in answers} == {200}
    assert sorted(int(answer.text) for answer in answers) == list(range(1, THREADS * ROUNDS + 1))
    assert site.ask(everything, cookie).text == "{'counter': 400}"


@pytest.mark.slow
def test_eight_threads_that_set_a_key_each_lose_none(any_store):
    site = Crowded(store=any_store)
    cookie = cookie_of(site.ask(put(first=1)))
    answers = rounds(site, lambda turn, number, session: put(**{f"{turn}-{number}": 1})(session), cookie)
    assert {answer.code for answer in answers} == {200}
    assert site.ask(len, cookie).text == str(1 + THREADS * ROUNDS)


@pytest.mark.slow
def test_eight_threads_that_change_one_value_in_a_lock_lose_none(any_store):
    site = Crowded(store=any_store)
    cookie = cookie_of(site.ask(put(counter=0, deep={"list": []})))

    def use(turn, number, session):
        with session.lock(timeout=PATIENCE):
            session["counter"] += 1
            session["deep"]["list"].append(session["counter"])

    answers = rounds(site, use, cookie)
    assert {answer.code for answer in answers} == {200}
    numbers = list(range(1, THREADS * ROUNDS + 1))
    assert site.ask(everything, cookie).text == repr({"counter": numbers[-1], "deep": {"list": numbers}})


@pytest.mark.slow
@pytest.mark.parametrize("use", [counts, counts_in_a_lock])
def test_four_processes_that_count_lose_none(opener, use):
    with opener() as store:
        site = Site(store=store)
        cookie = cookie_of(site.ask(put(a=1)))
        told = [
            number for numbers in in_processes(partial(in_process, use, cookie, ROUNDS), opener) for number in numbers
        ]
        assert sorted(told) == list(range(1, len(told) + 1))
        assert len(told) >= PROCESSES * ROUNDS
        keys = {f"{number}-{turn}" for number in range(PROCESSES) for turn in range(ROUNDS)}
        data = eval(site.ask(everything, cookie).text)
        assert {*data} == {"a", "counter", *(keys if use is counts else ())}
        assert data["counter"] == len(told)


# increment


def test_a_number_that_is_not_there_counts_from_0_and_by_what_one_likes(visitor):
    assert visitor(lambda session: session.increment("n")).text == "1"
    assert visitor(lambda session: session.increment("n", 41)).text == "42"
    assert visitor(lambda session: session.increment("n", -43)).text == "-1"
    assert visitor(lambda session: session.increment("n", by=1 << 70)).text == str((1 << 70) - 1)
    assert visitor(lambda session: session["n"]).text == str((1 << 70) - 1)


def test_an_increment_begins_a_session():
    visitor = Site(store=SpyStore()).visitor()
    assert visitor(lambda session: (session.increment("n"), session.increment("n"))).text == "(1, 2)"
    assert visitor(everything).text == "{'n': 2}"


def test_an_increment_is_seen_by_the_request_that_made_it(visitor):
    def use(session):
        session.increment("n", 5)
        return session["n"], session.get("n"), dict(session)

    assert visitor(use).text == "(5, 5, {'a': 1, 'n': 5})"


@pytest.mark.parametrize("status", ["200 OK", "500 Sorry"])
def test_an_increment_is_not_taken_back(visitor, status):
    visitor.site.status = status
    visitor(lambda session: (session.increment("n"), put(b=1)(session)))
    with pytest.raises(ZeroDivisionError):
        visitor(lambda session: (session.increment("n"), put(c=1)(session), 1 / 0))
    kept = {"a": 1, "n": 2, "b": 1} if status == "200 OK" else {"a": 1, "n": 2}
    assert eval(visitor(everything).text) == kept


def test_an_increment_counts_on_from_what_this_request_has_set(visitor):
    assert visitor(lambda session: (put(n=10)(session), session.increment("n"), session["n"])).text == "(None, 11, 11)"
    assert visitor(lambda session: (session.pop("n"), session.increment("n"))).text == "(11, 1)"
    assert visitor(lambda session: (session.increment("n"), put(n=7)(session))).text == "(2, None)"
    assert visitor(lambda session: session["n"]).text == "7"
    visitor(lambda session: (session.increment("n"), session.pop("n")))
    assert visitor(everything).text == "{'a': 1}"


def test_an_increment_keeps_nothing_but_its_own_key_at_the_call(visitor):
    visitor.site.status = "500 Sorry"
    for browser, kept in ((visitor, {"a": 1, "n": 11}), (visitor.site.visitor(), {"n": 11})):
        browser(lambda session: (put(other=1, n=10)(session), session.increment("n"), put(n=0)(session)))
        assert browser(everything).text == repr(kept)


def test_an_increment_counts_on_from_what_another_request_has_set_meanwhile(visitor):
    visitor(put(n=1))
    answer = during(visitor, lambda: visitor(put(n=100, b=1)), lambda s: (s.increment("n"), put(c=1)(s)))
    assert answer.text == "(101, None)"
    assert visitor(everything).text == "{'a': 1, 'n': 101, 'b': 1, 'c': 1}"


@pytest.mark.parametrize("there", ["1", 1.0, True, [1], None], ids=repr)
def test_only_a_whole_number_can_be_incremented(visitor, there):
    visitor(put(n=there))

    def use(session):
        with pytest.raises(TypeError, match=rf"session\['n'\] is a {type(there).__name__}"):
            session.increment("n")
        return session["n"]

    assert visitor(use).text == repr(there)
    assert visitor(lambda session: session["n"]).text == repr(there)


@pytest.mark.parametrize("by", ["1", 1.0, True, None], ids=repr)
def test_it_can_be_incremented_by_a_whole_number_only(visitor, by):
    def use(session):
        with pytest.raises(TypeError, match="by= is a whole number"):
            session.increment("n", by)

    visitor(use)
    assert visitor(everything).text == "{'a': 1}"


def test_the_key_of_an_increment_is_text(visitor):
    def use(session):
        with pytest.raises(TypeError, match="keys of a session are text"):
            session.increment(1)

    visitor(use)


def test_an_increment_of_an_ended_session_changes_nothing(visitor):
    answer = during(visitor, lambda: visitor(lambda session: session.logout()), lambda session: session.increment("n"))
    assert (answer.code, answer.all("Set-Cookie")) == (200, [])
    assert visitor(everything).text == "{}"


# with session.lock()


def fails_in_a_lock(session, change):
    with session.lock():
        change()
        raise KeyError("the application's own")


def test_a_lock_reads_anew_on_the_way_in_and_keeps_on_the_way_out(visitor):
    def use(session):
        with session.lock():
            assert session["b"] == 2  # another request's
            session["c"] = 3
        seen.append(visitor(everything).text)

    seen = []
    during(visitor, lambda: visitor(put(b=2)), use)
    assert seen == ["{'a': 1, 'b': 2, 'c': 3}"]


def test_a_lock_that_cannot_be_left_fails_no_page_and_ends_by_itself(visitor, spy):
    def down():
        raise StoreError("the store is down")

    def use(session):
        with session.lock():
            session["b"] = 2
            # The first swap keeps the change, the second leaves the lock.
            spy.before["swap"] = lambda: spy.before.update(swap=down)

    assert visitor(use).code == 200
    assert visitor(everything).text == "{'a': 1, 'b': 2}"


def test_what_was_changed_before_a_lock_is_kept_on_the_way_in(visitor):
    def use(session):
        session["b"] = 2
        with session.lock():
            return visitor(everything).text

    assert visitor.twin()(use).text == repr("{'a': 1, 'b': 2}")


def test_what_was_kept_at_the_end_of_a_lock_stays_where_the_application_fails_then(visitor):
    def use(session):
        with session.lock():
            session["b"] = 2
        session["c"] = 3
        return 1 / 0

    with pytest.raises(ZeroDivisionError):
        visitor(use)
    assert visitor(everything).text == "{'a': 1, 'b': 2}"


@pytest.mark.parametrize("caught", [True, False])
def test_an_error_that_leaves_a_lock_takes_back_what_was_changed_inside(visitor, caught):
    visitor(put(gone=1, deep={"list": [1]}))

    def use(session):
        try:
            with session.lock():
                session["a"] = session["b"] = 2
                del session["gone"]
                session["deep"]["list"].append(2)
                session.flash("never shown")
                raise KeyError("the application's own")
        except KeyError:
            if not caught:
                raise
        return dict(session), session.peek_flash()

    before = {"a": 1, "gone": 1, "deep": {"list": [1]}}
    if caught:
        data, waiting = eval(visitor(use).text)
        assert (data, waiting) == (before, [])
    else:
        with pytest.raises(KeyError):
            visitor(use)
    data, waiting = eval(visitor(lambda session: (dict(session), session.peek_flash())).text)
    assert (data, waiting) == (before, [])


def test_an_error_that_leaves_a_lock_is_the_applications_own_also_where_a_value_cannot_be_kept(visitor):
    visitor(put(list=[1]))

    def use(session):
        with pytest.raises(KeyError):
            fails_in_a_lock(session, lambda: session["list"].append(object()))
        return session["list"]

    assert visitor(use).text == "[1]"


def test_what_an_error_takes_back_can_be_changed_again(visitor):
    visitor(put(list=[1], same=[1]))

    def use(session):
        same = session["same"]
        with pytest.raises(KeyError):
            fails_in_a_lock(session, lambda: session["list"].append(2))
        session["list"].append(3)
        same.append(2)

    visitor(use)
    assert visitor(everything).text == "{'a': 1, 'list': [1, 3], 'same': [1, 2]}"


def test_requests_that_use_no_lock_do_not_wait_for_one():
    """A barrier of nine that one of them passes inside its lock."""
    site = Crowded(store=MemoryStore())
    cookie = cookie_of(site.ask(put(a=1)))

    def inside(session):
        with session.lock():
            return go_on(session)

    def go_on(session):
        session["n"] = 1
        assert session.save() == []
        session.increment("counter")
        return dict(session) != {}

    answers = site.all_at_once([inside, *[go_on] * 8], cookie)
    assert [answer.text for answer in answers] == ["True"] * 9
    assert site.ask(lambda session: session["counter"], cookie).text == "9"


def test_whoever_waits_for_longer_than_its_timeout_gets_an_error(visitor):
    def second(session):
        with pytest.raises(LockTimeout), session.lock(timeout=0.01):
            pass
        session["b"] = "without the lock"

    def first(session):
        with session.lock():
            assert visitor.twin()(second).code == 200

    assert visitor.twin()(first).code == 200
    assert visitor(everything).text == "{'a': 1, 'b': 'without the lock'}"


@pytest.mark.parametrize("how", ["leaves", "never leaves"])
def test_a_holder_is_overtaken_after_its_ttl_and_does_not_free_the_lock_of_the_next_one(how):
    clock = Clock()
    visitor = Site(store=MemoryStore(clock=clock)).visitor()
    visitor(put(a=1))

    def third(session):
        with pytest.raises(LockTimeout), session.lock(timeout=0.01):
            pass

    def second(session):
        with session.lock(timeout=0.01):
            if how == "leaves":
                lock.__exit__(None, None, None)
            assert visitor.twin()(third).code == 200

    def first(session):
        nonlocal lock
        lock = session.lock(ttl=30)
        lock.__enter__()
        clock.now += 31
        assert visitor.twin()(second).code == 200
        assert visitor.twin()(lambda session: session.lock(timeout=0.01).__enter__()).code == 200  # it is free again

    lock = None
    assert visitor.twin()(first).code == 200


def test_a_session_that_is_not_kept_needs_no_lock():
    store = SpyStore()
    visitor = Site(store=store).visitor()

    def use(session):
        with session.lock():
            session["a"] = 1

    visitor(use)
    assert store.writes == ["add"]
    assert visitor(everything).text == "{'a': 1}"


def test_a_session_that_ends_while_somebody_waits_for_its_lock_stays_ended(visitor):
    store = visitor.site.app._https._store

    def use(session):
        store.before["add"] = lambda: visitor(lambda session: session.logout())
        with session.lock():
            session["late"] = 1

    answer = visitor.twin()(use)
    assert (answer.code, answer.all("Set-Cookie")) == (200, [])
    assert visitor(everything).text == "{}"


@pytest.mark.parametrize("limits", [{"timeout": 0}, {"ttl": 0}, {"timeout": "5"}, {"ttl": True}, {"ttl": 1e999}])
def test_the_limits_of_a_lock_are_numbers_of_seconds(visitor, limits):
    def use(session):
        with pytest.raises(ValueError, match=f"{next(iter(limits))} is a number of seconds above 0"):
            session.lock(**limits)

    visitor(use)


# Sessions in a cookie


def test_a_session_in_a_cookie_can_neither_count_nor_be_locked_and_says_what_can():
    def use(session):
        with pytest.raises(ConfigurationError, match="store="):
            session.increment("n")
        with pytest.raises(ConfigurationError, match="store="), session.lock():
            pass
        return dict(session)

    visitor = Site(secret=SECRET).visitor()
    visitor(put(a=1))
    assert visitor(use).text == "{'a': 1}"
