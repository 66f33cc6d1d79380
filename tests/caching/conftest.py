"""What the tests of the cache share."""

from __future__ import annotations

from threading import Event, Thread

import pytest


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
