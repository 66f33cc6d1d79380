"""Guessing is slowed down (PW-12, T18): from the request to what it is answered and what is told."""

from __future__ import annotations

import pytest
from asking import ask, make_environ
from auth_helpers import who
from guessing import ANN, ELSEWHERE, NEIGHBOUR, Broken, Key, Site
from hypothesis import given
from hypothesis import strategies as st

from middleware.auth import AuthMiddleware, Unavailable
from middleware.auth.schemes.base import Throttled
from middleware.auth.throttle.attempts import attempt
from middleware.auth.throttle.throttle import MOST_LOUD, Throttle
from middleware.errors import ConfigurationError
from middleware.integrations.conversion import build
from middleware.stores import MemoryStore
from middleware.stores.sqlite import SQLiteStore
from middleware.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def site(clock):
    return Site(clock)


# What is delayed


def test_from_the_fifth_failure_on_the_next_try_waits(site):
    assert site.guess(7) == [401, 401, 401, 401, 401, 429, 429]
    assert len(site.scheme.checks) == 5


def test_the_right_password_waits_too(site):
    site.guess(5)
    answer = site.ask("apple")
    assert answer.code == 429
    assert answer.header("Retry-After") == "1"
    assert answer.header("Cache-Control") == "no-store"


def test_after_the_delay_it_is_tried_and_each_failure_doubles_the_next(site, clock):
    waits = []
    site.guess(4)
    for _ in range(14):
        assert site.guess() == [401]
        answer = site.ask("apple")
        assert answer.code == 429
        waits.append(int(answer.header("Retry-After")))
        clock.advance(waits[-1])
    assert waits[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert max(waits) == 900
    assert site.ask("apple").code == 200


def test_a_refusal_lengthens_no_delay(site, clock):
    site.guess(5)
    site.guess(200)
    clock.advance(1)
    assert site.ask("apple").code == 200


def test_a_success_forgets_the_failures_before_it(site):
    for _ in range(5):
        assert site.guess(4) == [401] * 4
        assert site.ask("apple").code == 200


def test_a_success_from_one_network_forgets_none_from_another(site):
    site.guess(5)
    assert site.ask("apple", address=ELSEWHERE).code == 200
    assert site.ask("apple").code == 429


@pytest.mark.parametrize("user", ["nobody", "Ann", "ANN", "a\0nn", "\0", "ann\udce9", "a" * 7000, "ﬁsh", "a b"])
def test_whoever_is_tried_is_throttled_alike(site, user):
    assert site.guess(6, user) == [401] * 5 + [429]


@pytest.mark.parametrize(
    "spellings", [["ann", "Ann", "ANN", "\uff41nn", "\uff21nn"], ["zoë", "ZOË", "zoe\u0308", "\uff5aoë", "Zoe\u0308"]]
)
def test_all_spellings_of_a_name_are_one(site, spellings):
    assert [site.guess(1, user)[0] for user in [*spellings, spellings[0]]] == [401] * 5 + [429]


def test_names_that_begin_alike_are_different_users(site):
    site.guess(5, "ann\0x")
    assert site.guess(1, "ann") == [401]
    assert site.guess(1, "ann\0y") == [401]


# Whose failures count


def test_others_of_the_network_count_and_other_networks_do_not(site):
    site.guess(5)
    assert site.guess(1, address=NEIGHBOUR) == [429]
    assert site.guess(1, address="::ffff:192.0.2.9") == [429]
    assert site.guess(1, address=ELSEWHERE) == [401]


def test_a_network_of_ipv6_is_a_64(site):
    site.guess(5, address="2001:db8::1")
    assert site.guess(1, address="2001:db8:0:0:ffff::1") == [429]
    assert site.guess(1, address="2001:db8:0:1::1") == [401]
    assert site.ask("boat", "bob", "2001:db8::1").code == 200


@pytest.mark.parametrize(
    "field",
    ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Client-IP", "True-Client-IP", "CF-Connecting-IP", "X-Remote-Addr"],
)
def test_no_field_of_the_request_resets_anything(site, field):
    value = "for=203.0.113.%d" if field == "Forwarded" else "203.0.113.%d"
    codes = [site.ask("wrong", headers={field: value % number}).code for number in range(7)]
    assert codes == [401] * 5 + [429] * 2


def test_other_users_of_the_network_go_on(site):
    site.guess(5)
    assert site.ask("boat", "bob").code == 200


def test_many_names_from_one_network_are_slowed_down_as_a_whole(clock):
    site = Site(clock, network_failures=20)
    codes = [site.guess(1, f"user {number}")[0] for number in range(25)]
    assert codes == [401] * 20 + [429] * 5
    assert site.ask("boat", "bob").code == 429
    assert site.ask("boat", "bob", ELSEWHERE).code == 200
    clock.advance(1)
    assert site.ask("boat", "bob").code == 200


def test_a_success_does_not_clear_the_counter_of_the_network(clock):
    site = Site(clock, network_failures=20)
    for number in range(10):
        assert site.guess(2, f"user {number}") == [401] * 2
        if number < 9:
            assert site.ask("boat", "bob").code == 200
    assert site.ask("boat", "bob").code == 429


def test_a_network_forgets_with_the_time(clock):
    site = Site(clock, network_failures=20, forget_after=3600)
    for number in range(200):
        assert site.guess(1, f"user {number}") == [401]
        clock.advance(181)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "", "unix:", None])
