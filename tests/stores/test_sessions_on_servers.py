"""Sessions on real servers: no log-out undone, an outage that is an answer. That nothing is lost is in
sessions/test_exact.py, for every store.
"""

import pytest
from servers.addresses import KINDS, empty_store, empty_table
from servers.network import Silent
from servers.redis_servers import RedisServer
from sessions.kit import Site, everything, put
from sessions.races import cookie_of
from stores.sql_kit import DRIVERS, place

from middleware.stores import MemoryStore, open_store

pytestmark = pytest.mark.slow


@pytest.fixture(params=KINDS)
def url(request):
    return empty_store(request.param, request)


@pytest.fixture
def store(url):
    with open_store(url) as store:
        yield store


@pytest.mark.parametrize("late", [put(late=1), everything, lambda session: session.rotate()])
def test_a_late_request_does_not_undo_a_log_out(store, late):
    visitor = Site(store=store).visitor()
    visitor(put(user="ann"))
    cookie = visitor.cookie

    def slow(session):
        everything(session)
        visitor.twin()(lambda session: session.invalidate())
        return late(session)

    assert visitor.twin()(slow).code == 200
    assert visitor(everything).text == "{}"
    assert visitor.site.ask(everything, cookie).text == "{}"


def test_a_read_is_one_round_trip_and_a_write_are_two(redis_server):
    def asked():
        stats = redis_server.ask("INFO", "commandstats")
        return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("get", "set", "evalsha", "del"))

    with open_store(redis_server.url()) as store:
        visitor = Site(store=store).visitor()
        visitor(put(a=1))
        visitor(put(a=2))
        redis_server.ask("CONFIG", "RESETSTAT")
        assert visitor(everything).text == "{'a': 2}"
        assert asked() == 1
        redis_server.ask("CONFIG", "RESETSTAT")
        visitor(put(a=3))
        assert asked() == 2 + 2  # GET and EVALSHA; what the script itself does is counted too


def test_an_outage_is_an_answer_and_the_session_outlives_it(tmp_path):
    server = RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    with server, open_store(server.url()) as store:
        visitor = Site(store=store).visitor()
        visitor(put(user="ann"))
        server.kill()
        assert visitor(lambda session: "untouched").code == 200
        for use in (everything, put(a=1), lambda session: session.invalidate()):
            answer = visitor(use)
            assert (answer.code, answer.all("Set-Cookie")) == (503, [])
            assert answer.header("Retry-After")
        server.start()
        assert visitor(everything).text == "{'user': 'ann'}"


@pytest.mark.parametrize("kind", DRIVERS)
def test_an_outage_of_a_database_is_an_answer_and_the_session_outlives_it(kind, request):
    database = place(kind, request)
    with open_store(empty_table(database)) as store:
        visitor = Site(store=store).visitor()
        visitor(put(user="ann"))
        database.server.kill()
        try:
            assert visitor(lambda session: "untouched").code == 200
            for use in (everything, put(a=1), lambda session: session.invalidate()):
                answer = visitor(use)
                assert (answer.code, answer.all("Set-Cookie")) == (503, [])
        finally:
            database.server.start()
        assert visitor(everything).text == "{'user': 'ann'}"


def test_an_address_that_never_answers_is_an_outage():
    with Silent() as silent, open_store(f"redis://127.0.0.1:{silent.port}?timeout=200ms") as store:
        cookie = cookie_of(Site(store=MemoryStore()).ask(put(a=1)))
        answer = Site(store=store).ask(everything, cookie)
        assert (answer.code, answer.all("Set-Cookie")) == (503, [])
        assert silent.accepted == 1
