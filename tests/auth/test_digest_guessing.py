"""Guessing at Digest is slowed down, and nobody is held up who does not guess."""

from __future__ import annotations

import threading

import pytest
from digest_client import Client, digest, hexed, is_stale, protected

from middleware.auth.throttle.throttle import Throttle
from middleware.stores.memory import MemoryStore
from middleware.testing.clock import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def events():
    return []


@pytest.fixture
def app(clock, events):
    return protected(digest(clock=clock), events=events, throttle=Throttle(free_failures=5, clock=clock), clock=clock)


def names(events):
    return [event.name for event in events if event.name != "refused"]


def codes(client, count, **changed):
    return [client.get(number, **changed).code for number in range(1, count + 1)]


def test_after_five_failures_the_right_password_has_to_wait_too(app, clock, events):
    guesser = Client(app)
    assert codes(guesser, 5, password="pear") == [401] * 5
    answer = guesser.get(6)
    assert answer.code == 429
    assert answer.header("Retry-After")
    assert names(events) == ["login.failure"] * 5 + ["login.throttled"]
    clock.advance(60)
    assert guesser.get(7).code == 200


def test_who_has_used_a_nonce_is_not_held_up_by_the_guesses_of_others(app):
    owner, guesser = Client(app), Client(app)
    assert owner.get(1).code == 200
    assert codes(guesser, 6, password="pear")[-1] == 429
    assert owner.get(2).code == 200
    assert Client(app).get().code == 429


def test_a_nonce_that_was_used_is_no_way_to_guess_for_nothing(app):
    client = Client(app)
    assert client.get(1).code == 200
    assert [client.get(2, password="pear").code for _ in range(6)] == [401] * 5 + [429]


def test_a_nonce_that_another_user_has_used_is_no_way_to_guess_for_nothing(app):
    other, guesser = Client(app, "jäsøn", 'p"ä:s\\s'), Client(app)
    assert other.get(1).code == 200
    guesser.nonce, guesser.challenge = other.nonce, other.challenge
    assert codes(guesser, 6, password="pear")[-1] == 429
    assert guesser.get(7).code == 429


def test_a_stale_response_counts_neither_as_a_failure_nor_as_a_login(app, clock, events):
    client = Client(app)
    client.challenged()
    clock.advance(301)
    assert all(is_stale(client.get(count)) for count in range(1, 20))
    assert names(events) == ["digest.stale"] * 19
    client.challenged()
    assert client.get().code == 200


def test_a_wrong_response_to_a_stale_nonce_counts(app, clock):
    client = Client(app)
    client.challenged()
    clock.advance(301)
    assert codes(client, 6, password="pear")[-1] == 429
    assert client.get(7).code == 429


def test_replays_count_for_nothing(app, events):
    client = Client(app)
    client.get(1)
    assert all(is_stale(client.get(1)) for _ in range(20))
    assert names(events) == ["login.success"] + ["digest.replay"] * 20


def test_what_bears_no_nonce_of_ours_is_no_guess(app):
    client = Client(app)
    client.nonce = "A" * 44
    assert codes(client, 20, password="pear") == [401] * 20
    client.nonce = None
    assert client.get().code == 200


@pytest.mark.parametrize("user", ["eve", "a b", "\u200b", "x" * 4000])
def test_unknown_users_and_what_is_no_name_are_slowed_down_alike(app, user):
    assert codes(Client(app, user), 6) == [401] * 5 + [429]


def test_a_digest_of_a_name_is_a_guess_at_that_user(clock):
    app = protected(digest(userhash=True, clock=clock), throttle=Throttle(free_failures=5, clock=clock))
    hashed = {"username": hexed("SHA-256", "ann", "App"), "userhash": "true"}
    assert codes(Client(app), 5, password="pear", **hashed) == [401] * 5
    assert Client(app).get().code == 429


@pytest.mark.parametrize("store", [None, MemoryStore()], ids=["own", "shared"])
def test_a_page_with_many_parts_spends_no_guesses_of_its_own_user(store):
    app = protected(digest(), store=store)
    clients = [Client(app) for _ in range(16)]
    for client in clients:
        client.challenged()
    at_once = threading.Barrier(len(clients))
    found = []

    def fetch(client):
        at_once.wait(60)
        found.append(client.get().code)

    threads = [threading.Thread(target=fetch, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [200] * 16
