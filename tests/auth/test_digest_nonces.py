"""Nonces of Digest and their counts through the front door: DIG-3 to DIG-6, and DIG-8."""

from __future__ import annotations

import gc
import threading

import pytest
from asking import ask
from digest_client import PASSWORDS, Client, challenges, digest, is_stale, protected

from middleware.errors import StoreError
from middleware.stores.memory import MemoryStore
from middleware.testing.clock import FakeClock


@pytest.fixture
def app():
    return protected()


@pytest.fixture
def client(app):
    return Client(app)


# DIG-3: nonces


def test_no_two_challenges_have_the_same_nonce(app):
    assert len({challenges(ask(app))[0]["nonce"] for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "nonce",
    ["x", "A" * 44, "é" * 44, "☃", "A" * 43 + "=", "A" * 45, "dcd98b7102dd2f0e8b11d0f600bfb0c093", " " * 44],
)
def test_a_nonce_that_we_never_made_is_refused_without_a_word(client, nonce):
    client.challenged()
    client.nonce = nonce
    assert not is_stale(client.get())


def test_a_nonce_with_one_changed_character_is_none_of_ours(client):
    made = client.challenged()["nonce"]
    for place in range(len(made)):
        client.nonce = made[:place] + ("A" if made[place] != "A" else "B") + made[place + 1 :]
        assert not is_stale(client.get())


def test_a_nonce_of_another_realm_or_another_secret_is_none_of_ours(app):
    for other in (digest(realm="Other"), digest(secret="another secret of 32 characters")):
        client = Client(app)
        client.challenged()
        client.nonce = challenges(ask(protected(other)))[0]["nonce"]
        assert not is_stale(client.get())


def test_keys_are_changed_newest_last():
    client = Client(protected(digest(secret="the first key of this site")))
    client.challenged()
    client.app = protected(digest(secret=["the first key of this site", "the second key of this site"]))
    assert client.get().code == 200
    client.challenged()
    client.app = protected(digest(secret="the first key of this site"))
    assert client.get().code == 401
    client.app = protected(digest(secret=["the second key of this site"]))
    assert client.get().code == 200


def test_an_expired_nonce_is_stale_for_who_knows_the_password_and_wrong_for_who_does_not():
    clock = FakeClock()
    client = Client(protected(digest(clock=clock)))
    client.challenged()
    clock.advance(299)
    assert client.get().code == 200
    clock.advance(2)
    assert is_stale(client.get(2))
    assert not is_stale(client.get(2, password="pear"))
    client.challenged()
    assert client.get().code == 200


def test_the_life_of_a_nonce_is_an_option():
    clock = FakeClock()
    client = Client(protected(digest(clock=clock, nonce_lifetime=10)))
    client.challenged()
    clock.advance(11)
    assert is_stale(client.get())


def test_a_nonce_from_the_future_is_stale():
    clock = FakeClock()
    client = Client(protected(digest(clock=clock)))
    client.challenged()
    clock.advance(-59)
    assert client.get().code == 200
    clock.advance(-3600)
    assert is_stale(client.get(2))


@pytest.mark.slow
def test_who_only_asks_leaves_nothing_behind(app):
    ask(app)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(300):
        ask(app)
    gc.collect()
    assert len(gc.get_objects()) - before < 100
    assert len(app.schemes[0]._own_windows) == 0


@pytest.mark.slow
def test_a_hundred_thousand_who_only_ask_leave_nothing_behind(app):
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.url_scheme": "http"}

    def ask_only():
        app(dict(environ), lambda status, headers, exc_info=None: None)

    ask_only()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(100_000):
        ask_only()
    gc.collect()
    assert len(gc.get_objects()) - before < 100
    assert len(app.schemes[0]._own_windows) == 0


# DIG-4: counts


@pytest.mark.parametrize("store", [None, MemoryStore()], ids=["own", "shared"])
def test_a_response_is_good_once(store):
    events = []
    client = Client(protected(digest(store=store), events=events))
    assert [client.get().code for _ in range(1)] == [200]
    assert is_stale(client.get())
    assert [event.name for event in events if event.name.startswith("digest.")] == ["digest.replay"]
    assert client.get(2).code == 200
    assert is_stale(client.get(1))
    assert is_stale(client.get(2))


@pytest.mark.parametrize("store", [None, MemoryStore()], ids=["own", "shared"])
def test_counts_that_come_out_of_order_are_good_once_each(store):
    client = Client(protected(digest(store=store)))
    for count in (1, 3, 2, 10, 9, 4, 70, 7):
        assert client.get(count).code == 200, count
    for count in (1, 2, 3, 4, 7, 9, 10, 70):
        assert is_stale(client.get(count)), count
    assert is_stale(client.get(6)), "below the window of 64"
    assert client.get(8).code == 200


def test_the_first_count_that_comes_need_not_be_the_first(client):
    assert [client.get(count).code for count in (2, 1)] == [200, 200]
    assert [is_stale(client.get(count)) for count in (2, 1)] == [True, True]


def test_counts_are_numbers_and_not_text(client):
    assert [client.get(count).code for count in ("00000009", "0000000a", "00000010", "0000000B")] == [200] * 4
    assert is_stale(client.get("0000000b"))


def test_the_highest_count_is_one_like_others(client):
    assert client.get("ffffffff").code == 200
    assert client.get("fffffffe").code == 200
    assert is_stale(client.get(1))


@pytest.mark.parametrize("nc", ["00000000", "1", "000000001", "0000000g", "0x000001", "-0000001", " 0000001", "", "+1"])
def test_what_is_no_count_is_malformed(client, nc):
    assert client.get(nc).code == 400


@pytest.mark.parametrize("store", [None, MemoryStore()], ids=["own", "shared"])
def test_of_equal_responses_at_once_one_is_good(store):
    app = protected(digest(store=store))
    client = Client(app)
    field = client.field()
    at_once = threading.Barrier(8)
    codes = []

    def send():
        at_once.wait(60)
        codes.append(ask(app, HTTP_AUTHORIZATION=field).code)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(codes) == [200] + [401] * 7


@pytest.mark.parametrize("store", [None, MemoryStore()], ids=["own", "shared"])
def test_different_counts_at_once_are_all_good(store):
    app = protected(digest(store=store))
    client = Client(app)
    assert client.get(1).code == 200
    fields = [client.field(count) for count in range(2, 18)]
    at_once = threading.Barrier(8)
    codes = []

    def send(mine):
        at_once.wait(60)
        codes.extend(ask(app, HTTP_AUTHORIZATION=field).code for field in mine)

    threads = [threading.Thread(target=send, args=[fields[place::8]]) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert codes == [200] * 16


def test_two_users_of_one_nonce_count_together(app):
    ann = Client(app)
    jason = Client(app, "jäsøn", PASSWORDS["jäsøn"])
    ann.challenged()
    jason.nonce = ann.nonce
    jason.challenge = ann.challenge
    assert ann.get(1).code == 200
    assert is_stale(jason.get(1))
    assert jason.get(2).text == "jäsøn jäsøn Digest"


# DIG-5


@pytest.mark.parametrize("store", [None, MemoryStore()], ids=["own", "shared"])
def test_a_wrong_response_uses_nothing_up_and_frees_nothing(store):
    client = Client(protected(digest(store=store)))
    assert not is_stale(client.get(1, password="pear"))
    assert client.get(1).code == 200
    assert not is_stale(client.get(1, password="pear"))
    assert not is_stale(client.get(7, password="pear"))
    assert is_stale(client.get(1))
    assert client.get(7).code == 200


# DIG-6


@pytest.mark.parametrize(("most", "active"), [(10, 100), pytest.param(100, 1000, marks=pytest.mark.slow)])
def test_a_nonce_whose_counts_were_dropped_is_used_up(most, active):
    app = protected(digest(max_nonces=most, clock=FakeClock()))
    clients = []
    for _ in range(active):
        client = Client(app)
        assert client.get().code == 200
        clients.append(client)
    assert len(app.schemes[0]._own_windows) == most
    for client in clients:
        assert is_stale(client.get(1))
    for client in clients[:-most]:
        assert is_stale(client.get(2))
    for client in clients[-most:]:
        assert client.get(2).code == 200


def test_a_nonce_that_is_older_than_one_that_was_dropped_is_used_up_before_its_use():
    app = protected(digest(max_nonces=2))
    old = Client(app)
    old.challenged()
    for _ in range(3):
        assert Client(app).get().code == 200
    assert is_stale(old.get())


# DIG-8


def test_two_processes_with_one_secret_take_each_others_nonces():
    client = Client(protected())
    client.challenged()
    client.app = protected()
    assert client.get().code == 200


@pytest.mark.parametrize("where", ["scheme", "layer"])
def test_a_replay_at_another_process_is_seen_where_they_share_a_store(where):
    store = MemoryStore()

    def process():
        return protected(digest(store=store)) if where == "scheme" else protected(digest(), store=store)

    client = Client(process())
    assert client.get(1).code == 200
    client.app = process()
    assert is_stale(client.get(1))
    assert client.get(2).code == 200
    client.app = process()
    assert is_stale(client.get(2))


def test_with_a_shared_store_a_nonce_that_it_does_not_know_begins_with_one():
    store = MemoryStore()
    client = Client(protected(digest(store=store)))
    assert is_stale(client.get(2))
    assert client.get(1).code == 200
    store.clear()
    assert is_stale(client.get(2))


def test_a_record_that_cannot_be_read_is_used_up():
    store = MemoryStore()
    client = Client(protected(digest(store=store)))
    client.challenged()
    for record in (b"", b"\xff", b"1 1", b"x y ann"):
        store.set(f"digest:{client.nonce}", record)
        assert is_stale(client.get(1)), record
        assert is_stale(client.get(1000)), record


class Down:
    """A store whose backend does not answer."""

    def get(self, key):
        raise StoreError("down")

    set = add = swap = delete = get


def test_without_its_store_nobody_is_let_in(caplog):
    events = []
    app = protected(digest(store=Down()), events=events)
    answer = Client(app).get()
    assert answer.code == 503
    assert answer.header("Retry-After")
    assert [event.name for event in events] == ["source.unavailable"]
    assert "the store of Digest failed" in caplog.text
