"""An IPv6 customer has 65,536 networks /64 and more: guesses count from the /48 round them too (PW-12, T18)."""

from __future__ import annotations

import pytest
from asking import ask, make_environ
from auth_helpers import basic, stored, who
from guessing import Broken, Key, Site, together
from hypothesis import given
from hypothesis import strategies as st

from middleware import AuthMiddleware, Basic
from middleware.auth.throttle.throttle import Throttle
from middleware.stores import MemoryStore
from middleware.testing import FakeClock

OTHER_CUSTOMER = "2001:db8:2::1"


def within(number, host=1, customer=1):
    """An address in one of the networks /64 of a customer."""
    return f"2001:db8:{customer:x}:{number:x}::{host:x}"


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def site(clock):
    return Site(clock)


def guess_all_over(site, times, user="ann", start=0):
    """The codes of so many guesses, each from a /64 of its own."""
    return [site.ask(f"guess {number}", user, within(start + number)).code for number in range(times)]


@pytest.mark.slow
def test_2000_guesses_for_a_name_from_all_over_a_48_are_20(site):
    assert guess_all_over(site, 2000) == [401] * 20 + [429] * 1980
    assert len(site.scheme.checks) == 20


def test_the_right_password_waits_too_and_only_in_that_48(site, clock):
    guess_all_over(site, 20)
    answer = site.ask("apple", address=within(0xFFFF))
    assert (answer.code, answer.header("Retry-After")) == (429, "1")
    assert site.ask("apple", address=OTHER_CUSTOMER).code == 200
    assert site.ask("apple", address="192.0.2.7").code == 200
    clock.advance(1)
    assert site.ask("apple", address=within(0xFFFF)).code == 200


def test_each_further_failure_doubles_the_delay(site, clock):
    waits = []
    guess_all_over(site, 19)
    for number in range(30):
        assert guess_all_over(site, 1, start=100 + number) == [401]
        waits.append(int(site.ask("apple", address=within(5)).header("Retry-After")))
        clock.advance(waits[-1])
    assert waits[:8] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert set(waits[8:]) == {128, 256}, "a failure is forgotten every 180 s"
    assert site.ask("apple", address=within(5)).code == 200


@pytest.mark.slow
def test_nobody_is_locked_out_for_good_while_somebody_in_the_same_48_guesses_on(site, clock):
    let_in = 0
    for number in range(400):
        guess_all_over(site, 1, start=number)
        clock.advance(60)
        let_in += site.ask("apple", address=within(0xFFFF)).code == 200
    assert let_in > 100


def test_twenty_an_hour_are_forgotten(site, clock):
    for number in range(100):
        assert guess_all_over(site, 1, start=number) == [401]
        clock.advance(181)


def test_the_free_failures_of_a_48_are_four_times_those_of_a_64(clock):
    site = Site(clock, free_failures=2)
    assert site.guess(3, address=within(0)) == [401, 401, 429]
    assert guess_all_over(site, 7, start=1) == [401] * 6 + [429]


def test_other_names_in_the_48_go_on(site):
    guess_all_over(site, 30)
    assert site.ask("boat", "bob", within(3)).code == 200


def test_many_names_from_a_48_are_slowed_down_as_a_whole(clock):
    site = Site(clock, network_failures=20)
    codes = [site.ask("wrong", f"user {number}", within(number)).code for number in range(25)]
    assert codes == [401] * 20 + [429] * 5
    assert site.ask("boat", "bob", within(0xFFFF)).code == 429
    assert site.ask("boat", "bob", OTHER_CUSTOMER).code == 200
    clock.advance(1)
    assert site.ask("boat", "bob", within(0xFFFF)).code == 200


# A success forgives its own


def test_who_mistypes_and_then_signs_in_does_not_use_up_what_the_48_has_free(site):
    for _ in range(10):
        assert site.guess(4, address=within(7)) == [401] * 4
        assert site.ask("apple", address=within(7)).code == 200
    assert guess_all_over(site, 21, start=100) == [401] * 20 + [429]


def test_a_success_does_not_forgive_what_others_in_the_48_have_guessed(site, clock):
    assert guess_all_over(site, 15, start=100) == [401] * 15
    assert site.guess(4, address=within(7)) == [401] * 4
    assert site.ask("apple", address=within(7)).code == 200
    assert guess_all_over(site, 6, start=200) == [401] * 5 + [429]


def test_the_owner_cannot_be_waited_for_to_guess_on(site):
    codes = []
    for number in range(40):
        codes += guess_all_over(site, 1, start=100 + number)
        site.ask("apple", address=within(7))
    assert codes == [401] * 20 + [429] * 20


