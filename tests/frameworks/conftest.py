"""What the tests of the frameworks share: the fixtures of the questions that each site is asked."""

from __future__ import annotations

from servers.asked import as_expected, name  # noqa: F401 - fixtures
