"""The keys of an issuer: found, fetched as rarely as can be, changed without anybody noticing, kept over an outage."""

from __future__ import annotations

import multiprocessing
import threading

import pytest
from asking import ask
from auth_helpers import who
from jwt_helpers import (
    DISCOVERY,
    ISSUER,
    JWKS,
    NOW,
    Issuer,
    Site,
    bearer,
    claims,
    ec,
    header,
    public,
    rsa,
    signed,
    token,
)

from middleware.auth.jwt.bucket import Bucket
from middleware.auth.jwt.shared_keys import SharedKeys
from middleware.errors import StoreError
from middleware.stores.memory import MemoryStore
from middleware.stores.sqlite import SQLiteStore
from middleware.testing import FakeClock


@pytest.fixture
def issuer():
    return Issuer()


@pytest.fixture
def site(issuer):
    return Site(who, issuer, remember_for=0)


def code(site, text, path="/"):
    return ask(site, path, headers=bearer(text)).code


def new_token(kid="rsa-2", **changes):
    return token(key=rsa(kid), head={"kid": kid}, **changes)


def crowd(count, act):
    """What each of so many threads got, all of which began at once."""
    together = threading.Barrier(count)
    found = [None] * count

    def run(number):
        together.wait()
        found[number] = act(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_keys_are_found_by_discovery_and_fetched_once_for_100_tokens(site, issuer):
    assert {code(site, token(sub=f"user{number}")) for number in range(100)} == {200}
    assert issuer.asked == [DISCOVERY, JWKS]
    assert site.told("jwks.refresh") == [None]


def test_nothing_is_fetched_before_a_token_comes_that_could_count(site, issuer):
    for bad in (
        "abc",
        token(exp=NOW),
        token(aud="web"),
        token(iss="https://evil.example"),
        token(head={"alg": "none"}),
    ):
        assert code(site, bad) == 401
    ask(site)
    assert issuer.asked == []


def test_an_address_that_was_given_needs_no_discovery(issuer):
    site = Site(who, issuer, jwks_uri=JWKS, issuer="not a URL at all")
    assert code(site, token(iss="not a URL at all")) == 200
    assert issuer.asked == [JWKS]


def test_an_issuer_with_a_path_and_a_slash_is_asked_below_it():
    asked = []

    def fetch(url):
        asked.append(url)
        raise OSError

    for name in ("https://op.example/realms/a", "https://op.example/realms/a/"):
        site = Site(who, fetch, issuer=name)
        assert code(site, token(iss=name)) == 503
    assert asked == ["https://op.example/realms/a/.well-known/openid-configuration"] * 2


def test_twenty_threads_that_come_at_once_fetch_once(issuer):
    arrived = threading.Barrier(2)

    def slowly(url):
        if url == JWKS:
            arrived.wait()
            arrived.wait()
        return issuer(url)

    site = Site(who, slowly, remember_for=0)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(code(site, token()))) for _ in range(20)]
    for thread in threads:
        thread.start()
    arrived.wait()  # one is fetching, and whoever comes now has to wait
    arrived.wait()
    for thread in threads:
        thread.join()
    assert answers == [200] * 20
    assert issuer.fetches == 1


@pytest.mark.slow
def test_100_unknown_ids_cost_five_fetches_while_good_tokens_pass(site, issuer):
    assert code(site, token()) == 200
    issuer.asked.clear()
    for number in range(100):
        assert code(site, token(head={"kid": f"nobody{number}"})) == 401
        if number % 10 == 0:
            assert code(site, token()) == 200
        if number % 20 == 0:
            site.clock.advance(2)
    assert issuer.fetches <= 5
    assert set(site.told("jwks.limited")) == {"unknown key"}


@pytest.mark.slow
def test_100_unknown_ids_from_20_threads_cost_no_more(site, issuer):
    assert code(site, token()) == 200
    answers = crowd(20, lambda n: [code(site, token(head={"kid": f"nobody{n}.{i}"})) for i in range(5)])
    assert answers == [[401] * 5] * 20
    assert issuer.fetches <= 5
    assert code(site, token()) == 200


