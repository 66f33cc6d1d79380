"""Many tries at once, in threads and processes: no more are checked than the delays allow, and no count is lost."""

from __future__ import annotations

import threading
from functools import partial
from threading import Barrier, Thread

import pytest
from guessing import Key, Site, guess_in_process, succeed_in_process, together

from middleware.auth.throttle import attempts, counters
from middleware.auth.throttle.delays import Tally
from middleware.stores import MemoryStore, open_store
from middleware.testing import FakeClock
from middleware.testing.crowds import PROCESSES, in_processes

CROWD = 50


class Meeting:
    """A check in which so many must meet before any of them goes on; `most` is how many there were at once."""

    def __init__(self, parties, answer):
        self.barrier = Barrier(parties) if parties else None
        self.answer = answer
        self.lock = threading.Lock()
        self.inside = self.most = 0

    def __call__(self, user, password):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        if self.barrier is not None:
            self.barrier.wait(60)
        with self.lock:
            self.inside -= 1
        return self.answer


def test_of_50_guesses_at_once_five_are_checked():
    meeting = Meeting(5, None)  # none has failed before the fifth is under way
    site = Site(FakeClock(), scheme=Key(check=meeting))
    codes = together(CROWD, lambda at: site.ask(f"guess {at}").code)
    assert sorted(codes) == [401] * 5 + [429] * 45
    assert len(site.scheme.checks) == 5


def test_after_a_delay_one_is_checked():
    clock = FakeClock()
    site = Site(clock)
    site.guess(5)
    clock.advance(1)
    codes = together(CROWD, lambda at: site.ask(f"guess {at}").code)
    assert sorted(codes) == [401] + [429] * 49


def test_of_50_names_at_once_so_many_are_checked_as_a_network_may_fail():
    meeting = Meeting(20, None)
    site = Site(FakeClock(), scheme=Key(check=meeting), network_failures=20)
    codes = together(CROWD, lambda at: site.ask("guess", f"user {at}").code)
    assert sorted(codes) == [401] * 20 + [429] * 30


def test_who_is_right_is_let_in_however_many_come_at_once(monkeypatch):
    monkeypatch.setattr(counters, "PATIENCE", 60)  # the machine may be busy
    meeting = Meeting(0, True)
    site = Site(FakeClock(), scheme=Key(check=meeting))
    assert together(CROWD, lambda at: site.ask("apple").code) == [200] * CROWD
    assert meeting.most <= 5
    assert site.guess(6) == [200] * 6


def test_a_guess_among_those_who_are_right_is_refused(monkeypatch):
    monkeypatch.setattr(counters, "PATIENCE", 60)
    site = Site(FakeClock())
    codes = together(16, lambda at: site.ask("guess" if at == 7 else "apple").code)
    assert codes == [401 if at == 7 else 200 for at in range(16)]


@pytest.mark.parametrize(
    ("password", "code", "told"), [("apple", 200, "login.success"), ("wrong", 401, "login.failure")]
)
def test_the_same_credentials_at_once_are_one_try(monkeypatch, password, code, told):
    waiting = threading.Semaphore(0)
    shared = attempts._shared

    def arrive(flight):
        waiting.release()
        return shared(flight)

    def check(user, password):
        for _ in range(15):
            assert waiting.acquire(timeout=60)
        return True if password == "apple" else None

    monkeypatch.setattr(attempts, "_shared", arrive)
    site = Site(FakeClock(), scheme=Key(check=check, same=True))
    assert together(16, lambda at: site.ask(password).code) == [code] * 16
    assert site.scheme.checks == [password]
    assert site.told == [told]
    assert not attempts._flights


@pytest.mark.parametrize(("retry_after", "error"), [(7, attempts.Unavailable(7)), (5, KeyError())])
def test_who_waits_for_a_try_that_fails_for_another_reason_is_told_to_come_back(monkeypatch, retry_after, error):
    waiting = threading.Semaphore(0)
    shared = attempts._shared

    def arrive(flight):
        waiting.release()
        return shared(flight)

    def check(user, password):
        assert waiting.acquire(timeout=60)
        raise error

    def ask(at):
        try:
            return site.ask("apple").header("Retry-After")
        except KeyError:
            return "left"

    monkeypatch.setattr(attempts, "_shared", arrive)
    site = Site(FakeClock(), scheme=Key(check=check, same=True))
    told = together(2, ask)
    assert str(retry_after) in told
    assert set(told) <= {str(retry_after), "left"}


