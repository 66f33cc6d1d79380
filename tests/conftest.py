"""What every test shares: programs that a real part needs, and how their absence is told."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings
from servers.memcached_servers import memcached  # noqa: F401 - a fixture
from servers.redis_servers import redis_cluster, redis_server  # noqa: F401 - fixtures

from middleware import operators

# A property holds or not: how long an example takes on a busy machine says nothing about it.
settings.register_profile("whole", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("whole"), max_examples=5, stateful_step_count=20)


def is_quick(config):
    return config.option.markexpr == "not slow"


def pytest_configure(config):
    """`make quick` tries fewer examples of each property: `make test` tries them all."""
    if not config.getoption("--hypothesis-profile", None):
        settings.load_profile("quick" if is_quick(config) else "whole")


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector):
    """`make quick` tries the first row of each table: `make test` tries them all."""
    made = yield
    if not is_quick(collector.config) or not isinstance(made, list):
        return made
    return [row for row in made if not row.get_closest_marker("slow")][:1]


def pytest_runtest_setup():
    """A message that is said once is said in each test, whatever others have made us say before."""
    operators._said.clear()


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is imported and collected stays: a look for garbage there takes 0.1 s each time and finds none."""
    gc.disable()
    try:
        yield
        gc.collect()
        gc.freeze()
    finally:
        gc.enable()


def program(*names: str) -> str:
    """The path of the first of these programs that is installed; else skip, or fail where REQUIRE_SERVERS=1."""
    beside_python = f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}"
    path = next(filter(None, (shutil.which(name, path=beside_python) for name in names)), None)
    if path is None:
        skip_or_fail(f"{' or '.join(names)} is not installed")
    return path


def skip_or_fail(reason: str) -> NoReturn:
    """What the test needs is not here: skip it, or fail where REQUIRE_SERVERS=1."""
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