def test_an_id_that_was_not_there_is_not_asked_for_again_for_a_minute(site, issuer):
    unknown = new_token()
    assert [code(site, unknown) for _ in range(10)] == [401] * 10
    assert issuer.fetches == 2
    site.clock.advance(59)
    assert code(site, unknown) == 401
    assert issuer.fetches == 2
    issuer.document = public(rsa(), rsa("rsa-2"))
    site.clock.advance(1)
    assert code(site, unknown) == 200


def test_only_so_many_unknown_ids_are_kept(site, issuer, monkeypatch):
    monkeypatch.setattr("middleware.auth.jwt.key_sets.MOST_UNKNOWN", 3)
    for number in range(10):
        code(site, token(head={"kid": f"nobody{number}"}))
        site.clock.advance(30)
    keys = site.scheme._tokens.keys
    assert list(keys._unknown) == ["nobody7", "nobody8", "nobody9"]


def test_the_first_token_of_a_new_key_counts_at_once(site, issuer):
    assert code(site, token()) == 200
    issuer.document = public(rsa(), rsa("rsa-2"))
    assert code(site, new_token()) == 200
    assert code(site, token()) == 200
    assert issuer.fetches == 2


@pytest.mark.slow
def test_a_new_key_counts_within_a_minute_of_a_flood(site, issuer):
    code(site, token())
    waited = 0
    for number in range(100):
        code(site, token(head={"kid": f"nobody{number}"}))
    issuer.document = public(rsa(), rsa("rsa-2"))
    while code(site, new_token()) != 200:
        site.clock.advance(1)
        waited += 1
        code(site, token(head={"kid": f"more{waited}"}))
    assert waited <= 60


def test_a_key_that_was_withdrawn_counts_until_the_next_refresh(site, issuer):
    issuer.document = public(rsa(), rsa("rsa-2"))
    assert code(site, new_token()) == 200
    issuer.document = public(rsa())
    site.clock.advance(299)
    assert code(site, new_token()) == 200
    site.clock.advance(1)
    assert code(site, new_token()) == 401
    assert code(site, token()) == 200


def test_what_was_remembered_is_forgotten_when_the_keys_change(issuer):
    site = Site(who, issuer)
    issuer.document = public(rsa(), rsa("rsa-2"))
    for _ in range(2):  # the first is not remembered: there were no keys when it came
        assert code(site, new_token()) == 200
    issuer.document = public(rsa())
    assert code(site, new_token()) == 200
    site.clock.advance(1)
    assert code(site, token(head={"kid": "unknown"})) == 401  # has the keys fetched
    assert code(site, new_token()) == 401


def test_what_was_remembered_stays_when_the_keys_do(issuer):
    site = Site(who, issuer)
    for _ in range(2):
        assert code(site, token(exp=NOW + 9000)) == 200
    site.clock.advance(299)
    code(site, token(head={"kid": "unknown"}, exp=NOW + 9000))
    before = site.scheme._tokens.keys.current
    site.clock.advance(301)
    code(site, token(sub="bob", exp=NOW + 9000))
    assert issuer.fetches == 3
    assert site.scheme._tokens.keys.current is before


@pytest.mark.parametrize("failure", [OSError("down"), ValueError("odd"), RuntimeError("what fetch= likes")])
def test_known_keys_work_through_an_outage_for_a_day(site, issuer, failure):
    made = token(exp=NOW + 200_000)
    assert code(site, made) == 200
    issuer.fails = failure
    for _ in range(23):
        site.clock.advance(3600)
        assert code(site, made) == 200
    site.clock.advance(3599)
    assert code(site, made) == 200
    site.clock.advance(1)
    answer = ask(site, headers=bearer(made))
    assert answer.code == 503
    assert answer.header("Retry-After") == "5"
    issuer.fails = None
    site.clock.advance(5)
    assert code(site, made) == 200
    assert type(failure).__name__ in site.told("jwks.failed") or "no JSON object" in site.told("jwks.failed")


