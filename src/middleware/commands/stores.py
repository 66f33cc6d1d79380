"""`stores create` and `stores purge`: the table of a store, and what has expired in it."""

from __future__ import annotations

from middleware.commands.terminal import STORE, complain, opened, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any


def add_to(commands: Any) -> None:
    """Add `stores` and its commands."""
    stores = commands.add_parser("stores", help="look after a store").add_subparsers(
        title="commands", metavar="COMMAND", required=True, dest="command"
    )
    for name, run, purpose in (
        ("create", _create, "make the table of an SQL store where it is missing"),
        ("purge", _purge, "delete what has expired"),
    ):
        command = stores.add_parser(name, help=purpose, description=f"{purpose.capitalize()}.")
        command.add_argument("url", metavar="URL", help=STORE)
        command.set_defaults(run=run)


def _create(asked: Namespace) -> int:
    with opened(asked.url) as store:
        create = getattr(store, "create_table", None)
        if create is None:
            complain(f"{type(store).__name__} has no table to make")
            return 1
        create()
        say(f"ready: {store.table.fullname}")
    return 0


def _purge(asked: Namespace) -> int:
    with opened(asked.url) as store:
        purge = getattr(store, "purge", None)
        if purge is None:
            complain(f"{type(store).__name__} deletes what has expired by itself")
            return 1
        say(f"deleted: {purge()}")
    return 0
