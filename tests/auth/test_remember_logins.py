"""Remembered logins in a store: how they begin and end, and what requests do to each other that come at once."""

from __future__ import annotations

from functools import partial
from threading import Barrier

import pytest
from auth.remembering_site import DAYS, use_at_once, welcome
from sessions.races import at_once

from middleware.auth.login import remember_logins
from middleware.auth.login.remember_logins import MOST, SERIES, USER, RememberedLogins, split
from middleware.errors import StoreError
from middleware.stores.memory import MemoryStore
from middleware.stores.sqlite import SQLiteStore
from middleware.testing import FakeClock
from middleware.testing.crowds import in_processes

PATIENCE = 60


def unwelcome(series):
    return False


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def store(clock):
    return MemoryStore(clock=clock)


@pytest.fixture
def logins(store, clock):
    return RememberedLogins(store, DAYS, extend=False, clock=clock)


def begun(logins, user="ann"):
    return logins.begin(user, "00", "proof")[0]


def test_a_clock_may_count_in_whole_seconds(store):
    logins = RememberedLogins(store, DAYS, extend=False, clock=lambda: 1_700_000_000)
    value = begun(logins)
    for _ in range(3):
        used = logins.use(value, welcome)
        assert (used.user, used.is_theft) == ("ann", False)
        value = used.value


def test_a_series_says_whose_it_is_and_gives_another_token_at_each_use(logins, clock):
    value, end = logins.begin("ann", "00", "proof")
    for _ in range(3):
        clock.advance(3600)
        used = logins.use(value, welcome)
        assert (used.user, used.end, used.is_theft) == ("ann", end, False)
        assert split(used.value)[0] == split(value)[0]
        assert used.value != value
        value = used.value


def test_the_end_does_not_move_by_use_unless_it_is_told_to(logins, store, clock):
    value = begun(logins)
    clock.advance(DAYS - 1)
    value = logins.use(value, welcome).value
    clock.advance(1)
    assert logins.use(value, welcome) is None
    extending = RememberedLogins(store, DAYS, extend=True, clock=clock)
    value = begun(extending)
    for _ in range(3):
        clock.advance(DAYS - 1)
        value = extending.use(value, welcome).value
    clock.advance(DAYS)
    assert extending.use(value, welcome) is None


def test_a_token_is_nowhere_in_the_store(logins, store):
    value = begun(logins)
    used = logins.use(value, welcome)
    for token in (split(value)[1], split(used.value)[1]):
        assert token not in repr(vars(store))


NO_VALUES = [
    "",
    ":",
    "x",
    "a:b",
    f"{'0' * 32}:{'1' * 48}",
    f"{'0' * 32}:{'g' * 48}",
    "0" * 81,
    f"{'0' * 32}:{'1' * 49}",
]
NO_VALUES += ["0" * 32 + ":" + "\u0661" * 48, "a" * 100_000, f"{'0' * 32}:{'1' * 47}:"]


@pytest.mark.parametrize("value", NO_VALUES)
def test_a_value_that_names_no_series_is_nothing(logins, value):
    assert logins.use(value, welcome) is None
    assert logins.user_of(value) is None
    logins.end(value)


def test_a_series_whose_record_cannot_be_read_is_nothing(logins, store):
    value = begun(logins)
    store.set(SERIES + split(value)[0], b"damaged")
    assert logins.use(value, welcome) is None
    store.set(USER + "bob", b"damaged")
    assert logins.use(begun(logins, "bob"), welcome)


def test_a_series_ends_when_its_user_is_not_welcome_any_more(logins):
    value = begun(logins)
    assert logins.use(value, unwelcome) is None
    assert logins.use(value, welcome) is None


def test_a_series_is_ended_by_any_of_its_tokens_and_others_stay(logins):
    first, second = begun(logins), begun(logins)
    later = logins.use(first, welcome).value
    logins.end(first)
    assert logins.use(later, welcome) is None
    assert logins.use(second, welcome).user == "ann"


def test_all_series_of_a_user_end_and_those_of_others_stay(logins):
    values = [begun(logins) for _ in range(3)]
    bob = begun(logins, "bob")
    logins.end_all("ann")
    assert [logins.use(value, welcome) for value in values] == [None] * 3
    assert logins.use(bob, welcome).user == "bob"
    assert logins.use(begun(logins), welcome).user == "ann"