def test_a_quiet_success_forgives_nothing(clock):
    site = Site(clock, scheme=Key(quietly=True))
    assert site.guess(4, address=within(7)) == [401] * 4
    assert site.ask("apple", address=within(7)).code == 200
    assert guess_all_over(site, 17, start=100) == [401] * 16 + [429]


# What is loud


def test_a_failure_is_loud_in_the_whole_48_and_not_beyond(site, clock):
    guess_all_over(site, 1)

    def loud(address):
        return site.throttle.is_loud(make_environ(REMOTE_ADDR=address))

    assert loud(within(0))
    assert loud(within(0xFFFF))
    assert not loud(OTHER_CUSTOMER)
    clock.advance(901)
    assert not loud(within(0))


def test_no_right_guess_is_told_from_a_wrong_one_by_what_basic_remembers_elsewhere_in_the_48(clock):
    site = Site(clock, scheme=Basic({"ann": stored("apple")}, realm="x"))

    def sign_in(password, address):
        return site.ask(address=address, headers=basic("ann", password)).code

    assert sign_in("apple", within(7)) == 200
    codes = [sign_in(f"guess {number}", within(number)) for number in range(100, 121)]
    assert codes == [401] * 20 + [429]
    assert sign_in("apple", within(0xFFFF)) == 429


# What it costs


class Counted(MemoryStore):
    """A store that counts what it is asked."""

    def __init__(self):
        super().__init__()
        self.keys = []

    def get(self, key):
        self.keys.append(key)
        return super().get(key)


@pytest.mark.parametrize(
    ("address", "tallies"),
    [("192.0.2.7", 2), ("::ffff:192.0.2.7", 2), ("127.0.0.1", 1), ("::1", 1), ("", 1), (within(1), 3)],
)
def test_a_try_looks_at_no_more_tallies_than_it_has_to(clock, address, tallies):
    store = Counted()
    Site(clock, store=store).ask("apple", address=address)
    assert len(store.keys) == len(set(store.keys)) == tallies


def test_where_all_clients_look_alike_a_48_does_not_wait_as_a_whole(clock):
    site = Site(clock, network_failures=20, shared_networks=["2001:db8:1::/48"])
    assert {site.ask("wrong", f"user {number}", within(number)).code for number in range(50)} == {401}
    assert guess_all_over(site, 21, start=100) == [401] * 20 + [429]


# Together, and with a store that is down


def test_of_60_guesses_at_once_from_all_over_a_48_twenty_are_checked(clock):
    site = Site(clock)
    codes = together(60, lambda at: site.ask(f"guess {at}", address=within(at)).code)
    assert sorted(codes) == [401] * 20 + [429] * 40
    assert len(site.scheme.checks) == 20


@pytest.mark.parametrize("after", range(9))
def test_a_store_that_dies_at_any_call_keeps_nobody_out(clock, after):
    site = Site(clock, store=Broken(MemoryStore(), after))
    assert site.ask("apple", address=within(1)).code == 200
    codes = site.guess(9, address=within(1))
    assert codes[:4] == [401] * 4
    assert codes[-1] == 429
    assert site.told.count("throttle.unavailable") == 1


def test_what_could_not_be_written_whole_is_left_counted_nowhere(clock):
    store = Broken(MemoryStore(), after=5)  # all three are read, two are written
    site = Site(clock, store=store, throttle=Throttle(clock=clock))
    assert site.guess(1, address=within(1)) == [401]
    store.is_broken = False
    clock.advance(61)
    assert guess_all_over(site, 20, start=100)[:19] == [401] * 19


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.sampled_from([0, 1, 10, 400])), max_size=60))
def test_a_guess_from_a_48_is_checked_only_as_often_as_the_delays_let_it(steps):
    clock = FakeClock()
    site = Site(clock, free_failures=2, network_failures=1000)
    others = []  # when something failed in a network in which nobody has been right
    for number, (right, owner, seconds) in enumerate(steps):
        clock.advance(seconds)
        if right:
            site.ask("apple", address=within(owner))
        elif site.ask("wrong", address=within(1000 + number)).code == 401:
            others.append(clock())
    for first, ninth in zip(others, others[8:], strict=False):
        assert ninth - first >= 1
    for first, twelfth in zip(others, others[11:], strict=False):
        assert twelfth - first >= 1 + 2 + 4 + 8


def test_it_is_so_with_basic_in_a_layer_as_everybody_makes_it():
    app = AuthMiddleware(who, Basic({"ann": stored("apple")}))
    codes = [
        ask(app, "/", headers=basic("ann", f"guess {number}"), REMOTE_ADDR=within(number // 4)).code
        for number in range(40)
    ]
    assert codes == [401] * 20 + [429] * 20
