"""`python -m middleware`: small commands for whoever sets the layers up.

Exit status: 0 done, 1 it could not be done, 2 wrong use.
"""

from __future__ import annotations

import argparse
import sys

import middleware
from middleware.commands import auth, caching, secret, stores
from middleware.commands.terminal import complain
from middleware.errors import MiddlewareError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.run is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        status: int = asked.run(asked)
    except MiddlewareError as error:
        complain(str(error))
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m middleware", description="Small commands for setting the layers up."
    )
    parser.add_argument("--version", action="version", version=f"wsgi-middleware {middleware.__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for group in (secret, auth, caching, stores):
        group.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
