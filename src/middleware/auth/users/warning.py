"""What an operator is told of stored passwords, once each. No message holds one."""

from __future__ import annotations

from middleware.auth.passwords import is_weak
from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from middleware.auth.passwords import Cost
    from middleware.auth.users.entries import Entry

_LOGGER = "middleware.auth"
_MOST_TOLD = 10  # bad lines of a file, one by one


def tell_weak(where: str, cost: Cost | None) -> None:
    """Tell of passwords that are guessed fast by whoever gets hold of them."""
    if cost is None or not is_weak(cost):
        return
    form = f"bcrypt of cost {cost[1]}" if cost[0] == "bcrypt" else cost[0]
    say_once(f"auth.hash.weak {where} holds passwords in {form}, which is guessed fast", logger=_LOGGER)


def tell_invalid(path: str, entries: Sequence[Entry]) -> None:
    """Tell of lines that no user can sign in by."""
    for entry in entries[:_MOST_TOLD]:
        what = "the name is none" if entry.name is None else "nobody can have this password"
        say_once(f"auth.hash.invalid {path}, line {entry.line}: {what}; its user stays out", logger=_LOGGER)
    if len(entries) > _MOST_TOLD:
        say_once(f"auth.hash.invalid {path}: {len(entries)} lines in all", logger=_LOGGER)


def tell_same(path: str, pairs: Sequence[tuple[Entry, Entry]]) -> None:
    """Tell of lines that spell one name in two ways."""
    for first, second in pairs[:_MOST_TOLD]:
        say_once(
            f"auth.hash.invalid {path}: lines {first.line} and {second.line} spell one name in two ways; its user "
            "stays out",
            logger=_LOGGER,
        )