def test_an_outage_is_asked_about_once_in_five_seconds(site, issuer):
    code(site, token())
    issuer.asked.clear()
    issuer.fails = OSError()
    site.clock.advance(300)
    assert [code(site, token()) for _ in range(20)] == [200] * 20
    assert issuer.fetches == 1
    site.clock.advance(5)
    assert [code(site, token()) for _ in range(20)] == [200] * 20
    assert len(issuer.asked) == 2


def test_a_cold_start_in_an_outage_is_503_for_every_token(site, issuer):
    issuer.fails = OSError()
    for path in ("/", "/again"):
        answer = ask(site, path, headers=bearer(token()))
        assert answer.code == 503
        assert answer.header("Retry-After") == "5"
    assert issuer.asked == [DISCOVERY]
    assert ask(site).code == 401
    issuer.fails = None
    site.clock.advance(5)
    assert code(site, token()) == 200


@pytest.mark.slow
def test_cold_starts_in_a_long_outage_are_limited(site, issuer):
    issuer.fails = OSError()
    for _ in range(100):
        assert code(site, token(exp=NOW + 9000)) == 503
        site.clock.advance(5)
    assert len(issuer.asked) <= 5 + 500 / 12 + 1
    assert set(site.told("jwks.limited")) == {"no keys"}


def test_an_unknown_id_in_an_outage_is_503_and_never_accepted(site, issuer):
    code(site, token())
    issuer.fails = OSError()
    assert code(site, new_token()) == 503
    assert code(site, token()) == 200


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda issuer: issuer.metadata.update(issuer=f"{ISSUER}/"), "discovery names another issuer"),
        (lambda issuer: issuer.metadata.pop("issuer"), "discovery names another issuer"),
        (lambda issuer: issuer.metadata.pop("jwks_uri"), "discovery names no https jwks_uri"),
        (lambda issuer: issuer.metadata.update(jwks_uri="http://op.example/keys"), "discovery names no https jwks_uri"),
        (lambda issuer: issuer.metadata.update(jwks_uri="file:///etc/keys"), "discovery names no https jwks_uri"),
        (lambda issuer: issuer.metadata.update(jwks_uri=["https://op.example"]), "discovery names no https jwks_uri"),
        (lambda issuer: setattr(issuer, "document", []), "no JSON object"),
        (lambda issuer: setattr(issuer, "document", {}), "no list of keys"),
        (lambda issuer: setattr(issuer, "document", {"keys": ["a"]}), "no list of keys"),
        (lambda issuer: setattr(issuer, "metadata", "<html>"), "discovery is no JSON object"),
    ],
)
def test_what_an_issuer_says_has_to_be_right(site, issuer, spoil, says):
    spoil(issuer)
    assert code(site, token()) == 503
    assert site.told("jwks.failed") == [says]


def test_an_address_that_has_moved_is_found_again(site, issuer):
    code(site, token())
    moved = f"{ISSUER}/moved"
    issuer.metadata["jwks_uri"] = moved

    def fetch(url):
        if url == JWKS:
            issuer.asked.append(url)
            raise OSError
        return issuer(url)

    site.scheme._tokens.keys._issuer._fetch = fetch
    site.clock.advance(300)
    assert code(site, token()) == 200
    site.clock.advance(5)
    assert code(site, token()) == 200
    assert issuer.asked[-2:] == [DISCOVERY, moved]


def test_a_clock_that_is_set_back_has_the_keys_fetched(site, issuer):
    code(site, token())
    site.clock.advance(-100)
    assert code(site, token(iat=NOW - 200)) == 200
    assert issuer.fetches == 2


def test_keys_of_other_types_count_as_soon_as_they_are_published(site, issuer):
    code(site, token())
    issuer.document = public(ec())
    assert code(site, signed(header(alg="ES256", kid="ec-1"), claims(), ec())) == 200


