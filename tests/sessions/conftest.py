"""The stores that sessions are held against: one more is one line more."""

from __future__ import annotations

from functools import partial

import pytest
from servers.addresses import KINDS, empty_store
from sessions.orders import rest

from middleware.stores import MemoryStore, SQLiteStore, open_store


def in_a_file(request):
    return partial(SQLiteStore, request.getfixturevalue("tmp_path") / "sessions.db")


def on_a_server(kind):
    return lambda request: partial(open_store, empty_store(kind, request))


# Each is given the request of a test, and gives a function without arguments that opens the store.
OF_ONE_PROCESS = [pytest.param(lambda request: MemoryStore, id="memory")]
SHARED = [
    *(
        pytest.param(make, id=kind, marks=pytest.mark.slow)
        for kind, make in (("sqlite", in_a_file), *((kind, on_a_server(kind)) for kind in KINDS))
    ),
]


@pytest.fixture(params=[*OF_ONE_PROCESS, *SHARED])
def any_store(request):
    """A store, empty at first."""
    with request.param(request)() as store:
        yield store


@pytest.fixture(params=SHARED)
def opener(request):
    """Opens a store that processes share: the same one each time, empty at first. Other processes can be sent it."""
    return request.param(request)


@pytest.fixture
def elsewhere(monkeypatch):
    """Requests in the midst of others are as in another process: they do not wait for the turn of those."""
    monkeypatch.setattr("middleware.sessions.in_store.turns.LONGEST_TURN", 0)
    monkeypatch.setattr("time.sleep", rest)
