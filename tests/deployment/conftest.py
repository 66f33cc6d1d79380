"""What the tests of the servers share: each server, started once for all questions of a file."""

from __future__ import annotations

import pytest
from deployment.rows import ROWS
from deployment.site import served
from servers.asked import as_expected, name  # noqa: F401 - fixtures


@pytest.fixture(scope="module", params=ROWS)
def row(request):
    """The name of a server."""
    return request.param


@pytest.fixture(scope="module")
def site(row):
    with served(row) as site:
        yield site
