"""`auth hash`: what a file of users holds."""

from __future__ import annotations

from middleware.commands.terminal import asked_password, complain, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any


def add_to(commands: Any) -> None:
    """Add `auth` and its commands."""
    auth = commands.add_parser("auth", help="users, their passwords, and who may come where").add_subparsers(
        title="commands", metavar="COMMAND", required=True, dest="command"
    )
    hashing = auth.add_parser(
        "hash",
        help="print the hash of a password, for a users file",
        description="Asks for the password on the terminal, or reads one line of standard input.",
    )
    hashing.set_defaults(run=_print_hash)


def _print_hash(_: Namespace) -> int:
    from middleware.auth.passwords import hash_password

    password = asked_password()
    if not password:
        complain("there is no password to hash", "auth hash")
        return 2
    try:
        say(hash_password(password))
    except ValueError as error:
        complain(str(error), "auth hash")
        return 2
    return 0
