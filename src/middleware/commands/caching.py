"""`purge`: what a cache has in its store."""

from __future__ import annotations

from middleware.commands.terminal import STORE, complain, opened, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any


def add_to(commands: Any) -> None:
    """Add `purge`."""
    purging = commands.add_parser(
        "purge",
        help="purge what a cache has in its store",
        description="Purges URLs, tags or all of a cache in a store that processes share. It takes effect at once.",
    )
    purging.add_argument("--store", metavar="URL", required=True, help=STORE)
    purging.add_argument("--url", action="append", default=[], help="of a page, with scheme and host; repeatable")
    purging.add_argument("--tag", action="append", default=[], help="of pages; repeatable")
    purging.add_argument("--all", action="store_true", help="all pages")
    purging.add_argument("--soft", action="store_true", help="make them stale, so that they are validated")
    purging.add_argument("--prefix", action="store_true", help="each --url with every query there may be")
    purging.set_defaults(run=_purge)


def _purge(asked: Namespace) -> int:
    from middleware.caching import CachePurger
    from middleware.stores import MemoryStore

    if not (asked.url or asked.tag or asked.all):
        complain("name what to purge, by --url, --tag or --all", "purge")
        return 2
    with opened(asked.store) as store:
        if isinstance(store, MemoryStore):
            complain("what a process has in its memory can be purged only there", "purge")
            return 1
        purger = CachePurger(store)
        try:
            purger.purge(*asked.url, soft=asked.soft, prefix=asked.prefix)
            purger.purge_tags(*asked.tag, soft=asked.soft)
        except ValueError as error:
            complain(str(error), "purge")
            return 2
        if asked.all:
            purger.purge_all(soft=asked.soft)
    say("purged")
    return 0