def test_where_all_clients_look_alike_they_do_not_wait_as_a_whole(clock, address):
    site = Site(clock, network_failures=20)
    assert {site.guess(1, f"user {number}", address)[0] for number in range(50)} == {401}
    assert site.guess(6, "ann", address) == [401] * 5 + [429]


@pytest.mark.parametrize("field", ["X-Forwarded-For", "Forwarded"])
def test_a_proxy_that_hides_its_clients_is_told_of_once(site, caplog, field):
    for address in ("127.0.0.1", "::1", ""):
        site.ask("apple", address=address, headers={field: "203.0.113.1"})
    assert len(caplog.records) == 1
    assert "REMOTE_ADDR" in caplog.text


def test_networks_that_were_named_as_shared_are_not_told_of(clock, caplog):
    site = Site(clock, shared_networks=["192.0.2.0/24"], network_failures=3)
    assert {site.ask(user=f"user {number}", headers={"X-Forwarded-For": "x"}).code for number in range(10)} == {401}
    assert not caplog.records


def test_nobody_is_locked_out_for_good_while_a_neighbour_guesses_on(site, clock):
    let_in = 0
    for _ in range(100):
        site.guess(1, address=NEIGHBOUR)
        clock.advance(60)
        let_in += site.ask("apple").code == 200
    assert let_in > 5
    assert site.ask("apple", address=ELSEWHERE).code == 200


# What is told


def test_what_is_told(site):
    site.guess(6)
    site.ask("apple", "ann", ELSEWHERE)
    assert site.told == ["login.failure"] * 5 + ["login.throttled", "login.success"]
    event = site.events[5]
    assert (event.layer, event.subject, event.client) == ("auth", "ann", ANN)
    assert event.details["scheme"] == "key"


def test_no_event_and_no_key_of_the_store_shows_what_was_tried(clock):
    store = MemoryStore()
    site = Site(clock, store=store)
    site.ask("the secret password", "very-private-name")
    seen = f"{site.events} {[event.details for event in site.events]} {site.throttle!r}"
    assert "secret password" not in seen
    assert "very-private-name" not in repr(list(store._entries))
    assert all(key.startswith("middleware.auth.throttle:") and len(key) == 57 for key in store._entries)


# A check that cannot tell


@pytest.mark.parametrize("error", [Unavailable, lambda: Throttled(3)])
def test_what_could_not_be_checked_does_not_count(clock, error):
    def check(user, password):
        raise error()

    site = Site(clock, scheme=Key(check=check))
    assert set(site.guess(20)) <= {503, 429}
    site.scheme.check = site.scheme.is_right
    assert site.guess(5) == [401] * 5


def test_an_error_of_the_check_counts_as_a_failure_and_leaves(clock):
    def check(user, password):
        raise KeyError(user)

    site = Site(clock, scheme=Key(check=check))
    for _ in range(5):
        with pytest.raises(KeyError):
            site.ask()
    assert site.ask().code == 429


