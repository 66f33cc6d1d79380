"""What the tests of the cache share."""

from __future__ import annotations

from functools import partial
from threading import Event, Thread

import pytest
from caching.flying import count_waits, on_database
from servers.addresses import empty_store
from stores.sql_kit import place

from middleware.stores import SQLiteStore, open_store


@pytest.fixture
def elsewhere():
    """Calls a function in a thread of its own. It lives until the test is over, so that no other has its number."""
    over = Event()
    threads = []

    def call(work):
        def act():
            try:
                results.append(work())
            finally:
                done.set()
                over.wait()

        results = []
        done = Event()
        threads.append(Thread(target=act))
        threads[-1].start()
        done.wait()
        (result,) = results
        return result

    yield call
    over.set()
    for thread in threads:
        thread.join()


@pytest.fixture
def others_wait(monkeypatch):
    """`others_wait(number)` comes back when so many requests wait for the answer to another, or are about to."""
    return count_waits(monkeypatch.setattr)


@pytest.fixture(params=["sqlite file", "redis", "cluster", "memcached", "postgresql"])
def opener(request, tmp_path):
    """Opens a store that processes share, empty at first. Other processes can be sent it."""
    if request.param == "sqlite file":
        return partial(SQLiteStore, tmp_path / "cache.db")
    if request.param != "postgresql":
        return partial(open_store, empty_store(request.param, request))
    database = place(request.param, request)
    database.store()
    database.close()
    return partial(on_database, database.url, database.table)