def test_a_series_does_not_count_any_more_once_the_record_of_its_user_is_gone(logins, store):
    value = begun(logins)
    store.delete(USER + "ann")
    assert not logins.counts("ann", split(value)[0])
    assert logins.use(value, welcome) is None


def test_a_use_that_is_under_way_does_not_bring_back_what_was_ended(store, clock):
    logins = RememberedLogins(store, DAYS, extend=True, clock=clock)
    value = begun(logins)

    def ends_meanwhile(series):
        logins.end_all("ann")
        return True

    assert logins.use(value, ends_meanwhile) is None
    assert not logins.counts("ann", split(value)[0])


def test_a_user_has_so_many_series_and_the_oldest_make_room(logins, clock):
    values = []
    for _ in range(MOST + 2):
        values.append(begun(logins))
        clock.advance(1)
    assert [value for value in values if logins.use(value, welcome) is None] == values[:2]


def test_series_that_are_over_take_no_room(logins, store, clock):
    begun(logins)
    clock.advance(DAYS / 2)
    begun(logins)
    clock.advance(DAYS / 2)
    begun(logins)
    assert store.get(USER + "ann").count(b":") == 2


# The sessions that it opens.


def test_a_mark_says_whether_a_session_counts_and_why_it_does_not(logins, clock):
    value = begun(logins)
    first = logins.use(value, welcome)
    assert logins.why_over(first.mark) is None
    clock.advance(60)
    second = logins.use(value, welcome)
    assert (first.is_again, second.is_again) == (False, True)
    clock.advance(60)
    assert logins.why_over(first.mark) == "remembered login used again"
    assert logins.why_over(second.mark) is None
    third = logins.use(second.value, welcome)
    assert not third.is_again
    logins.end(value)
    assert logins.why_over(third.mark) == "remembered login ended"


@pytest.mark.parametrize("mark", ["", ":", "0", f"{'0' * 32}:", "\u0661" * 100, "a" * 100_000])
def test_a_mark_of_nothing_is_one_of_a_series_that_has_ended(logins, mark):
    assert logins.why_over(mark) == "remembered login ended"


# At once.


def test_one_token_in_many_requests_at_once_is_exchanged_once(logins):
    value = begun(logins)
    barrier = Barrier(8)

    def request():
        barrier.wait(PATIENCE)
        return logins.use(value, welcome)

    used = at_once([request] * 8)
    assert [one.is_theft for one in used] == [False] * 8
    assert len([one for one in used if one.value]) == 1


def test_a_successor_in_many_requests_at_once_is_exchanged_once(logins):
    value = logins.use(begun(logins), welcome).value
    barrier = Barrier(8)

    def meet(series):
        if not series.past:
            barrier.wait(PATIENCE)  # all of them have read the same record
        return True

    used = at_once([partial(logins.use, value, meet)] * 8)
    assert [one.is_theft for one in used] == [False] * 8
    assert len([one for one in used if one.value]) == 1


def test_logins_at_once_are_all_remembered(logins):
    barrier = Barrier(8)

    def login():
        barrier.wait(PATIENCE)
        return begun(logins)

    values = at_once([login] * 8)
    assert {logins.use(value, welcome).user for value in values} == {"ann"}


def test_a_record_that_cannot_be_written_is_an_error_of_the_store(logins, store, monkeypatch):
    monkeypatch.setattr(remember_logins, "wait", lambda attempt: None)
    value = begun(logins)
    monkeypatch.setattr(store, "swap", lambda *arguments: False)
    with pytest.raises(StoreError, match="20 attempts"):
        logins.use(value, welcome)
    with pytest.raises(StoreError, match="20 attempts"):
        begun(logins)


@pytest.mark.slow
def test_one_token_in_four_processes_at_once_is_exchanged_once(tmp_path, clock):
    opened = partial(SQLiteStore, tmp_path / "remembered.db", clock=clock)
    with opened() as store:
        value = begun(RememberedLogins(store, DAYS, extend=False, clock=clock))
        assert sorted(in_processes(partial(use_at_once, value), opened)) == [[1], [1], [1], [2]]
