"""What every test shares: programs that a real part needs, and how their absence is told."""

from __future__ import annotations

import gc
import os
import shutil

import pytest
from hypothesis import settings
from servers.memcached_servers import memcached  # noqa: F401 - a fixture
from servers.redis_servers import redis_cluster, redis_server  # noqa: F401 - fixtures

settings.register_profile("quick", max_examples=20)


def pytest_configure(config):
    """`make quick` tries fewer examples of each property: `make test` tries them all."""
    if config.option.markexpr == "not slow" and not config.getoption("--hypothesis-profile", None):
        settings.load_profile("quick")


def pytest_collection_finish(session):
    """What was imported and collected stays: a collection that looks through it again takes 0.1 s each time."""
    gc.collect()
    gc.freeze()


def program(*names: str) -> str:
    """The path of the first of these programs that is installed; else skip, or fail where REQUIRE_SERVERS=1."""
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    reason = f"{' or '.join(names)} is not installed"
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL of the tests' own."""
    from servers.postgresql import PostgreSQL

    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb():
    """A MariaDB of the tests' own."""
    from servers.mariadb import MariaDB

    with MariaDB() as server:
        yield server
