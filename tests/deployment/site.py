"""A server of examples/deploy that serves the reference app with its whole stack."""

from __future__ import annotations

from contextlib import contextmanager

from conftest import skip_or_fail
from deployment.rows import ROWS, missing
from servers.asked import Asked
from servers.deployed import deployed

APPLICATION = """
from pathlib import Path

from deployment.probing import Probing
from examples.reference.deployed import deployed

KEPT = Path(__file__).parent / "data"
application = deployed(KEPT, Probing(KEPT))
"""


@contextmanager
def served(row, application=APPLICATION, **options):
    """The row, running. Skip where it needs what is not installed, or fail where REQUIRE_SERVERS=1."""
    if absent := missing(ROWS[row]):
        skip_or_fail(f"not installed: {', '.join(absent)}")
    with deployed(row, application, debians_python=ROWS[row].debians_python, **options) as running:
        yield Asked(running, ROWS[row].cannot)