def test_who_waits_for_keys_holds_up_nobody_who_has_them(issuer):
    started, ended = threading.Event(), threading.Event()

    def slowly(url):
        if issuer.fetches:
            started.set()
            assert ended.wait(20)
        return issuer(url)

    site = Site(who, slowly, remember_for=0)
    assert code(site, token()) == 200
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(code(site, new_token())))
    waiting.start()
    assert started.wait(20)
    assert [code(site, token()) for _ in range(3)] == [200] * 3
    site.clock.advance(300)
    assert code(site, token()) == 200  # old keys, which are just being fetched
    ended.set()
    waiting.join()
    assert answers == [401]


def test_a_key_that_came_while_another_was_fetching_is_asked_for_once_more(issuer):
    """What is in the air may be older than the key of a token that joins."""
    started, ended = threading.Event(), threading.Event()

    def fetch(url):
        answer = issuer(url)
        if issuer.fetches == 2 and not started.is_set():
            started.set()
            assert ended.wait(20)
        return answer

    site = Site(who, fetch, remember_for=0)
    code(site, token())
    first = threading.Thread(target=code, args=(site, token(head={"kid": "nobody"})))
    first.start()
    assert started.wait(20)
    issuer.document = public(rsa(), rsa("rsa-2"))
    answers = []
    second = threading.Thread(target=lambda: answers.append(code(site, new_token())))
    second.start()
    ended.set()
    first.join()
    second.join()
    assert answers == [200]


def shared_site(issuer, store, **options):
    return Site(who, issuer, remember_for=0, store=store, **options)


def test_two_processes_with_a_store_fetch_once(issuer):
    store = MemoryStore()
    first, second = (shared_site(issuer, store) for _ in range(2))
    assert code(first, token()) == 200
    assert code(second, token()) == 200
    assert issuer.fetches == 1
    assert second.told("jwks.refresh") == []


def test_processes_that_start_at_once_fetch_once(issuer):
    store = MemoryStore()
    sites = [shared_site(issuer, store) for _ in range(4)]
    assert crowd(4, lambda number: code(sites[number], token())) == [200] * 4
    assert issuer.fetches == 1


def test_a_new_key_that_one_process_has_seen_costs_the_other_nothing(issuer):
    store = MemoryStore()
    first, second = (shared_site(issuer, store) for _ in range(2))
    code(first, token())
    code(second, token())
    issuer.document = public(rsa(), rsa("rsa-2"))
    for site in (first, second):
        site.clock.advance(1)
        assert code(site, new_token()) == 200
    assert issuer.fetches == 2


@pytest.mark.parametrize("ahead", [-1000, -20, -1, 1, 20, 1000])
def test_clocks_of_two_machines_differ(issuer, ahead):
    store = MemoryStore()
    first, second = (shared_site(issuer, store) for _ in range(2))
    first.clock.advance(ahead)
    for _ in range(3):
        for site in (first, second):
            assert code(site, token(iat=NOW - 2000, exp=NOW + 9000)) == 200
            assert code(site, token(head={"kid": "nobody"}, iat=NOW - 2000, exp=NOW + 9000)) == 401
            site.clock.advance(100)
    issuer.document = public(rsa(), rsa("rsa-2"))
    for site in (first, second):
        assert code(site, new_token(iat=NOW - 2000, exp=NOW + 9000)) == 200
    assert issuer.fetches <= 5 + 2 * 300 / 12


def test_the_limit_holds_for_all_processes_together(issuer):
    """As under CGI, where each request is a process of its own."""
    store = MemoryStore()
    for number in range(50):
        assert code(shared_site(issuer, store), token(head={"kid": f"nobody{number}"})) == 401
    assert issuer.fetches <= 5


def test_a_refresh_of_one_process_is_that_of_all(issuer):
    store = MemoryStore()
    sites = [shared_site(issuer, store) for _ in range(3)]
    for seconds in (0, 300, 300):
        for site in sites:
            site.clock.advance(seconds)
            assert code(site, token(exp=NOW + 9000)) == 200
    assert issuer.fetches == 3


def test_an_outage_is_outlived_by_what_another_process_has_fetched(issuer):
    store = MemoryStore()
    code(shared_site(issuer, store), token())
    issuer.fails = OSError()
    assert code(shared_site(issuer, store), token()) == 200