def test_who_waits_too_long_for_the_same_credentials_is_sent_away(monkeypatch):
    monkeypatch.setattr(attempts, "PATIENCE", 0)
    began, let_go = threading.Event(), threading.Event()

    def check(user, password):
        began.set()
        return True if let_go.wait(60) else None

    site = Site(FakeClock(), scheme=Key(check=check, same=True))
    codes = []
    first = Thread(target=lambda: codes.append(site.ask("apple").code))
    first.start()
    assert began.wait(60)
    second = site.ask("apple")
    assert (second.code, second.header("Retry-After")) == (503, "5")
    let_go.set()
    first.join(60)
    assert codes == [200]
    assert site.scheme.checks == ["apple"]


def test_the_same_credentials_from_two_networks_are_two_tries():
    meeting = Meeting(2, True)
    site = Site(FakeClock(), scheme=Key(check=meeting, same=True))
    assert together(2, lambda at: site.ask("apple", address=f"192.0.{at}.1").code) == [200, 200]


def test_no_password_is_kept_while_it_is_tried():
    def check(user, password):
        seen.append(repr(attempts._flights) + repr([vars(store) for store in stores]))
        return True

    seen, stores = [], [MemoryStore()]
    site = Site(FakeClock(), store=stores[0], scheme=Key(check=check, same=True))
    site.ask("the secret password")
    assert "the secret password" not in seen[0]


def test_too_many_that_wait_are_refused_at_once(monkeypatch):
    monkeypatch.setattr(counters, "_LINE", threading.Semaphore(3))
    meeting = Meeting(5, None)
    site = Site(FakeClock(), scheme=Key(check=meeting))
    codes = together(CROWD, lambda at: site.ask(f"guess {at}").code)
    assert codes.count(401) == 5
    assert codes.count(429) == 45
    assert counters._LINE._value == 3


def test_who_waits_in_vain_is_refused(monkeypatch):
    monkeypatch.setattr(counters, "PATIENCE", 0)
    held, let_go = threading.Semaphore(0), threading.Event()

    def check(user, password):
        held.release()
        assert let_go.wait(60)

    site = Site(FakeClock(), scheme=Key(check=check))
    threads = [Thread(target=site.guess) for _ in range(5)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert held.acquire(timeout=60)
    answer = site.ask("apple")
    let_go.set()
    for thread in threads:
        thread.join()
    assert (answer.code, answer.header("Retry-After")) == (429, "1")


def tallies(store):
    return sorted((Tally.read(store.get(key)) for key in list(store._entries)), key=lambda tally: tally.failures)


def test_no_count_is_lost_and_nothing_stays_under_way():
    store = MemoryStore()
    site = Site(FakeClock(), store=store, network_failures=10_000)

    def ask(at):
        for number in range(10):
            password = {0: "apple", 1: "boat"}.get(number % 3, "wrong")
            site.ask(password, ["ann", "bob", f"user {at}"][number % 3])

    together(16, ask)
    assert all(tally.trying == 0 for tally in tallies(store))
    assert tallies(store)[-1].failures == pytest.approx(16 * 3)


@pytest.mark.parametrize("meets", range(2))
def test_a_try_that_meets_another_between_reading_and_writing_counts_both(meets):
    class Meddled(MemoryStore):
        """Another try of the same client comes by before one of the two tallies is written."""

        def add(self, key, value, ttl=None):
            writes.append(key)
            if len(writes) == meets + 1:
                other.guess()
            return super().add(key, value, ttl)

    writes = []
    store = Meddled()
    site, other = Site(FakeClock(), store=store), Site(FakeClock(), store=store)
    assert site.guess() == [401]
    assert [(tally.failures, tally.trying) for tally in tallies(store)] == [(2, 0), (2, 0)]


@pytest.fixture(params=["file", "redis_server", "memcached"])
def opener(request, tmp_path):
    """Opens a store that processes share."""
    if request.param == "file":
        return partial(open_store, f"sqlite:///{tmp_path}/store.db")
    return partial(open_store, f"{request.getfixturevalue(request.param).url()}&prefix={tmp_path.name}:")


@pytest.mark.slow
def test_four_processes_with_one_store_check_five_guesses(opener):
    codes = [code for codes in in_processes(guess_in_process, opener) for code in codes]
    assert sorted(codes) == [401] * 5 + [429] * (8 * PROCESSES - 5)


@pytest.mark.slow
def test_four_processes_with_one_store_let_everybody_in_who_is_right(opener):
    assert in_processes(succeed_in_process, opener) == [[200] * 4] * PROCESSES


@pytest.mark.slow
def test_a_redis_that_goes_away_keeps_nobody_out(tmp_path):
    from servers.redis_servers import RedisServer

    with RedisServer(tmp_path) as server:
        store = open_store(server.url())
        site = Site(FakeClock(), store=store)
        assert site.guess(2) == [401] * 2
    with store:
        assert site.ask("apple").code == 200
        assert site.guess(6) == [401] * 5 + [429]
        assert site.told.count("throttle.unavailable") == 1