# Without


def test_without_a_throttle_it_is_told_all_the_same(clock):
    site = Site(clock, throttle=None)
    assert site.guess(20) == [401] * 20
    assert site.ask("apple").code == 200
    assert site.told == ["login.failure"] * 20 + ["login.success"]


def test_without_a_layer_there_is_only_the_check():
    assert attempt(make_environ(), "key", "ann", lambda: "found") == "found"
    assert attempt(make_environ(), "key", "ann", lambda: None) is None


def test_every_layer_has_a_throttle_by_itself(clock):
    scheme = Key()
    app = AuthMiddleware(lambda environ, start: start("200 OK", []) or [], scheme, clock=clock)
    codes = [ask(app, headers={"X-Key": "ann:wrong"}, REMOTE_ADDR=ANN).code for _ in range(6)]
    assert codes == [401] * 5 + [429]


# Stores


def test_counters_in_a_store_outlive_the_process(clock, tmp_path):
    for _ in range(2):
        with SQLiteStore(tmp_path / "store.db") as store:
            site = Site(clock, store=store)
            codes = site.guess(4)
    assert codes == [401, 429, 429, 429]


def test_its_own_store_goes_before_that_of_the_layer(clock):
    own, of_the_layer = MemoryStore(), MemoryStore()
    site = Site(clock, store=of_the_layer, throttle=Throttle(store=own, clock=clock))
    site.guess(1)
    assert len(own._entries) == 2
    assert not of_the_layer._entries


def test_two_layers_may_share_a_throttle(clock):
    throttle = Throttle(clock=clock)
    first, second = Site(clock, throttle=throttle), Site(clock, throttle=throttle)
    assert first.guess(3) + second.guess(3) == [401] * 5 + [429]


def test_what_it_keeps_of_its_own_is_bounded(clock):
    site = Site(clock, network_failures=10**9)
    for number in range(300):
        site.guess(1, "n" * number, f"10.{number}.0.1")
    own = site.throttle._own
    assert own.max_bytes == 8 << 20
    assert own.bytes_used < 600 * 800


def test_a_store_holds_no_more_than_two_tallies_for_a_client(clock):
    store = MemoryStore()
    site = Site(clock, store=store)
    site.guess(50)
    for _ in range(50):
        site.ask("apple", address=ELSEWHERE)
    assert len(store._entries) == 4


@pytest.mark.parametrize("raw", [b"", b"\xff", b"1e999 0 0 0", b"5 5", b"nan nan nan nan", b"0" * 5000])
def test_what_somebody_else_wrote_into_the_store_is_nobodys_tally(clock, raw):
    class Odd(MemoryStore):
        def get(self, key):
            if super().get(key) is None:
                self.set(key, raw)
            return super().get(key)

    assert Site(clock, store=Odd()).guess(6) == [401] * 5 + [429]


def test_the_memory_of_one_of_several_processes_is_told_of_once(site, caplog):
    for _ in range(3):
        site.ask("apple", **{"wsgi.multiprocess": True})
    assert [record.getMessage()[:49] for record in caplog.records] == [
        "failed logins are counted in the memory of each p"
    ]


def test_a_store_that_processes_share_is_not_told_of(clock, tmp_path, caplog):
    with SQLiteStore(tmp_path / "store.db") as store:
        Site(clock, store=store).ask("apple", **{"wsgi.multiprocess": True})
    assert not caplog.records


# A store that is down


@pytest.mark.parametrize("after", range(9))
def test_a_dead_store_keeps_nobody_out_and_each_process_counts_by_itself(clock, after):
    site = Site(clock, store=Broken(MemoryStore(), after))
    assert site.ask("apple").code == 200
    codes = site.guess(9)
    assert codes[:4] == [401] * 4
    assert codes[-1] == 429
    assert site.told.count("throttle.unavailable") == 1


