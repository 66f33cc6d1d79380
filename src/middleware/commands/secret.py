"""`secret`: a key to sign with."""

from __future__ import annotations

from middleware.commands.terminal import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any


def add_to(commands: Any) -> None:
    """Add `secret`."""
    secret = commands.add_parser("secret", help="print a new secret for `secret=`")
    secret.set_defaults(run=_print_secret)


def _print_secret(_: Namespace) -> int:
    from secrets import token_urlsafe

    say(token_urlsafe(32))
    return 0
