"""`python -m middleware`: small commands for whoever sets the layers up.

Exit status: 0 done, 1 it could not be done, 2 wrong use. A password need never be an argument, which every user of the
machine can read: what may hold one is read from standard input too.
"""

from __future__ import annotations

import argparse
import sys

import middleware
from middleware.errors import MiddlewareError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


_STORE = "where the store is, as `open_store` takes it: sqlite:///sessions.db. - reads it from standard input"


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
        print(f"python -m middleware: {error}", file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m middleware", description="Small commands for setting the layers up."
    )
    parser.add_argument("--version", action="version", version=f"wsgi-middleware {middleware.__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    secret = commands.add_parser("secret", help="print a new secret for `secret=`")
    secret.set_defaults(run=_print_secret)

    hashing = commands.add_parser(
        "hash",
        help="print the hash of a password, for a users file",
        description="Asks for the password on the terminal, or reads one line of standard input.",
    )
    hashing.set_defaults(run=_print_hash)

    purging = commands.add_parser(
        "purge",
        help="purge what a cache has in its store",
        description="Purges URLs, tags or all of a cache in a store that processes share. It takes effect at once.",
    )
    purging.add_argument("--store", metavar="URL", required=True, help=_STORE)
    purging.add_argument("--url", action="append", default=[], help="of a page, with scheme and host; repeatable")
    purging.add_argument("--tag", action="append", default=[], help="of pages; repeatable")
    purging.add_argument("--all", action="store_true", help="all pages")
    purging.add_argument("--soft", action="store_true", help="make them stale, so that they are validated")
    purging.add_argument("--prefix", action="store_true", help="each --url with every query there may be")
    purging.set_defaults(run=_purge_cache)

    stores = commands.add_parser("stores", help="look after a store").add_subparsers(
        title="commands", metavar="COMMAND", required=True, dest="command"
    )
    for name, run, purpose in (
        ("create", _create, "make the table of an SQL store where it is missing"),
        ("purge", _purge, "delete what has expired"),
    ):
        command = stores.add_parser(name, help=purpose, description=f"{purpose.capitalize()}.")
        command.add_argument("url", metavar="URL", help=_STORE)
        command.set_defaults(run=run)
    return parser


def _print_secret(_: argparse.Namespace) -> int:
    from secrets import token_urlsafe

    print(token_urlsafe(32))
    return 0


def _print_hash(_: argparse.Namespace) -> int:
    from middleware.auth.passwords import hash_password

    password = _asked_password()
    if not password:
        print("python -m middleware: there is no password to hash", file=sys.stderr)
        return 2
    try:
        print(hash_password(password))
    except ValueError as error:
        print(f"python -m middleware: {error}", file=sys.stderr)
        return 2
    return 0


def _asked_password() -> str:
    """What was typed twice alike, or the line that was piped in; "" where there is none."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    from getpass import getpass

    password = getpass("Password: ")
    if password != getpass("The same again: "):
        print("the two are not the same", file=sys.stderr)
        return ""
    return password


def _create(asked: argparse.Namespace) -> int:
    with _opened(asked.url) as store:
        create = getattr(store, "create_table", None)
        if create is None:
            print(f"python -m middleware: {type(store).__name__} has no table to make", file=sys.stderr)
            return 1
        create()
        print(f"ready: {store.table.fullname}")
    return 0


def _purge(asked: argparse.Namespace) -> int:
    with _opened(asked.url) as store:
        purge = getattr(store, "purge", None)
        if purge is None:
            print(f"python -m middleware: {type(store).__name__} deletes what has expired by itself", file=sys.stderr)
            return 1
        print(f"deleted: {purge()}")
    return 0


def _purge_cache(asked: argparse.Namespace) -> int:
    from middleware.caching import CachePurger
    from middleware.stores import MemoryStore

    if not (asked.url or asked.tag or asked.all):
        print("python -m middleware purge: name what to purge, by --url, --tag or --all", file=sys.stderr)
        return 2
    with _opened(asked.store) as store:
        if isinstance(store, MemoryStore):
            print("python -m middleware: what a process has in its memory can be purged only there", file=sys.stderr)
            return 1
        purger = CachePurger(store)
        try:
            purger.purge(*asked.url, soft=asked.soft, prefix=asked.prefix)
            purger.purge_tags(*asked.tag, soft=asked.soft)
        except ValueError as error:
            print(f"python -m middleware purge: {error}", file=sys.stderr)
            return 2
        if asked.all:
            purger.purge_all(soft=asked.soft)
    print("purged")
    return 0


def _opened(url: str) -> Any:
    """The store, which is closed at the end, as all that can be named by a URL."""
    from middleware.stores import open_store

    return open_store(sys.stdin.readline().strip() if url == "-" else url)


if __name__ == "__main__":
    sys.exit(main())
