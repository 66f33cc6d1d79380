"""docs/caching.md tells of every option that the cache takes, and of no other."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from middleware import CacheKeys, CacheMiddleware, CachePolicy, ConditionalMiddleware

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "caching.md").read_text(encoding="utf-8")


def rows(head):
    """The cells of each row of the table that begins with this one."""
    assert PAGE.count(f"| {head} |") == 1
    table = PAGE.partition(f"| {head} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table.splitlines()[2:]]


def names(head):
    found = [cells[0].strip("| `") for cells in rows(head)]
    assert len(found) == len(set(found))
    return found


@pytest.mark.parametrize("options", [CacheMiddleware, CachePolicy, CacheKeys, ConditionalMiddleware])
def test_every_option_is_explained_and_no_other(options):
    taken = set(inspect.signature(options).parameters) - {"app"}
    assert set(names(f"`{options.__name__}`")) == taken


@pytest.mark.parametrize("cells", rows("`CachePolicy`"), ids=lambda cells: cells[0])
def test_both_configurations_are_what_the_page_says(cells):
    name, default, conformance = (re.sub("[|` ]", "", cell) for cell in cells[:3])
    assert default == repr(getattr(CachePolicy(), name))
    assert conformance == repr(getattr(CachePolicy.CONFORMANCE, name))
