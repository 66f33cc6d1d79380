"""What commands say at a terminal, and what they are told there.

A password need never be an argument, which every user of the machine can read: what may hold one is read from standard
input too.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STORE = "where the store is, as `open_store` takes it: sqlite:///sessions.db. - reads it from standard input"


def say(line: str) -> None:
    """What was asked for."""
    sys.stdout.write(f"{line}\n")


def complain(line: str, command: str = "") -> None:
    """What went wrong."""
    sys.stderr.write(f"python -m middleware{command and ' '}{command}: {line}\n")


def opened(url: str) -> Any:
    """The store, which is closed at the end, as all that can be named by a URL."""
    from middleware.stores import open_store

    return open_store(sys.stdin.readline().strip() if url == "-" else url)


def asked_password() -> str:
    """What was typed twice alike, or the line that was piped in; "" where there is none."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    from getpass import getpass

    password = getpass("Password: ")
    if password != getpass("The same again: "):
        sys.stderr.write("the two are not the same\n")
        return ""
    return password