def test_a_dead_store_is_told_of_once_a_minute(clock):
    site = Site(clock, store=Broken(MemoryStore()))
    for _ in range(180):
        site.ask("apple")
        clock.advance(1)
    assert site.told.count("throttle.unavailable") == 3
    event = next(event for event in site.events if event.name == "throttle.unavailable")
    assert event.client == ANN


def test_a_dead_store_may_keep_everybody_out(clock):
    store = Broken(MemoryStore())
    site = Site(clock, store=store, on_store_error="deny")
    answer = site.ask("apple")
    assert answer.code == 503
    assert answer.header("Retry-After") == "5"
    assert not site.scheme.checks
    store.is_broken = False
    assert site.ask("apple").code == 200


def test_where_writing_alone_fails_nothing_is_left_counted_for_good(clock):
    store = Broken(MemoryStore(), after=3)  # both are read, one is written
    site = Site(clock, store=store, throttle=Throttle(network_failures=5, clock=clock))
    assert site.guess(1) == [401]
    store.is_broken = False
    clock.advance(61)
    assert site.guess(5) == [401] * 4 + [429]


# Is it loud


def loud(site, address):
    return site.throttle.is_loud(make_environ(REMOTE_ADDR=address))


def test_it_is_quiet_until_something_fails_in_the_network(site, clock):
    site.ask("apple")
    assert not loud(site, ANN)
    site.guess(1)
    assert loud(site, ANN)
    assert loud(site, NEIGHBOUR)
    assert not loud(site, ELSEWHERE)
    clock.advance(901)
    assert not loud(site, ANN)


def test_it_is_loud_where_another_process_has_seen_failures(clock):
    store = MemoryStore()
    Site(clock, store=store).guess(1)
    site = Site(clock, store=store)
    site.ask("apple", "bob")
    assert loud(site, ANN)


def test_it_is_loud_without_an_address_too(site):
    site.guess(1, address=None)
    assert loud(site, None)
    assert site.throttle.is_loud({})


def test_what_is_loud_is_bounded(site, clock):
    for number in range(MOST_LOUD + 100):
        site.throttle._hear(make_environ(REMOTE_ADDR=f"10.{number // 256}.{number % 256}.1"))
    assert len(site.throttle._loud) == MOST_LOUD
    assert loud(site, "10.0.100.1")
    clock.advance(901)
    assert not loud(site, "10.0.100.1")
    site.guess(1)
    assert len(site.throttle._loud) == 1


def test_nobody_is_quiet_again_because_too_many_others_are_loud(site, clock):
    site.throttle._hear(make_environ(REMOTE_ADDR="192.0.2.1"))
    clock.advance(1)
    for number in range(MOST_LOUD):
        site.throttle._hear(make_environ(REMOTE_ADDR=f"10.{number // 256}.{number % 256}.1"))
    assert loud(site, "192.0.2.1")
    assert loud(site, "198.51.100.1")  # nobody knows any more
    clock.advance(900)
    assert not loud(site, "192.0.2.1")
    assert not loud(site, "198.51.100.1")


# What comes with every request


def test_a_quiet_success_is_not_told_and_forgets_nothing(clock):
    site = Site(clock, scheme=Key(quietly=True))
    assert site.guess(4) == [401] * 4
    assert [site.ask("apple").code for _ in range(20)] == [200] * 20
    assert site.told == ["login.failure"] * 4
    assert site.guess(2) == [401, 429]


def test_a_throttled_request_checks_nothing(site):
    site.guess(5)
    site.scheme.checks.clear()
    site.guess(100)
    site.ask("apple")
    assert site.scheme.checks == []


# Options