@pytest.mark.parametrize(
    "record", [b"", b"nonsense", b"x\n{}", b"1\n{}", f"{NOW}\n[]".encode(), f"{NOW}\n<html>".encode()]
)
def test_a_record_that_cannot_be_read_is_fetched_anew(issuer, record):
    store = MemoryStore()
    site = shared_site(issuer, store)
    store.set(site.scheme._tokens.keys._name, record)
    assert code(site, token()) == 200
    assert issuer.fetches == 1


class Broken:
    def fail(self, *given, **named):
        raise StoreError("down")

    get = set = add = swap = delete = fail


def test_a_store_that_is_down_is_done_without(issuer, caplog):
    site = shared_site(issuer, Broken())
    assert code(site, token()) == 200
    for number in range(50):
        assert code(site, token(head={"kid": f"nobody{number}"})) == 401
    assert issuer.fetches <= 6
    assert len([record for record in caplog.records if "does not answer" in record.message]) == 1


def test_a_leader_that_never_comes_back_is_waited_for_only_so_long(issuer, monkeypatch):
    monkeypatch.setattr("middleware.auth.jwt.shared_keys._WAIT", 0.05)
    store = MemoryStore()
    site = shared_site(issuer, store)
    other = SharedKeys(store, site.scheme._tokens.keys._name, 60)
    token_of_other = other.lead()
    assert other.lead() is None
    assert code(site, token()) == 503
    other.land(token_of_other)
    site.clock.advance(5)
    assert code(site, token()) == 200


def test_keys_that_only_got_old_are_not_waited_for(issuer):
    store = MemoryStore()
    site = shared_site(issuer, store)
    code(site, token())
    SharedKeys(store, site.scheme._tokens.keys._name, 60).lead()
    site.clock.advance(300)
    assert code(site, token()) == 200
    assert issuer.fetches == 1


def _one_process(path, together, answers, log):
    issuer = Issuer()

    def fetch(url):
        if url == JWKS:
            with log.open("a") as file:
                file.write("fetched\n")
        return issuer(url)

    site = shared_site(fetch, SQLiteStore(path))
    made = token()
    together.wait(60)
    answers.put(code(site, made))


@pytest.mark.slow
def test_two_real_processes_that_start_at_once_fetch_once(tmp_path):
    rsa()  # before the fork: both have the same key
    fork = multiprocessing.get_context("fork")
    together, answers = fork.Barrier(2), fork.Queue()
    given = (str(tmp_path / "store.db"), together, answers, tmp_path / "log")
    processes = [fork.Process(target=_one_process, args=given) for _ in range(2)]
    for process in processes:
        process.start()
    assert [answers.get(timeout=60) for _ in processes] == [200, 200]
    for process in processes:
        process.join(60)
    assert (tmp_path / "log").read_text() == "fetched\n"


def test_a_bucket_gives_five_and_one_more_every_twelve_seconds():
    clock = FakeClock(NOW)
    for store in (None, MemoryStore(clock=clock)):
        bucket = Bucket("bucket", clock)
        assert [bucket.take(store) for _ in range(7)] == [True] * 5 + [False] * 2
        clock.advance(11.9)
        assert not bucket.take(store)
        clock.advance(0.1)
        assert [bucket.take(store) for _ in range(2)] == [True, False]
        clock.advance(10_000)
        assert [bucket.take(store) for _ in range(7)] == [True] * 5 + [False] * 2
        clock.advance(-500)
        assert not bucket.take(store)
        clock.advance(10_000)


def test_a_bucket_that_many_empty_at_once_gives_no_more():
    store = MemoryStore()
    clock = FakeClock(NOW)
    buckets = [Bucket("bucket", clock) for _ in range(8)]
    taken = crowd(8, lambda number: [buckets[number].take(store) for _ in range(5)])
    assert sum(map(sum, taken)) <= 5
    store.set("bucket", b"nonsense")
    assert Bucket("bucket", clock).take(store)
