"""Guessing with Basic: what a request that has to wait derives (nothing), and what is remembered while others guess."""

from __future__ import annotations

import pytest
from asking import ask
from auth_helpers import basic, stored, who
from guessing import ANN, ELSEWHERE, NEIGHBOUR, together

from middleware.auth import AuthMiddleware, Basic, verification
from middleware.auth.throttle import counters
from middleware.auth.throttle.throttle import Throttle
from middleware.stores import MemoryStore
from middleware.testing import FakeClock

USERS = {"ann": stored("apple"), "bob": stored("boat")}


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def derivations(monkeypatch):
    """What was derived, for somebody or for nobody."""
    done = []
    verify, spend = verification.verify, verification.spend

    def seen(password, *rest):
        done.append(password)
        return verify(password, *rest)

    def spent(*args):
        done.append(None)
        spend(*args)

    monkeypatch.setattr(verification, "verify", seen)
    monkeypatch.setattr(verification, "spend", spent)
    return done


class Site:
    def __init__(self, clock, **options):
        self.events = []
        self.app = AuthMiddleware(
            who, Basic(USERS, clock=clock), throttle=Throttle(clock=clock), on_event=self.events.append, clock=clock,
            **options,
        )  # fmt: skip

    def ask(self, password="apple", user="ann", address=ANN):
        return ask(self.app, headers=basic(user, password), REMOTE_ADDR=address).code

    @property
    def told(self):
        return [event.name for event in self.events]


@pytest.fixture
def site(clock):
    return Site(clock)


def test_a_request_that_has_to_wait_derives_nothing(site, derivations):
    assert [site.ask(f"guess {number}") for number in range(5)] == [401] * 5
    derivations.clear()
    assert {site.ask(f"guess {number}") for number in range(50)} == {429}
    assert site.ask("apple") == 429
    assert derivations == []


def test_for_a_name_that_nobody_has_too(site, derivations):
    assert [site.ask("guess", "nobody") for _ in range(5)] == [401] * 5
    derivations.clear()
    assert site.ask("guess", "nobody") == 429
    assert derivations == []


def test_what_is_remembered_tells_no_guess_from_another(site, clock, derivations):
    assert site.ask("apple") == 200
    assert [site.ask(f"guess {number}", address=NEIGHBOUR) for number in range(5)] == [401] * 5
    derivations.clear()
    assert site.ask("apple", address=NEIGHBOUR) == 429
    assert site.ask("apple") == 429
    assert site.ask("apple", address=ELSEWHERE) == 200
    clock.advance(1)
    assert site.ask("apple") == 200
    assert derivations == []


def test_who_is_remembered_does_not_forgive_the_guesses_of_others(site, clock):
    site.ask("apple")
    codes = []
    for number in range(6):
        codes.append(site.ask(f"guess {number}", address=NEIGHBOUR))
        site.ask("apple")
    assert codes == [401] * 5 + [429]


def test_a_page_of_thirty_images_is_let_through_as_a_whole(site, monkeypatch):
    monkeypatch.setattr(counters, "PATIENCE", 60)
    assert together(30, lambda at: site.ask("apple")) == [200] * 30
    assert site.ask("guess") == 401
    assert together(30, lambda at: site.ask("apple")) == [200] * 30


def test_a_login_is_told_once_and_what_is_remembered_is_not(site):
    for _ in range(10):
        site.ask("apple")
    assert site.told == ["login.success"]


def test_what_fails_is_told_once(site):
    site.ask("guess")
    assert site.told == ["login.failure"]


def test_guesses_in_other_spellings_are_guesses_for_the_same_name(site):
    names = ["ann", "ANN", "Ann", "\uff41nn", "aNN", "anN"]
    assert [site.ask("guess", name) for name in names] == [401] * 5 + [429]


def test_what_basic_costs_while_nobody_guesses_touches_no_store(clock):
    class Counted(MemoryStore):
        def get(self, key):
            calls.append(key)
            return super().get(key)

    calls = []
    site = Site(clock, store=Counted())
    site.ask("apple")
    calls.clear()
    for _ in range(10):
        assert site.ask("apple") == 200
    assert calls == []