@pytest.mark.parametrize(
    "options",
    [
        {"free_failures": 0}, {"free_failures": True}, {"free_failures": "5"}, {"free_failures": 5.5},
        {"network_failures": 0}, {"network_failures": None}, {"first_delay": 0}, {"first_delay": -1},
        {"first_delay": "1s"}, {"first_delay": float("nan")}, {"longest_delay": 0.5}, {"longest_delay": float("inf")},
        {"forget_after": 0}, {"device_life": 0}, {"shared_networks": "10.0.0.0/8"}, {"shared_networks": ["10.0.0.1/8"]},
        {"store": "redis://localhost"}, {"store": MemoryStore}, {"store": {}}, {"on_store_error": "ignore"},
        {"device_secret": "short"}, {"device_secret": []}, {"device_secret": ""}, {"clock": 7},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_option_is_said_at_construction(options):
    with pytest.raises(ConfigurationError):
        Throttle(**options)


def test_options_are_given_by_name():
    with pytest.raises(TypeError):
        Throttle(5)


@pytest.mark.parametrize("throttle", ["off", 5, Throttle, object()])
def test_a_layer_takes_a_throttle_or_none(throttle):
    with pytest.raises(ConfigurationError, match="throttle="):
        AuthMiddleware(lambda *_: [], Key(), throttle=throttle)


def test_other_options(clock):
    site = Site(clock, free_failures=1, first_delay=0.5, longest_delay=2, forget_after=10)
    assert site.guess(2) == [401, 429]
    assert site.ask().header("Retry-After") == "1"
    clock.advance(0.5)
    assert site.guess(2) == [401, 429]
    clock.advance(1)
    assert site.guess(2) == [401, 429]
    clock.advance(2)
    assert site.ask("apple").code == 200


def test_a_configuration_file_sets_each_option_or_none_at_all(tmp_path):
    options = {
        "throttle.free_failures": "3", "throttle.longest_delay": "5m", "throttle.shared_networks": "10.0.0.1 ::1",
        "throttle.store": f"sqlite:///{tmp_path}/auth.db", "throttle.on_store_error": "deny",
    }  # fmt: skip
    throttle = build(AuthMiddleware, who, Key(), options=options, where="[filter:auth]").throttle
    with throttle._store:
        assert (throttle._by_user.free, throttle._by_user.longest, throttle._denies) == (3, 300, True)
        assert "10.0.0.1" in throttle._shared
    layer = build(AuthMiddleware, who, Key(), options={"throttle": "none"}, where="[filter:auth]")
    assert layer.throttle is None


# Whatever happens


@given(st.lists(st.tuples(st.sampled_from(["ann", "bob", "x"]), st.booleans(), st.sampled_from([ANN, ELSEWHERE]),
                          st.sampled_from([0, 1, 10, 400, 1000])), max_size=60))  # fmt: skip
def test_a_guess_is_checked_only_as_often_as_the_delays_let_it(steps):
    clock = FakeClock()
    site = Site(clock, network_failures=12)
    failures = {}
    for user, right, address, seconds in steps:
        clock.advance(seconds)
        password = {"ann": "apple", "bob": "boat"}.get(user, "wrong") if right else "wrong"
        code = site.ask(password, user, address).code
        if code == 401:
            failures.setdefault((user, address), []).append(clock())
        elif code == 200:
            failures.pop((user, address), None)
    for times in failures.values():
        for first, sixth in zip(times, times[5:], strict=False):
            assert sixth - first >= 1
        for first, tenth in zip(times, times[9:], strict=False):
            assert tenth - first >= 15


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("192.0.2.7:{}", "198.51.100.1:{}"),
        ("[2001:db8:1::7]:{}", "[2001:db8:2::7]:{}"),
        ("[2001:db8:1::7]", "[::1]:{}"),
    ],
    ids=["IPv4", "IPv6", "no port"],
)
def test_the_port_that_some_proxies_write_behind_an_address_is_no_part_of_it(one, other):
    site = Site(FakeClock())
    assert [code for port in range(6) for code in site.guess(address=one.format(4711 + port))] == [401] * 5 + [429]
    assert site.ask("apple", address=other.format(4711)).code == 200


def test_a_network_waits_as_a_whole_whatever_the_ports():
    site = Site(FakeClock(), network_failures=3)
    codes = [site.guess(user=f"u{port}", address=f"192.0.2.7:{port}")[0] for port in range(5000, 5004)]
    assert codes == [401] * 3 + [429]


def test_a_shared_network_is_known_behind_a_port_too():
    site = Site(FakeClock(), network_failures=3, shared_networks=["192.0.2.0/24"])
    assert [site.guess(user=f"u{port}", address=f"192.0.2.7:{port}")[0] for port in range(5000, 5004)] == [401] * 4
